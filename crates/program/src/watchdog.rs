//! What a program that answers once does when its time is up.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use hallpass_core::Deadline;

/// Sees to it that a program that answers once does so by its deadline, whatever its work is
/// stuck in.
#[derive(Debug)]
pub struct Watchdog {
    over: Arc<AtomicBool>,
}

impl Watchdog {
    /// Starts a watchdog. When `deadline` passes before [`call_off`](Self::call_off), it runs
    /// `bark`, which is to answer in the program's place and to end it. The work stays on the
    /// calling thread.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn start(deadline: Deadline, bark: impl FnOnce() + Send + 'static) -> std::io::Result<Self> {
        let over = Arc::new(AtomicBool::new(false));
        let watched = Arc::clone(&over);
        thread::Builder::new().stack_size(128 * 1024).spawn(move || {
            while !deadline.passed() {
                thread::park_timeout(deadline.remaining());
            }
            if !watched.swap(true, Ordering::SeqCst) {
                bark();
            }
        })?;
        Ok(Self { over })
    }

    /// The answer is there. Returns at once if it came in time; else it does not return, since
    /// the watchdog is answering.
    pub fn call_off(&self) {
        if self.over.swap(true, Ordering::SeqCst) {
            loop {
                thread::park();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    #[test]
    fn it_barks_when_the_deadline_passes() {
        let (sender, barked) = mpsc::channel();
        let deadline = Deadline::after(Duration::from_millis(1));
        let dog = Watchdog::start(deadline, move || sender.send(()).unwrap()).unwrap();
        barked.recv_timeout(Duration::from_secs(60)).unwrap();
        assert!(dog.over.load(Ordering::SeqCst));
    }

    #[test]
    fn it_is_quiet_when_it_is_called_off() {
        let (sender, barked) = mpsc::channel::<()>();
        let deadline = Deadline::after(Duration::from_millis(50));
        let dog = Watchdog::start(deadline, move || sender.send(()).unwrap()).unwrap();
        dog.call_off();
        // The sender goes with the thread, unused.
        assert!(barked.recv_timeout(Duration::from_secs(60)).is_err());
    }
}
