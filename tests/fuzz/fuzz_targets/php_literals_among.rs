#![no_main]
libfuzzer_sys::fuzz_target!(|input: &[u8]| { hallpass_php_literals::fuzzing::php_literals_among(input); });
