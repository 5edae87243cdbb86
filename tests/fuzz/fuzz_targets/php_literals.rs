//! A PHP configuration file, hostile.
//!
//! Nothing may panic, and a comment in front of a file changes nothing but the numbers of lines.

#![no_main]

use hallpass_php_literals::read;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|source: &[u8]| {
    let Ok(literals) = read(source) else {
        return;
    };
    let Ok(commented) = read(&[b"<?php /* x */ ?>", source].concat()) else {
        assert!(source.len() > (128 << 10) - 20);
        return;
    };
    for name in ["secret", "dbpasswd", "a", "this", "GLOBALS"] {
        let value = literals.variable(name).ok().flatten();
        assert_eq!(value, commented.variable(name).ok().flatten());
        let value = literals.property("JConfig", name).ok().flatten();
        assert_eq!(value, commented.property("JConfig", name).ok().flatten());
        let _ = literals.constant(name);
    }
});
