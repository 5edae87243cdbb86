//! Bounds the open connections of a socket: evicts an idle one when there is no room for another.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, watch};
use tokio::time::Instant;

/// The room for the connections of one socket.
#[derive(Debug)]
pub struct Slots {
    most: usize,
    connections: Mutex<Connections>,
    /// Notified when a connection ends, or has no request in progress any more.
    freed: Notify,
}

#[derive(Debug, Default)]
struct Connections {
    next: u64,
    all: BTreeMap<u64, Connection>,
}

#[derive(Debug)]
struct Connection {
    /// Since when no request has been in progress.
    idle_since: Instant,
    /// Whether there has ever been a request.
    has_asked: bool,
    /// How many requests are in progress.
    requests: usize,
    /// Whether it is being evicted.
    evicting: bool,
    evict: Arc<Notify>,
}

/// The slot of one connection, until it is dropped.
#[derive(Debug)]
pub struct Slot {
    slots: Arc<Slots>,
    number: u64,
    evict: Arc<Notify>,
    /// Whether there has ever been a request.
    asked: watch::Sender<bool>,
}

/// A request in progress, which keeps its connection from being evicted until it is dropped.
#[derive(Debug)]
pub struct InProgress(Arc<Slot>);

impl Slots {
    /// Room for `most` connections.
    pub fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            most,
            connections: Mutex::default(),
            freed: Notify::new(),
        })
    }

    /// A slot for one more connection. Where there is none, the connection that has been idle for
    /// longest is evicted. Connections without any request yet go first: a host sends one as soon
    /// as it is connected, and reconnects where it must. A connection with a request in progress
    /// stays.
    pub async fn take(self: &Arc<Self>) -> Arc<Slot> {
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
        let mut connections = self.connections();
        if connections
            .all
            .values()
            .any(|connection| connection.evicting)
        {
            return;
        }
        let idle = connections
            .all
            .values_mut()
            .filter(|connection| connection.requests == 0);
        if let Some(connection) =
            idle.min_by_key(|connection| (connection.has_asked, connection.idle_since))
        {
            connection.evicting = true;
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
        let evict = Arc::new(Notify::new());
        let connection = Connection {
            idle_since: Instant::now(),
            has_asked: false,
            requests: 0,
            evicting: false,
            evict: Arc::clone(&evict),
        };
        connections.all.insert(number, connection);
        Some(Arc::new(Slot {
            slots: Arc::clone(self),
            number,
            evict,
            asked: watch::Sender::new(false),
        }))
    }

    fn connections(&self) -> MutexGuard<'_, Connections> {
        self.connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    /// Returns when the connection is evicted. A connection that began a request meanwhile stays,
    /// and another is evicted instead.
    pub async fn evicted(&self) {
        loop {
            self.evict.notified().await;
            let mut connections = self.slots.connections();
            match connections.all.get_mut(&self.number) {
                Some(connection) if connection.requests > 0 => connection.evicting = false,
                _ => return,
            }
            drop(connections);
            self.slots.freed.notify_one();
        }
    }

    /// Returns once there has been a request.
    pub async fn asked(&self) {
        // The sender lives as long as this.
        drop(self.asked.subscribe().wait_for(|asked| *asked).await);
    }

    /// Marks that a request is in progress, until its answer has been sent.
    pub fn begin_request(self: &Arc<Self>) -> InProgress {
        self.asked.send_replace(true);
        if let Some(connection) = self.slots.connections().all.get_mut(&self.number) {
            connection.has_asked = true;
            connection.requests += 1;
        }
        InProgress(Arc::clone(self))
    }
}

impl Drop for InProgress {
    fn drop(&mut self) {
        let Slot { slots, number, .. } = &*self.0;
        if let Some(connection) = slots.connections().all.get_mut(number) {
            connection.requests = connection.requests.saturating_sub(1);
            connection.idle_since = Instant::now();
        }
        slots.freed.notify_one();
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
