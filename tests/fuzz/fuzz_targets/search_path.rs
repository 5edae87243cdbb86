#![no_main]
libfuzzer_sys::fuzz_target!(|input: &[u8]| hallpass_stores::fuzzing::search_path(input));
