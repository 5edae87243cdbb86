//! A session's payload, JSON or a pickle, hostile.
//!
//! Nothing may panic, and what is found must be found again.

#![no_main]

use hallpass_sessions::django::read;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let found = read(input);
    if found.is_ok() {
        assert_eq!(read(input), found);
    }
});
