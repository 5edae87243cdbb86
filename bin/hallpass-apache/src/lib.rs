//! Apache asks, by mod_authnz_external or by a map of mod_rewrite, the web site's accounts answer.
#![forbid(unsafe_code)]

mod answer;
mod arguments;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod input;
mod map;
mod options;
mod requirements;
mod rewritemap;
mod run;

pub use self::run::main;

/// The command line: what `--help` says, and the manual page.
#[must_use]
pub fn command_line() -> clap::Command {
    <options::Options as clap::CommandFactory>::command()
}
