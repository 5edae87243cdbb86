//! Replays the fuzz corpus as the fuzz target would (`tests/fuzz/fuzz_targets/passwords.rs`).
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test may fail so"
)]

use std::path::Path;

use hallpass_passwords::Context;
use hallpass_passwords::Encoded;
use hallpass_passwords::Limits;
use hallpass_passwords::Outcome;
use hallpass_passwords::Rules;

#[test]
fn every_input_of_the_corpus_is_harmless() {
    let limits = Limits {
        max_iterations: 20_000,
        max_memory: 1 << 20,
        max_cost: 4,
    };
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fuzz/corpus/passwords");
    let (mut inputs, mut matches) = (0, 0);
    for file in std::fs::read_dir(corpus).unwrap() {
        let input = std::fs::read(file.unwrap().path()).unwrap();
        let (password, encoded) = match input.iter().position(|byte| *byte == b'\n') {
            Some(end) => (&input[..end], &input[end + 1..]),
            None => (&*input, &*input),
        };
        let encoded = String::from_utf8_lossy(encoded);
        inputs += 1;
        for rules in Rules::ALL {
            let Ok(encoded) = Encoded::parse(rules, &encoded) else {
                continue;
            };
            let outcome = encoded.verify(password, &Context::default(), &limits);
            matches += usize::from(outcome == Outcome::Match);
        }
    }
    assert!(
        inputs > 50 && matches > 30,
        "{inputs} inputs, {matches} matches"
    );
}
