//! Answers Apache, by mod_authnz_external or a map of mod_rewrite, by the accounts of a web site.
#![forbid(unsafe_code)]

mod answer;
mod arguments;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod input;
mod map;
mod requirements;
mod rewritemap;

use std::process::ExitCode;
use std::time::Instant;

use clap::{CommandFactory, Parser};
use hallpass_core::{Conditions, configuration};
use hallpass_runtime::{CommandLine, ConditionArguments, ExitCodes, Log, OneShot, print_usage};

use crate::answer::{CONFIGURATION, UNAVAILABLE};

const PROGRAM: &str = "hallpass-apache";

/// Answers Apache's mod_authnz_external by the accounts of a web site
#[derive(Debug, clap::Parser)]
#[command(name = PROGRAM, version, after_help = EXAMPLES)]
struct Options {
    #[command(flatten)]
    common: CommandLine,
    #[command(subcommand)]
    question: Option<Question>,
}

/// The question that Apache asks.
#[derive(Clone, Debug, clap::Subcommand)]
enum Question {
    /// Is this the user's password?
    ///
    /// Exit codes: 0 granted, 1 unknown user, 2 wrong password, 3 inactive or not permitted,
    /// 7 throttled, 51 malformed input, 52 configuration, 53 unavailable.
    Auth {
        #[command(flatten)]
        input: Input,
        /// Let in by this as well as by the password: the session of the site whose cookie the
        /// browser sent, if it is the user's
        #[arg(long, value_enum)]
        accept: Option<AlsoAccepted>,
    },
    /// Is the user in any of these groups?
    ///
    /// `perm:app.codename`, `is:staff` and `is:superuser` may stand where a group's name does.
    /// Exit codes as for auth.
    Group(Input),
    /// RewriteMap prg: whose session of the site is it?
    ///
    /// A line in: a Cookie header, or the value of the session cookie. A line out: u:NAME, or NULL.
    /// Runs for as long as Apache does.
    Rewritemap {
        #[command(flatten)]
        conditions: ConditionArguments,
    },
}

/// A credential that is accepted beside the password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum AlsoAccepted {
    /// The session that the variable COOKIE shows
    Session,
}

/// The options of the questions of mod_authnz_external.
#[derive(Clone, Copy, Debug, clap::Args)]
struct Input {
    /// The method of DefineExternalAuth or DefineExternalGroup
    #[arg(long, value_enum, default_value_t = Method::Pipe)]
    method: Method,
}

/// The methods of mod_authnz_external.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Method {
    /// Two lines on standard input
    Pipe,
    /// The variables USER and PASS, or USER and GROUP
    Environment,
}

const EXAMPLES: &str = "\
Examples:
  In Apache's configuration:
    DefineExternalAuth  site pipe \"/usr/bin/hallpass-apache auth\"
    DefineExternalGroup site pipe \"/usr/bin/hallpass-apache group\"
    <Location /private>
      AuthType Basic
      AuthName \"The site's accounts\"
      AuthBasicProvider external
      AuthExternal site
      GroupExternal site
      Require external-group editors \"chief editors\" is:superuser
    </Location>

    RewriteMap session \"prg:/usr/bin/hallpass-apache rewritemap\" www-data:www-data

  By hand:
    printf 'alice\\nsecret\\n' | hallpass-apache auth; echo $?
    printf 'alice\\neditors\\n' | hallpass-apache group; echo $?
    echo 'sessionid=…' | hallpass-apache rewritemap";

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
        // A map must not end because of a mistake on its command line.
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
            log.error("say `auth`, `group` or `rewritemap`; --help says more");
            CONFIGURATION.into()
        }
    })
}
