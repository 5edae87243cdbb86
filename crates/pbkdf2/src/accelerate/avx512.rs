//! Iterates in the sixteen lanes of AVX-512.

use std::arch::asm;
use std::arch::is_x86_feature_detected;
use std::arch::x86_64::*;

use super::lanes::{self, Lanes, Twice};
use super::machine::Machine;
use crate::hash::Hash;
use crate::stream::Stream;

/// Proof that the processor has AVX-512F.
#[derive(Clone, Copy)]
pub(crate) struct Avx512(());

impl Avx512 {
    pub(crate) fn detect() -> Option<Self> {
        is_x86_feature_detected!("avx512f").then_some(Self(()))
    }

    /// [`lanes::iterate`] for up to sixteen streams.
    pub(crate) fn iterate<H: Hash<WORDS>, const WORDS: usize>(
        self,
        streams: &mut [&mut Stream<WORDS>],
        iterations: u32,
    ) {
        // SAFETY: `self` proves that the processor has AVX-512F.
        unsafe { iterate::<Self, H, WORDS>(self, streams, iterations) }
    }

    /// [`lanes::iterate`] for up to thirty-two streams.
    pub(crate) fn iterate_twice<H: Hash<WORDS>, const WORDS: usize>(
        self,
        streams: &mut [&mut Stream<WORDS>],
        iterations: u32,
    ) {
        // SAFETY: `self` proves that the processor has AVX-512F.
        unsafe { iterate::<Twice<Self>, H, WORDS>(Twice(self), streams, iterations) }
    }
}

#[target_feature(enable = "avx512f")]
fn iterate<M: Lanes, H: Hash<WORDS>, const WORDS: usize>(
    machine: M,
    streams: &mut [&mut Stream<WORDS>],
    iterations: u32,
) {
    lanes::iterate::<M, H, WORDS>(machine, streams, iterations);
}

impl Lanes for Avx512 {
    const LANES: usize = 16;

    #[inline(always)]
    fn load(self, lanes: &[u32]) -> __m512i {
        let words: &[u32; 16] = lanes.first_chunk().unwrap_or(&[0; 16]);
        // SAFETY: `self` proves that the processor has AVX-512F; sixteen words of four bytes are
        // the 64 bytes read, for which no alignment is asked.
        unsafe { _mm512_loadu_si512(words.as_ptr().cast()) }
    }

    #[inline(always)]
    fn store(self, x: __m512i, lanes: &mut [u32]) {
        if let Some(words) = lanes.first_chunk_mut::<16>() {
            // SAFETY: `self` proves that the processor has AVX-512F; sixteen words of four bytes are
            // the 64 bytes written, for which no alignment is asked.
            unsafe { _mm512_storeu_si512(words.as_mut_ptr().cast(), x) }
        }
    }
}

impl Machine for Avx512 {
    type Vector = __m512i;

    #[inline(always)]
    fn splat(self, word: u32) -> __m512i {
        // SAFETY: `self` proves that the processor has AVX-512F.
        unsafe { _mm512_set1_epi32(word.cast_signed()) }
    }

    #[inline(always)]
    fn add(self, x: __m512i, y: __m512i) -> __m512i {
        // SAFETY: `self` proves that the processor has AVX-512F.
        unsafe { _mm512_add_epi32(x, y) }
    }

    #[inline(always)]
    fn xor(self, x: __m512i, y: __m512i) -> __m512i {
        // SAFETY: `self` proves that the processor has AVX-512F.
        unsafe { _mm512_xor_si512(x, y) }
    }

    #[inline(always)]
    fn parity(self, x: __m512i, y: __m512i, z: __m512i) -> __m512i {
        // SAFETY: `self` proves that the processor has AVX-512F.
        unsafe { _mm512_ternarylogic_epi32::<0x96>(x, y, z) }
    }

    #[inline(always)]
    fn choose(self, x: __m512i, y: __m512i, z: __m512i) -> __m512i {
        // SAFETY: `self` proves that the processor has AVX-512F.
        unsafe { _mm512_ternarylogic_epi32::<0xca>(x, y, z) }
    }

    #[inline(always)]
    fn majority(self, x: __m512i, y: __m512i, z: __m512i) -> __m512i {
        // SAFETY: `self` proves that the processor has AVX-512F.
        unsafe { _mm512_ternarylogic_epi32::<0xe8>(x, y, z) }
    }

    #[inline(always)]
    fn rotate_right<const BITS: u32>(self, x: __m512i) -> __m512i {
        // SAFETY: `self` proves that the processor has AVX-512F.
        unsafe { _mm512_rorv_epi32(x, _mm512_set1_epi32(BITS.cast_signed())) }
    }

    #[inline(always)]
    fn shift_right<const BITS: u32>(self, x: __m512i) -> __m512i {
        // SAFETY: `self` proves that the processor has AVX-512F.
        unsafe { _mm512_srli_epi32::<BITS>(x) }
    }

    #[inline(always)]
    fn pin(self, x: __m512i) -> __m512i {
        // SAFETY: `self` proves that the processor has AVX-512F.
        unsafe { pin(x) }
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn pin(mut x: __m512i) -> __m512i {
    // SAFETY: there is no instruction in it: the value goes in and comes out in one register.
    unsafe { asm!("/* {0} */", inout(zmm_reg) x, options(pure, nomem, nostack, preserves_flags)) };
    x
}
