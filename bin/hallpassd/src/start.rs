//! Starts the daemon: from the command line to sites that can be asked.

use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::SystemTime;

use clap::Parser;
use hallpass_checks::Checks;
use hallpass_core::{Configuration, configuration};
use hallpass_runtime::Log;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::loops::{self, Loops};
use crate::metrics::Metrics;
use crate::options::{Options, report_ok};
use crate::run::{Daemon, run};
use crate::site::ServedSite;
use crate::sites::{CurrentSites, Sites};

/// What the program is called.
pub const PROGRAM: &str = "hallpassd";

/// The program, from the command line to the exit code.
#[must_use]
pub fn main() -> ExitCode {
    let options = Options::parse();
    let configurations = match options.configurations() {
        Ok(configurations) => configurations,
        Err(error) => return refuse(&error, options.check_config),
    };
    if options.check_config {
        return report_ok(&configurations);
    }
    match start(options, configurations) {
        Ok(code) => code,
        Err(error) => {
            Log::new(PROGRAM, configuration::Log::default()).error(&error);
            ExitCode::FAILURE
        }
    }
}

fn start(options: Options, configurations: Vec<Configuration>) -> Result<ExitCode, String> {
    let checks =
        start_checks(&configurations).map_err(|error| format!("cannot start a thread: {error}"))?;
    let metrics = Arc::new(Metrics::new(SystemTime::now()));
    let count = loops::count();
    let sites = start_sites(configurations, &metrics, &checks, count, None)?;
    raise_limits();
    let cannot = |error| format!("cannot start an event loop: {error}");
    let runtime = loops::runtime().map_err(cannot)?;
    let loops = Loops::start(runtime.handle().clone(), count).map_err(cannot)?;
    Ok(runtime.block_on(run(Daemon {
        options: Arc::new(options),
        sites: Arc::new(CurrentSites::new(sites)),
        metrics,
        checks,
        loops: Arc::new(loops),
    })))
}

/// Starts the sites that `configurations` describe, and logs their warnings. Requests come
/// from as many event `loops`. `before` are the same sites as they are served until now.
///
/// # Errors
/// When the system cannot start a thread, or a certificate cannot be used.
pub fn start_sites(
    configurations: Vec<Configuration>,
    metrics: &Metrics,
    checks: &Arc<Checks>,
    loops: usize,
    before: Option<&Sites>,
) -> Result<Sites, String> {
    let start = |(number, configuration): (usize, Configuration)| {
        let log = Log::new(PROGRAM, configuration.log);
        for warning in &configuration.warnings {
            log.warning(warning);
        }
        let of_site = metrics.of(configuration.name.as_deref().unwrap_or_default());
        let watch = before.and_then(|before| before.watch(number, configuration.name.as_deref()));
        let before = before.map(|before| &**before.get(number));
        let checks = Arc::clone(checks);
        let site = ServedSite::start(Arc::new(configuration), log, of_site, checks, loops, before)?;
        Ok::<_, String>(site.watching(watch.unwrap_or_default()))
    };
    let sites: Result<Vec<_>, _> = configurations.into_iter().enumerate().map(start).collect();
    let sites = sites?;
    metrics.loaded(SystemTime::now());
    Sites::new(sites).ok_or_else(|| "there is no configuration".to_owned())
}

/// Starts the threads that check passwords for all sites, as the first configuration says.
fn start_checks(configurations: &[Configuration]) -> std::io::Result<Arc<Checks>> {
    let daemon = configurations.first().map(|first| &first.daemon);
    let cores = || thread::available_parallelism().map_or(1, usize::from);
    let threads = daemon.and_then(|daemon| daemon.threads);
    let most = daemon.map_or(1, |daemon| daemon.queue);
    Checks::start(threads.unwrap_or_else(cores), most)
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
