//! Keeps the sockets open that the configurations ask for, and serves them.

use std::borrow::Borrow;
use std::io;
use std::sync::Arc;

use hallpass_core::Configuration;
use hallpass_core::configuration::Listener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::connections::Service;
use crate::endpoint::{Endpoint, Shutdown};
use crate::endpoints::{ListenerSpec, listeners};
use crate::loops::Loops;
use crate::metrics::Metrics;
use crate::sites::CurrentSites;
use crate::sockets::Socket;
use crate::systemd;

/// The open sockets.
#[derive(Debug)]
pub struct Listening {
    sites: Arc<CurrentSites>,
    metrics: Arc<Metrics>,
    loops: Arc<Loops>,
    /// The endpoints whose sockets systemd opens, whatever the configurations say.
    activated: Vec<&'static Endpoint>,
    /// Those of systemd's included.
    open: Vec<Open>,
    running: JoinSet<()>,
}

#[derive(Debug)]
struct Open {
    spec: ListenerSpec,
    /// Stops accepting, and drains the open connections.
    stop: watch::Sender<bool>,
}

/// Sockets that were opened to replace others.
#[derive(Debug)]
pub struct Replacement {
    specs: Vec<ListenerSpec>,
    opened: Vec<(ListenerSpec, Socket)>,
}

impl Listening {
    /// Opens the sockets that `configurations` ask for, and takes those that systemd has opened.
    ///
    /// # Errors
    /// A sentence when a socket cannot be opened, or there is none.
    pub fn start(
        configurations: &[impl Borrow<Configuration>],
        sites: Arc<CurrentSites>,
        metrics: Arc<Metrics>,
        loops: Arc<Loops>,
    ) -> Result<Self, String> {
        let unusable = |error: io::Error| format!("cannot use a socket of systemd's: {error}");
        let activated = systemd::activated().map_err(unusable)?;
        let mut listening = Self {
            sites,
            metrics,
            loops,
            activated: activated.iter().map(|(endpoint, _)| *endpoint).collect(),
            open: Vec::new(),
            running: JoinSet::new(),
        };
        let replacement = listening.prepare(configurations)?;
        let sites = listening.sites.get();
        for (endpoint, socket) in activated {
            let log = &sites.first().log;
            log.info("listening at a socket of systemd's");
            let listener = socket.listener().map_err(unusable)?;
            let spec = ListenerSpec {
                endpoint,
                listener,
                site: 0,
            };
            listening.serve(spec, socket);
        }
        listening.replace(replacement);
        Ok(listening)
    }

    /// Opens those sockets that `configurations` ask for and that are not open yet.
    ///
    /// # Errors
    /// As [`start`](Self::start). Nothing has changed then.
    pub fn prepare(
        &self,
        configurations: &[impl Borrow<Configuration>],
    ) -> Result<Replacement, String> {
        let specs = listeners(configurations, &self.activated)?;
        if specs.is_empty() && self.activated.is_empty() {
            return Err("daemon.listen: there is nothing to listen at".to_owned());
        }
        let mut opened = Vec::new();
        for spec in &specs {
            let listener = &spec.listener;
            match self.open_at(listener) {
                Some(open) if open.serves(spec) => {}
                Some(_) => {
                    return Err(format!(
                        "{listener} has another endpoint or file now: restart hallpassd"
                    ));
                }
                None => {
                    let socket = Socket::bind(listener)
                        .map_err(|error| format!("cannot listen at {listener}: {error}"))?;
                    opened.push((spec.clone(), socket));
                }
            }
        }
        Ok(Replacement { specs, opened })
    }

    /// Serves the sockets of `replacement`, and stops serving those that it does without.
    pub fn replace(&mut self, replacement: Replacement) {
        let sites = self.sites.get();
        let log = &sites.first().log;
        let Replacement { specs, opened } = replacement;
        self.open.retain_mut(|open| {
            if self
                .activated
                .iter()
                .any(|it| it.key == open.spec.endpoint.key)
            {
                return true;
            }
            let Some(spec) = specs.iter().find(|spec| open.serves(spec)) else {
                log.info(&format!("no longer listening at {}", open.spec.listener));
                open.stop.send_replace(true);
                return false;
            };
            if spec.listener != open.spec.listener
                && let Err(error) = Socket::set_mode(&spec.listener)
            {
                log.error(&format!("{}: cannot set its mode: {error}", spec.listener));
            }
            open.spec = spec.clone();
            true
        });
        for (spec, socket) in opened {
            log.info(&format!("listening at {}", spec.listener));
            self.serve(spec, socket);
        }
    }

    fn open_at(&self, listener: &Listener) -> Option<&Open> {
        let mut open = self.open.iter();
        open.find(|open| open.spec.listener.is_at(listener))
    }

    fn serve(&mut self, spec: ListenerSpec, socket: Socket) {
        let (stop, stopped) = watch::channel(false);
        let service = Service {
            socket,
            endpoint: spec.endpoint,
            listener: Arc::new(spec.listener.clone()),
            number: spec.site,
            sites: Arc::clone(&self.sites),
            metrics: Arc::clone(&self.metrics),
            loops: Arc::clone(&self.loops),
        };
        self.running.spawn(service.run(Shutdown::new(stopped)));
        self.open.push(Open { spec, stop });
    }

    /// Stops accepting at every socket, and drains the open connections.
    pub fn stop(&self) {
        for open in &self.open {
            open.stop.send_replace(true);
        }
    }

    /// Returns once no socket is served any more.
    pub async fn ended(&mut self) {
        while self.running.join_next().await.is_some() {}
    }
}

impl Open {
    /// Whether it already is what `spec` asks for, but for its mode.
    fn serves(&self, spec: &ListenerSpec) -> bool {
        self.spec.endpoint.key == spec.endpoint.key
            && self.spec.site == spec.site
            && self.spec.listener.is_at(&spec.listener)
    }
}
