//! Bounds the open connections of a socket: evicts an idle one when there is no room for another.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::Instant;

/// The room for the connections of one socket.
#[derive(Debug)]
pub struct Slots {
    most: usize,
    started: Instant,
    connections: Mutex<Connections>,
    /// How many connections wait for a slot.
    waiting: AtomicUsize,
    /// Notified when a connection ends, or has no request in progress any more and others wait.
    freed: Notify,
}

#[derive(Debug, Default)]
struct Connections {
    next: u64,
    all: BTreeMap<u64, Arc<Connection>>,
}

/// What is known of a connection. Its requests write it without any lock that other connections
/// take.
#[derive(Debug)]
struct Connection {
    /// Since when no request has been in progress, in nanoseconds since [`Slots::started`].
    idle_since: AtomicU64,
    /// Whether there has ever been a request.
    has_asked: AtomicBool,
    /// Notified at the first request.
    asked: Notify,
    /// How many requests are in progress.
    requests: AtomicUsize,
    /// Whether it is being evicted.
    evicting: AtomicBool,
    evict: Notify,
}

/// The slot of one connection, until it is dropped.
#[derive(Debug)]
pub struct Slot {
    slots: Arc<Slots>,
    number: u64,
    connection: Arc<Connection>,
}

/// A request in progress, which keeps its connection from being evicted until it is dropped.
#[derive(Debug)]
pub struct InProgress(Arc<Slot>);

/// Counts a connection that waits for a slot, until it is dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl Slots {
    /// Room for `most` connections.
    pub fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            most,
            started: Instant::now(),
            connections: Mutex::default(),
            waiting: AtomicUsize::new(0),
            freed: Notify::new(),
        })
    }

    /// A slot for one more connection. Where there is none, the connection that has been idle for
    /// longest is evicted. Connections without any request yet go first: a host sends one as soon
    /// as it is connected, and reconnects where it must. A connection with a request in progress
    /// stays.
    pub async fn take(self: &Arc<Self>) -> Arc<Slot> {
        if let Some(slot) = self.try_take() {
            return slot;
        }
        let _waiting = Waiting::counted(&self.waiting);
        loop {
            if let Some(slot) = self.try_take() {
                return slot;
            }
            self.evict_idle();
            self.freed.notified().await;
        }
    }

    /// Evicts the connection that has been idle for longest, unless one is about to end.
    pub fn evict_idle(&self) {
        let connections = self.connections();
        let all = || connections.all.values();
        if all().any(|connection| connection.evicting.load(Ordering::SeqCst)) {
            return;
        }
        let idle = all().filter(|connection| connection.requests.load(Ordering::SeqCst) == 0);
        if let Some(connection) = idle.min_by_key(|connection| {
            let has_asked = connection.has_asked.load(Ordering::Relaxed);
            (has_asked, connection.idle_since.load(Ordering::Relaxed))
        }) {
            connection.evicting.store(true, Ordering::SeqCst);
            connection.evict.notify_one();
        }
    }

    fn try_take(self: &Arc<Self>) -> Option<Arc<Slot>> {
        let mut connections = self.connections();
        if connections.all.len() >= self.most {
            return None;
        }
        let number = connections.next;
        connections.next += 1;
        let connection = Arc::new(Connection {
            idle_since: AtomicU64::new(self.now()),
            has_asked: AtomicBool::new(false),
            asked: Notify::new(),
            requests: AtomicUsize::new(0),
            evicting: AtomicBool::new(false),
            evict: Notify::new(),
        });
        connections.all.insert(number, Arc::clone(&connection));
        Some(Arc::new(Slot {
            slots: Arc::clone(self),
            number,
            connection,
        }))
    }

    fn connections(&self) -> MutexGuard<'_, Connections> {
        self.connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

