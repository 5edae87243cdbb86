//! The open connections of a socket, and which of them gives way when there is no room for another.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::Instant;

/// The connections of one socket.
#[derive(Debug)]
pub struct Crowd {
    most: usize,
    members: Mutex<Members>,
    /// Told when a connection ends, or has nothing in progress any more.
    freed: Notify,
}

#[derive(Debug, Default)]
struct Members {
    next: u64,
    all: BTreeMap<u64, Member>,
}

#[derive(Debug)]
struct Member {
    /// Since when nothing has been in progress.
    idle_since: Instant,
    /// Whether anything has ever been asked.
    has_asked: bool,
    /// How many questions are in progress.
    asking: usize,
    leaving: bool,
    leave: Arc<Notify>,
}

/// The place of one connection, until it is dropped.
#[derive(Debug)]
pub struct Place {
    crowd: Arc<Crowd>,
    number: u64,
    leave: Arc<Notify>,
}

/// A question in progress on a connection, which keeps its place as long as this is there.
#[derive(Debug)]
pub struct InProgress(Arc<Place>);

impl Crowd {
    /// Room for `most` connections.
    pub fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            most,
            members: Mutex::default(),
            freed: Notify::new(),
        })
    }

    /// A place for one more connection. Where there is none, the connection that has been idle for
    /// longest is told to leave, those first that have asked nothing yet: a host asks as soon as it
    /// is connected, and connects anew where it must. One with a question in progress stays.
    pub async fn place(self: &Arc<Self>) -> Arc<Place> {
        loop {
            if let Some(place) = self.take() {
                return place;
            }
            self.dismiss();
            self.freed.notified().await;
        }
    }

    /// Tells the connection that has been idle for longest to leave, unless one is about to.
    pub fn dismiss(&self) {
        let mut members = self.members();
        if members.all.values().any(|member| member.leaving) {
            return;
        }
        let idle = members.all.values_mut().filter(|member| member.asking == 0);
        if let Some(member) = idle.min_by_key(|member| (member.has_asked, member.idle_since)) {
            member.leaving = true;
            member.leave.notify_one();
        }
    }

    fn take(self: &Arc<Self>) -> Option<Arc<Place>> {
        let mut members = self.members();
        if members.all.len() >= self.most {
            return None;
        }
        let number = members.next;
        members.next += 1;
        let leave = Arc::new(Notify::new());
        let member = Member {
            idle_since: Instant::now(),
            has_asked: false,
            asking: 0,
            leaving: false,
            leave: Arc::clone(&leave),
        };
        members.all.insert(number, member);
        Some(Arc::new(Place {
            crowd: Arc::clone(self),
            number,
            leave,
        }))
    }

    fn members(&self) -> MutexGuard<'_, Members> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Returns when the connection is to make room for another. One that has begun to ask since it
    /// was told stays, and another is told in its place.
    pub async fn told_to_leave(&self) {
        loop {
            self.leave.notified().await;
            let mut members = self.crowd.members();
            match members.all.get_mut(&self.number) {
                Some(member) if member.asking > 0 => member.leaving = false,
                _ => return,
            }
            drop(members);
            self.crowd.freed.notify_one();
        }
    }

    /// Marks that a question is in progress, until its answer has been sent.
    pub fn asking(self: &Arc<Self>) -> InProgress {
        if let Some(member) = self.crowd.members().all.get_mut(&self.number) {
            member.has_asked = true;
            member.asking += 1;
        }
        InProgress(Arc::clone(self))
    }
}

impl Drop for InProgress {
    fn drop(&mut self) {
        let Place { crowd, number, .. } = &*self.0;
        if let Some(member) = crowd.members().all.get_mut(number) {
            member.asking = member.asking.saturating_sub(1);
            member.idle_since = Instant::now();
        }
        crowd.freed.notify_one();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.crowd.members().all.remove(&self.number);
        self.crowd.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::task::{Context, Poll, Waker};

    use super::*;

    /// What a future comes to without waiting.
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

    fn leaves(place: &Place) -> bool {
        now(place.told_to_leave()).is_some()
    }

    #[test]
    fn where_there_is_room_nobody_leaves() {
        let crowd = Crowd::new(2);
        let (a, b) = (now(crowd.place()).unwrap(), now(crowd.place()).unwrap());
        assert!(!leaves(&a) && !leaves(&b));
    }

    #[test]
    fn who_has_asked_nothing_for_longest_leaves_first() {
        let crowd = Crowd::new(3);
        let [a, b, c] = [(); 3].map(|()| now(crowd.place()).unwrap());
        drop(a.asking());
        assert!(now(crowd.place()).is_none());
        assert!(leaves(&b) && !leaves(&a) && !leaves(&c));
        // One that is about to leave makes room enough for one.
        assert!(now(crowd.place()).is_none());
        assert!(!leaves(&a) && !leaves(&c));
        drop(b);
        let d = now(crowd.place()).unwrap();
        drop(c.asking());
        drop(d.asking());
        assert!(now(crowd.place()).is_none());
        assert!(leaves(&a) && !leaves(&c) && !leaves(&d));
    }

    #[test]
    fn a_question_in_progress_keeps_its_place() {
        let crowd = Crowd::new(2);
        let [a, b] = [(); 2].map(|()| now(crowd.place()).unwrap());
        let (first, second, other) = (a.asking(), a.asking(), b.asking());
        drop(first);
        assert!(now(crowd.place()).is_none());
        assert!(!leaves(&a) && !leaves(&b));
        drop(second);
        assert!(now(crowd.place()).is_none());
        assert!(leaves(&a) && !leaves(&b));
        drop(other);
        drop(a);
        assert!(now(crowd.place()).is_some());
    }

    #[test]
    fn who_asks_after_being_told_to_leave_stays_and_another_leaves() {
        let crowd = Crowd::new(2);
        let [a, b] = [(); 2].map(|()| now(crowd.place()).unwrap());
        let mut next = std::pin::pin!(crowd.place());
        let mut context = Context::from_waker(Waker::noop());
        assert!(next.as_mut().poll(&mut context).is_pending());
        let question = a.asking();
        assert!(!leaves(&a));
        assert!(next.as_mut().poll(&mut context).is_pending());
        assert!(leaves(&b) && !leaves(&a));
        drop(question);
        drop(b);
        assert!(next.as_mut().poll(&mut context).is_ready());
        assert!(!leaves(&a));
    }

    #[tokio::test]
    async fn who_waits_for_room_gets_it_when_somebody_leaves() {
        let crowd = Crowd::new(1);
        let first = crowd.place().await;
        let question = first.asking();
        let next = tokio::spawn({
            let crowd = Arc::clone(&crowd);
            async move { crowd.place().await }
        });
        tokio::task::yield_now().await;
        assert!(!next.is_finished());
        drop(question);
        first.told_to_leave().await;
        drop(first);
        next.await.unwrap();
    }
}
