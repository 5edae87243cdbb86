//! Accepting connections until the end, and seeing them to theirs.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use hallpass_core::configuration::Listener;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, watch};

use crate::crowd::{Crowd, Place};
use crate::dovecot;
use crate::fastcgi;
use crate::http;
use crate::openings::Protocol;
use crate::saslauthd;
use crate::site::Site;
use crate::sites::Sites;
use crate::sockets::{Connection, Peer, Socket};

/// How many connections a socket has at once. More wait in the system's queue.
const MOST_CONNECTIONS: usize = 4096;
/// How long to wait when the system has no room for a connection.
const BREATH: Duration = Duration::from_millis(50);

/// A socket, what is spoken on it, and whom it asks.
#[derive(Debug)]
pub struct Service {
    pub socket: Socket,
    pub protocol: Protocol,
    /// Where the socket listens.
    pub listener: Arc<Listener>,
    /// The site that is asked where no path names another.
    pub site: Arc<Site>,
    pub sites: Arc<Sites>,
}

/// Whether the daemon has been told to end.
#[derive(Clone, Debug)]
pub struct Ended(watch::Receiver<bool>);

impl Ended {
    /// As `told` says.
    pub fn new(told: watch::Receiver<bool>) -> Self {
        Self(told)
    }

    /// Returns once it has been.
    pub async fn wait(&mut self) {
        // Whoever could tell is gone, and that is the end, too.
        drop(self.0.wait_for(|ended| *ended).await);
    }

    /// What `next` comes to, unless the end comes first.
    pub async fn or<T>(&mut self, next: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            next = next => Some(next),
            () = self.wait() => None,
        }
    }
}

impl Service {
    /// Serves the connections of the socket until the daemon is told to end, and then until the
    /// answers in progress are out.
    pub async fn run(self, mut ended: Ended) {
        let Self {
            socket,
            protocol,
            listener,
            site,
            sites,
        } = self;
        let crowd = Crowd::new(MOST_CONNECTIONS);
        let (open, mut closed) = mpsc::channel::<Infallible>(1);
        loop {
            let Some(accepted) = ended.or(socket.accept()).await else {
                break;
            };
            let (connection, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    site.log
                        .error(&format!("cannot accept a connection: {error}"));
                    // It may be for want of descriptors.
                    crowd.dismiss();
                    tokio::time::sleep(BREATH).await;
                    continue;
                }
            };
            let Some(place) = ended.or(crowd.place()).await else {
                break;
            };
            let (site, sites) = (Arc::clone(&site), Arc::clone(&sites));
            let at = Arc::clone(&listener);
            let (ended, open) = (ended.clone(), open.clone());
            let caller = Caller { peer, at, place };
            tokio::spawn(async move {
                match connection {
                    Connection::Tcp(stream) => {
                        serve(stream, protocol, site, sites, caller, ended).await;
                    }
                    Connection::Unix(stream) => {
                        serve(stream, protocol, site, sites, caller, ended).await;
                    }
                }
                drop(open);
            });
        }
        drop((socket, open));
        // Every answer comes within the deadline; a client that does not take it is not waited for.
        let patience = site
            .configuration
            .limits
            .deadline
            .saturating_add(Duration::from_secs(1));
        if tokio::time::timeout(patience, closed.recv()).await.is_err() {
            site.log
                .warning("clients did not take their answers in time");
        }
    }
}

/// Who asks on a connection, and where.
#[derive(Clone, Debug)]
pub struct Caller {
    pub peer: Peer,
    /// The listener that the connection came to.
    pub at: Arc<Listener>,
    pub place: Arc<Place>,
}

async fn serve<S>(
    stream: S,
    protocol: Protocol,
    site: Arc<Site>,
    sites: Arc<Sites>,
    caller: Caller,
    ended: Ended,
) where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let place = Arc::clone(&caller.place);
    let served = async {
        match protocol {
            Protocol::Http => http::serve(stream, site, sites, caller, ended).await,
            Protocol::Fastcgi => fastcgi::serve(stream, &site, &caller, ended).await,
            Protocol::DovecotAuth => dovecot::serve(stream, &site, &caller, ended).await,
            Protocol::Saslauthd => saslauthd::serve(stream, &site, &caller, ended).await,
        }
    };
    tokio::select! {
        () = served => {}
        () = place.told_to_leave() => {}
    }
}
