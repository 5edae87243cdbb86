//! Serves until shutdown, reloads the configurations at SIGHUP, and drains what is in progress.

use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;

use hallpass_checks::Checks;
use hallpass_core::Configuration;
use hallpass_runtime::on_signals;
use tokio::sync::{mpsc, oneshot};

use crate::listening::Listening;
use crate::loops::Loops;
use crate::metrics::Metrics;
use crate::options::Options;
use crate::sites::CurrentSites;
use crate::start::start_sites;
use crate::systemd;

/// What the daemon serves, and what it takes to serve it anew.
#[derive(Debug)]
pub struct Daemon {
    pub options: Arc<Options>,
    pub sites: Arc<CurrentSites>,
    pub metrics: Arc<Metrics>,
    pub checks: Arc<Checks>,
    pub loops: Arc<Loops>,
}

#[derive(Clone, Copy, Debug)]
enum Signal {
    Reload,
    Terminate,
}

/// Serves until SIGTERM.
pub async fn run(daemon: Daemon) -> ExitCode {
    let fail = |error: &str| {
        daemon.sites.get().first().log.error(error);
        ExitCode::FAILURE
    };
    // First, because a signal may come as soon as the daemon can be asked.
    let mut signals = match signals() {
        Ok(signals) => signals,
        Err(error) => return fail(&format!("cannot catch signals: {error}")),
    };
    let mut listening = match daemon.listen() {
        Ok(listening) => listening,
        Err(error) => return fail(&error),
    };
    systemd::ready();
    let mut watchdog = std::pin::pin!(systemd::feed_watchdog(&daemon.loops));
    let mut reading: Option<Reading> = None;
    let mut again = false;
    let mut terminating = false;
    loop {
        tokio::select! {
            () = listening.ended() => break,
            () = &mut watchdog => {}
            Some(signal) = signals.recv() => match signal {
                Signal::Terminate => {
                    systemd::stopping();
                    terminating = true;
                    listening.stop();
                }
                Signal::Reload if terminating => {}
                Signal::Reload if reading.is_some() => again = true,
                Signal::Reload => reading = Some(daemon.begin_reload()),
            },
            read = of(&mut reading), if !terminating => {
                reading = again.then(|| daemon.begin_reload());
                again = false;
                daemon.finish_reload(read, &mut listening);
                if reading.is_none() {
                    systemd::ready();
                }
            }
        }
    }
    daemon.sites.get().first().log.info("stopped");
    ExitCode::SUCCESS
}

/// Receives SIGHUP and SIGTERM.
fn signals() -> io::Result<mpsc::UnboundedReceiver<Signal>> {
    let (terminate, signals) = mpsc::unbounded_channel();
    let reload = terminate.clone();
    // Nothing receives them after shutdown.
    on_signals(
        move || _ = reload.send(Signal::Reload),
        move || _ = terminate.send(Signal::Terminate),
    )?;
    Ok(signals)
}

/// Configurations that are being read.
type Reading = oneshot::Receiver<Result<Vec<Configuration>, String>>;

/// What `reading` comes to; never returns where nothing is being read.
async fn of(reading: &mut Option<Reading>) -> Result<Vec<Configuration>, String> {
    let lost = |_| Err("cannot start a thread".to_owned());
    match reading {
        Some(reading) => reading.await.unwrap_or_else(lost),
        None => std::future::pending().await,
    }
}

impl Daemon {
    fn listen(&self) -> Result<Listening, String> {
        let sites = self.sites.get();
        let configurations: Vec<_> = sites
            .all()
            .iter()
            .map(|site| Arc::clone(&site.configuration))
            .collect();
        let (sites, metrics) = (Arc::clone(&self.sites), Arc::clone(&self.metrics));
        Listening::start(&configurations, sites, metrics, Arc::clone(&self.loops))
    }

    /// Reads the configurations on a thread of its own: a file system may not answer, and requests
    /// must not wait for it.
    fn begin_reload(&self) -> Reading {
        systemd::reloading();
        let (done, reading) = oneshot::channel();
        let options = Arc::clone(&self.options);
        // The receiver notices where no thread starts.
        let read = move || drop(done.send(options.configurations()));
        drop(thread::Builder::new().name("reload".to_owned()).spawn(read));
        reading
    }

    /// Serves the sites as the configurations that were `read` describe them. If anything is wrong
    /// with them, they are served as before.
    fn finish_reload(&self, read: Result<Vec<Configuration>, String>, listening: &mut Listening) {
        let switched = read.and_then(|configurations| self.switch(configurations, listening));
        let sites = self.sites.get();
        let log = &sites.first().log;
        self.metrics.reloaded(switched.is_ok());
        match switched {
            Ok(()) => log.info("reloaded the configuration"),
            Err(error) => log.error(&format!("{error}; the old configuration stays in force")),
        }
    }

    fn switch(
        &self,
        configurations: Vec<Configuration>,
        listening: &mut Listening,
    ) -> Result<(), String> {
        let before = self.sites.get();
        let replacement = listening.prepare(&configurations)?;
        let (metrics, checks, loops) = (&self.metrics, &self.checks, self.loops.count());
        let sites = start_sites(configurations, metrics, checks, loops, Some(&before))?;
        let (old, new) = (&before.first().configuration, &sites.first().configuration);
        if old.daemon.threads != new.daemon.threads {
            let log = &sites.first().log;
            log.warning("daemon.threads: a change has an effect only after a restart");
        }
        self.sites.replace(sites);
        listening.replace(replacement);
        Ok(())
    }
}
