//! Asks a site's own software who an account, a session or a password is, for comparison.
//!
//! A framework says how its software is started ([`Software`]); what runs there answers the questions
//! of [`protocol`] and changes nothing of the site.

mod process;
pub(crate) mod protocol;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgMatches, Args, FromArgMatches};
use zeroize::Zeroizing;

use crate::init::parse_duration;

pub use self::process::OwnSoftware;
pub use self::protocol::{About, Account, Answer, Listed, Listing, Name, Person, Question};

/// What `hallpass compare` asks for, whatever the site runs, to start its own software.
#[derive(Debug, Args)]
pub struct SoftwareOptions {
    /// How long the site may take to load, and to answer each question
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = parse_duration)]
    timeout: Duration,
}

/// How long `arguments` let the site take.
pub(crate) fn timeout(arguments: &ArgMatches) -> Duration {
    let given = SoftwareOptions::from_arg_matches(arguments);
    given.map_or(Duration::from_secs(60), |options| options.timeout)
}

/// How a site's own software is started.
pub struct Software {
    /// Its interpreter.
    pub interpreter: PathBuf,
    /// The option of `hallpass compare` that names another one.
    pub option: &'static str,
    /// What the interpreter is given: a program that reads its first line from standard input, and
    /// runs what the JSON string in it holds, and the arguments of that.
    pub arguments: Vec<OsString>,
    /// The program in that line.
    pub script: String,
    /// What the environment holds on top of our own.
    pub environment: Vec<(String, Zeroizing<String>)>,
    /// Where it runs.
    pub directory: PathBuf,
    /// How long it may take to load, and to answer a question.
    pub timeout: Duration,
    /// What is worth a warning before it runs.
    pub warning: Option<String>,
}
