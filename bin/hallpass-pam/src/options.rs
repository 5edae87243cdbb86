//! The command line.

use hallpass_runtime::{CommandLine, ConditionArguments};

/// Answers PAM, through pam_exec, by the accounts of a web site
///
/// For PAM_TYPE=auth, the password is read from standard input (expose_authtok); for
/// PAM_TYPE=account, the account must be there, active and permitted. Every other type is refused.
///
/// Exit codes: 0 granted, 1 denied, 2 usage or configuration, 75 unavailable.
#[derive(Debug, clap::Parser)]
#[command(name = "hallpass-pam", version, after_help = EXAMPLES)]
pub struct Options {
    #[command(flatten)]
    pub common: CommandLine,
    #[command(flatten)]
    pub conditions: ConditionArguments,
}

const EXAMPLES: &str = "\
Examples:
  In /etc/pam.d/SERVICE, one line each:
    auth    required pam_exec.so expose_authtok quiet /usr/bin/hallpass-pam --config /etc/hallpass/hallpass.toml
    account required pam_exec.so quiet /usr/bin/hallpass-pam --config /etc/hallpass/hallpass.toml

  Members of either group only; PAM takes words with blanks in brackets:
    auth required pam_exec.so expose_authtok quiet /usr/bin/hallpass-pam --group editors [--group=chief editors]

  By hand:
    printf secret | PAM_TYPE=auth PAM_USER=alice hallpass-pam; echo $?";
