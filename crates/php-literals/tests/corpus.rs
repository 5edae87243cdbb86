//! Replays the fuzz corpus as the fuzz target would (`tests/fuzz/fuzz_targets/php_literals.rs`).
#![allow(clippy::unwrap_used, reason = "a test may fail so")]

use hallpass_php_literals::read;

#[test]
fn every_configuration_file_is_harmless() {
    let (mut inputs, mut values) = (0, 0);
    let corpus = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../tests/fuzz/corpus/php_literals"
    );
    for file in std::fs::read_dir(corpus).unwrap() {
        let source = std::fs::read(file.unwrap().path()).unwrap();
        inputs += 1;
        let Ok(literals) = read(&source) else {
            continue;
        };
        let commented = read(&[b"<?php /* x */ ?>", &source[..]].concat()).unwrap();
        for name in ["secret", "dbpasswd", "a", "this", "GLOBALS"] {
            let value = literals.variable(name).ok().flatten();
            assert_eq!(value, commented.variable(name).ok().flatten());
            values += usize::from(value.is_some());
            let value = literals.property("JConfig", name).ok().flatten();
            let expected = commented.property("JConfig", name).ok().flatten();
            assert_eq!(value, expected);
            values += usize::from(value.is_some());
            let _ = literals.constant(name);
        }
    }
    assert!(
        inputs > 50 && values > 10,
        "{inputs} inputs, {values} values"
    );
}
