//! Replays the fuzz corpus as the fuzz target would (`tests/fuzz/fuzz_targets/php_sessions.rs`).
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test may fail so"
)]

use hallpass_sessions::php::{Handler, Path, find, joomla};

#[test]
fn every_input_of_the_corpus_is_harmless() {
    let corpus = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../tests/fuzz/corpus/php_sessions"
    );
    let (mut inputs, mut answers) = (0, 0);
    for file in std::fs::read_dir(corpus).unwrap() {
        let input = std::fs::read(file.unwrap().path()).unwrap();
        let Some(end) = input.iter().position(|byte| *byte == b'\n') else {
            continue;
        };
        let (path, session) = (&input[..end], &input[end + 1..]);
        let Ok(path) = String::from_utf8_lossy(path).parse::<Path>() else {
            continue;
        };
        inputs += 1;
        let _ = joomla::read(session, None);
        let by_one = Handler::ALL.map(|handler| find(session, Some(handler), &path));
        if let Ok(found @ Some(_)) = find(session, None, &path) {
            let shown = format!("{:?}", Ok::<_, ()>(found));
            assert!(by_one.iter().any(|one| format!("{one:?}") == shown));
            answers += 1;
        }
    }
    assert!(
        inputs > 50 && answers > 30,
        "{inputs} inputs, {answers} answers"
    );
}
