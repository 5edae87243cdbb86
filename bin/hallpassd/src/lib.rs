//! Servers ask, the web site's sessions and accounts answer: over HTTP (nginx's auth_request,
//! Caddy's forward_auth, Traefik's ForwardAuth), as a FastCGI authorizer (Apache), and to those
//! who know how to ask Dovecot or saslauthd (Postfix, Exim, Prosody, Cyrus).
#![forbid(unsafe_code)]

mod activation;
mod connections;
mod crowd;
mod door;
mod dovecot;
mod engine;
mod fastcgi;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod http;
mod metrics;
mod openings;
mod options;
mod percent;
mod run;
mod sasl;
mod saslauthd;
mod site;
mod sites;
mod sockets;
mod start;
mod supervisor;

pub use self::start::main;

/// The command line: what `--help` says, and the manual page.
#[must_use]
pub fn command_line() -> clap::Command {
    <options::Options as clap::CommandFactory>::command()
}
