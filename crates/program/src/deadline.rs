//! Work that may not take longer than it is given.

use std::sync::mpsc;
use std::thread;

use hallpass_core::Deadline;

/// Does `work` on a thread of its own, and gives what it comes to; `None` when the deadline passes
/// first, or the work ends without an answer. Work that comes too late is left behind, for a
/// program that then ends.
pub fn within<T: Send + 'static>(
    deadline: Deadline,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let (sender, receiver) = mpsc::sync_channel(1);
    thread::Builder::new().spawn(move || sender.send(work())).ok()?;
    receiver.recv_timeout(deadline.remaining()).ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn work_in_time_counts() {
        assert_eq!(within(Deadline::after(Duration::from_secs(60)), || 7), Some(7));
    }

    #[test]
    fn work_without_end_does_not() {
        let (_held, endless) = mpsc::channel::<()>();
        let soon = Deadline::after(Duration::from_millis(10));
        assert_eq!(within(soon, move || endless.recv().is_ok()), None);
    }
}
