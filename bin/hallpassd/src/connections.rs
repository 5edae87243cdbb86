//! Accepts the connections of a socket until shutdown, then drains the open ones.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use hallpass_core::configuration::Listener;
use tokio::sync::mpsc;

use crate::endpoint::{Caller, Endpoint, Shutdown};
use crate::loops::Loops;
use crate::metrics::Metrics;
use crate::sites::CurrentSites;
use crate::slots::Slots;
use crate::sockets::Socket;

/// How many connections a socket has at once. More wait in the system's queue.
const MOST_CONNECTIONS: usize = 4096;
/// How long to wait after the system could not give out a connection.
const ACCEPT_RETRY: Duration = Duration::from_millis(50);
/// How long answers may take beyond the deadline of a request, at shutdown.
const GRACE: Duration = Duration::from_secs(1);

/// A socket, its endpoint, and the sites that are asked there.
#[derive(Debug)]
pub struct Service {
    pub socket: Socket,
    pub endpoint: &'static Endpoint,
    /// Where the socket listens.
    pub listener: Arc<Listener>,
    /// The number of the site that is asked where no path names another.
    pub number: usize,
    pub sites: Arc<CurrentSites>,
    pub metrics: Arc<Metrics>,
    pub loops: Arc<Loops>,
}

impl Service {
    /// Serves the connections of the socket until shutdown, and then until the answers in progress
    /// are out.
    pub async fn run(self, mut shutdown: Shutdown) {
        let Self {
            socket,
            endpoint,
            listener,
            number,
            sites,
            metrics,
            loops,
        } = self;
        let slots = Slots::new(MOST_CONNECTIONS);
        let (open, mut closed) = mpsc::channel::<Infallible>(1);
        loop {
            let Some(accepted) = shutdown.or(socket.accept()).await else {
                break;
            };
            let (mut accepted, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    let sites = sites.get();
                    let log = &sites.first().log;
                    log.error(&format!("cannot accept a connection: {error}"));
                    // The process may have run out of descriptors.
                    slots.evict_idle();
                    tokio::time::sleep(ACCEPT_RETRY).await;
                    continue;
                }
            };
            // Once accepted, it is served if there is room, even at shutdown.
            let slot = tokio::select! {
                biased;
                slot = slots.take() => slot,
                () = shutdown.wait() => break,
            };
            let caller = Caller {
                peer,
                listener: Arc::clone(&listener),
                number,
                sites: Arc::clone(&sites),
                metrics: Arc::clone(&metrics),
                slot: Arc::clone(&slot),
            };
            let shutdown = shutdown.of(&slot);
            let open = open.clone();
            let chosen = loops.least();
            if chosen.is_another() {
                match accepted.detach() {
                    Ok(detached) => accepted = detached,
                    // The client finds the connection closed, and may try again.
                    Err(_) => continue,
                }
            }
            chosen.spawn(async move {
                if let Ok(stream) = accepted.into_stream() {
                    tokio::select! {
                        () = (endpoint.serve)(stream, caller, shutdown) => {}
                        () = slot.evicted() => {}
                    }
                }
                drop(open);
            });
        }
        drop((socket, open));
        // Every answer comes within the deadline. A client that does not read it is not waited for.
        let site = Arc::clone(sites.get().get(number));
        let most = site.configuration.limits.deadline.saturating_add(GRACE);
        if tokio::time::timeout(most, closed.recv()).await.is_err() {
            site.log
                .warning("clients did not take their answers in time");
        }
    }
}
