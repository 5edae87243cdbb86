//! Queues requests for the threads that ask the stores.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use hallpass_checks::Turns;
use hallpass_core::Turn;

/// Two bounded lines: one of requests that are soon answered, such as sessions, and one of names,
/// which may have to be looked for in a whole table. A [`Taker`] that skips names answers sessions
/// however many names wait.
///
/// Putting an item in never blocks; taking one out does, without spinning. It is not a channel of a
/// crate, because names take turns by client, and because each woken thread wakes the next, so that
/// no thread wakes in vain.
#[derive(Debug)]
pub struct Queue<T> {
    waiting: Mutex<Waiting<T>>,
    /// Wakes takers of everything.
    filled: Condvar,
    /// Wakes takers of sessions.
    filled_with_sessions: Condvar,
    most: usize,
}

#[derive(Debug)]
struct Waiting<T> {
    soon: VecDeque<T>,
    names: Turns<T>,
    all: Idle,
    sessions: Idle,
    closed: bool,
}

/// Threads that wait for an item.
#[derive(Clone, Copy, Debug, Default)]
struct Idle {
    count: usize,
    /// Whether one of them has been woken and has not taken an item yet.
    woken: bool,
}

impl Idle {
    /// Whether to wake one of them now.
    fn wake(&mut self) -> bool {
        let wake = self.count > 0 && !self.woken;
        self.woken |= wake;
        wake
    }
}

/// A thread that takes items out.
#[derive(Debug)]
pub struct Taker {
    takes_names: bool,
    /// Whether it takes from the line of names next, when both have items.
    names_first: bool,
}

impl Taker {
    /// Takes from both lines, in turn.
    pub fn of_all() -> Self {
        Self {
            takes_names: true,
            names_first: false,
        }
    }

    /// Takes no names.
    pub fn of_sessions() -> Self {
        Self {
            takes_names: false,
            names_first: false,
        }
    }
}

/// An item, and the client whose turn it took if it came from the line of names.
pub type Taken<T> = (T, Option<u64>);

impl<T> Queue<T> {
    /// A queue of at most `most` items in each line; of one client, `at_once` names are looked for
    /// at a time.
    pub fn new(most: usize, at_once: usize) -> Self {
        let waiting = Waiting {
            soon: VecDeque::new(),
            names: Turns::new(most, at_once),
            all: Idle::default(),
            sessions: Idle::default(),
            closed: false,
        };
        Self {
            waiting: Mutex::new(waiting),
            filled: Condvar::new(),
            filled_with_sessions: Condvar::new(),
            most,
        }
    }

    /// Puts `item` at the end, with its `turn` if it is a name's. Returns the item that does not
    /// fit: `item`, or another.
    pub fn put(&self, item: T, turn: Option<Turn>) -> Option<T> {
        let mut waiting = self.lock();
        if waiting.closed {
            return Some(item);
        }
        let displaced = match turn {
            Some(turn) => waiting.names.put(turn, item),
            None if waiting.soon.len() >= self.most => Some(item),
            None => {
                waiting.soon.push_back(item);
                None
            }
        };
        self.wake(waiting);
        displaced
    }

    /// Takes the first item for `taker`; blocks until there is one. `None` once the queue is closed
    /// and empty.
    pub fn take(&self, taker: &mut Taker) -> Option<Taken<T>> {
        let filled = if taker.takes_names {
            &self.filled
        } else {
            &self.filled_with_sessions
        };
        let mut waiting = self.lock();
        loop {
            if let Some(taken) = waiting.take(taker) {
                self.wake(waiting);
                return Some(taken);
            }
            if waiting.closed {
                return None;
            }
            waiting.idle(taker).count += 1;
            waiting = filled.wait(waiting).unwrap_or_else(PoisonError::into_inner);
            let idle = waiting.idle(taker);
            idle.count -= 1;
            idle.woken = false;
        }
    }

    /// Reports that an item taken for `of` is done.
    pub fn done(&self, of: u64) {
        let mut waiting = self.lock();
        waiting.names.done(of);
        self.wake(waiting);
    }

