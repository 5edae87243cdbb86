//! What a cache keeps for a session, hostile, in every encoding.
//!
//! Nothing may panic, or hold more than libFuzzer's limit.

#![no_main]

use hallpass_sessions::django::read_cache_file;
use hallpass_sessions::django::read_cache_row;
use hallpass_sessions::django::read_cache_value;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    for flags in [None, Some(1), Some(9)] {
        let _ = read_cache_value(input, flags);
    }
    let _ = read_cache_row(input);
    let _ = read_cache_file(input);
});
