//! A queue of bounded length between the threads that ask and those that answer.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// A queue. Putting something in never waits; taking something out does, without spinning: a
/// daemon that has nothing to do uses no time, and one that has much never gets to wait.
#[derive(Debug)]
pub struct Queue<T> {
    waiting: Mutex<Waiting<T>>,
    filled: Condvar,
    most: usize,
}

#[derive(Debug)]
struct Waiting<T> {
    items: VecDeque<T>,
    /// How many threads wait for something.
    idle: usize,
    /// Whether one of them has been told, and has not come yet.
    told: bool,
    closed: bool,
}

impl<T> Queue<T> {
    /// A queue for at most `most` things.
    pub fn new(most: usize) -> Self {
        let waiting = Waiting {
            items: VecDeque::new(),
            idle: 0,
            told: false,
            closed: false,
        };
        Self {
            waiting: Mutex::new(waiting),
            filled: Condvar::new(),
            most,
        }
    }

    /// Puts `item` at the end, unless the queue is full or closed.
    pub fn put(&self, item: T) -> bool {
        let mut waiting = self.lock();
        if waiting.closed || waiting.items.len() >= self.most {
            return false;
        }
        waiting.items.push_back(item);
        self.tell(waiting);
        true
    }

    /// Takes the first thing, when there is one; `None` once the queue is closed and empty.
    pub fn take(&self) -> Option<T> {
        let mut waiting = self.lock();
        loop {
            if let Some(item) = waiting.items.pop_front() {
                self.tell(waiting);
                return Some(item);
            }
            if waiting.closed {
                return None;
            }
            waiting.idle += 1;
            waiting = self
                .filled
                .wait(waiting)
                .unwrap_or_else(PoisonError::into_inner);
            waiting.idle -= 1;
            waiting.told = false;
        }
    }

    /// Tells a thread of what is there: one at a time, which tells the next if there is more, so
    /// that none is woken in vain. The queue is let go of first, or it would have to wait for it.
    fn tell(&self, mut waiting: MutexGuard<'_, Waiting<T>>) {
        if !waiting.items.is_empty() && waiting.idle > 0 && !waiting.told {
            waiting.told = true;
            drop(waiting);
            self.filled.notify_one();
        }
    }

    /// How many things wait.
    pub fn len(&self) -> usize {
        self.lock().items.len()
    }

    /// How many things may wait.
    pub fn most(&self) -> usize {
        self.most
    }

    /// Lets nothing more in.
    pub fn close(&self) {
        self.lock().closed = true;
        self.filled.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Waiting<T>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;

    use super::*;

    #[test]
    fn what_is_put_in_first_comes_out_first() {
        let queue = Queue::new(2);
        assert!(queue.put(1) && queue.put(2));
        assert!(!queue.put(3));
        assert_eq!(queue.take(), Some(1));
        assert!(queue.put(4));
        queue.close();
        assert!(!queue.put(5));
        assert_eq!(
            [queue.take(), queue.take(), queue.take()],
            [Some(2), Some(4), None]
        );
    }

    #[test]
    fn nothing_is_lost_between_threads() {
        let queue = Arc::new(Queue::new(3));
        let takers: Vec<_> = (0..4)
            .map(|_| {
                let queue = Arc::clone(&queue);
                thread::spawn(move || std::iter::from_fn(|| queue.take()).sum::<u64>())
            })
            .collect();
        let mut sum = 0;
        for number in 0..10_000 {
            while !queue.put(number) {
                thread::yield_now();
            }
            sum += number;
        }
        queue.close();
        assert_eq!(
            takers
                .into_iter()
                .map(|taker| taker.join().unwrap())
                .sum::<u64>(),
            sum
        );
    }
}