impl<'a> Waiting<'a> {
    fn counted(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Slot {
    /// Returns when the connection is evicted. A connection that began a request meanwhile stays,
    /// and another is evicted instead.
    pub async fn evicted(&self) {
        let Self {
            slots, connection, ..
        } = self;
        loop {
            connection.evict.notified().await;
            if connection.requests.load(Ordering::SeqCst) == 0 {
                return;
            }
            connection.evicting.store(false, Ordering::SeqCst);
            slots.freed.notify_one();
        }
    }

    /// Gives up the slot: the connection is bounded by other means from now on, and never evicted.
    pub fn leave(&self) {
        self.slots.connections().all.remove(&self.number);
        self.slots.freed.notify_one();
    }

    /// Returns once there has been a request.
    pub async fn asked(&self) {
        // One that begins from here on is notified.
        let asked = self.connection.asked.notified();
        if !self.connection.has_asked.load(Ordering::SeqCst) {
            asked.await;
        }
    }

    /// Marks that a request is in progress, until its answer has been sent.
    pub fn begin_request(self: &Arc<Self>) -> InProgress {
        let connection = &self.connection;
        connection.requests.fetch_add(1, Ordering::SeqCst);
        if !connection.has_asked.swap(true, Ordering::SeqCst) {
            connection.asked.notify_waiters();
        }
        InProgress(Arc::clone(self))
    }
}

impl Drop for InProgress {
    fn drop(&mut self) {
        let Slot {
            slots, connection, ..
        } = &*self.0;
        connection.idle_since.store(slots.now(), Ordering::Relaxed);
        connection.requests.fetch_sub(1, Ordering::SeqCst);
        // One that began to wait before this finds the connection idle.
        if slots.waiting.load(Ordering::SeqCst) > 0 {
            slots.freed.notify_one();
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.slots.connections().all.remove(&self.number);
        self.slots.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::task::{Context, Poll, Waker};

    use super::*;

    /// The output of a future that need not wait.
    fn now<T>(future: impl Future<Output = T>) -> Option<T> {
        let mut future = std::pin::pin!(future);
        match future
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
        {
            Poll::Ready(value) => Some(value),
            Poll::Pending => None,
        }
    }

    fn is_evicted(slot: &Slot) -> bool {
        now(slot.evicted()).is_some()
    }

    #[test]
    fn where_there_is_room_no_connection_is_evicted() {
        let slots = Slots::new(2);
        let (a, b) = (now(slots.take()).unwrap(), now(slots.take()).unwrap());
        assert!(!is_evicted(&a) && !is_evicted(&b));
    }

    #[test]
    fn the_connection_idle_for_longest_is_evicted_first() {
        let slots = Slots::new(3);
        let [a, b, c] = [(); 3].map(|()| now(slots.take()).unwrap());
        drop(a.begin_request());
        assert!(now(slots.take()).is_none());
        assert!(is_evicted(&b) && !is_evicted(&a) && !is_evicted(&c));
        // One that is about to end makes room enough for one.
        assert!(now(slots.take()).is_none());
        assert!(!is_evicted(&a) && !is_evicted(&c));
        drop(b);
        let d = now(slots.take()).unwrap();
        drop(c.begin_request());
        drop(d.begin_request());
        assert!(now(slots.take()).is_none());
        assert!(is_evicted(&a) && !is_evicted(&c) && !is_evicted(&d));
    }

    #[test]
    fn a_request_in_progress_keeps_its_slot() {
        let slots = Slots::new(2);
        let [a, b] = [(); 2].map(|()| now(slots.take()).unwrap());
        let (first, second, other) = (a.begin_request(), a.begin_request(), b.begin_request());
        drop(first);
        assert!(now(slots.take()).is_none());
        assert!(!is_evicted(&a) && !is_evicted(&b));
        drop(second);
        assert!(now(slots.take()).is_none());
        assert!(is_evicted(&a) && !is_evicted(&b));
        drop(other);
        drop(a);
        assert!(now(slots.take()).is_some());
    }

    #[test]
    fn a_request_after_eviction_keeps_the_slot_and_another_is_evicted() {
        let slots = Slots::new(2);
        let [a, b] = [(); 2].map(|()| now(slots.take()).unwrap());
        let mut next = std::pin::pin!(slots.take());
        let mut context = Context::from_waker(Waker::noop());
        assert!(next.as_mut().poll(&mut context).is_pending());
        let question = a.begin_request();
        assert!(!is_evicted(&a));
        assert!(next.as_mut().poll(&mut context).is_pending());
        assert!(is_evicted(&b) && !is_evicted(&a));
        drop(question);
        drop(b);
        assert!(next.as_mut().poll(&mut context).is_ready());
        assert!(!is_evicted(&a));
    }

    #[test]
    fn a_connection_that_gave_up_its_slot_leaves_room_and_stays() {
        let slots = Slots::new(1);
        let a = now(slots.take()).unwrap();
        let question = a.begin_request();
        a.leave();
        let b = now(slots.take()).unwrap();
        drop(question);
        assert!(now(slots.take()).is_none());
        assert!(is_evicted(&b) && !is_evicted(&a));
        drop((a, b));
        assert!(now(slots.take()).is_some());
        assert!(slots.connections().all.is_empty());
    }

    #[tokio::test]
    async fn a_connection_that_waits_for_room_gets_it_when_another_ends() {
        let slots = Slots::new(1);
        let first = slots.take().await;
        let question = first.begin_request();
        let next = tokio::spawn({
            let slots = Arc::clone(&slots);
            async move { slots.take().await }
        });
        tokio::task::yield_now().await;
        assert!(!next.is_finished());
        drop(question);
        first.evicted().await;
        drop(first);
        next.await.unwrap();
    }
}
