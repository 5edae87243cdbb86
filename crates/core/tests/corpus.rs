//! Replays the fuzz corpus of cookies as the fuzz target would (`tests/fuzz/fuzz_targets`).
#![allow(clippy::indexing_slicing, clippy::unwrap_used)]

use hallpass_core::cookie::{Cookie, Reader, value};

fn corpus(name: &str) -> Vec<Vec<u8>> {
    let path = format!(
        "{}/../../tests/fuzz/corpus/{name}",
        env!("CARGO_MANIFEST_DIR")
    );
    let files = std::fs::read_dir(path).unwrap();
    files
        .map(|file| std::fs::read(file.unwrap().path()).unwrap())
        .collect()
}

#[test]
fn every_cookie_header_is_harmless() {
    let (mut inputs, mut values) = (0, 0);
    for input in corpus("cookies") {
        inputs += 1;
        let end = input.iter().position(|byte| *byte == b'\n').unwrap();
        let (name, header) = (&input[..end], &input[end + 1..]);
        let name = &*String::from_utf8_lossy(name);
        for reader in [Reader::Django, Reader::Php] {
            let cookie = Cookie { name, reader };
            let found = value([header], cookie);
            assert!(found.as_ref().is_none_or(|it| it.len() <= header.len()));
            if let (Reader::Php, Some(found)) = (reader, &found) {
                let mut parts = header.windows(found.len().max(1));
                assert!(found.is_empty() || parts.any(|part| part == found));
            }
            values += usize::from(found.is_some());
            let parts = header.split(|byte| *byte == b';');
            assert_eq!(value(parts, cookie), found);
        }
    }
    assert!(
        inputs > 15 && values > 20,
        "{inputs} inputs, {values} values"
    );
}
