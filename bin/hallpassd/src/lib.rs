//! Answers servers by the sessions and accounts of a web site: over HTTP (nginx's auth_request,
//! Caddy's forward_auth, Traefik's ForwardAuth), as a FastCGI authorizer (Apache), and in the
//! protocols of Dovecot and saslauthd (Postfix, Exim, Prosody, Cyrus).
//!
//! A connection comes to an endpoint, which reads a request into an `Inquiry`;
//! the site decides; the endpoint writes the verdict.
//!
//! | module | subject |
//! |---|---|
//! | `start`, `options`, `run` | the command line, starting, reloading, shutdown |
//! | `endpoints`, `listening` | the table of endpoints, and the open sockets |
//! | `endpoint` | an endpoint, and what each of its connections knows |
//! | `loops` | the event loops, which serve the connections |
//! | `connections`, `slots`, `sockets`, `systemd` | accepting and bounding connections |
//! | `http`, `fastcgi`, `dovecot`, `saslauthd`, `ldap` | one folder an endpoint; codecs are pure modules |
//! | `dialects` | `/as/DIALECT`: what programs ask by HTTP in a form of their own |
//! | `credentials`, `identity`, `login`, `percent`, `sasl` | what several endpoints read and write |
//! | `site`, `sites` | the verdict on a request, from any endpoint; the sites that are served now |
//! | `engine` | the threads that ask a site's stores; passwords go to `hallpass-checks` |
//! | `watch` | the sessions that were let in and are watched until they end |
//! | `metrics` | counting |
//!
//! Adding an endpoint takes a folder, a line in `endpoints`, and a setting.
#![forbid(unsafe_code)]

mod connections;
mod credentials;
mod dialects;
mod dovecot;
mod endpoint;
mod endpoints;
mod engine;
mod fastcgi;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod http;
mod identity;
mod ldap;
mod listening;
mod login;
mod loops;
mod metrics;
mod options;
mod percent;
mod run;
mod sasl;
mod saslauthd;
mod site;
mod sites;
mod slots;
mod sockets;
mod start;
mod systemd;
mod watch;

pub use self::dialects::dialect;
pub use self::http::conditions;
pub use self::start::main;

/// The command line, from which `--help` and the manual page are made.
#[must_use]
pub fn command_line() -> clap::Command {
    <options::Options as clap::CommandFactory>::command()
}
