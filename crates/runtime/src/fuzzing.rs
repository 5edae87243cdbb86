//! Asserts what holds for every line and every message between programs. Fuzz targets call these
//! functions, and the test below replays their corpora.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

use crate::Framing;
use crate::lines::{Decoder, LONGEST};
use crate::via::wire::{read_request, read_verdict, write_request, write_verdict};

/// Questions and verdicts between a program and the daemon: what is read is written as it was.
pub fn wire(input: &[u8]) {
    if let Ok(asked) = read_request(input) {
        let write = |asked: &crate::via::wire::RemoteRequest| {
            write_request(
                &asked.request,
                &asked.host,
                asked.ignore_case,
                asked.time,
                asked.recheck,
            )
        };
        let written = write(&asked);
        let again = read_request(&written).expect("what is written is read");
        assert_eq!(write(&again), written);
        assert_eq!(format!("{again:?}"), format!("{asked:?}"));
    }
    if let Ok(verdict) = read_verdict(input) {
        let written = write_verdict(&verdict);
        assert_eq!(read_verdict(written.as_bytes()), Ok(verdict));
    }
}

/// Lines: the same in one piece and byte by byte, and together they are the input.
pub fn lines(input: &[u8]) {
    let whole = split([input]);
    assert_eq!(whole, split(input.chunks(1)));
    let mut together = Vec::new();
    for (line, is_whole) in &whole {
        assert!(*is_whole || line.len() == LONGEST);
        together.extend_from_slice(line);
        together.push(b'\n');
    }
    let ended = input.iter().rposition(|byte| *byte == b'\n');
    if whole.iter().all(|(_, is_whole)| *is_whole) {
        assert_eq!(together, input[..ended.map_or(0, |end| end + 1)]);
    }
}

fn split<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<(Vec<u8>, bool)> {
    let (mut decoder, mut found) = (Decoder::default(), Vec::new());
    for piece in pieces {
        decoder.push(piece, &mut |line| {
            found.push((line.bytes.to_vec(), line.whole));
            true
        });
    }
    found
}

#[cfg(test)]
#[path = "../../../tests/fuzz/replay.rs"]
mod replay;

#[test]
fn properties_hold_for_the_corpora() {
    replay::replay("wire", wire);
    replay::replay("lines", lines);
}
