//! Asks a web site who its users are, from the shell: the system administrator's tool.
#![forbid(unsafe_code)]

mod ask;
mod audit;
mod bench;
mod cache;
mod demo;
mod doctor;
mod explain;
mod hash;
mod init;
mod manual;
mod options;
mod terminal;
mod ticket;

use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

use self::ask::Asker;
use self::options::{Command, Options};
use self::terminal::{USAGE, complain};

fn main() -> ExitCode {
    hallpass_runtime::harden();
    let options = match Options::try_parse() {
        Ok(options) => options,
        Err(error) => {
            // A failed print is ignored: there is nowhere to report it.
            drop(error.print());
            let asked = matches!(
                error.kind(),
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
            );
            return if asked {
                ExitCode::SUCCESS
            } else {
                USAGE.into()
            };
        }
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
        None => anyhow::bail!("say what to ask; --help says more"),
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
        Some(Command::Audit(options)) => audit::run(&common, &options, json),
        Some(Command::Completions { shell }) => manual::completions(shell),
        Some(Command::Man { directory }) => manual::run(&directory),
        Some(Command::Grants) => Ok(asker()?.grants()),
        Some(Command::Bench { hash }) => bench::run(&common, hash, json),
        Some(Command::Init(command)) => init::run(&common, command, json),
        Some(Command::Demo) => demo::run(),
    }
}
