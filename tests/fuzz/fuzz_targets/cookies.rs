//! A Cookie header and the name of a cookie in it, both hostile.
//!
//! The input is a name, a line feed, and the header. Nothing may panic; what PHP's reader finds
//! stands in the header as it is; and headers that are joined are as good as several.

#![no_main]

use hallpass_core::cookie::{Cookie, Reader, value};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some(end) = input.iter().position(|byte| *byte == b'\n') else {
        return;
    };
    let (name, header) = (&input[..end], &input[end + 1..]);
    let name = &*String::from_utf8_lossy(name);
    for reader in [Reader::Django, Reader::Php, Reader::First, Reader::Last] {
        let cookie = Cookie { name, reader };
        let found = value([header], cookie);
        assert!(found.as_ref().is_none_or(|found| found.len() <= header.len()));
        if reader == Reader::Php && let Some(found) = &found {
            assert!(found.is_empty() || header.windows(found.len()).any(|part| part == found));
        }
        let parts: Vec<&[u8]> = header.split(|byte| *byte == b';').collect();
        assert_eq!(value(parts, cookie), found);
    }
});
