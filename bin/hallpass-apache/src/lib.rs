//! Answers Apache, by mod_authnz_external or a map of mod_rewrite, by the accounts of a web site.
//!
//! | module | subject |
//! |---|---|
//! | `options`, `arguments` | the command line, by clap and by a quicker parser of the common ones |
//! | `input`, `requirements`, `answer` | mod_authnz_external: a request, its groups, and the exit code |
//! | `map`, `rewritemap` | a `prg:` map: its lines, and the loop that answers them |
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

use std::process::ExitCode;
use std::time::Instant;

use clap::{CommandFactory, Parser};
use hallpass_core::{Conditions, configuration};
use hallpass_runtime::{ExitCodes, Log, OneShot, print_usage};

use crate::answer::{CONFIGURATION, UNAVAILABLE};
use crate::options::{Options, PROGRAM, Question};

/// The command line, for manual pages.
#[must_use]
pub fn command_line() -> clap::Command {
    Options::command()
}

/// Runs the program, from the command line to the exit code.
#[must_use]
pub fn main() -> ExitCode {
    run().unwrap_or_else(|code| code)
}

fn run() -> Result<ExitCode, ExitCode> {
    let started = Instant::now();
    let common_line = arguments::parse(std::env::args_os().skip(1));
    let Options { common, question } = match common_line.map_or_else(Options::try_parse, Ok) {
        Ok(options) => options,
        // A map must keep running in spite of an error on its command line.
        Err(error) if std::env::args_os().skip(1).any(|word| word == "rewritemap") => {
            return Ok(rewritemap::serve(Err(error), Conditions::default()));
        }
        Err(error) => return Err(print_usage(&error, CONFIGURATION)),
    };
    if common.check_config {
        return Err(common.check(CONFIGURATION));
    }
    let codes = ExitCodes {
        usage: CONFIGURATION,
        configuration: CONFIGURATION,
        unavailable: UNAVAILABLE,
    };
    let start = || OneShot::with(PROGRAM, &common, codes, started);
    Ok(match question {
        Some(Question::Auth { input, accept }) => answer::auth(&start()?, input.method, accept),
        Some(Question::Group(input)) => answer::group(&start()?, input.method),
        Some(Question::Rewritemap { conditions }) => {
            rewritemap::serve(Ok(common), conditions.into())
        }
        None => {
            let log = Log::new(PROGRAM, configuration::Log::default());
            log.error("missing subcommand: `auth`, `group` or `rewritemap`; see --help");
            CONFIGURATION.into()
        }
    })
}
