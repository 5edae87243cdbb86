//! Finds what of a site's own code changes how it lets people in: plug-ins, must-use plug-ins, drop-ins
//! and the theme, by the hooks and functions of WordPress that they take over.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// The longest file that is looked at, in bytes.
const LONGEST: u64 = 1 << 20;
/// The most files and directories of one plug-in.
const MOST: usize = 5000;
/// How deep directories are looked into.
const DEPTH: usize = 8;

/// What a plug-in changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Change {
    /// Which passwords are right, or what is asked for beside them.
    Passwords,
    /// Which cookies count.
    Sessions,
    /// Who is taken for logged in beside the cookie.
    Visitors,
    /// What accounts are allowed.
    Permissions,
    /// How names are read.
    Names,
    /// Which database is asked.
    Database,
}

/// Hooks, and functions that may be replaced (`wp-includes/pluggable.php`), each with a quote or a
/// bracket behind it.
const MARKS: [(Change, &[&str]); 5] = [
    (
        Change::Passwords,
        &[
            "'authenticate'",
            "'wp_authenticate'",
            "'wp_authenticate_user'",
            "'check_password'",
            "'wp_login'",
            "'login_form_validate",
            "function wp_authenticate(",
            "function wp_check_password(",
            "function wp_hash_password(",
            "function wp_set_password(",
            "function wp_signon(",
        ],
    ),
    (
        Change::Sessions,
        &[
            "'session_token_manager'",
            "'salt'",
            "'auth_cookie'",
            "'auth_cookie_valid'",
            "function wp_validate_auth_cookie(",
            "function wp_parse_auth_cookie(",
            "function wp_generate_auth_cookie(",
            "function wp_salt(",
            "function wp_hash(",
            "function get_user_by(",
            "function get_userdata(",
            "function wp_set_current_user(",
        ],
    ),
    (
        Change::Permissions,
        &[
            "'user_has_cap'",
            "'map_meta_cap'",
            "'role_has_cap'",
            "_user_roles'",
        ],
    ),
    (
        Change::Visitors,
        &["'determine_current_user'", "'set_current_user'"],
    ),
    (Change::Names, &["'sanitize_user'"]),
];

/// What the code of a plug-in at `path`, a file or a directory, changes.
pub(super) fn changes(path: &Path) -> BTreeSet<Change> {
    let mut found = BTreeSet::new();
    let mut left = MOST;
    for file in files(path, DEPTH, &mut left) {
        let mut source = Vec::new();
        let read = File::open(&file).and_then(|file| file.take(LONGEST).read_to_end(&mut source));
        if read.is_ok() {
            let source = String::from_utf8_lossy(&source).replace('"', "'");
            let source: String = source.split_whitespace().collect::<Vec<_>>().join(" ");
            let source = source.replace(" (", "(");
            for (change, marks) in MARKS {
                if marks.iter().any(|mark| hooks(&source, mark)) {
                    found.insert(change);
                }
            }
        }
    }
    found
}

/// Whether `source` has `mark`, and where that is a hook, adds to it.
fn hooks(source: &str, mark: &str) -> bool {
    let mut places = source.match_indices(mark);
    if !mark.ends_with('\'') || mark.starts_with('_') {
        return places.next().is_some();
    }
    places.any(|(at, _)| {
        let before = source.get(..at).unwrap_or_default().trim_end();
        [
            "add_filter(",
            "add_action(",
            "remove_filter(",
            "remove_action(",
            "remove_all_filters(",
        ]
        .iter()
        .any(|call| before.ends_with(call))
    })
}

/// The PHP files at `path` and below.
fn files(path: &Path, depth: usize, left: &mut usize) -> Vec<PathBuf> {
    let is_php = |path: &Path| path.extension().is_some_and(|ending| ending == "php");
    if path.is_file() {
        return if is_php(path) {
            vec![path.to_owned()]
        } else {
            Vec::new()
        };
    }
    let Some(depth) = depth.checked_sub(1) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(path).into_iter().flatten().flatten() {
        let Some(less) = left.checked_sub(1) else {
            return found;
        };
        *left = less;
        // A link could lead back.
        let is_link = entry.file_type().is_ok_and(|kind| kind.is_symlink());
        let below = entry.path();
        if below.is_file() || !is_link {
            found.extend(files(&below, depth, left));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_that_takes_over_is_found() {
        let directory = tempfile::tempdir().unwrap();
        let changes_of = |name: &str, source: &str| {
            let path = directory.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, format!("<?php\n{source}")).unwrap();
            let found = changes(&directory.path().join(name.split('/').next().unwrap()));
            found.into_iter().collect::<Vec<_>>()
        };
        for (name, source, expected) in [
            (
                "a.php",
                "add_filter( 'authenticate', 'f' );",
                vec![Change::Passwords],
            ),
            (
                "b/c/d.php",
                "add_filter(\n\t\"authenticate\", f);",
                vec![Change::Passwords],
            ),
            (
                "c.php",
                "add_action('wp_login', [$this, 'x'], 10, 2);",
                vec![Change::Passwords],
            ),
            (
                "d.php",
                "if (!f()) { function wp_check_password ( $a ) {} }",
                vec![Change::Passwords],
            ),
            (
                "e.php",
                "add_filter('session_token_manager', 'f');",
                vec![Change::Sessions],
            ),
            (
                "f.php",
                "add_filter('user_has_cap', 'f');",
                vec![Change::Permissions],
            ),
            (
                "g.php",
                "add_filter('sanitize_user', 'f');",
                vec![Change::Names],
            ),
            (
                "h.php",
                "apply_filters('authenticate', 1); echo 'salt';",
                vec![],
            ),
            (
                "i.php",
                "add_filter('authenticate_not', 'f'); my_wp_check_password();",
                vec![],
            ),
            ("j.txt", "add_filter('authenticate', 'f');", vec![]),
        ] {
            assert_eq!(changes_of(name, source), expected, "{source}");
        }
        assert!(changes(Path::new("/nowhere")).is_empty());
    }
}
