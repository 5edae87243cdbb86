//! Wraps the SHA instructions, for one, two or three streams interleaved.
//!
//! An instruction's result is there after four cycles, but the next instruction can begin after
//! two or three: what one stream alone leaves idle does for others.

use std::arch::is_x86_feature_detected;
use std::arch::x86_64::*;

/// One vector of each of `N` streams.
pub(super) type Vectors<const N: usize> = [__m128i; N];

/// Proof that the processor has the SHA extensions, SSSE3 and SSE4.1.
#[derive(Clone, Copy)]
pub(crate) struct ShaNi(());

impl ShaNi {
    pub(crate) fn detect() -> Option<Self> {
        (is_x86_feature_detected!("sha")
            && is_x86_feature_detected!("ssse3")
            && is_x86_feature_detected!("sse4.1"))
        .then_some(Self(()))
    }

    /// Clears the upper halves of the vector registers, before the SHA instructions are used.
    ///
    /// They have no encoding that does so by itself, and as long as code before them has left
    /// anything there, each takes some eighty cycles instead of four (measured on Golden Cove).
    #[inline(always)]
    pub(super) fn clear_upper_halves(self) {
        if is_x86_feature_detected!("avx") {
            // SAFETY: the processor has AVX, as was just asked.
            unsafe { clear_upper_halves() }
        }
    }

    /// The same four words, the lowest lane first, for every stream.
    #[inline(always)]
    pub(super) fn splat<const N: usize>(self, [w0, w1, w2, w3]: [u32; 4]) -> Vectors<N> {
        // SAFETY: `self` proves that the processor has SSE2, as every x86-64 processor does.
        let vector = unsafe {
            _mm_setr_epi32(
                w0.cast_signed(),
                w1.cast_signed(),
                w2.cast_signed(),
                w3.cast_signed(),
            )
        };
        [vector; N]
    }

    /// Four words, the lowest lane first, of each stream.
    #[inline(always)]
    pub(super) fn gather<const N: usize>(self, words: impl Fn(usize) -> [u32; 4]) -> Vectors<N> {
        std::array::from_fn(|stream| {
            let [vector] = self.splat::<1>(words(stream));
            vector
        })
    }

    /// The four words of each stream, the lowest lane first.
    #[inline(always)]
    pub(super) fn scatter<const N: usize>(self, x: Vectors<N>) -> [[u32; 4]; N] {
        x.map(|vector| {
            let mut words = [0_u32; 4];
            // SAFETY: `self` proves that the processor has SSE2; four words of four bytes are the
            // 16 bytes written, for which no alignment is asked.
            unsafe { _mm_storeu_si128(words.as_mut_ptr().cast(), vector) }
            words
        })
    }
}

/// Never part of its caller, which would keep vectors in registers that this clears.
#[inline(never)]
#[target_feature(enable = "avx")]
fn clear_upper_halves() {
    _mm256_zeroupper();
}

/// Methods that do one instruction on the vectors of each stream.
macro_rules! instructions {
    ($($(#[$about:meta])* $name:ident $(<$constant:ident>)? ($x:ident $(, $y:ident)*) = $intrinsic:expr;)*) => {
        impl ShaNi {
            $(
                $(#[$about])*
                #[inline(always)]
                pub(super) fn $name<const N: usize $(, const $constant: i32)?>(
                    self,
                    mut $x: Vectors<N>
                    $(, $y: Vectors<N>)*
                ) -> Vectors<N> {
                    instructions!(@each $x $($y)* = $intrinsic);
                    $x
                }
            )*
        }
    };
    (@each $x:ident = $intrinsic:expr) => {
        for x in &mut $x {
            // SAFETY: `self` proves that the processor has the SHA extensions, SSSE3 and SSE4.1.
            *x = unsafe { $intrinsic(*x) };
        }
    };
    (@each $x:ident $y:ident = $intrinsic:expr) => {
        for (x, y) in $x.iter_mut().zip($y) {
            // SAFETY: `self` proves that the processor has the SHA extensions, SSSE3 and SSE4.1.
            *x = unsafe { $intrinsic(*x, y) };
        }
    };
    (@each $x:ident $y:ident $z:ident = $intrinsic:expr) => {
        for ((x, y), z) in $x.iter_mut().zip($y).zip($z) {
            // SAFETY: `self` proves that the processor has the SHA extensions, SSSE3 and SSE4.1.
            *x = unsafe { $intrinsic(*x, y, z) };
        }
    };
}

instructions! {
    /// Sums of words.
    add(x, y) = _mm_add_epi32;
    /// Differences of words.
    subtract(x, y) = _mm_sub_epi32;
    /// Exclusive or.
    xor(x, y) = _mm_xor_si128;
    /// The words moved about as `ORDER` says.
    shuffle<ORDER>(x) = _mm_shuffle_epi32::<ORDER>;
    /// The lower halves of both.
    low_halves(x, y) = _mm_unpacklo_epi64;
    /// The upper halves of both.
    high_halves(x, y) = _mm_unpackhi_epi64;
    /// Three words of the second, then one of the first.
    straddle(x, y) = _mm_alignr_epi8::<4>;
    /// Two rounds of SHA-256: the second state vector and the first give the next first one.
    sha256_rounds(cdgh, abef, words) = _mm_sha256rnds2_epu32;
    /// The first half of SHA-256's message schedule.
    sha256_message1(x, y) = _mm_sha256msg1_epu32;
    /// The second half of SHA-256's message schedule.
    sha256_message2(x, y) = _mm_sha256msg2_epu32;
    /// Four rounds of SHA-1, of the kind `KIND`.
    sha1_rounds<KIND>(abcd, e) = _mm_sha1rnds4_epu32::<KIND>;
    /// The `e` of four rounds later, added to message words.
    sha1_next(abcd, words) = _mm_sha1nexte_epu32;
    /// The first half of SHA-1's message schedule.
    sha1_message1(x, y) = _mm_sha1msg1_epu32;
    /// The second half of SHA-1's message schedule.
    sha1_message2(x, y) = _mm_sha1msg2_epu32;
}
