//! Runs the administrator's tool, or the program by whose name it was started.
//!
//! | module | subject |
//! |---|---|
//! | `programs` | all programs of the executable, and the choice by name |
//! | `options`, `manual` | the command line, its manual pages and completions |
//! | `ask`, `explain`, `ticket` | requests to the site, and the steps to their verdicts |
//! | `audit`, `bench`, `hash`, `cache` | stored passwords: counted, measured, checked, cached |
//! | `compare` | the answers of Hallpass beside those of the site's own software |
//! | `config`, `init` | the configuration: printed, and written from a site |
//! | `doctor` | checks of the site, and of the configurations of its hosts: a file or folder for each |
//! | `demo` | a small site that every program is tried on |
//! | `terminal` | input and output |
#![forbid(unsafe_code)]

mod ask;
mod audit;
mod bench;
mod cache;
mod compare;
mod config;
mod demo;
mod doctor;
mod explain;
mod hash;
mod init;
mod manual;
mod options;
mod programs;
mod terminal;
mod ticket;

use std::process::ExitCode;

use clap::Parser;
use hallpass_runtime::print_usage;

use self::ask::Asker;
use self::options::{Command, Options};
use self::terminal::{USAGE, complain};

/// musl's own allocator asks the system for a little memory at a time and returns it at once, which
/// takes a good part of a program that runs for a millisecond.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

fn main() -> ExitCode {
    hallpass_runtime::harden();
    programs::main()
}

/// Runs the administrator's tool, from the command line to the exit code.
fn hallpass() -> ExitCode {
    let options = match Options::try_parse() {
        Ok(options) => options,
        Err(error) => return print_usage(&error, USAGE),
    };
    if options.common.check_config {
        return options.common.check(USAGE);
    }
    run(options).unwrap_or_else(|error| {
        complain(&format!("{error:#}"));
        USAGE.into()
    })
}

fn run(options: Options) -> anyhow::Result<ExitCode> {
    let Options {
        common,
        json,
        command,
    } = options;
    let asker = || Asker::new(&common, json);
    match command {
        None => anyhow::bail!("missing subcommand; --help lists them"),
        Some(Command::Check {
            user,
            conditions,
            explain,
        }) => asker()?.explaining(explain).check(user, conditions),
        Some(Command::Session {
            shown,
            conditions,
            explain,
        }) => asker()?.explaining(explain).session(&shown, conditions),
        Some(Command::Explain(command)) => asker()?.explaining(true).explain(command),
        Some(Command::User { user }) => Ok(asker()?.user(&user)),
        Some(Command::Groups { user }) => Ok(asker()?.groups(&user)),
        Some(Command::Can { user, permissions }) => Ok(asker()?.can(user, permissions)),
        Some(Command::Hash(command)) => hash::run(command, json),
        Some(Command::Cache(command)) => cache::run(&common, command, json),
        Some(Command::Ticket(command)) => ticket::run(&common, command, json),
        Some(Command::Doctor(options)) => doctor::run(&common, &options, json),
        Some(Command::Compare(options)) => compare::run(&common, &options, json),
        Some(Command::Audit(options)) => audit::run(&common, &options, json),
        Some(Command::Completions { shell, program }) => manual::completions(shell, &program),
        Some(Command::Man { directory }) => manual::run(&directory),
        Some(Command::Grants { role }) => Ok(asker()?.grants(role.as_deref())),
        Some(Command::Bench { hash }) => bench::run(&common, hash, json),
        Some(Command::Init(command)) => init::run(&common, &command, json),
        Some(Command::Config(options)) => config::run(&common, &options, json),
        Some(Command::Demo) => demo::run(),
    }
}
