//! From the command line to the exit code.

use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

use crate::ask::Asker;
use crate::options::{Command, Options};
use crate::output::{USAGE, complain};
use crate::{audit, bench, cache, completions, demo, doctor, hash, init, manual, ticket};

pub fn main() -> ExitCode {
    let options = match Options::try_parse() {
        Ok(options) => options,
        Err(error) => {
            // What cannot be printed cannot be printed.
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
        Some(Command::Completions { shell }) => completions::run(shell),
        Some(Command::Man { directory }) => manual::run(&directory),
        Some(Command::Grants) => Ok(asker()?.grants()),
        Some(Command::Bench { hash }) => bench::run(&common, hash, json),
        Some(Command::Init(command)) => init::run(&common, command, json),
        Some(Command::Demo) => demo::run(),
    }
}
