//! Start, serve, stop.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use hallpass_core::configuration;
use hallpass_program::{Log, on_terminate};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::listen::{Connection, Peer, Socket};
use crate::options::Options;
use crate::pool::Pool;
use crate::serve::Site;

const PROGRAM: &str = "hallpassd";

/// How many connections are open at once. More wait in the system's queue.
const MOST_CONNECTIONS: usize = 4096;
/// How much of a request's head is read.
const LONGEST_HEAD: usize = 64 * 1024;
/// How long a client may take to send a request's head, or keep a connection without one.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// How long to wait when the system has no room for a connection.
const BREATH: Duration = Duration::from_millis(50);

pub fn main() -> ExitCode {
    let options = Options::parse();
    if options.common.check_config {
        return options.common.check(2);
    }
    let configuration = match options.common.configuration() {
        Ok(configuration) => Arc::new(configuration),
        Err(error) => {
            Log::new(PROGRAM, configuration::Log::default()).error(&error.to_string());
            return ExitCode::from(2);
        }
    };
    let log = Log::new(PROGRAM, configuration.log);
    for warning in &configuration.warnings {
        log.warning(warning);
    }
    let pool = match Pool::start(&configuration) {
        Ok(pool) => pool,
        Err(error) => {
            log.error(&format!("cannot start a thread: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            log.error(&format!("cannot start: {error}"));
            return ExitCode::FAILURE;
        }
    };
    runtime.block_on(run(Arc::new(Site {
        configuration,
        pool,
        log,
    })))
}

async fn run(site: Arc<Site>) -> ExitCode {
    let mut sockets = Vec::new();
    for listener in &site.configuration.daemon.listen {
        match Socket::bind(listener) {
            Ok(socket) => sockets.push(socket),
            Err(error) => {
                site.log
                    .error(&format!("cannot listen at {listener}: {error}"));
                return ExitCode::FAILURE;
            }
        }
    }
    let (end, ended) = watch::channel(false);
    if let Err(error) = on_terminate(move || {
        end.send_replace(true);
    }) {
        site.log.error(&format!("cannot catch SIGTERM: {error}"));
        return ExitCode::FAILURE;
    }
    for listener in &site.configuration.daemon.listen {
        site.log.info(&format!("listening at {listener}"));
    }
    let room = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let mut accepting = JoinSet::new();
    for socket in sockets {
        accepting.spawn(accept(
            socket,
            Arc::clone(&site),
            Arc::clone(&room),
            ended.clone(),
        ));
    }
    while accepting.join_next().await.is_some() {}
    site.log.info("stopped");
    ExitCode::SUCCESS
}

/// Serves the connections of one socket until the daemon is told to end, and then until the
/// answers in progress are out.
async fn accept(
    socket: Socket,
    site: Arc<Site>,
    room: Arc<Semaphore>,
    mut ended: watch::Receiver<bool>,
) {
    let graceful = GracefulShutdown::new();
    loop {
        let permit = Arc::clone(&room).acquire_owned();
        let next = async { (permit.await, socket.accept().await) };
        let (permit, accepted) = tokio::select! {
            next = next => next,
            _ = ended.wait_for(|ended| *ended) => break,
        };
        let (connection, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                site.log
                    .error(&format!("cannot accept a connection: {error}"));
                tokio::time::sleep(BREATH).await;
                continue;
            }
        };
        let site = Arc::clone(&site);
        match connection {
            Connection::Tcp(stream) => spawn(&graceful, TokioIo::new(stream), site, peer, permit),
            Connection::Unix(stream) => spawn(&graceful, TokioIo::new(stream), site, peer, permit),
        }
    }
    drop(socket);
    // Every answer comes within the deadline; a client that does not take it is not waited for.
    let patience = site.configuration.limits.deadline + Duration::from_secs(1);
    if tokio::time::timeout(patience, graceful.shutdown())
        .await
        .is_err()
    {
        site.log
            .warning("clients did not take their answers in time");
    }
}

fn spawn<S, P>(graceful: &GracefulShutdown, stream: S, site: Arc<Site>, peer: Peer, permit: P)
where
    S: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
    P: Send + 'static,
{
    let service = service_fn(move |request| {
        let site = Arc::clone(&site);
        async move { site.serve(request, peer).await }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(LONGEST_HEAD)
        .pipeline_flush(true)
        .serve_connection(stream, service);
    let connection = graceful.watch(connection);
    tokio::spawn(async move {
        // What a client does wrong ends its connection, and is nobody else's business.
        drop(connection.await);
        drop(permit);
    });
}
