//! Replays a corpus in an ordinary test. Each crate that has fuzz targets includes this file.

use std::path::{Path, PathBuf};

/// What `property`, which asserts that it holds, makes of each input in the corpus of the target
/// `name`.
pub fn replay<T>(name: &str, property: fn(&[u8]) -> T) -> Vec<T> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let corpus = here.join("../../tests/fuzz/corpus").join(name);
    let files = std::fs::read_dir(&corpus).expect(name);
    let mut files: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{name} has no seeds");
    let made = files.iter().map(|file| {
        // Printed when the property fails.
        eprintln!("{}", file.display());
        property(&std::fs::read(file).unwrap())
    });
    made.collect()
}
