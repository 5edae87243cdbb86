//! Runs the kernels that need instructions which not every processor has.
//!
//! Everything `unsafe` is here. A value of the types [`ShaNi`], [`Avx2`], [`Avx512`] (`Sha2` on
//! AArch64) is made by a check of the processor and nothing else, and every use of an instruction
//! is by a method of one.

/// Repeats a block for `$i` from 0 to 15, a constant each time.
#[cfg(target_arch = "x86_64")]
macro_rules! sixteen {
    ($i:ident => $body:block) => {
        sixteen!($i => $body, 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15)
    };
    ($i:ident => $body:block, $($value:literal)*) => {
        $({ const $i: usize = $value; $body })*
    };
}

#[cfg(target_arch = "aarch64")]
mod aarch64;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod constants;
#[cfg(target_arch = "x86_64")]
mod lanes;
#[cfg(target_arch = "x86_64")]
mod machine;
#[cfg(target_arch = "x86_64")]
mod sha1;
#[cfg(target_arch = "x86_64")]
mod sha256;
#[cfg(target_arch = "x86_64")]
mod sha_ni;
#[cfg(target_arch = "x86_64")]
mod sha_ni_sha1;
#[cfg(target_arch = "x86_64")]
mod sha_ni_sha256;

#[cfg(target_arch = "aarch64")]
use self::aarch64::Sha2;
#[cfg(target_arch = "x86_64")]
use self::avx2::Avx2;
#[cfg(target_arch = "x86_64")]
use self::avx512::Avx512;
#[cfg(target_arch = "x86_64")]
use self::machine::Machine;
#[cfg(target_arch = "x86_64")]
use self::sha_ni::ShaNi;
use crate::hash::{Hash, SHA1_WORDS, SHA256_WORDS, Sha1, Sha256};
use crate::kernel::Kernel;
use crate::stream::Stream;

/// The further operations of a hash that the kernels need.
pub(crate) trait Accelerated<const WORDS: usize>: Sized {
    /// The state after `block`, begun from `start`, in each lane.
    #[cfg(target_arch = "x86_64")]
    fn compress_lanes<M: Machine>(
        machine: M,
        start: &[M::Vector; WORDS],
        block: [M::Vector; 16],
    ) -> [M::Vector; WORDS];

    /// Does `iterations` iterations of up to three streams, interleaved.
    #[cfg(target_arch = "x86_64")]
    fn iterate_sha_ni(machine: ShaNi, streams: &mut [&mut Stream<WORDS>], iterations: u32);

    /// Does `iterations` iterations of a stream.
    #[cfg(target_arch = "aarch64")]
    fn iterate_sha2(machine: Sha2, stream: &mut Stream<WORDS>, iterations: u32);
}

/// Whether this processor, and its operating system, can run the kernel.
pub(crate) fn is_available(kernel: Kernel) -> bool {
    match kernel {
        #[cfg(target_arch = "aarch64")]
        Kernel::Aarch64 => Sha2::detect().is_some(),
        #[cfg(target_arch = "x86_64")]
        Kernel::Avx2 | Kernel::Avx2Twice => Avx2::detect().is_some(),
        #[cfg(target_arch = "x86_64")]
        Kernel::Avx512 | Kernel::Avx512Twice => Avx512::detect().is_some(),
        #[cfg(target_arch = "x86_64")]
        Kernel::ShaNi | Kernel::ShaNiTwice | Kernel::ShaNiThrice => ShaNi::detect().is_some(),
        _ => false,
    }
}

/// Does `iterations` iterations of each stream, of which there are no more than the kernel has
/// lanes; `None` where this processor cannot run the kernel.
#[cfg(target_arch = "x86_64")]
pub(crate) fn iterate<H: Hash<WORDS>, const WORDS: usize>(
    kernel: Kernel,
    streams: &mut [&mut Stream<WORDS>],
    iterations: u32,
) -> Option<()> {
    match kernel {
        Kernel::Avx2 => Avx2::detect()?.iterate::<H, WORDS>(streams, iterations),
        Kernel::Avx2Twice => Avx2::detect()?.iterate_twice::<H, WORDS>(streams, iterations),
        Kernel::Avx512 => Avx512::detect()?.iterate::<H, WORDS>(streams, iterations),
        Kernel::Avx512Twice => Avx512::detect()?.iterate_twice::<H, WORDS>(streams, iterations),
        Kernel::ShaNi | Kernel::ShaNiTwice | Kernel::ShaNiThrice => {
            H::iterate_sha_ni(ShaNi::detect()?, streams, iterations);
        }
        Kernel::Aarch64 | Kernel::Portable => return None,
    }
    Some(())
}

/// Does `iterations` iterations of each stream; `None` where this processor cannot run the kernel.
#[cfg(target_arch = "aarch64")]
pub(crate) fn iterate<H: Hash<WORDS>, const WORDS: usize>(
    kernel: Kernel,
    streams: &mut [&mut Stream<WORDS>],
    iterations: u32,
) -> Option<()> {
    let machine = Sha2::detect().filter(|_| kernel == Kernel::Aarch64)?;
    for stream in streams {
        H::iterate_sha2(machine, stream, iterations);
    }
    Some(())
}

impl Accelerated<SHA1_WORDS> for Sha1 {
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    fn compress_lanes<M: Machine>(
        machine: M,
        start: &[M::Vector; SHA1_WORDS],
        block: [M::Vector; 16],
    ) -> [M::Vector; SHA1_WORDS] {
        sha1::compress(machine, start, block)
    }

    #[cfg(target_arch = "x86_64")]
    fn iterate_sha_ni(machine: ShaNi, streams: &mut [&mut Stream<SHA1_WORDS>], iterations: u32) {
        machine.iterate_sha1(streams, iterations);
    }

    #[cfg(target_arch = "aarch64")]
    fn iterate_sha2(machine: Sha2, stream: &mut Stream<SHA1_WORDS>, iterations: u32) {
        machine.iterate_sha1(stream, iterations);
    }
}

impl Accelerated<SHA256_WORDS> for Sha256 {
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    fn compress_lanes<M: Machine>(
        machine: M,
        start: &[M::Vector; SHA256_WORDS],
        block: [M::Vector; 16],
    ) -> [M::Vector; SHA256_WORDS] {
        sha256::compress(machine, start, block)
    }

    #[cfg(target_arch = "x86_64")]
    fn iterate_sha_ni(machine: ShaNi, streams: &mut [&mut Stream<SHA256_WORDS>], iterations: u32) {
        machine.iterate_sha256(streams, iterations);
    }

    #[cfg(target_arch = "aarch64")]
    fn iterate_sha2(machine: Sha2, stream: &mut Stream<SHA256_WORDS>, iterations: u32) {
        machine.iterate_sha256(stream, iterations);
    }
}
