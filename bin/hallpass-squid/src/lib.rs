//! Answers Squid's Basic authentication and external access lists by the accounts of a web site.
//!
//! | module | subject |
//! |---|---|
//! | `options` | the command line: the kind of request, and the form of its lines |
//! | `line`, `question` | the words of a line, and the request in them |
//! | `serve`, `answer` | the verdict on each line, and the line of the answer |
#![forbid(unsafe_code)]

mod answer;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod line;
mod options;
mod question;
mod serve;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use hallpass_runtime::{Helper, converse, lines};

use crate::options::{BASIC, Options, PROGRAM};
use crate::serve::Server;

/// The command line, for manual pages.
#[must_use]
pub fn command_line() -> clap::Command {
    Options::command()
}

/// Runs the program, from the command line to the exit code.
#[must_use]
pub fn main() -> ExitCode {
    let (command_line, kind) = match Options::try_parse() {
        Ok(options) if options.common.check_config => return options.common.check(2),
        Ok(options) => (Ok(options.common), Some(options.question.unwrap_or(BASIC))),
        // Squid ends when its helpers end at once several times.
        Err(error) => (Err(error), None),
    };
    let helper = Helper::new(PROGRAM, command_line, |_| {});
    converse(lines::Decoder::default(), &mut Server { kind, helper })
}
