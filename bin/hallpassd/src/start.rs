//! Starts the daemon: from the command line to sites that can be asked.

use std::process::ExitCode;
use std::sync::Arc;
use std::thread;

use clap::Parser;
use hallpass_checks::Checks;
use hallpass_core::{Configuration, configuration};
use hallpass_runtime::Log;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::endpoints::listeners;
use crate::metrics::Metrics;
use crate::options::{Options, conflict, report_ok};
use crate::run::run;
use crate::site::{ServedSite, Sites};

const PROGRAM: &str = "hallpassd";

/// The program, from the command line to the exit code.
#[must_use]
pub fn main() -> ExitCode {
    let options = Options::parse();
    let configurations = match options.configurations().map_err(|error| error.to_string()) {
        Ok(configurations) => match wrong(&configurations) {
            None => configurations,
            Some(error) => return refuse(&error, options.check_config),
        },
        Err(error) => return refuse(&error, options.check_config),
    };
    if options.check_config {
        return report_ok(&configurations);
    }
    let checks = match start_checks(&configurations) {
        Ok(checks) => checks,
        Err(error) => return fail(&format!("cannot start a thread: {error}")),
    };
    let metrics = Metrics::new();
    let mut sites = Vec::new();
    for configuration in configurations {
        let log = Log::new(PROGRAM, configuration.log);
        for warning in &configuration.warnings {
            log.warning(warning);
        }
        let of_site = metrics.of(configuration.name.as_deref().unwrap_or_default());
        match ServedSite::start(Arc::new(configuration), log, of_site, Arc::clone(&checks)) {
            Ok(site) => sites.push(Arc::new(site)),
            Err(error) => return fail(&format!("cannot start a thread: {error}")),
        }
    }
    raise_limits();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    match runtime {
        Ok(runtime) => runtime.block_on(run(Sites::new(sites, metrics))),
        Err(error) => fail(&format!("cannot start: {error}")),
    }
}

/// Starts the threads that check passwords for all sites, as the first configuration says.
fn start_checks(configurations: &[Configuration]) -> std::io::Result<Arc<Checks>> {
    let daemon = configurations.first().map(|first| &first.daemon);
    let cores = || thread::available_parallelism().map_or(1, usize::from);
    let threads = daemon.and_then(|daemon| daemon.threads);
    let most = daemon.map_or(1, |daemon| daemon.queue);
    Checks::start(threads.unwrap_or_else(cores), most)
}

fn fail(error: &str) -> ExitCode {
    Log::new(PROGRAM, configuration::Log::default()).error(error);
    ExitCode::FAILURE
}

/// The conflict between the configurations, if there is one.
fn wrong(configurations: &[Configuration]) -> Option<String> {
    let all: Vec<_> = configurations.iter().collect();
    conflict(configurations).or_else(|| listeners(&all, &[]).err())
}

fn refuse(error: &str, checking: bool) -> ExitCode {
    if checking {
        eprintln!("{error}");
    } else {
        Log::new(PROGRAM, configuration::Log::default()).error(error);
    }
    ExitCode::from(2)
}

/// Raises the limit of open files, and so of connections, to the system's maximum.
fn raise_limits() {
    let files = getrlimit(Resource::Nofile);
    let most = Rlimit {
        current: files.maximum,
        ..files
    };
    // With fewer, the daemon serves as well as it can.
    let _ = setrlimit(Resource::Nofile, most);
}
