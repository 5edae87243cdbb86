//! Which kernel is the fastest for how many streams.

use crate::kernel::Kernel;

/// How long one iteration takes with each kernel, in processor cycles, the same for few streams
/// and for as many as the kernel has lanes.
///
/// The figures were measured; only their ratios matter.
#[derive(Clone, Copy)]
pub(crate) struct Costs {
    pub(crate) sha1: fn(Kernel) -> u32,
    pub(crate) sha256: fn(Kernel) -> u32,
}

impl Costs {
    /// Those of this processor, or of the one that is the most like it.
    pub(crate) fn of_this_processor() -> Self {
        if has_four_wide_pipes() {
            Self {
                sha1: zen5_sha1,
                sha256: zen5_sha256,
            }
        } else {
            Self {
                sha1: golden_cove_sha1,
                sha256: golden_cove_sha256,
            }
        }
    }
}

/// The kernel of `kernels` that does the most iterations in a time when `waiting` streams are
/// there; of equals the one that comes first. The portable one where there are none.
pub(crate) fn fastest(kernels: &[Kernel], cost: fn(Kernel) -> u32, waiting: usize) -> Kernel {
    let Some((&first, others)) = kernels.split_first() else {
        return Kernel::Portable;
    };
    let mut best = first;
    for &kernel in others {
        // Streams a cycle, compared without dividing.
        let streams = |kernel: Kernel| kernel.lanes().min(waiting) as u64;
        if streams(kernel) * u64::from(cost(best)) > streams(best) * u64::from(cost(kernel)) {
            best = kernel;
        }
    }
    best
}

/// How many streams are worth doing at a time: with more, hardly any more are done in a time, and
/// each takes longer.
pub(crate) fn width(kernels: &[Kernel], cost: fn(Kernel) -> u32) -> usize {
    // Iterations of one stream in a time, in parts of a million.
    let rate = |kernel: &Kernel| kernel.lanes() as u64 * 1_000_000 / u64::from(cost(*kernel));
    let best = kernels.iter().map(rate).max().unwrap_or_default();
    let nearly_best = |kernel: &&Kernel| rate(kernel) * 20 >= best * 19;
    let lanes = kernels
        .iter()
        .filter(nearly_best)
        .map(|kernel| kernel.lanes());
    lanes.min().unwrap_or(1)
}

/// Whether the processor does four 512-bit operations a cycle, as Zen 5 does (AMD family 1Ah),
/// rather than two.
///
/// Two vectors interleaved gain much there, and nothing elsewhere.
#[cfg(target_arch = "x86_64")]
fn has_four_wide_pipes() -> bool {
    use std::arch::x86_64::__cpuid;

    let vendor = __cpuid(0);
    if (vendor.ebx, vendor.edx, vendor.ecx) != (0x6874_7541, 0x6974_6e65, 0x444d_4163) {
        return false;
    }
    let signature = __cpuid(1).eax;
    let family = ((signature >> 8) & 0xf) + ((signature >> 20) & 0xff);
    family >= 0x1a
}

#[cfg(not(target_arch = "x86_64"))]
fn has_four_wide_pipes() -> bool {
    false
}

fn zen5_sha256(kernel: Kernel) -> u32 {
    match kernel {
        Kernel::Aarch64 | Kernel::ShaNi => 283,
        Kernel::Avx2 => 2195,
        Kernel::Avx2Twice => 4400,
        Kernel::Avx512 => 1468,
        Kernel::Avx512Twice => 1930,
        Kernel::Portable => 1100,
        Kernel::ShaNiThrice => 472,
        Kernel::ShaNiTwice => 363,
    }
}

/// Not measured: those of SHA-256 in proportion to the operations of a compression.
fn zen5_sha1(kernel: Kernel) -> u32 {
    match kernel {
        Kernel::Aarch64 | Kernel::ShaNi => 190,
        Kernel::Avx2 => 1020,
        Kernel::Avx2Twice => 2040,
        Kernel::Avx512 => 700,
        Kernel::Avx512Twice => 920,
        Kernel::Portable => 600,
        Kernel::ShaNiThrice => 330,
        Kernel::ShaNiTwice => 250,
    }
}

