//! The command line.

use hallpass_runtime::CommandLine;

/// Answers ejabberd's external authentication by the accounts of a web site
///
/// Reads requests from standard input and writes answers to standard output until the input ends.
/// Whatever is wrong with the configuration or the site, it stays up, says why in the log, and
/// tries again at the next request.
#[derive(Debug, clap::Parser)]
#[command(name = "hallpass-ejabberd", version, after_help = EXAMPLES)]
pub struct Options {
    #[command(flatten)]
    pub common: CommandLine,
    /// What is spoken on standard input and output
    #[arg(long, value_enum, default_value_t = Protocol::Ejabberd)]
    pub protocol: Protocol,
}

/// What is spoken on standard input and output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Protocol {
    /// Frames with their length before them
    Ejabberd,
    /// Lines, for mod_auth_external of Prosody and Metronome. On a terminal, what goes to standard
    /// error is dropped: let the log go to journald or syslog
    Generic,
}

const EXAMPLES: &str = "\
Examples:
  In ejabberd.yml:
    auth_method: [external]
    extauth_program: \"/usr/bin/hallpass-ejabberd --config /etc/hallpass/hallpass.toml\"
    auth_use_cache: false

  In prosody.cfg.lua, with mod_auth_external_insecure:
    authentication = \"external_insecure\"
    external_auth_command = \"/usr/bin/hallpass-ejabberd --protocol generic\"

  By hand, asking whether there is a user alice:
    printf '\\0\\031isuser:alice:example.com' | hallpass-ejabberd | xxd";
