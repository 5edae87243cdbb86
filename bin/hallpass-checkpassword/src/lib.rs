//! Dovecot and others ask by the checkpassword interface, the web site's accounts answer.
#![forbid(unsafe_code)]

mod answer;
mod descriptor;
mod environment;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod input;
mod options;
mod run;

pub use self::run::main;

/// The command line: what `--help` says, and the manual page.
#[must_use]
pub fn command_line() -> clap::Command {
    <options::Options as clap::CommandFactory>::command()
}
