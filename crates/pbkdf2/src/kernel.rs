//! Which implementation does the iterations.

#[cfg(target_arch = "aarch64")]
use crate::aarch64::Sha2;
use crate::hash::Hash;
use crate::sha1::{self, Sha1};
use crate::sha256::{self, Sha256};
use crate::stream::{Stream, iterate_portable};
#[cfg(target_arch = "x86_64")]
use crate::x86_64::{Avx2, Avx512, ShaNi};

/// An implementation of PBKDF2's iterations, for as many streams (output blocks) at a time as it
/// has [lanes](Self::lanes).
///
/// The right one is chosen where it is not named; naming one is for tests and measurements.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum Kernel {
    /// The SHA instructions of ARMv8, one stream.
    Aarch64,
    /// AVX2, eight streams.
    Avx2,
    /// AVX2, twice eight streams interleaved.
    Avx2Twice,
    /// AVX-512, sixteen streams.
    Avx512,
    /// AVX-512, twice sixteen streams interleaved.
    Avx512Twice,
    /// Plain integers, one stream, on every processor.
    Portable,
    /// The SHA instructions of x86-64, one stream.
    ShaNi,
    /// The SHA instructions of x86-64, two streams interleaved.
    ShaNiTwice,
    /// The SHA instructions of x86-64, three streams interleaved.
    ShaNiThrice,
}

impl Kernel {
    /// Every kernel there is, whether this processor has it or not.
    pub const ALL: [Self; 9] = [
        Self::Portable,
        Self::Aarch64,
        Self::ShaNi,
        Self::ShaNiTwice,
        Self::ShaNiThrice,
        Self::Avx2,
        Self::Avx2Twice,
        Self::Avx512,
        Self::Avx512Twice,
    ];

    /// Whether this processor, and its operating system, can run the kernel.
    pub fn is_available(self) -> bool {
        match self {
            Self::Portable => true,
            #[cfg(target_arch = "aarch64")]
            Self::Aarch64 => Sha2::detect().is_some(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 | Self::Avx2Twice => Avx2::detect().is_some(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 | Self::Avx512Twice => Avx512::detect().is_some(),
            #[cfg(target_arch = "x86_64")]
            Self::ShaNi | Self::ShaNiTwice | Self::ShaNiThrice => ShaNi::detect().is_some(),
            _ => false,
        }
    }

    /// The kernels that this processor can run; [`Kernel::Portable`] is always one.
    pub fn available() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(|kernel| kernel.is_available())
    }

    /// How many streams the kernel works on at a time. Fewer take as long.
    pub fn lanes(self) -> usize {
        match self {
            Self::Aarch64 | Self::Portable | Self::ShaNi => 1,
            Self::ShaNiTwice => 2,
            Self::ShaNiThrice => 3,
            Self::Avx2 => 8,
            Self::Avx2Twice | Self::Avx512 => 16,
            Self::Avx512Twice => 32,
        }
    }

    /// Does `iterations` iterations of each stream, as many streams at a time as there are lanes;
    /// with plain integers where this processor cannot run the kernel.
    pub(crate) fn iterate<H: Hash<WORDS>, const WORDS: usize>(
        self,
        streams: &mut [&mut Stream<WORDS>],
        iterations: u32,
    ) {
        for streams in streams.chunks_mut(self.lanes()) {
            match self {
                #[cfg(target_arch = "aarch64")]
                Self::Aarch64 if let Some(machine) = Sha2::detect() => {
                    for stream in streams {
                        H::iterate_sha2(machine, stream, iterations);
                    }
                }
                #[cfg(target_arch = "x86_64")]
                Self::Avx2 if let Some(machine) = Avx2::detect() => {
                    machine.iterate::<H, WORDS>(streams, iterations);
                }
                #[cfg(target_arch = "x86_64")]
                Self::Avx2Twice if let Some(machine) = Avx2::detect() => {
                    machine.iterate_twice::<H, WORDS>(streams, iterations);
                }
                #[cfg(target_arch = "x86_64")]
                Self::Avx512 if let Some(machine) = Avx512::detect() => {
                    machine.iterate::<H, WORDS>(streams, iterations);
                }
                #[cfg(target_arch = "x86_64")]
                Self::Avx512Twice if let Some(machine) = Avx512::detect() => {
                    machine.iterate_twice::<H, WORDS>(streams, iterations);
                }
                #[cfg(target_arch = "x86_64")]
                Self::ShaNi | Self::ShaNiTwice | Self::ShaNiThrice
                    if let Some(machine) = ShaNi::detect() =>
                {
                    H::iterate_sha_ni(machine, streams, iterations);
                }
                _ => iterate_portable::<H, WORDS>(streams, iterations),
            }
        }
    }

    /// Derives a key with PBKDF2-HMAC-SHA1 as [`hmac_sha1`](crate::hmac_sha1) does, with this
    /// kernel; with the portable one where this processor cannot run it.
    pub fn hmac_sha1(self, password: &[u8], salt: &[u8], iterations: u32, output: &mut [u8]) {
        crate::derive::<Sha1, { sha1::WORDS }>(self, password, salt, iterations, output);
    }

    /// Derives a key with PBKDF2-HMAC-SHA256 as [`hmac_sha256`](crate::hmac_sha256) does, with this
    /// kernel; with the portable one where this processor cannot run it.
    pub fn hmac_sha256(self, password: &[u8], salt: &[u8], iterations: u32, output: &mut [u8]) {
        crate::derive::<Sha256, { sha256::WORDS }>(self, password, salt, iterations, output);
    }
}
