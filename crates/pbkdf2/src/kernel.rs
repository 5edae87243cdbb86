//! Names the implementations of PBKDF2's iterations, and measures which is the fastest here.

use std::time::Duration;

use crate::accelerate;
use crate::hash::{Hash, SHA1_WORDS, SHA256_WORDS, Sha1, Sha256};
use crate::stream::{Key, Stream, iterate_portable};

/// An implementation of PBKDF2's iterations, for as many streams (output blocks) at a time as it
/// has [lanes](Self::lanes).
///
/// The right one is chosen where it is not named; naming one is for tests and measurements.
/// Without the feature `accelerate` there is only [`Kernel::Portable`].
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
    /// RustCrypto's hash functions, one stream, on every processor.
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
        self == Self::Portable || accelerate::is_available(self)
    }

    /// The kernels that this processor can run; [`Kernel::Portable`] is always one.
    pub fn available() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(|kernel| kernel.is_available())
    }

    /// The fastest for one key, whose blocks are done three at a time.
    pub(crate) fn of_one_key() -> Self {
        [Self::ShaNiThrice, Self::Aarch64]
            .into_iter()
            .find(|kernel| kernel.is_available())
            .unwrap_or(Self::Portable)
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
    /// as [`Kernel::Portable`] where this processor cannot run the kernel.
    pub(crate) fn iterate<H: Hash<WORDS>, const WORDS: usize>(
        self,
        streams: &mut [&mut Stream<WORDS>],
        iterations: u32,
    ) {
        for streams in streams.chunks_mut(self.lanes()) {
            if accelerate::iterate::<H, WORDS>(self, streams, iterations).is_none() {
                iterate_portable::<H, WORDS>(streams, iterations);
            }
        }
    }

    /// Derives a key with PBKDF2-HMAC-SHA1 as [`hmac_sha1`](crate::hmac_sha1) does, with this
    /// kernel; with the portable one where this processor cannot run it.
    pub fn hmac_sha1(self, password: &[u8], salt: &[u8], iterations: u32, output: &mut [u8]) {
        crate::derive::<Sha1, SHA1_WORDS>(self, password, salt, iterations, output);
    }

    /// Derives a key with PBKDF2-HMAC-SHA256 as [`hmac_sha256`](crate::hmac_sha256) does, with this
    /// kernel; with the portable one where this processor cannot run it.
    pub fn hmac_sha256(self, password: &[u8], salt: &[u8], iterations: u32, output: &mut [u8]) {
        crate::derive::<Sha256, SHA256_WORDS>(self, password, salt, iterations, output);
    }
}

/// The kernels that an [`Engine`](crate::Engine) chooses from, and how long each takes here.
#[derive(Clone, Debug)]
pub struct Kernels {
    pub(crate) sha1: Costs,
    pub(crate) sha256: Costs,
}

impl Kernels {
    /// Measures the kernels of this processor, in some ten milliseconds, by `clock`: the processor
    /// time of this thread so far, or the time if there is nothing better.
    ///
    /// ```
    /// let started = std::time::Instant::now();
    /// let kernels = hallpass_pbkdf2::Kernels::measure(|| started.elapsed());
    /// assert!(kernels.width() >= 1);
    /// ```
    pub fn measure(clock: impl Fn() -> Duration) -> Self {
        Self::measure_by(&clock)
    }

    /// Not generic, so that the kernels that are measured are those of this crate, and not copies
    /// that the caller's crate compiles by its own profile.
    fn measure_by(clock: &dyn Fn() -> Duration) -> Self {
        Self {
            sha1: Costs::measure::<Sha1, SHA1_WORDS>(clock),
            sha256: Costs::measure::<Sha256, SHA256_WORDS>(clock),
        }
    }

    /// This one kernel, for tests and measurements; `None` where this processor cannot run it.
    pub fn only(kernel: Kernel) -> Option<Self> {
        kernel.is_available().then(|| Self::of(kernel))
    }

