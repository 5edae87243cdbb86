//! The command line.

use hallpass_program::CommandLine;

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
}

const EXAMPLES: &str = "\
Examples:
  In ejabberd.yml:
    auth_method: [external]
    extauth_program: \"/usr/bin/hallpass-ejabberd --config /etc/hallpass/hallpass.toml\"
    auth_use_cache: false

  By hand, asking whether there is a user alice:
    printf '\\0\\031isuser:alice:example.com' | hallpass-ejabberd | xxd";
