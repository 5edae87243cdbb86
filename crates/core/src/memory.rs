//! Limits the memory that all memory-hard checks of one program use at once.

use std::sync::{Condvar, Mutex, PoisonError};

use hallpass_stores::{Deadline, Unavailable};

/// Bounds the memory that argon2 and scrypt take at once in one program. A check that does not fit
/// waits until others are done; one that never fits runs alone.
#[derive(Debug)]
pub(crate) struct Memory {
    most: u64,
    held: Mutex<u64>,
    given_back: Condvar,
}

impl Memory {
    /// At most `most` bytes.
    pub(crate) fn new(most: u64) -> Self {
        Self {
            most,
            held: Mutex::new(0),
            given_back: Condvar::new(),
        }
    }

    /// Holds `bytes` for as long as what is returned lives.
    pub(crate) fn hold(
        &self,
        bytes: u64,
        deadline: Deadline,
    ) -> Result<MemoryPermit<'_>, Unavailable> {
        let bytes = bytes.min(self.most);
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        while bytes > 0 && self.most - *held < bytes {
            let left = deadline.remaining();
            if left.is_zero() {
                return Err(Unavailable::new(
                    "other checks take all the memory that [passwords] memory allows",
                ));
            }
            let waited = self.given_back.wait_timeout(held, left);
            held = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        *held += bytes;
        Ok(MemoryPermit {
            memory: self,
            bytes,
        })
    }
}

/// Memory that is held.
#[derive(Debug)]
pub(crate) struct MemoryPermit<'a> {
    memory: &'a Memory,
    bytes: u64,
}

impl Drop for MemoryPermit<'_> {
    fn drop(&mut self) {
        let mut held = self
            .memory
            .held
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *held -= self.bytes;
        self.memory.given_back.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::thread;
    use std::time::Duration;

    use super::*;

    fn soon() -> Deadline {
        Deadline::after(Duration::from_millis(10))
    }

    #[test]
    fn what_does_not_fit_is_unavailable_at_the_deadline() {
        let memory = Memory::new(100);
        let first = memory.hold(60, soon()).unwrap();
        assert!(memory.hold(41, soon()).is_err());
        let second = memory.hold(40, soon()).unwrap();
        assert!(memory.hold(1, soon()).is_err());
        assert!(memory.hold(0, soon()).is_ok());
        drop(first);
        assert!(memory.hold(60, soon()).is_ok());
        drop(second);
        assert_eq!(*memory.held.lock().unwrap(), 0);
    }

    #[test]
    fn what_never_fits_runs_alone() {
        let memory = Memory::new(100);
        let alone = memory.hold(u64::MAX, soon()).unwrap();
        assert!(memory.hold(1, soon()).is_err());
        drop(alone);
        assert!(memory.hold(1, soon()).is_ok());
    }

    #[test]
    fn threads_never_hold_more_together() {
        let memory = Arc::new(Memory::new(10));
        let held = Arc::new(AtomicU64::new(0));
        let threads: Vec<_> = (1..=8)
            .map(|bytes| {
                let (memory, held) = (Arc::clone(&memory), Arc::clone(&held));
                thread::spawn(move || {
                    for _ in 0..200 {
                        let deadline = Deadline::after(Duration::from_secs(60));
                        let _hold = memory.hold(bytes, deadline).unwrap();
                        assert!(held.fetch_add(bytes, Ordering::SeqCst) + bytes <= 10);
                        held.fetch_sub(bytes, Ordering::SeqCst);
                    }
                })
            })
            .collect();
        threads
            .into_iter()
            .for_each(|thread| thread.join().unwrap());
    }
}
