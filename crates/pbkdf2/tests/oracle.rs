//! Whatever the password, the salt, the count and the length: RustCrypto derives the same key.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test may fail by them"
)]

use std::collections::BTreeMap;
use std::time::Instant;

use hallpass_pbkdf2::{Engine, Kernel, Kernels, Request, hmac_sha1, hmac_sha256};

/// How many keys are tried.
const CASES: usize = if cfg!(miri) { 10 } else { 400 };

/// A source of numbers that look random, the same at each run (xorshift64).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % limit
    }

    fn bytes(&mut self, limit: usize) -> Vec<u8> {
        let length = self.below(limit);
        (0..length)
            .map(|_| u8::try_from(self.below(256)).unwrap())
            .collect()
    }
}

#[test]
fn every_way_to_a_key_agrees_with_rustcrypto() {
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    let started = Instant::now();
    let mut engine = Engine::with_kernels(&Kernels::measure(|| started.elapsed()));
    let mut expected = BTreeMap::new();
    for _ in 0..CASES {
        // Around the block of 64 bytes, and far beyond.
        let (password, salt) = (numbers.bytes(200), numbers.bytes(150));
        let iterations = u32::try_from(numbers.below(70)).unwrap();
        let length = numbers.below(130);
        let (mut sha1, mut sha256) = (vec![0; length], vec![0; length]);
        pbkdf2::pbkdf2_hmac::<sha1::Sha1>(&password, &salt, iterations, &mut sha1);
        pbkdf2::pbkdf2_hmac::<sha2::Sha256>(&password, &salt, iterations, &mut sha256);
        let case = format!("{password:?} {salt:?} {iterations} {length}");

        let mut key = vec![0xa5; length];
        hmac_sha1(&password, &salt, iterations, &mut key);
        assert_eq!(key, sha1, "SHA-1 {case}");
        hmac_sha256(&password, &salt, iterations, &mut key);
        assert_eq!(key, sha256, "SHA-256 {case}");
        for kernel in Kernel::available() {
            kernel.hmac_sha1(&password, &salt, iterations, &mut key);
            assert_eq!(key, sha1, "{kernel:?} SHA-1 {case}");
            kernel.hmac_sha256(&password, &salt, iterations, &mut key);
            assert_eq!(key, sha256, "{kernel:?} SHA-256 {case}");
        }
        let request = Request::hmac_sha1(&password, &salt, iterations, length);
        expected.insert(engine.submit(request), sha1);
        let request = Request::hmac_sha256(&password, &salt, iterations, length);
        expected.insert(engine.submit(request), sha256);
    }
    while !engine.is_empty() {
        for derived in engine.step() {
            assert_eq!(
                expected.remove(&derived.request),
                Some(derived.key.to_vec())
            );
        }
    }
    assert!(expected.is_empty());
}
