#![no_main]
libfuzzer_sys::fuzz_target!(|input: &[u8]| { hallpass_sessions::fuzzing::rails_cookies(input); });
