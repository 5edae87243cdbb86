//! A container of a session that the server keeps, hostile, under every version's rules.
//!
//! Nothing may panic, and what is believed with a signature must be the same without.

#![no_main]

use hallpass_sessions::django::Keyring;
use hallpass_sessions::django::SESSION_SALT;
use hallpass_sessions::django::Version;
use hallpass_sessions::django::open_trusted;
use hallpass_sessions::django::read;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    for version in [(1, 4), (3, 2), (4, 0), (6, 1)].map(|(major, minor)| Version::new(major, minor)) {
        let keys = Keyring::stored(version, SESSION_SALT, [&b"first"[..]]);
        if let Ok(opened) = keys.open(input) {
            let trusted = open_trusted(version, input).map(|trusted| trusted.payload);
            assert_eq!(trusted, Ok(opened.payload));
        }
        if let Ok(opened) = open_trusted(version, input) {
            let _ = read(&opened.payload);
        }
    }
});