    /// Wakes one thread if there is an item for it; that wakes the next if there are more. The lock
    /// is released first, or the thread would wait for it.
    fn wake(&self, mut waiting: MutexGuard<'_, Waiting<T>>) {
        let (soon, names) = (!waiting.soon.is_empty(), waiting.names.ready() > 0);
        if soon && waiting.sessions.wake() {
            drop(waiting);
            self.filled_with_sessions.notify_one();
        } else if (soon || names) && waiting.all.wake() {
            drop(waiting);
            self.filled.notify_one();
        }
    }

    /// How many items wait.
    pub fn len(&self) -> usize {
        let waiting = self.lock();
        waiting.soon.len() + waiting.names.len()
    }

    /// How many items may wait in each line.
    pub fn most(&self) -> usize {
        self.most
    }

    /// Refuses all further items.
    pub fn close(&self) {
        self.lock().closed = true;
        self.filled.notify_all();
        self.filled_with_sessions.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Waiting<T>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Waiting<T> {
    fn idle(&mut self, taker: &Taker) -> &mut Idle {
        if taker.takes_names {
            &mut self.all
        } else {
            &mut self.sessions
        }
    }

    fn take(&mut self, taker: &mut Taker) -> Option<Taken<T>> {
        let names = taker.takes_names && (taker.names_first || self.soon.is_empty());
        let named = |(of, item)| (item, Some(of));
        let taken = match names.then(|| self.names.take()).flatten() {
            Some(taken) => Some(named(taken)),
            None => match self.soon.pop_front() {
                Some(item) => Some((item, None)),
                None if taker.takes_names => self.names.take().map(named),
                None => None,
            },
        };
        taker.names_first = taken.as_ref().is_some_and(|(_, of)| of.is_none());
        taken
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;

    use super::*;

    fn turn(of: u64) -> Option<Turn> {
        Some(Turn {
            of,
            familiar: false,
            failures: 0,
        })
    }

    #[test]
    fn what_is_put_in_first_comes_out_first() {
        let (queue, mut taker) = (Queue::new(2, 1), Taker::of_all());
        assert_eq!([queue.put(1, None), queue.put(2, None)], [None, None]);
        assert_eq!(queue.put(3, None), Some(3));
        assert_eq!(queue.take(&mut taker), Some((1, None)));
        assert_eq!(queue.put(4, None), None);
        queue.close();
        assert_eq!(queue.put(5, None), Some(5));
        assert_eq!(
            [(); 3].map(|()| queue.take(&mut taker)),
            [Some((2, None)), Some((4, None)), None]
        );
    }

    #[test]
    fn sessions_do_not_wait_for_names_nor_names_for_sessions() {
        let queue = Queue::new(100, 1);
        for number in 0..10 {
            assert_eq!(queue.put(number, turn(1)), None);
        }
        let (mut sessions, mut all) = (Taker::of_sessions(), Taker::of_all());
        for number in 100..105 {
            assert_eq!(queue.put(number, None), None);
        }
        assert_eq!(queue.take(&mut sessions), Some((100, None)));
        // One that takes both takes them in turn; of one client, one name at a time.
        assert_eq!(queue.take(&mut all), Some((101, None)));
        assert_eq!(queue.take(&mut all), Some((0, Some(1))));
        assert_eq!(queue.take(&mut all), Some((102, None)));
        assert_eq!(queue.take(&mut all), Some((103, None)));
        queue.done(1);
        assert_eq!(queue.take(&mut all), Some((1, Some(1))));
        assert_eq!(queue.take(&mut sessions), Some((104, None)));
        queue.close();
        assert_eq!(queue.take(&mut sessions), None);
    }

    #[test]
    fn nothing_is_lost_between_threads() {
        let queue = Arc::new(Queue::new(3, 1));
        let takers: Vec<_> = (0..4)
            .map(|number| {
                let queue = Arc::clone(&queue);
                thread::spawn(move || {
                    let mut taker = match number {
                        0 => Taker::of_sessions(),
                        _ => Taker::of_all(),
                    };
                    std::iter::from_fn(|| {
                        let (item, of) = queue.take(&mut taker)?;
                        of.into_iter().for_each(|of| queue.done(of));
                        Some(item)
                    })
                    .sum::<u64>()
                })
            })
            .collect();
        let mut sum = 0;
        for number in 0..20_000 {
            let turn = turn(number % 7).filter(|_| number % 3 > 0);
            let mut item = number;
            while let Some(back) = queue.put(item, turn) {
                item = back;
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
