//! Checks a hostile password against a hostile stored hash, under every rules.
//!
//! The input is the password, a line feed, and the encoded hash; a hash without a line feed is
//! also the password. Nothing may panic, and nothing may pass the limits.

#![no_main]

use hallpass_passwords::Context;
use hallpass_passwords::Encoded;
use hallpass_passwords::Limits;
use hallpass_passwords::Outcome;
use hallpass_passwords::Rules;
use libfuzzer_sys::fuzz_target;

const LIMITS: Limits = Limits { max_iterations: 20_000, max_memory: 1 << 20, max_cost: 4 };

fuzz_target!(|input: &[u8]| {
    let (password, encoded) = match input.iter().position(|byte| *byte == b'\n') {
        Some(end) => (&input[..end], &input[end + 1..]),
        None => (input, input),
    };
    let text = String::from_utf8_lossy(encoded);
    for rules in Rules::ALL {
        if let Ok(encoded) = Encoded::parse(rules, &text) {
            let outcome = encoded.verify(password, &Context::default(), &LIMITS);
            assert_ne!(outcome, Outcome::Unusable);
        }
    }
});