    fn of(kernel: Kernel) -> Self {
        let costs = Costs(vec![(kernel, 1)]);
        Self {
            sha1: costs.clone(),
            sha256: costs,
        }
    }

    /// How many requests are worth doing at a time, of those whose keys are no longer than a
    /// digest: with more of them hardly more are done in a time, and each takes longer.
    pub fn width(&self) -> usize {
        self.sha256.width()
    }

    /// Iterations of PBKDF2-HMAC-SHA256 a second, of `streams` at a time all together. It says
    /// something only of kernels that were [measured](Self::measure).
    pub fn rate(&self, streams: usize) -> u64 {
        self.sha256.rate(streams)
    }
}

/// The kernel that [`hmac_sha256`](crate::hmac_sha256) has, which is good for one key or few.
impl Default for Kernels {
    fn default() -> Self {
        Self::of(Kernel::of_one_key())
    }
}

/// How long one iteration takes with each kernel, in picoseconds: the same for few streams and for
/// as many as the kernel has lanes.
#[derive(Clone, Debug)]
pub(crate) struct Costs(Vec<(Kernel, u64)>);

/// Iterations in one measurement: 30 µs and more.
const MEASURED: u32 = 300;
/// How often each kernel is measured. The least counts.
const ROUNDS: usize = 4;

impl Costs {
    fn measure<H: Hash<WORDS>, const WORDS: usize>(clock: &dyn Fn() -> Duration) -> Self {
        let key = Key::new::<H>(b"measured");
        let mut costs: Vec<_> = Kernel::available()
            .map(|kernel| (kernel, u64::MAX))
            .collect();
        // One after the other, so that a disturbance does not hit all rounds of one.
        for _ in 0..ROUNDS {
            for (kernel, cost) in &mut costs {
                let mut streams: Vec<_> = (0..kernel.lanes())
                    .map(|_| Stream::new::<H>(&key, b"hallpass", 1))
                    .collect();
                let mut streams: Vec<_> = streams.iter_mut().collect();
                let started = clock();
                kernel.iterate::<H, WORDS>(&mut streams, MEASURED);
                let took = clock().saturating_sub(started).as_nanos() * 1000 / u128::from(MEASURED);
                *cost = u64::try_from(took).unwrap_or(u64::MAX).clamp(1, *cost);
            }
        }
        Self(costs)
    }

    /// The kernel that does the most iterations in a time when `waiting` streams are there; of
    /// equals the one that comes first. The portable one where there are none.
    pub(crate) fn fastest(&self, waiting: usize) -> Kernel {
        self.best(waiting).map_or(Kernel::Portable, |best| best.0)
    }

    fn best(&self, waiting: usize) -> Option<(Kernel, u64)> {
        let streams = |kernel: Kernel| kernel.lanes().min(waiting) as u128;
        self.0.iter().copied().reduce(|best, other| {
            // Streams in a time, compared without dividing.
            let gains = streams(other.0) * u128::from(best.1);
            if gains > streams(best.0) * u128::from(other.1) {
                other
            } else {
                best
            }
        })
    }

    fn rate(&self, streams: usize) -> u64 {
        let rate = |(kernel, cost): (Kernel, u64)| {
            kernel.lanes().min(streams) as u64 * 1_000_000_000_000 / cost.max(1)
        };
        self.best(streams).map_or(1, rate).max(1)
    }

