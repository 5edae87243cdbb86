//! The command line.

use std::ffi::OsString;

use hallpass_runtime::{CommandLine, ConditionArguments};

/// Answers by the checkpassword interface, by the accounts of a web site
///
/// Reads a name and a password from descriptor 3, each with a NUL after it, and runs PROG if they
/// are right; without PROG, ends with 0. With AUTHORIZED=1 in the environment, as Dovecot sets it
/// for lookups, no password is asked for.
///
/// Exit codes: 1 denied, 2 misused, 3 no such user (lookups), 111 unavailable or configuration.
#[derive(Debug, clap::Parser)]
#[command(name = "hallpass-checkpassword", version, after_help = EXAMPLES)]
pub struct Options {
    #[command(flatten)]
    pub common: CommandLine,
    #[command(flatten)]
    pub conditions: ConditionArguments,
    /// The program to run as the user who is let in, with USER in its environment
    #[arg(value_name = "PROG [ARGS]", trailing_var_arg = true)]
    pub program: Vec<OsString>,
}

const EXAMPLES: &str = "\
Examples:
  In Dovecot's configuration, up to 2.3; it adds PROG itself:
    passdb {
      driver = checkpassword
      args = /usr/bin/hallpass-checkpassword --config /etc/hallpass/hallpass.toml
    }

  By hand:
    printf 'alice\\0secret\\0\\0' | hallpass-checkpassword id 3<&0; echo $?";
