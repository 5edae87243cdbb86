//! Runs the event loops, one a core, and deals connections out to them.
//!
//! The first loop is the main thread's, which also accepts, reloads and shuts down. Connections are
//! dealt out, and not accepted by every loop from a shared socket: hosts keep a few connections for
//! long, and loops that race for them end up with unequal shares, each race waking them all.
//! SO_REUSEPORT would deal by chance, loses connections when a listener closes, and does not exist
//! for unix sockets.

use std::cell::Cell;
use std::future::{Future, pending};
use std::io;
use std::sync::Arc;
use std::thread;

use tokio::runtime::{Builder, Handle, Runtime};

thread_local! {
    static NUMBER: Cell<usize> = const { Cell::new(0) };
}

/// The event loops.
#[derive(Debug)]
pub struct Loops {
    first: EventLoop,
    others: Vec<EventLoop>,
}

/// One of them.
#[derive(Debug)]
pub struct EventLoop {
    number: usize,
    handle: Handle,
    /// Each of its connections holds a clone.
    load: Arc<()>,
}

/// The number of the loop that runs the calling task, from 0.
pub fn current() -> usize {
    NUMBER.get()
}

/// How many loops to run: one for each core that the process may use, by its affinity and the quota
/// of its control group.
pub fn count() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// A loop for the calling thread, with timers and sockets.
///
/// # Errors
/// When the system gives out no more descriptors.
pub fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

impl Loops {
    /// Starts the other loops of `count`, beside the one that runs on the calling thread. They run
    /// until the process ends.
    ///
    /// # Errors
    /// When the system gives out no more threads or descriptors.
    pub fn start(first: Handle, count: usize) -> io::Result<Self> {
        let others: io::Result<_> = (1..count).map(EventLoop::start).collect();
        Ok(Self {
            first: EventLoop::of(current(), first),
            others: others?,
        })
    }

    /// How many they are.
    pub fn count(&self) -> usize {
        1 + self.others.len()
    }

    /// The loop that has the fewest connections; of several, the first, so that no more loops hold
    /// open databases and memory than are of use.
    pub fn least(&self) -> &EventLoop {
        let mut least = &self.first;
        for other in &self.others {
            if other.connections() < least.connections() {
                least = other;
            }
        }
        least
    }

    /// Returns once every loop has answered.
    pub async fn answer(&self) {
        for other in &self.others {
            // A loop that has ended does not answer.
            if other.handle.spawn(async {}).await.is_err() {
                pending::<()>().await;
            }
        }
    }
}

impl EventLoop {
    /// Whether it is not the one that runs the calling task.
    pub fn is_another(&self) -> bool {
        self.number != current()
    }

    /// Runs `connection` on it.
    pub fn spawn(&self, connection: impl Future<Output = ()> + Send + 'static) {
        let load = Arc::clone(&self.load);
        self.handle.spawn(async move {
            connection.await;
            drop(load);
        });
    }

    fn connections(&self) -> usize {
        Arc::strong_count(&self.load)
    }

    fn of(number: usize, handle: Handle) -> Self {
        Self {
            number,
            handle,
            load: Arc::default(),
        }
    }

    fn start(number: usize) -> io::Result<Self> {
        let runtime = runtime()?;
        let handle = runtime.handle().clone();
        thread::Builder::new()
            .name(format!("loop {number}"))
            .spawn(move || {
                NUMBER.set(number);
                runtime.block_on(pending::<()>());
            })?;
        Ok(Self::of(number, handle))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    fn three() -> (Runtime, Loops) {
        let runtime = runtime().unwrap();
        let loops = Loops::start(runtime.handle().clone(), 3).unwrap();
        (runtime, loops)
    }

    #[test]
    fn connections_are_dealt_out_evenly_and_to_the_first_loop_where_all_are_idle() {
        let (runtime, loops) = three();
        let (sender, served) = mpsc::channel();
        let mut chosen = Vec::new();
        for _ in 0..7 {
            let sender = sender.clone();
            chosen.push(loops.least().number);
            loops.least().spawn(async move {
                sender.send(current()).unwrap();
                pending::<()>().await;
            });
        }
        assert_eq!(chosen, [0, 1, 2, 0, 1, 2, 0]);
        runtime.block_on(tokio::task::yield_now());
        let mut numbers: Vec<_> = served.iter().take(7).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, [0, 0, 0, 1, 1, 2, 2]);
    }

    #[test]
    fn a_connection_that_has_ended_no_longer_counts() {
        let (runtime, loops) = three();
        for _ in 0..5 {
            assert_eq!(loops.least().number, 0);
            loops.least().spawn(async {});
            runtime.block_on(tokio::task::yield_now());
        }
    }

    #[test]
    fn loops_answer_unless_one_is_stuck() {
        let (runtime, loops) = three();
        let (release, stuck) = mpsc::channel::<()>();
        let answer = |most| {
            let answer = async { tokio::time::timeout(most, loops.answer()).await.is_ok() };
            runtime.block_on(answer)
        };
        assert!(answer(Duration::from_secs(20)));
        let last = loops.others.last().unwrap();
        last.spawn(async move { _ = stuck.recv() });
        assert!(!answer(Duration::from_millis(100)));
        drop(release);
        assert!(answer(Duration::from_secs(20)));
    }
}
