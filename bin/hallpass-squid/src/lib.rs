//! Squid asks, the web site's accounts answer: a helper for Basic authentication and for external
//! access lists.
#![forbid(unsafe_code)]

mod answer;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod line;
mod options;
mod question;
mod serve;

pub use self::serve::main;

/// The command line: what `--help` says, and the manual page.
#[must_use]
pub fn command_line() -> clap::Command {
    <options::Options as clap::CommandFactory>::command()
}
