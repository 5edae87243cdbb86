//! Describes an endpoint: a protocol that hosts speak to the daemon, and what its connections get.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use hallpass_core::configuration::{Daemon, Listener};
use tokio::sync::watch;

use crate::site::{ServedSite, Sites};
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
    /// The site that is asked where no path names another.
    pub site: Arc<ServedSite>,
    pub sites: Arc<Sites>,
    pub slot: Arc<Slot>,
}

impl Caller {
    /// Whether the peer is trusted to say which page its client wanted, and the client's address.
    pub fn is_trusted(&self) -> bool {
        self.site.trusts(self.peer)
    }
}

/// Tells a task that the daemon shuts down.
#[derive(Clone, Debug)]
pub struct Shutdown(watch::Receiver<bool>);

impl Shutdown {
    /// Shuts down once `requested` is true.
    pub fn new(requested: watch::Receiver<bool>) -> Self {
        Self(requested)
    }

    /// Returns once the daemon shuts down.
    pub async fn wait(&mut self) {
        // The sender was dropped, which also means shutdown.
        drop(self.0.wait_for(|requested| *requested).await);
    }

    /// The output of `next`; `None` if the daemon shuts down first.
    pub async fn or<T>(&mut self, next: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            next = next => Some(next),
            () = self.wait() => None,
        }
    }
}