    fn width(&self) -> usize {
        let best = self.rate(usize::MAX);
        let lanes = self.0.iter().map(|(kernel, _)| kernel.lanes());
        lanes
            .filter(|lanes| u128::from(self.rate(*lanes)) * 20 >= u128::from(best) * 19)
            .min()
            .unwrap_or(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As measured on Zen 5, in cycles.
    fn zen5() -> Costs {
        Costs(vec![
            (Kernel::Portable, 1100),
            (Kernel::ShaNi, 283),
            (Kernel::ShaNiTwice, 363),
            (Kernel::ShaNiThrice, 472),
            (Kernel::Avx2, 2195),
            (Kernel::Avx2Twice, 4400),
            (Kernel::Avx512, 1468),
            (Kernel::Avx512Twice, 1930),
        ])
    }

    /// As measured on Golden Cove, in cycles.
    fn golden_cove() -> Costs {
        Costs(vec![
            (Kernel::Portable, 1360),
            (Kernel::ShaNi, 287),
            (Kernel::ShaNiTwice, 435),
            (Kernel::ShaNiThrice, 700),
            (Kernel::Avx2, 2260),
            (Kernel::Avx2Twice, 4590),
            (Kernel::Avx512, 1655),
            (Kernel::Avx512Twice, 3300),
        ])
    }

    fn first(count: usize, costs: &Costs) -> Costs {
        Costs(costs.0.iter().copied().take(count).collect())
    }

    fn choices(costs: &Costs) -> Vec<Kernel> {
        (1..=40).map(|waiting| costs.fastest(waiting)).collect()
    }

    #[test]
    fn zen5_changes_kernels_where_it_was_measured_to_pay() {
        let choices = choices(&zen5());
        let all = |range: &[Kernel], kernel| range.iter().all(|choice| *choice == kernel);
        assert_eq!(choices[0], Kernel::ShaNi);
        assert_eq!(choices[1], Kernel::ShaNiTwice);
        assert!(all(&choices[2..9], Kernel::ShaNiThrice));
        assert!(all(&choices[9..21], Kernel::Avx512));
        assert!(all(&choices[21..], Kernel::Avx512Twice));
    }

    #[test]
    fn no_more_streams_are_begun_than_pays() {
        assert_eq!(zen5().width(), 32);
        assert_eq!(golden_cove().width(), 16);
        // A third stream gains nothing there: the instruction starts as seldom as two need it.
        assert_eq!(first(6, &golden_cove()).width(), 2);
        assert_eq!(first(1, &golden_cove()).width(), 1);
        assert_eq!(first(0, &golden_cove()).width(), 1);
    }

    #[test]
    fn one_stream_alone_has_a_kernel_for_one() {
        for costs in [zen5(), golden_cove()] {
            assert_eq!(costs.fastest(1).lanes(), 1);
        }
    }

    #[test]
    fn more_streams_are_never_slower() {
        for costs in [zen5(), golden_cove()] {
            let rates: Vec<_> = (1..=40).map(|streams| costs.rate(streams)).collect();
            assert!(rates.is_sorted(), "{rates:?}");
        }
    }

    #[test]
    fn no_kernel_is_chosen_that_is_not_there() {
        let all = |costs: &Costs, kernel| choices(costs).iter().all(|choice| *choice == kernel);
        assert!(all(&first(1, &zen5()), Kernel::Portable));
        assert!(all(&first(0, &zen5()), Kernel::Portable));
        let golden_cove = golden_cove().0.into_iter();
        let without_sha = golden_cove.filter(|(kernel, _)| {
            matches!(kernel, Kernel::Portable | Kernel::Avx2 | Kernel::Avx2Twice)
        });
        let choices = choices(&Costs(without_sha.collect()));
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
                assert_eq!(Kernels::of(kernel).sha256.fastest(waiting), kernel);
            }
        }
    }

    #[test]
    fn every_kernel_of_this_processor_is_measured() {
        let started = std::time::Instant::now();
        let kernels = Kernels::measure(|| started.elapsed());
        for Costs(costs) in [&kernels.sha1, &kernels.sha256] {
            assert!(costs.iter().all(|(_, cost)| (1..u64::MAX).contains(cost)));
            assert!(
                costs
                    .iter()
                    .map(|(kernel, _)| *kernel)
                    .eq(Kernel::available())
            );
        }
        assert!(kernels.rate(kernels.width()) >= kernels.rate(1));
    }
}
