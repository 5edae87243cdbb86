//! Asserts what holds for every password and every stored hash. A fuzz target calls this function,
//! and the test below replays its corpus.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

use crate::{Context, Encoded, Limits, Outcome, Rules};

const LIMITS: Limits = Limits {
    max_iterations: 20_000,
    max_memory: 1 << 20,
    max_cost: 4,
};

/// A password, a line feed, and a stored hash; without a line feed, the input is both. By every
/// rules, what has been parsed as a hash is never found to mark an account without a password. How
/// many rules take the password.
pub fn passwords(input: &[u8]) -> usize {
    let (password, encoded) = match input.iter().position(|byte| *byte == b'\n') {
        Some(end) => (&input[..end], &input[end + 1..]),
        None => (input, input),
    };
    let text = String::from_utf8_lossy(encoded);
    let mut matches = 0;
    for rules in Rules::ALL {
        let Ok(encoded) = Encoded::parse(rules, &text) else {
            continue;
        };
        let outcome = encoded.verify(password, &Context::default(), &LIMITS);
        assert_ne!(outcome, Outcome::Unusable, "{rules:?}");
        matches += usize::from(outcome == Outcome::Match);
    }
    matches
}

#[cfg(test)]
#[path = "../../../tests/fuzz/replay.rs"]
mod replay;

#[test]
fn properties_hold_for_the_corpus_and_passwords_are_right() {
    let matches = replay::replay("passwords", passwords);
    assert!(matches.len() > 50 && matches.iter().sum::<usize>() > 30);
}
