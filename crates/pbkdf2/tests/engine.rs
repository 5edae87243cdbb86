//! Many keys at a time: each is what it is by itself.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test may fail by them"
)]

mod hashlib;

use std::collections::BTreeMap;
use std::time::Instant;

use hallpass_pbkdf2::{Engine, Kernel, Kernels, Request, RequestId, SLICE};
use hashlib::{Hash, Vector};

/// Steps until nothing is left, and gives the keys in the order in which they came.
fn finish(engine: &mut Engine) -> Vec<(RequestId, Vec<u8>)> {
    let mut keys = Vec::new();
    // A bound far above what is needed: an engine that never ends shall fail, not hang.
    for _ in 0..100_000 {
        if engine.is_empty() {
            return keys;
        }
        keys.extend(
            engine
                .step()
                .into_iter()
                .map(|derived| (derived.request, derived.key.to_vec())),
        );
    }
    panic!("{} requests left", engine.len());
}

fn engines() -> Vec<(String, Engine)> {
    let forced =
        Kernel::available().map(|kernel| (format!("{kernel:?}"), Kernels::only(kernel).unwrap()));
    let started = Instant::now();
    let measured = Kernels::measure(|| started.elapsed());
    forced
        .chain([
            ("measured".to_owned(), measured),
            ("default".to_owned(), Kernels::default()),
        ])
        .map(|(name, kernels)| (name, Engine::with_kernels(&kernels)))
        .collect()
}

/// A list of vectors in an order that mixes hashes, lengths and iterations.
fn mixed() -> Vec<Vector> {
    let mut vectors = Vector::all();
    let count = vectors.len();
    let mut mixed = Vec::new();
    let mut at = 0;
    while !vectors.is_empty() {
        at = (at + 397) % vectors.len();
        mixed.push(vectors.remove(at));
    }
    assert_eq!(mixed.len(), count);
    mixed
}

#[test]
fn batches_of_1_to_70_give_what_hashlib_derives() {
    let vectors = mixed();
    for (name, mut engine) in engines() {
        let mut rest = vectors.iter().cycle();
        for size in (1..=70).step_by(if cfg!(miri) { 30 } else { 3 }) {
            let batch: Vec<_> = rest.by_ref().take(size).collect();
            let expected: BTreeMap<_, _> = batch
                .iter()
                .map(|vector| (engine.submit(vector.request()), vector.key.clone()))
                .collect();
            assert_eq!(engine.len(), size);
            let keys = finish(&mut engine);
            assert_eq!(keys.len(), size);
            assert_eq!(
                BTreeMap::from_iter(keys),
                expected,
                "{name}, {size} requests"
            );
        }
    }
}

#[test]
fn full_batches_of_one_hash_give_what_hashlib_derives() {
    for hash in [Hash::Sha1, Hash::Sha256] {
        let vectors: Vec<_> = mixed()
            .into_iter()
            .filter(|vector| vector.hash == hash)
            .collect();
        for (name, mut engine) in engines() {
            let batch = &vectors[..vectors.len().min(70)];
            let expected: BTreeMap<_, _> = batch
                .iter()
                .map(|vector| (engine.submit(vector.request()), vector.key.clone()))
                .collect();
            assert_eq!(
                BTreeMap::from_iter(finish(&mut engine)),
                expected,
                "{name} {hash:?}"
            );
        }
    }
}

#[test]
fn requests_added_and_cancelled_in_the_middle_do_not_disturb_the_others() {
    let vectors = mixed();
    for (name, mut engine) in engines() {
        let mut expected = BTreeMap::new();
        let mut keys = BTreeMap::new();
        let mut cancelled = Vec::new();
        for (index, vector) in vectors.iter().take(150).enumerate() {
            let id = engine.submit(vector.request());
            expected.insert(id, vector.key.clone());
            if index % 5 == 2 {
                // One that may have come to its end already.
                let middle = *expected.keys().nth(expected.len() / 2).unwrap();
                if engine.cancel(middle) {
                    cancelled.push(middle);
                    expected.remove(&middle);
                }
                assert!(!engine.cancel(middle), "{name}");
            }
            if index % 3 == 0 {
                keys.extend(
                    engine
                        .step()
                        .into_iter()
                        .map(|d| (d.request, d.key.to_vec())),
                );
            }
        }
        keys.extend(finish(&mut engine));
        assert_eq!(keys, expected, "{name}");
        assert!(cancelled.iter().all(|id| !keys.contains_key(id)), "{name}");
        assert!(
            cfg!(miri) || !cancelled.is_empty(),
            "{name}: none was cancelled in time"
        );
    }
}

