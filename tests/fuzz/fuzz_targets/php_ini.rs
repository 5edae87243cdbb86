#![no_main]
libfuzzer_sys::fuzz_target!(|input: &[u8]| { hallpass_sites::fuzzing::php_ini(input); });
