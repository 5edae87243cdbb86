//! Iterates one stream with the SHA instructions of ARMv8.

use std::arch::aarch64::*;
use std::arch::is_aarch64_feature_detected;

use super::constants;
use crate::hash::{SHA1_WORDS, SHA256_WORDS};
use crate::stream::{Stream, digest_padding};

/// Proof that the processor has the instructions for SHA-1 and SHA-256.
#[derive(Clone, Copy)]
pub(crate) struct Sha2(());

impl Sha2 {
    pub(crate) fn detect() -> Option<Self> {
        is_aarch64_feature_detected!("sha2").then_some(Self(()))
    }

    /// Does `iterations` iterations of a stream.
    pub(crate) fn iterate_sha1(self, stream: &mut Stream<SHA1_WORDS>, iterations: u32) {
        // SAFETY: `self` proves that the processor has the instructions.
        unsafe { iterate_sha1(stream, iterations) }
    }

    /// Does `iterations` iterations of a stream.
    pub(crate) fn iterate_sha256(self, stream: &mut Stream<SHA256_WORDS>, iterations: u32) {
        // SAFETY: `self` proves that the processor has the instructions.
        unsafe { iterate_sha256(stream, iterations) }
    }
}

#[target_feature(enable = "neon,sha2")]
fn iterate_sha256(stream: &mut Stream<SHA256_WORDS>, iterations: u32) {
    let halves = |[a, b, c, d, e, f, g, h]: [u32; 8]| [load([a, b, c, d]), load([e, f, g, h])];
    let inner = halves(stream.inner);
    let outer = halves(stream.outer);
    let mut link = halves(stream.link);
    let mut sum = halves(stream.sum);

    for _ in 0..iterations {
        link = compress_sha256(inner, link);
        link = compress_sha256(outer, link);
        sum = [veorq_u32(sum[0], link[0]), veorq_u32(sum[1], link[1])];
    }

    let words = |[abcd, efgh]: [uint32x4_t; 2]| {
        let ([a, b, c, d], [e, f, g, h]) = (store(abcd), store(efgh));
        [a, b, c, d, e, f, g, h]
    };
    stream.link = words(link);
    stream.sum = words(sum);
}

/// Compresses `digest` from `start`, each as words a to d and e to h.
#[inline]
#[target_feature(enable = "neon,sha2")]
fn compress_sha256(start: [uint32x4_t; 2], digest: [uint32x4_t; 2]) -> [uint32x4_t; 2] {
    let [.., p8, p9, p10, p11, p12, p13, p14, p15] = digest_padding::<SHA256_WORDS>();
    let [mut w0, mut w1] = digest;
    let mut w2 = load([p8, p9, p10, p11]);
    let mut w3 = load([p12, p13, p14, p15]);

    let [mut abcd, mut efgh] = start;
    for constants in constants::SHA256.as_flattened().as_chunks().0 {
        let words = vaddq_u32(w0, load(*constants));
        let next = vsha256hq_u32(abcd, efgh, words);
        efgh = vsha256h2q_u32(efgh, abcd, words);
        abcd = next;
        // The words of sixteen rounds later; those of the last sixteen rounds are not used.
        let later = vsha256su1q_u32(vsha256su0q_u32(w0, w1), w2, w3);
        (w0, w1, w2, w3) = (w1, w2, w3, later);
    }
    [vaddq_u32(abcd, start[0]), vaddq_u32(efgh, start[1])]
}

#[target_feature(enable = "neon,sha2")]
fn iterate_sha1(stream: &mut Stream<SHA1_WORDS>, iterations: u32) {
    let parts = |[a, b, c, d, e]: [u32; 5]| (load([a, b, c, d]), e);
    let inner = parts(stream.inner);
    let outer = parts(stream.outer);
    let mut link = parts(stream.link);
    let mut sum = parts(stream.sum);

    for _ in 0..iterations {
        link = compress_sha1(inner, link);
        link = compress_sha1(outer, link);
        sum = (veorq_u32(sum.0, link.0), sum.1 ^ link.1);
    }

    let words = |(abcd, e): (uint32x4_t, u32)| {
        let [a, b, c, d] = store(abcd);
        [a, b, c, d, e]
    };
    stream.link = words(link);
    stream.sum = words(sum);
}

/// Compresses `digest` from `start`, each as words a to d and e.
#[inline]
#[target_feature(enable = "neon,sha2")]
fn compress_sha1(start: (uint32x4_t, u32), digest: (uint32x4_t, u32)) -> (uint32x4_t, u32) {
    let [.., p5, p6, p7, p8, p9, p10, p11, p12, p13, p14, p15] = digest_padding::<SHA1_WORDS>();
    let mut w0 = digest.0;
    let mut w1 = load([digest.1, p5, p6, p7]);
    let mut w2 = load([p8, p9, p10, p11]);
    let mut w3 = load([p12, p13, p14, p15]);

    let (mut abcd, mut e) = start;
    for quarter in 0..20 {
        let constant = vdupq_n_u32(constants::sha1(4 * quarter));
        let words = vaddq_u32(w0, constant);
        let next = match quarter / 5 {
            0 => vsha1cq_u32(abcd, e, words),
            2 => vsha1mq_u32(abcd, e, words),
            _ => vsha1pq_u32(abcd, e, words),
        };
        e = vsha1h_u32(vgetq_lane_u32::<0>(abcd));
        abcd = next;
        // The words of sixteen rounds later; those of the last sixteen rounds are not used.
        let later = vsha1su1q_u32(vsha1su0q_u32(w0, w1, w2), w3);
        (w0, w1, w2, w3) = (w1, w2, w3, later);
    }
    (vaddq_u32(abcd, start.0), e.wrapping_add(start.1))
}

/// Four words, the first in the lowest lane.
#[inline]
#[target_feature(enable = "neon")]
fn load(words: [u32; 4]) -> uint32x4_t {
    // SAFETY: four words of four bytes are the 16 bytes read.
    unsafe { vld1q_u32(words.as_ptr()) }
}

/// The four words, the lowest lane first.
#[inline]
#[target_feature(enable = "neon")]
fn store(vector: uint32x4_t) -> [u32; 4] {
    let mut words = [0; 4];
    // SAFETY: four words of four bytes are the 16 bytes written.
    unsafe { vst1q_u32(words.as_mut_ptr(), vector) }
    words
}
