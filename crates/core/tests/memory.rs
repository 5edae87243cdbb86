//! No cookie header of up to a megabyte takes more than 16 MiB to read.
#![allow(clippy::unwrap_used, reason = "a test may fail so")]

#[path = "../../sessions/tests/allocations/mod.rs"]
mod allocations;

use allocations::most_at_a_time;
use hallpass_core::cookie::{Cookie, Reader, value};

/// What everything here may take at a time, beside the input.
const LIMIT: usize = 16 << 20;
const HEADER: usize = 1 << 20;

/// As many parts as fit.
fn fill(head: &str, part: &str, tail: &str) -> Vec<u8> {
    let count = (HEADER - head.len() - tail.len()) / part.len();
    [head, &part.repeat(count), tail].concat().into_bytes()
}

// One test alone: the count is of the whole process.
#[test]
fn nothing_takes_more_than_16_mib() {
    let room = std::thread::Builder::new().stack_size(256 << 10);
    let test = || {
        for (name, header) in [
            ("pairs", fill("", "a=b;", "")),
            ("the cookie", fill("", "SID=b;", "")),
            ("semicolons", fill("", ";", "")),
            ("a long value", fill("SID=", "a", "")),
            ("a quoted value", fill("SID=\"", "\\054", "\"")),
        ] {
            for reader in [Reader::Django, Reader::Php] {
                let cookie = Cookie {
                    name: "SID",
                    reader,
                };
                let taken = most_at_a_time(|| drop(value([&header[..]], cookie)));
                assert!(taken <= LIMIT, "{name}: {taken} bytes");
            }
        }
    };
    room.spawn(test).unwrap().join().unwrap();
}
