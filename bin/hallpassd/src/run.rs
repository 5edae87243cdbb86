//! Opens the sockets, serves until shutdown, and drains what is in progress.

use std::process::ExitCode;
use std::sync::Arc;

use hallpass_core::configuration::Listener;
use hallpass_runtime::on_terminate;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::connections::Service;
use crate::endpoint::{Endpoint, Shutdown};
use crate::endpoints::listeners;
use crate::site::{ServedSite, Sites};
use crate::sockets::Socket;
use crate::systemd;

/// Serves `sites` until SIGTERM.
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
    let (request, requested) = watch::channel(false);
    if let Err(error) = on_terminate(move || {
        systemd::stopping();
        request.send_replace(true);
    }) {
        log.error(&format!("cannot catch SIGTERM: {error}"));
        return ExitCode::FAILURE;
    }
    let mut running = JoinSet::new();
    for service in services {
        running.spawn(service.run(Shutdown::new(requested.clone())));
    }
    systemd::ready();
    let all_end = async { while running.join_next().await.is_some() {} };
    tokio::select! {
        () = all_end => {}
        () = systemd::feed_watchdog() => {}
    }
    log.info("stopped");
    ExitCode::SUCCESS
}

/// Opens the sockets.
fn open(sites: &Arc<Sites>, first: &Arc<ServedSite>) -> Result<Vec<Service>, String> {
    let service = |endpoint, socket, listener: Listener, site: &Arc<ServedSite>| Service {
        socket,
        endpoint,
        listener: Arc::new(listener),
        site: Arc::clone(site),
        sites: Arc::clone(sites),
    };
    let unusable = |error: std::io::Error| format!("cannot use a socket of systemd's: {error}");
    let activated = systemd::activated().map_err(unusable)?;
    let endpoints: Vec<&Endpoint> = activated.iter().map(|(endpoint, _)| *endpoint).collect();
    let configurations: Vec<_> = sites
        .all()
        .iter()
        .map(|site| &*site.configuration)
        .collect();
    let specs = listeners(&configurations, &endpoints)?;
    let mut services = Vec::new();
    for (endpoint, socket) in activated {
        first.log.info("listening at a socket of systemd's");
        let listener = socket.listener().map_err(unusable)?;
        services.push(service(endpoint, socket, listener, first));
    }
    for spec in specs {
        let listener = spec.listener;
        let socket = Socket::bind(&listener)
            .map_err(|error| format!("cannot listen at {listener}: {error}"))?;
        first.log.info(&format!("listening at {listener}"));
        let site = sites.all().get(spec.site).unwrap_or(first);
        services.push(service(spec.endpoint, socket, listener, site));
    }
    if services.is_empty() {
        return Err("daemon.listen: there is nothing to listen at".to_owned());
    }
    Ok(services)
}
