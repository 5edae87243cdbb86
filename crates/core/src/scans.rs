//! Runs one scan of all accounts at a time.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use hallpass_stores::{Deadline, Unavailable};

/// Lets the authenticators of a program read a whole table of accounts one after the other: a name
/// that no index finds costs the database as much as a thousand others, and an attacker may send
/// many.
#[derive(Debug, Default)]
pub(crate) struct Scans {
    busy: Mutex<bool>,
    done: Condvar,
}

/// The right to read all accounts, for as long as it is held.
#[derive(Debug)]
pub(crate) struct Scan<'a>(&'a Scans);

impl Scans {
    /// Waits until no other scan is running, by `deadline` at the latest.
    ///
    /// # Errors
    /// [`Unavailable`] when others take all of that time.
    pub(crate) fn begin(&self, deadline: Deadline) -> Result<Scan<'_>, Unavailable> {
        let busy = self.lock();
        let waited = self
            .done
            .wait_timeout_while(busy, deadline.remaining(), |busy| *busy);
        let (mut busy, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if *busy {
            return Err(Unavailable::new(
                "other names without an index take all of `deadline`; `hallpass doctor` prints the \
                 index",
            ));
        }
        *busy = true;
        Ok(Scan(self))
    }

    fn lock(&self) -> MutexGuard<'_, bool> {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Scan<'_> {
    fn drop(&mut self) {
        *self.0.lock() = false;
        self.0.done.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;

    #[test]
    fn one_scan_runs_at_a_time_and_each_gets_its_turn() {
        let scans = Arc::new(Scans::default());
        let running = Arc::new(AtomicUsize::new(0));
        let threads: Vec<_> = (0..8)
            .map(|_| {
                let (scans, running) = (Arc::clone(&scans), Arc::clone(&running));
                std::thread::spawn(move || {
                    for _ in 0..100 {
                        let deadline = Deadline::after(Duration::from_secs(600));
                        let scan = scans.begin(deadline).unwrap();
                        assert_eq!(running.fetch_add(1, Ordering::SeqCst), 0);
                        std::thread::yield_now();
                        running.fetch_sub(1, Ordering::SeqCst);
                        drop(scan);
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
    }

    #[test]
    fn a_scan_that_gets_no_turn_in_time_is_unavailable() {
        let scans = Scans::default();
        let first = scans.begin(Deadline::after(Duration::ZERO)).unwrap();
        assert!(scans.begin(Deadline::after(Duration::ZERO)).is_err());
        drop(first);
        assert!(scans.begin(Deadline::after(Duration::ZERO)).is_ok());
    }
}
