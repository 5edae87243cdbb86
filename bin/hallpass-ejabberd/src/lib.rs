//! ejabberd asks, the web site's accounts answer: external authentication over standard input and
//! output.
#![forbid(unsafe_code)]

mod credentials;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod jid;
mod options;
mod protocol;
mod serve;
mod terminal;

pub use self::serve::main;

/// The command line: what `--help` says, and the manual page.
#[must_use]
pub fn command_line() -> clap::Command {
    <options::Options as clap::CommandFactory>::command()
}
