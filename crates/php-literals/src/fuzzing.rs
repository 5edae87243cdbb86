//! Asserts what holds for every PHP file. The fuzz target calls this function, and the test below
//! replays its corpus.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

use crate::{Files, Included, Literal, Returned, Surroundings, read, read_among, returned, words};

/// A comment in front of a file changes nothing but the numbers of lines. How many values there are.
pub fn php_literals(source: &[u8]) -> usize {
    let Ok(literals) = read(source) else {
        return 0;
    };
    let Ok(commented) = read(&[b"<?php /* x */ ?>", source].concat()) else {
        assert!(source.len() > (128 << 10) - 20);
        return 0;
    };
    let mut values = 0;
    for name in ["secret", "dbpasswd", "a", "this", "GLOBALS"] {
        let value = literals.variable(name).ok().flatten();
        assert_eq!(value, commented.variable(name).ok().flatten());
        values += usize::from(value.is_some());
        let value = literals.property("JConfig", name).ok().flatten();
        assert_eq!(value, commented.property("JConfig", name).ok().flatten());
        values += usize::from(value.is_some());
        let element = literals.element(name, &["k"]).ok().flatten();
        assert_eq!(element, commented.element(name, &["k"]).ok().flatten());
        if let Ok(Some(whole)) = literals.variable(name) {
            // What is known as a whole is known in its parts.
            assert!(element.is_some() || literals.element(name, &["k"]) == Ok(None));
            values += usize::from(element.is_some_and(|element| element != whole));
        }
        let _ = literals.constant(name);
    }
    // As far as it is known, a returned value does not depend on what is called.
    let unknown = |_: &str, _: &[Option<Literal>]| None;
    let found = returned(source, &unknown);
    let again = returned(&[b"<?php /* x */ ?>", source].concat(), &unknown);
    if let (Ok(Returned::Literal(found)), Ok(again)) = (found, again) {
        assert_eq!(Returned::Literal(found), again);
        values += 1;
    }
    let _ = words(source);
    values
}

/// Includes nothing but the file itself, and knows no other file.
struct Itself(Vec<u8>);

impl Files for Itself {
    fn include(&mut self, path: &str) -> Included {
        match path {
            "/site/wp-config.php" => Included::File(self.0.clone().into()),
            "/site/nothing.php" => Included::Nothing,
            _ => Included::Unknown,
        }
    }

    fn exists(&mut self, path: &str) -> Option<bool> {
        (path != "/hidden").then_some(path == "/site")
    }

    fn is_file(&mut self, path: &str) -> Option<bool> {
        (path != "/hidden").then_some(path == "/site/wp-config.php")
    }
}

/// A file among others is read the same twice, and ends. How many values there are.
pub fn php_literals_among(source: &[u8]) -> usize {
    let surroundings = || Surroundings {
        path: "/site/wp-config.php".to_owned(),
        ..Surroundings::default()
    };
    let read_so = || read_among(source, surroundings(), &mut Itself(source.to_vec()));
    let (Ok(among), Ok(again)) = (read_so(), read_so()) else {
        return 0;
    };
    let mut values = 0;
    for name in ["A", "B", "DB_NAME", "ABSPATH", "LOGGED_IN_KEY"] {
        let found = among.constant(name).ok().flatten();
        assert_eq!(found, again.constant(name).ok().flatten());
        values += usize::from(found.is_some());
    }
    for name in ["table_prefix", "a", "b"] {
        let found = among.variable(name).ok().flatten();
        assert_eq!(found, again.variable(name).ok().flatten());
        values += usize::from(found.is_some());
    }
    values
}

#[cfg(test)]
#[path = "../../../tests/fuzz/replay.rs"]
mod replay;

#[test]
fn properties_hold_for_the_corpus_and_values_are_found() {
    let values = replay::replay("php_literals", php_literals);
    assert!(values.len() > 50 && values.iter().sum::<usize>() > 10);
    let values = replay::replay("php_literals_among", php_literals_among);
    assert!(values.len() > 5 && values.iter().sum::<usize>() > 10);
}
