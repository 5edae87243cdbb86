//! Talks to systemd: readiness and the watchdog (sd_notify(3)), and the sockets that it opens
//! (sd_listen_fds(3)).

use std::io;
use std::time::Duration;

use listenfd::ListenFd;
use sd_notify::NotifyState;

use crate::endpoint::Endpoint;
use crate::endpoints;
use crate::loops::Loops;
use crate::sockets::Socket;

/// The shortest watchdog time that is accepted.
const SHORTEST: Duration = Duration::from_millis(3);

/// Reports that the daemon is ready.
pub fn ready() {
    notify(NotifyState::Ready);
}

/// Reports that the configuration is being read again, until [`ready`].
pub fn reloading() {
    notify(NotifyState::Reloading);
}

/// Reports that the daemon shuts down.
pub fn stopping() {
    notify(NotifyState::Stopping);
}

/// Notifies the watchdog for as long as it is polled and every loop answers. Never returns.
pub async fn feed_watchdog(loops: &Loops) {
    match sd_notify::watchdog_enabled() {
        Some(limit) if limit >= SHORTEST => loop {
            loops.answer().await;
            notify(NotifyState::Watchdog);
            tokio::time::sleep(limit / 3).await;
        },
        _ => std::future::pending().await,
    }
}

/// Without systemd, there is nothing to notify.
fn notify(state: NotifyState<'_>) {
    drop(sd_notify::notify(&[state]));
}

/// The sockets that systemd opened, and the endpoint of each, by its `FileDescriptorName=`: HTTP
/// unless that names another.
pub fn activated() -> io::Result<Vec<(&'static Endpoint, Socket)>> {
    let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
    let mut names = names.split(':');
    let mut descriptors = ListenFd::from_env();
    let mut sockets = Vec::new();
    for index in 0..descriptors.len() {
        let endpoint = endpoints::of_descriptor(names.next().unwrap_or_default());
        // A socket of another kind is an error of both, and the second one is reported.
        let socket = match descriptors.take_unix_listener(index) {
            Ok(Some(listener)) => Socket::unix(listener)?,
            Ok(None) => continue,
            Err(_) => match descriptors.take_tcp_listener(index)? {
                Some(listener) => Socket::tcp(listener)?,
                None => continue,
            },
        };
        sockets.push((endpoint, socket));
    }
    Ok(sockets)
}