fn golden_cove_sha256(kernel: Kernel) -> u32 {
    match kernel {
        Kernel::Aarch64 | Kernel::ShaNi => 287,
        Kernel::Avx2 => 2260,
        Kernel::Avx2Twice => 4590,
        Kernel::Avx512 => 1655,
        Kernel::Avx512Twice => 3300,
        Kernel::Portable => 1360,
        Kernel::ShaNiThrice => 700,
        Kernel::ShaNiTwice => 435,
    }
}

fn golden_cove_sha1(kernel: Kernel) -> u32 {
    match kernel {
        Kernel::Aarch64 | Kernel::ShaNi => 290,
        Kernel::Avx2 => 1045,
        Kernel::Avx2Twice => 2030,
        Kernel::Avx512 => 810,
        Kernel::Avx512Twice => 1650,
        Kernel::Portable => 650,
        Kernel::ShaNiThrice => 780,
        Kernel::ShaNiTwice => 485,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const X86_64: [Kernel; 8] = [
        Kernel::Portable,
        Kernel::ShaNi,
        Kernel::ShaNiTwice,
        Kernel::ShaNiThrice,
        Kernel::Avx2,
        Kernel::Avx2Twice,
        Kernel::Avx512,
        Kernel::Avx512Twice,
    ];

    fn choices(kernels: &[Kernel], cost: fn(Kernel) -> u32) -> Vec<Kernel> {
        (1..=40)
            .map(|waiting| fastest(kernels, cost, waiting))
            .collect()
    }

    #[test]
    fn zen5_changes_kernels_where_it_was_measured_to_pay() {
        let choices = choices(&X86_64, zen5_sha256);
        assert_eq!(choices[0], Kernel::ShaNi);
        assert_eq!(choices[1], Kernel::ShaNiTwice);
        assert!(
            choices[2..9]
                .iter()
                .all(|kernel| *kernel == Kernel::ShaNiThrice)
        );
        assert!(
            choices[9..21]
                .iter()
                .all(|kernel| *kernel == Kernel::Avx512)
        );
        assert!(
            choices[21..]
                .iter()
                .all(|kernel| *kernel == Kernel::Avx512Twice)
        );
    }

    #[test]
    fn no_more_streams_are_begun_than_pays() {
        assert_eq!(width(&X86_64, zen5_sha256), 32);
        assert_eq!(width(&X86_64, golden_cove_sha256), 16);
        // A third stream gains nothing there: the instruction starts as seldom as two need it.
        assert_eq!(width(&X86_64[..6], golden_cove_sha256), 2);
        assert_eq!(width(&X86_64[..1], golden_cove_sha256), 1);
        assert_eq!(width(&[], golden_cove_sha256), 1);
    }

    #[test]
    fn one_stream_alone_has_a_kernel_for_one() {
        let costs = [zen5_sha1, zen5_sha256, golden_cove_sha1, golden_cove_sha256];
        for cost in costs {
            assert_eq!(fastest(&Kernel::ALL, cost, 1).lanes(), 1);
        }
    }

    #[test]
    fn more_streams_are_never_slower() {
        let costs = [zen5_sha1, zen5_sha256, golden_cove_sha1, golden_cove_sha256];
        for cost in costs {
            let mut last = 0.0;
            for (index, kernel) in choices(&Kernel::ALL, cost).into_iter().enumerate() {
                let rate = kernel.lanes().min(index + 1) as f64 / f64::from(cost(kernel));
                assert!(rate >= last, "{} streams with {kernel:?}", index + 1);
                last = rate;
            }
        }
    }

    #[test]
    fn no_kernel_is_chosen_that_is_not_there() {
        let kernels = [Kernel::Portable];
        assert!(
            choices(&kernels, zen5_sha256)
                .iter()
                .all(|kernel| *kernel == Kernel::Portable)
        );
        assert_eq!(fastest(&[], zen5_sha256, 5), Kernel::Portable);
        let kernels = [Kernel::Portable, Kernel::Avx2, Kernel::Avx2Twice];
        let choices = choices(&kernels, golden_cove_sha256);
        assert_eq!(choices[0], Kernel::Portable);
        assert!(
            choices[4..]
                .iter()
                .all(|kernel| *kernel != Kernel::Portable)
        );
    }

    #[test]
    fn a_kernel_that_is_forced_is_chosen_for_any_number() {
        for kernel in Kernel::ALL {
            for waiting in [1, 2, 40] {
                assert_eq!(fastest(&[kernel], zen5_sha256, waiting), kernel);
            }
        }
    }
}
