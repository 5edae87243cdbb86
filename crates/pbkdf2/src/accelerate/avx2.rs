//! Iterates in the eight lanes of AVX2.

use std::arch::asm;
use std::arch::is_x86_feature_detected;
use std::arch::x86_64::*;

use super::lanes::{self, Lanes, Twice};
use super::machine::Machine;
use crate::hash::Hash;
use crate::stream::Stream;

/// Proof that the processor has AVX2.
#[derive(Clone, Copy)]
pub(crate) struct Avx2(());

impl Avx2 {
    pub(crate) fn detect() -> Option<Self> {
        is_x86_feature_detected!("avx2").then_some(Self(()))
    }

    /// [`lanes::iterate`] for up to eight streams.
    pub(crate) fn iterate<H: Hash<WORDS>, const WORDS: usize>(
        self,
        streams: &mut [&mut Stream<WORDS>],
        iterations: u32,
    ) {
        // SAFETY: `self` proves that the processor has AVX2.
        unsafe { iterate::<Self, H, WORDS>(self, streams, iterations) }
    }

    /// [`lanes::iterate`] for up to sixteen streams.
    pub(crate) fn iterate_twice<H: Hash<WORDS>, const WORDS: usize>(
        self,
        streams: &mut [&mut Stream<WORDS>],
        iterations: u32,
    ) {
        // SAFETY: `self` proves that the processor has AVX2.
        unsafe { iterate::<Twice<Self>, H, WORDS>(Twice(self), streams, iterations) }
    }
}

#[target_feature(enable = "avx2")]
fn iterate<M: Lanes, H: Hash<WORDS>, const WORDS: usize>(
    machine: M,
    streams: &mut [&mut Stream<WORDS>],
    iterations: u32,
) {
    lanes::iterate::<M, H, WORDS>(machine, streams, iterations);
}

impl Lanes for Avx2 {
    const LANES: usize = 8;

    #[inline(always)]
    fn load(self, lanes: &[u32]) -> __m256i {
        let words: &[u32; 8] = lanes.first_chunk().unwrap_or(&[0; 8]);
        // SAFETY: `self` proves that the processor has AVX2; eight words of four bytes are
        // the 32 bytes read, for which no alignment is asked.
        unsafe { _mm256_loadu_si256(words.as_ptr().cast()) }
    }

    #[inline(always)]
    fn store(self, x: __m256i, lanes: &mut [u32]) {
        if let Some(words) = lanes.first_chunk_mut::<8>() {
            // SAFETY: `self` proves that the processor has AVX2; eight words of four bytes are
            // the 32 bytes written, for which no alignment is asked.
            unsafe { _mm256_storeu_si256(words.as_mut_ptr().cast(), x) }
        }
    }
}

impl Machine for Avx2 {
    type Vector = __m256i;

    #[inline(always)]
    fn splat(self, word: u32) -> __m256i {
        // SAFETY: `self` proves that the processor has AVX2.
        unsafe { _mm256_set1_epi32(word.cast_signed()) }
    }

    #[inline(always)]
    fn add(self, x: __m256i, y: __m256i) -> __m256i {
        // SAFETY: `self` proves that the processor has AVX2.
        unsafe { _mm256_add_epi32(x, y) }
    }

    #[inline(always)]
    fn xor(self, x: __m256i, y: __m256i) -> __m256i {
        // SAFETY: `self` proves that the processor has AVX2.
        unsafe { _mm256_xor_si256(x, y) }
    }

    #[inline(always)]
    fn parity(self, x: __m256i, y: __m256i, z: __m256i) -> __m256i {
        // SAFETY: `self` proves that the processor has AVX2.
        unsafe { _mm256_xor_si256(_mm256_xor_si256(x, y), z) }
    }

    #[inline(always)]
    fn choose(self, x: __m256i, y: __m256i, z: __m256i) -> __m256i {
        // SAFETY: `self` proves that the processor has AVX2.
        unsafe { _mm256_xor_si256(z, _mm256_and_si256(x, _mm256_xor_si256(y, z))) }
    }

    #[inline(always)]
    fn majority(self, x: __m256i, y: __m256i, z: __m256i) -> __m256i {
        // SAFETY: `self` proves that the processor has AVX2.
        unsafe {
            // y ^ z is the x ^ y of the round before.
            let differ = _mm256_and_si256(_mm256_xor_si256(x, y), _mm256_xor_si256(y, z));
            _mm256_xor_si256(y, differ)
        }
    }

    #[inline(always)]
    fn rotate_right<const BITS: u32>(self, x: __m256i) -> __m256i {
        // SAFETY: `self` proves that the processor has AVX2.
        unsafe {
            let right = _mm256_srlv_epi32(x, _mm256_set1_epi32(BITS.cast_signed()));
            let left = _mm256_sllv_epi32(x, _mm256_set1_epi32((32 - BITS).cast_signed()));
            _mm256_or_si256(right, left)
        }
    }

    #[inline(always)]
    fn shift_right<const BITS: u32>(self, x: __m256i) -> __m256i {
        // SAFETY: `self` proves that the processor has AVX2.
        unsafe { _mm256_srlv_epi32(x, _mm256_set1_epi32(BITS.cast_signed())) }
    }

    #[inline(always)]
    fn pin(self, x: __m256i) -> __m256i {
        // SAFETY: `self` proves that the processor has AVX2.
        unsafe { pin(x) }
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn pin(mut x: __m256i) -> __m256i {
    // SAFETY: there is no instruction in it: the value goes in and comes out in one register.
    unsafe { asm!("/* {0} */", inout(ymm_reg) x, options(pure, nomem, nostack, preserves_flags)) };
    x
}
