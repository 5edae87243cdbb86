//! Files with conditions and includes, read as PHP 8.2 runs them.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test may fail so"
)]

use std::collections::BTreeMap;

use hallpass_php_literals::{Files, Included, Literal, Literals, Surroundings, read_among};

/// Files by their paths.
struct Site(BTreeMap<&'static str, String>);

impl Files for Site {
    fn include(&mut self, path: &str) -> Included {
        match self.0.get(path) {
            Some(source) => Included::File(source.clone().into_bytes().into()),
            None if path.ends_with("/wp-settings.php") => Included::Nothing,
            None => Included::Unknown,
        }
    }

    fn exists(&mut self, path: &str) -> Option<bool> {
        Some(self.0.contains_key(path) || path == "/srv/site")
    }

    fn is_file(&mut self, path: &str) -> Option<bool> {
        (path != "/secret").then(|| self.0.contains_key(path))
    }
}

fn run(source: &str, files: &[(&'static str, &str)]) -> Literals {
    let files = files
        .iter()
        .map(|(path, text)| (*path, format!("<?php {text}")));
    let surroundings = Surroundings {
        path: "/srv/site/config.php".to_owned(),
        constants: BTreeMap::from([("GIVEN".to_owned(), Literal::Integer(7))]),
        variables: BTreeMap::new(),
    };
    let source = format!("<?php {source}");
    read_among(source.as_bytes(), surroundings, &mut Site(files.collect())).unwrap()
}

/// The value as text; `-` where there is none, `?` where it is not known.
fn shown(literals: &Literals, name: &str) -> String {
    let found = match name.strip_prefix('$') {
        Some(name) => literals.variable(name),
        None => literals.constant(name),
    };
    match found {
        Ok(Some(Literal::Text(text))) => String::from_utf8(text.to_vec()).unwrap(),
        Ok(Some(Literal::Integer(number))) => number.to_string(),
        Ok(Some(Literal::Boolean(boolean))) => boolean.to_string(),
        Ok(Some(other)) => format!("{other:?}"),
        Ok(None) => "-".to_owned(),
        Err(_) => "?".to_owned(),
    }
}

#[test]
fn names_and_conditions_are_evaluated() {
    for (source, name, expected) in [
        (
            "define('A', __DIR__ . '/x'); define('B', A . 'y');",
            "B",
            "/srv/site/xy",
        ),
        ("$a = dirname(__FILE__, 2); $c = $a . '!';", "$c", "/srv!"),
        ("$a = dirname(__FILE__, 2); $b = \"$a\";", "$b", "?"),
        ("$a = GIVEN . 'x';", "$a", "7x"),
        ("$a = \\GIVEN . 'x';", "$a", "7x"),
        ("$a = given;", "$a", "?"),
        ("$a = UNKNOWN;", "$a", "?"),
        ("$a = $b;", "$a", "?"),
        ("$a = [1]; $b = $a;", "$b", "?"),
        ("$a = 'x'; $b = $a[0];", "$b", "?"),
        (
            "if (!defined('A')) define('A', 1); if (!defined('A')) define('A', 2);",
            "A",
            "1",
        ),
        (
            "define('A', 1); if (!defined('A')) { define('A', 2); } else { define('B', 3); }",
            "B",
            "3",
        ),
        (
            "if (defined('A')) { $a = 1; } elseif (defined('GIVEN')) { $a = 2; } else { $a = 3; }",
            "$a",
            "2",
        ),
        (
            "if (defined('A')) { $a = 1; } else if (!defined('GIVEN')) { $a = 2; } else { $a = 3; }",
            "$a",
            "3",
        ),
        (
            "if (defined('GIVEN')) { $a = 1; } elseif (f()) { $a = 2; } else { $a = 3; }",
            "$a",
            "1",
        ),
        (
            "if (defined('A')) { $a = 1; } elseif (f()) { $a = 2; } else { $a = 3; }",
            "$a",
            "?",
        ),
        ("if (f()) { $a = 1; } $b = 2;", "$a", "?"),
        ("if (f()) { $a = 1; } $b = 2;", "$b", "2"),
        (
            "if (f()) { define('A', 1); } if (!defined('A')) define('A', 2);",
            "A",
            "?",
        ),
        ("if (!isset($a)) { $a = 'wp_'; }", "$a", "wp_"),
        ("$a = null; if (!isset($a)) { $a = 'wp_'; }", "$a", "wp_"),
        ("$a = 'x'; if (!isset($a)) { $a = 'wp_'; }", "$a", "x"),
        ("$a = f(); if (!isset($a)) { $a = 'wp_'; }", "$a", "?"),
        ("if (isset($_SERVER['HTTPS'])) { $a = 1; }", "$a", "?"),
        ("if (isset($_SERVER)) { $a = 1; }", "$a", "?"),
        ("eval($x); if (!isset($a)) { $a = 1; }", "$a", "?"),
        ("if (GIVEN && !defined('A')) $a = 1;", "$a", "1"),
        ("if (defined('A') || defined('GIVEN')) $a = 1;", "$a", "1"),
        ("if (defined('A') && f()) $a = 1;", "$a", "?"),
        ("if (GIVEN == 7) $a = 1;", "$a", "?"),
        ("if (true) $a = 1; else $a = 2;", "$a", "1"),
        ("if (false) $a = 1; else $a = 2;", "$a", "2"),
        ("if ('0') $a = 1; else $a = 2;", "$a", "2"),
        ("if (true) if (false) $a = 1; else $a = 2;", "$a", "?"),
        ("if (true): $a = 1; else: $a = 2; endif; $b = 3;", "$a", "?"),
        ("if (true): $a = 1; else: $a = 2; endif; $b = 3;", "$b", "3"),
        (
            "if (true) { if (false) { $a = 1; } else { $a = 2; } } $b = 1;",
            "$a",
            "2",
        ),
        ("$a = 1; if (true) { return; } $a = 2;", "$a", "1"),
        ("$a = 1; if (false) { return; } $a = 2;", "$a", "2"),
        ("if (file_exists(__DIR__)) $a = 1;", "$a", "1"),
        ("if (is_file('/secret')) $a = 1;", "$a", "?"),
        ("if (file_exists('config.php')) $a = 1;", "$a", "?"),
        ("if (\\defined('GIVEN')) $a = 1;", "$a", "1"),
        ("if (function_exists('f')) $a = 1;", "$a", "?"),
    ] {
        assert_eq!(
            shown(&run(source, &[]), name),
            expected,
            "{name} in {source}"
        );
    }
}

#[test]
fn included_files_are_read_in_their_place() {
    let files = [
        (
            "/srv/site/a.php",
            "$a = 'a'; define('A', __DIR__); define('F', __FILE__);",
        ),
        ("/srv/b.php", "$b = $a . 'b'; return; $b = 'never';"),
        ("/srv/site/end.php", "exit; $a = 1;"),
        ("/srv/site/self.php", "$n = 1; include __FILE__;"),
        ("/srv/site/changes.php", "$a = f();"),
    ];
    for (source, name, expected) in [
        ("include __DIR__ . '/a.php';", "$a", "a"),
        (
            "require_once(__DIR__ . '/a.php'); require_once(dirname(__DIR__) . '/b.php');",
            "$b",
            "ab",
        ),
        ("require __DIR__ . '/a.php';", "A", "/srv/site"),
        ("require __DIR__ . '/a.php';", "F", "/srv/site/a.php"),
        (
            "$a = 'x'; require_once __DIR__ . '/a.php'; $a = 'y'; require_once __DIR__ . '/a.php';",
            "$a",
            "y",
        ),
        (
            "$a = 'x'; require __DIR__ . '/a.php'; $a = 'y'; require __DIR__ . '/a.php';",
            "$a",
            "a",
        ),
        (
            "if (file_exists(__DIR__ . '/a.php')) { include __DIR__ . '/a.php'; }",
            "$a",
            "a",
        ),
        (
            "if (file_exists(__DIR__ . '/b.php')) { include __DIR__ . '/b.php'; } $c = 1;",
            "$b",
            "-",
        ),
        ("require 'a.php';", "$a", "?"),
        ("$b = 1; require $x . '/a.php';", "$b", "?"),
        ("$b = 1; require '/srv/nowhere.php';", "$b", "?"),
        ("$a = f(); include __DIR__ . '/a.php';", "$a", "a"),
        ("$a = 'x'; include __DIR__ . '/changes.php';", "$a", "?"),
        (
            "$b = 1; require_once __DIR__ . '/wp-settings.php';",
            "$b",
            "1",
        ),
        ("include '/srv/site/end.php'; $c = 1;", "$c", "-"),
        ("$b = include __DIR__ . '/a.php';", "$a", "?"),
        ("include '/srv/site/self.php';", "$n", "?"),
        ("include_once '/srv/site/config.php'; $c = 1;", "$c", "1"),
    ] {
        assert_eq!(
            shown(&run(source, &files), name),
            expected,
            "{name} in {source}"
        );
    }
    let literals = run("\n\n$a = 1;\ninclude __DIR__ . '/changes.php';", &files);
    assert_eq!(literals.variable("a").unwrap_err().line, 4);
}

#[test]
fn what_is_made_of_names_never_grows_without_end() {
    let doubling = format!("$a = 'aaaaaaaaaaaaaaaa'; {}", "$a = $a . $a;".repeat(200));
    assert_eq!(shown(&run(&doubling, &[]), "$a"), "?");
    let nested = format!("{}$a = 1;{}", "if (true) {".repeat(5000), "}".repeat(5000));
    assert_eq!(shown(&run(&nested, &[]), "$a"), "?");
    let brackets = format!("if ({}true{}) $a = 1;", "(".repeat(5000), ")".repeat(5000));
    assert_eq!(shown(&run(&brackets, &[]), "$a"), "?");
    let not = format!("if ({}true) $a = 1;", "!".repeat(5000));
    assert_eq!(shown(&run(&not, &[]), "$a"), "?");
    let chain = format!(
        "if (false) $a = 0; {} $b = 1;",
        "elseif (false) $a = 1;".repeat(4000)
    );
    assert_eq!(shown(&run(&chain, &[]), "$b"), "1");
}
