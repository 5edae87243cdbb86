//! Replays the fuzz corpora as the fuzz targets would (`tests/fuzz/fuzz_targets/django_*.rs`).
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test may fail so"
)]

use std::path::Path;

use hallpass_sessions::django::{
    Keyring, SESSION_SALT, Version, open_trusted, read, read_cache_file, read_cache_row,
    read_cache_value,
};

/// What `replay` counts over all inputs of a corpus.
fn replay(corpus: &str, replay: impl Fn(&[u8]) -> usize) -> (usize, usize) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fuzz/corpus");
    let files = std::fs::read_dir(folder.join(corpus)).unwrap();
    files.fold((0, 0), |(inputs, found), file| {
        let input = std::fs::read(file.unwrap().path()).unwrap();
        (inputs + 1, found + replay(&input))
    })
}

#[test]
fn every_pickle_is_harmless() {
    let (inputs, logins) = replay("django_pickles", |input| {
        let found = read(input);
        assert_eq!(read(input), found);
        usize::from(matches!(found, Ok(Some(_))))
    });
    assert!(
        inputs > 50 && logins > 30,
        "{inputs} inputs, {logins} logins"
    );
}

#[test]
fn every_container_is_harmless() {
    let versions = [(1, 4), (3, 2), (4, 0), (6, 1)];
    let (inputs, opened) = replay("django_containers", |input| {
        let mut opened = 0;
        for version in versions.map(|(major, minor)| Version::new(major, minor)) {
            let keys = Keyring::stored(version, SESSION_SALT, [&b"first"[..]]);
            let trusted = open_trusted(version, input);
            if let Ok(trusted) = &trusted {
                let _ = read(&trusted.payload);
            }
            if let Ok(signed) = keys.open(input) {
                assert_eq!(trusted.unwrap().payload, signed.payload);
                opened += 1;
            }
        }
        opened
    });
    assert!(
        inputs > 50 && opened > 100,
        "{inputs} inputs, {opened} opened"
    );
}

#[test]
fn every_cache_value_is_harmless() {
    let (inputs, logins) = replay("django_cache_values", |input| {
        let values = [None, Some(1), Some(9)].map(|flags| read_cache_value(input, flags));
        let row = read_cache_row(input);
        let file = read_cache_file(input).map(|file| file.login);
        let found = values.iter().chain([&row, &file]);
        found.filter(|found| matches!(found, Ok(Some(_)))).count()
    });
    assert!(
        inputs > 40 && logins > 30,
        "{inputs} inputs, {logins} logins"
    );
}
