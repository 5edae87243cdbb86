//! Open the sockets, serve, stop.

use std::process::ExitCode;
use std::sync::Arc;

use hallpass_core::configuration::Listener;
use hallpass_runtime::{Log, on_terminate};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::activation::handed_over;
use crate::connections::{Ended, Service};
use crate::openings::{Protocol, openings};
use crate::site::Site;
use crate::sites::Sites;
use crate::sockets::Socket;
use crate::supervisor;

/// Serves `sites` until the daemon is told to end.
pub async fn run(sites: Sites) -> ExitCode {
    let sites = Arc::new(sites);
    let Some(first) = sites.all().first().map(Arc::clone) else {
        return ExitCode::SUCCESS;
    };
    let log = &first.log;
    let services = match open(&sites, &first) {
        Ok(services) => services,
        Err(error) => {
            log.error(&error);
            return ExitCode::FAILURE;
        }
    };
    let (end, told) = watch::channel(false);
    if let Err(error) = on_terminate(move || {
        supervisor::stopping();
        end.send_replace(true);
    }) {
        log.error(&format!("cannot catch SIGTERM: {error}"));
        return ExitCode::FAILURE;
    }
    let mut running = JoinSet::new();
    for service in services {
        running.spawn(service.run(Ended::new(told.clone())));
    }
    supervisor::ready();
    let all_end = async { while running.join_next().await.is_some() {} };
    tokio::select! {
        () = all_end => {}
        () = supervisor::live() => {}
    }
    log.info("stopped");
    ExitCode::SUCCESS
}

/// Opens the sockets.
fn open(sites: &Arc<Sites>, first: &Arc<Site>) -> Result<Vec<Service>, String> {
    let service = |protocol: Protocol, socket: Socket, at: Listener, site: &Arc<Site>| Service {
        socket,
        protocol,
        listener: Arc::new(at),
        site: Arc::clone(site),
        sites: Arc::clone(sites),
    };
    let log: &Log = &first.log;
    let handed = handed_over()
        .map_err(|error| format!("cannot use a socket that systemd hands over: {error}"))?;
    let protocols: Vec<_> = handed.iter().map(|(protocol, _)| *protocol).collect();
    let configurations: Vec<_> = sites
        .all()
        .iter()
        .map(|site| &*site.configuration)
        .collect();
    let openings = openings(&configurations, &protocols)?;
    let mut services = Vec::new();
    for (protocol, socket) in handed {
        log.info("listening at a socket that systemd handed over");
        let at = socket
            .listener()
            .map_err(|error| format!("cannot use a socket that systemd hands over: {error}"))?;
        services.push(service(protocol, socket, at, first));
    }
    for opening in openings {
        let listener = &opening.listener;
        let socket = Socket::bind(listener)
            .map_err(|error| format!("cannot listen at {listener}: {error}"))?;
        log.info(&format!("listening at {listener}"));
        let site = sites.all().get(opening.site).unwrap_or(first);
        services.push(service(opening.protocol, socket, listener.clone(), site));
    }
    if services.is_empty() {
        return Err("daemon.listen: there is nothing to listen at".to_owned());
    }
    Ok(services)
}
