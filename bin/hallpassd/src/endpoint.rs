//! Describes an endpoint: a protocol that hosts speak to the daemon, and what its connections get.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use hallpass_core::configuration::{Daemon, Listener};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::metrics::Metrics;
use crate::site::ServedSite;
use crate::sites::CurrentSites;
use crate::slots::Slot;
use crate::sockets::{Peer, Stream};

/// A protocol that hosts speak to the daemon.
#[derive(Debug)]
pub struct Endpoint {
    /// The key of `[daemon]` that lists its listeners.
    pub key: &'static str,
    /// Its word in logs and metrics. Requests of HTTP have the word of their path instead.
    pub word: &'static str,
    /// Whether requests may name a site by their path, so that one listener serves several sites.
    pub has_paths: bool,
    /// Its listeners in a configuration.
    pub listeners: fn(&Daemon) -> &[Listener],
    /// Serves one connection until it ends. At shutdown, the requests in progress are answered
    /// first.
    pub serve: fn(Stream, Caller, Shutdown) -> Serving,
}

/// A connection that is being served.
pub type Serving = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The peer of a connection, its listener, and its site.
#[derive(Clone, Debug)]
pub struct Caller {
    pub peer: Peer,
    /// The listener that the connection came to.
    pub listener: Arc<Listener>,
    /// The number of the site that is asked where no path names another.
    pub number: usize,
    pub sites: Arc<CurrentSites>,
    pub metrics: Arc<Metrics>,
    pub slot: Arc<Slot>,
}

impl Caller {
    /// The site that is asked where no path names another, as it is served now.
    pub fn site(&self) -> Arc<ServedSite> {
        Arc::clone(self.sites.get().get(self.number))
    }
}

/// Tells a task that its listener shuts down.
#[derive(Clone, Debug)]
pub struct Shutdown {
    requested: watch::Receiver<bool>,
    /// The connection that the task serves.
    slot: Option<Arc<Slot>>,
}

/// How long a connection that was accepted before shutdown may take for its first request: the
/// client cannot know that it comes too late.
const FIRST_REQUEST: Duration = Duration::from_secs(1);

impl Shutdown {
    /// Shuts down once `requested` is true.
    pub fn new(requested: watch::Receiver<bool>) -> Self {
        let slot = None;
        Self { requested, slot }
    }

    /// The same, for the connection in `slot`.
    pub fn of(&self, slot: &Arc<Slot>) -> Self {
        Self {
            requested: self.requested.clone(),
            slot: Some(Arc::clone(slot)),
        }
    }

    /// Returns once the listener shuts down. A connection without any request yet is given a moment
    /// more.
    pub async fn wait(&mut self) {
        // A sender that was dropped also means shutdown.
        drop(self.requested.wait_for(|requested| *requested).await);
        if let Some(slot) = &self.slot {
            // Without a request, the moment is over.
            drop(timeout(FIRST_REQUEST, slot.asked()).await);
        }
    }

    /// The output of `next`; `None` if the daemon shuts down first.
    pub async fn or<T>(&mut self, next: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            next = next => Some(next),
            () = self.wait() => None,
        }
    }
}
