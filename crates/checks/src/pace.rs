//! Measures how fast checks are computed, and estimates how long the next will take.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hallpass_pbkdf2::Kernels;
use rustix::time::{ClockId, clock_gettime};

/// How much each new measurement counts, in parts of this.
const WEIGHT: u64 = 4;
/// The unit of the slowdown.
const ONE: u64 = 1000;
/// The largest slowdown that is assumed.
const MOST: u64 = 100 * ONE;

/// The speed of the threads that compute: measured once, with one lane and with all lanes busy, in
/// iterations a second of processor time; and their slowdown while others use the processor, too,
/// which is measured as they go.
#[derive(Debug)]
pub struct Pace {
    kernels: Kernels,
    threads: u64,
    width: u64,
    alone: u64,
    full: u64,
    slowdown: AtomicU64,
}

/// The work that is being computed or waits, in iterations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// The number of computations.
    pub count: usize,
    /// Of those that can share lanes.
    pub derivations: u64,
    /// Of the others.
    pub others: u64,
}

impl Load {
    /// This and `other`.
    pub fn plus(self, other: Self) -> Self {
        Self {
            count: self.count + other.count,
            derivations: self.derivations.saturating_add(other.derivations),
            others: self.others.saturating_add(other.others),
        }
    }
}

impl Pace {
    /// Measures the speed here, which takes some milliseconds.
    pub fn measure(threads: usize) -> Self {
        let kernels = Kernels::measure(processor_time);
        let width = kernels.width();
        let alone = kernels.rate(1);
        Self {
            threads: count(threads).max(1),
            width: count(width).max(1),
            alone,
            full: kernels.rate(width).max(alone),
            kernels,
            slowdown: AtomicU64::new(ONE),
        }
    }

    /// The kernels of this processor, for the engines of the threads.
    pub fn kernels(&self) -> &Kernels {
        &self.kernels
    }

    /// The number of computations at a time at which a thread is fastest.
    pub fn width(&self) -> usize {
        usize::try_from(self.width).unwrap_or(usize::MAX)
    }

    /// How long a job of this `work` takes that comes after `load`, with which all threads are
    /// busy.
    pub fn after(&self, load: Load, work: u64) -> Duration {
        let waits = seconds(load.derivations, self.full * self.threads)
            + seconds(load.others, self.alone * self.threads);
        let neighbours = (count(load.count) + 1)
            .div_ceil(self.threads)
            .min(self.width);
        // In lanes, or one after the other: whichever is faster is done.
        let own = (self.full / self.width).max(self.alone / neighbours);
        self.slowed(waits + seconds(work, own))
    }

    /// How long a job of this `work` takes at least.
    pub fn at_least(&self, work: u64) -> Duration {
        self.slowed(seconds(work, self.alone.max(self.full / self.width)))
    }

    /// Learns from a span in which a thread was busy: its length, and the thread's processor time
    /// in it.
    pub fn learn(&self, took: Duration, had: Duration) {
        let had = had.as_micros().max(1);
        let slowdown = took.as_micros().saturating_mul(ONE.into()) / had;
        let slowdown = u64::try_from(slowdown).unwrap_or(MOST).clamp(ONE, MOST);
        let before = self.slowdown.load(Ordering::Relaxed);
        let after = (before * (WEIGHT - 1) + slowdown) / WEIGHT;
        self.slowdown.store(after, Ordering::Relaxed);
    }

    fn slowed(&self, seconds: f64) -> Duration {
        let slowdown = self.slowdown.load(Ordering::Relaxed) as f64 / ONE as f64;
        Duration::try_from_secs_f64(seconds * slowdown).unwrap_or(Duration::MAX)
    }
}

/// A span in which a thread is busy.
#[derive(Debug)]
pub struct Busy {
    began: Instant,
    processor: Duration,
}

impl Busy {
    /// It begins now.
    pub fn begin() -> Self {
        Self {
            began: Instant::now(),
            processor: processor_time(),
        }
    }

    /// Its length, and the thread's processor time in it.
    pub fn so_far(&self) -> (Duration, Duration) {
        (
            self.began.elapsed(),
            processor_time().saturating_sub(self.processor),
        )
    }
}

/// The processor time of this thread so far.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

fn seconds(work: u64, rate: u64) -> f64 {
    work as f64 / rate.max(1) as f64
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace() -> Pace {
        Pace {
            kernels: Kernels::default(),
            threads: 2,
            width: 32,
            alone: 10_000_000,
            full: 40_000_000,
            slowdown: AtomicU64::new(ONE),
        }
    }

    fn load(count: usize) -> Load {
        Load {
            count,
            derivations: count as u64 * 1_000_000,
            others: 0,
        }
    }

    #[test]
    fn one_alone_has_the_processor_and_many_share_its_lanes() {
        let pace = pace();
        let milliseconds = |load| pace.after(load, 1_000_000).as_millis();
        assert_eq!(milliseconds(load(0)), 100);
        // 64 before it take 0.8 s, and then it takes the 0.8 s that any of 32 lanes does.
        assert_eq!(milliseconds(load(64)), 1600);
        let others = Load {
            count: 64,
            derivations: 0,
            others: 64_000_000,
        };
        assert_eq!(milliseconds(others), 3200 + 800);
        assert_eq!(pace.at_least(1_000_000).as_millis(), 100);
    }

    #[test]
    fn a_busy_machine_is_slower() {
        let pace = pace();
        for _ in 0..50 {
            pace.learn(Duration::from_millis(300), Duration::from_millis(100));
        }
        let took = pace.after(load(0), 1_000_000).as_millis();
        assert!((290..=300).contains(&took), "{took}");
        for _ in 0..50 {
            pace.learn(Duration::from_millis(100), Duration::from_millis(100));
        }
        assert!(pace.after(load(0), 1_000_000).as_millis() <= 101);
        // Nor does a clock with other ideas make it infinitely slow, or faster than it is.
        for (took, had) in [(u64::MAX, 0), (0, u64::MAX)] {
            pace.learn(Duration::from_micros(took), Duration::from_micros(had));
            assert!(pace.after(load(0), 1_000_000).as_secs() < 10);
            assert!(pace.after(load(0), 1_000_000).as_millis() >= 100);
        }
    }

    #[test]
    fn what_is_measured_makes_sense() {
        let pace = Pace::measure(2);
        assert!(pace.width() >= 1);
        assert!(pace.full >= pace.alone && pace.alone > 1_000);
    }
}