#[test]
fn a_lone_request_is_done_in_as_few_steps_as_slices() {
    let mut engine = Engine::new();
    engine.submit(Request::hmac_sha256(
        b"password",
        b"salt",
        3 * SLICE + 1,
        32,
    ));
    for _ in 0..2 {
        assert!(engine.step().is_empty());
    }
    assert_eq!(engine.step().len(), 1);
    assert!(engine.is_empty());
}

#[test]
fn a_late_short_request_overtakes_long_ones() {
    for (name, mut engine) in engines() {
        let long: Vec<_> = (0..40)
            .map(|_| engine.submit(Request::hmac_sha256(b"long", b"salt", 1_000_000_000, 32)))
            .collect();
        assert!(engine.step().is_empty(), "{name}");
        let short = engine.submit(Request::hmac_sha256(b"short", b"salt", 2, 32));
        // One turn of the others, at most one lane wide.
        let keys: Vec<_> = (0..=40).flat_map(|_| engine.step()).collect();
        assert_eq!(keys.len(), 1, "{name}");
        assert!(keys[0].request == short, "{name}");
        assert!(long.into_iter().all(|id| engine.cancel(id)), "{name}");
        assert!(engine.is_empty(), "{name}");
    }
}

#[test]
fn one_hash_does_not_starve_the_other() {
    let mut engine = Engine::new();
    for _ in 0..5 {
        engine.submit(Request::hmac_sha1(b"long", b"salt", 1_000_000_000, 20));
        engine.submit(Request::hmac_sha256(b"long", b"salt", 1_000_000_000, 20));
    }
    let sha1 = engine.submit(Request::hmac_sha1(b"short", b"salt", 2, 20));
    let sha256 = engine.submit(Request::hmac_sha256(b"short", b"salt", 2, 32));
    let mut keys: Vec<_> = (0..24)
        .flat_map(|_| engine.step())
        .map(|derived| derived.request)
        .collect();
    keys.sort();
    assert_eq!(keys, [sha1, sha256]);
}

#[test]
fn a_cancelled_request_gives_no_key() {
    let mut engine = Engine::new();
    let one = engine.submit(Request::hmac_sha1(b"password", b"salt", 10, 100));
    let two = engine.submit(Request::hmac_sha1(b"password", b"salt", 10, 100));
    assert!(engine.cancel(one));
    assert!(!engine.cancel(one));
    assert_eq!(engine.len(), 1);
    let keys = finish(&mut engine);
    assert_eq!(keys.len(), 1);
    assert_eq!(keys[0].0, two);
    assert!(!engine.cancel(two));
}

#[test]
fn a_key_of_no_length_is_returned_or_cancelled() {
    let mut engine = Engine::new();
    let one = engine.submit(Request::hmac_sha256(b"password", b"salt", 10, 0));
    let two = engine.submit(Request::hmac_sha1(b"password", b"salt", 10, 0));
    assert!(engine.cancel(one));
    assert!(!engine.cancel(one));
    assert_eq!(finish(&mut engine), [(two, Vec::new())]);
}

#[test]
fn no_iterations_are_one() {
    let mut engine = Engine::new();
    engine.submit(Request::hmac_sha256(b"password", b"salt", 0, 32));
    let mut one = vec![0; 32];
    hallpass_pbkdf2::hmac_sha256(b"password", b"salt", 1, &mut one);
    assert_eq!(finish(&mut engine)[0].1, one);
}

#[test]
fn an_engine_with_nothing_to_do_does_nothing() {
    let mut engine = Engine::default();
    assert!(engine.is_empty());
    assert!(engine.step().is_empty());
    assert_eq!(engine.len(), 0);
}

#[test]
fn an_engine_cannot_be_forced_to_what_the_processor_lacks() {
    for kernel in Kernel::ALL {
        assert_eq!(
            Kernels::only(kernel).is_some(),
            kernel.is_available(),
            "{kernel:?}"
        );
    }
}

#[test]
fn an_engine_and_its_requests_may_go_to_another_thread() {
    fn is_send<T: Send>() {}
    is_send::<Engine>();
    is_send::<Request>();
    is_send::<hallpass_pbkdf2::Derived>();
}
