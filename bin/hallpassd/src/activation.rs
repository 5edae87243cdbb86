//! Sockets that systemd hands over (sd_listen_fds(3)).

use std::io;

use listenfd::ListenFd;

use crate::openings::Protocol;
use crate::sockets::Socket;

/// The sockets that were handed over, and what is spoken on each: `FileDescriptorName=` of its
/// unit says so; it is HTTP where that is none of ours.
pub fn handed_over() -> io::Result<Vec<(Protocol, Socket)>> {
    let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
    let mut names = names.split(':');
    let mut descriptors = ListenFd::from_env();
    let mut sockets = Vec::new();
    for index in 0..descriptors.len() {
        let protocol = Protocol::of_descriptor(names.next().unwrap_or_default());
        // Whatever is not the one is the other, or an error that says so.
        let socket = match descriptors.take_unix_listener(index) {
            Ok(Some(listener)) => Socket::unix(listener)?,
            Ok(None) => continue,
            Err(_) => match descriptors.take_tcp_listener(index)? {
                Some(listener) => Socket::tcp(listener)?,
                None => continue,
            },
        };
        sockets.push((protocol, socket));
    }
    Ok(sockets)
}
