//! Checks the sockets of `hallpassd`: that they exist with the right mode, and answer.

use std::io::ErrorKind;
use std::net::TcpStream;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use hallpass_core::configuration::Listener;
use hallpass_core::doctor::{Finding, group_name, permit_reading, this_user};
use hallpass_core::{Configuration, Deadline};
use hallpass_runtime::via::http;

/// Looks at each.
pub fn look(configuration: &Configuration) -> Vec<Finding> {
    let daemon = &configuration.daemon;
    let deadline = || Deadline::after(configuration.limits.deadline);
    let mut findings = Vec::new();
    for listener in &daemon.listen {
        match listener {
            Listener::Unix { path, mode } => {
                // Without daemon settings, no daemon is required.
                if !(daemon.listens_by_default && path.symlink_metadata().is_err()) {
                    findings.extend(unix(path, *mode));
                    findings.push(answers(path, deadline()));
                }
            }
            Listener::Tcp(address) => findings.push(tcp(*address, deadline())),
        }
    }
    let others = daemon
        .listeners()
        .into_iter()
        .filter(|(key, _)| *key != "listen");
    for listener in others.flat_map(|(_, listeners)| listeners) {
        match listener {
            Listener::Unix { path, mode } => {
                findings.extend(unix(path, *mode));
                let tried = format!("connect to unix:{}", path.display());
                findings.push(match http::connect(path, deadline()) {
                    Ok(_) => Finding::ok("socket", tried, "a server listens there"),
                    Err(error) => silent(tried, &error, path),
                });
            }
            Listener::Tcp(address) => findings.push(tcp(*address, deadline())),
        }
    }
    if let Some(via) = &configuration.via
        && !daemon
            .listen
            .iter()
            .any(|listener| matches!(listener, Listener::Unix { path, .. } if *path == via.socket))
    {
        findings.push(answers(&via.socket, deadline()));
    }
    findings
}

/// Whether its permissions are those that the configuration says.
fn unix(path: &Path, mode: u32) -> Option<Finding> {
    let metadata = path.symlink_metadata().ok()?;
    let tried = format!("look at {}", path.display());
    if !metadata.file_type().is_socket() {
        return Some(Finding::problem(
            "socket-mode",
            tried,
            "a file that is not a socket is there",
            format!("rm {}, and restart hallpassd", path.display()),
        ));
    }
    let has = metadata.mode() & 0o777;
    if has == mode {
        return None;
    }
    Some(Finding::warning(
        "socket-mode",
        tried,
        format!("its mode is {has:04o}, and the configuration says {mode:04o}"),
        "restart hallpassd; a socket of systemd's has the mode that its unit says",
    ))
}

fn answers(path: &Path, deadline: Deadline) -> Finding {
    let tried = format!("ask hallpassd at {}", path.display());
    match http::get(path, "/readyz", deadline) {
        Ok(answer) if answer.status == 200 => Finding::ok("socket", tried, "it is ready"),
        Ok(answer) if answer.status == 503 => Finding::problem(
            "socket-ready",
            tried,
            "it answers, and cannot ask its stores",
            "see hallpassd's log: it runs as another user, or in another environment",
        )
        .unreachable(),
        Ok(answer) => Finding::problem(
            "socket",
            tried,
            format!(
                "the server there is not hallpassd: status {}",
                answer.status
            ),
            "give hallpassd a socket that is its own in [daemon] listen",
        ),
        Err(error) => silent(tried, &error, path),
    }
}

fn silent(tried: String, error: &std::io::Error, path: &Path) -> Finding {
    let mend = match error.kind() {
        ErrorKind::PermissionDenied => permit_asking(path),
        _ => {
            "systemctl start hallpassd; journalctl -u hallpassd says why it is not there".to_owned()
        }
    };
    Finding::problem("socket", tried, error.to_string(), mend)
}

/// What lets this user ask at the socket `path`.
fn permit_asking(path: &Path) -> String {
    let Ok(metadata) = path.metadata() else {
        return permit_reading(path);
    };
    let user = this_user();
    match group_name(metadata.gid()) {
        _ if metadata.mode() & 0o060 != 0o060 => {
            "end its address in [daemon] with ?mode=0660, and restart hallpassd".to_owned()
        }
        Some(group) if metadata.gid() != 0 => {
            format!("usermod -aG {group} {user}, and restart the server that runs as {user}")
        }
        _ => format!(
            "run hallpassd in a group of its own, as its unit does, and add {user} to that group"
        ),
    }
}

fn tcp(address: std::net::SocketAddr, deadline: Deadline) -> Finding {
    let tried = format!("connect to tcp:{address}");
    if let Err(error) = TcpStream::connect_timeout(&address, deadline.remaining()) {
        let mend = "systemctl start hallpassd; journalctl -u hallpassd says why it is not there";
        return Finding::problem("socket", tried, error.to_string(), mend);
    }
    if address.ip().is_loopback() {
        return Finding::ok("socket", tried, "a server listens there");
    }
    Finding::warning(
        "socket-open",
        tried,
        "other machines can ask it, and guess passwords",
        "listen on a unix socket or on 127.0.0.1, or keep others out by a firewall",
    )
}
