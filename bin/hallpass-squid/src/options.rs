//! Declares the command line.

use hallpass_runtime::{CommandLine, ConditionArguments};

/// The name of the program.
pub const PROGRAM: &str = "hallpass-squid";

/// Answers Squid's Basic authentication and external access lists by the accounts of a web site
///
/// Reads a request per line from standard input, and writes an answer per line to standard output,
/// until the input ends. When the configuration or the site fails, it keeps running, logs the
/// reason, answers BH, and tries again at the next request.
#[derive(Debug, clap::Parser)]
#[command(name = PROGRAM, version, after_help = EXAMPLES)]
pub struct Options {
    #[command(flatten)]
    pub common: CommandLine,
    #[command(subcommand)]
    pub question: Option<Kind>,
}

/// The kind of request that Squid sends.
#[derive(Clone, Debug, PartialEq, Eq, clap::Subcommand)]
pub enum Kind {
    /// auth_param basic: is this the user's password? The default
    ///
    /// Answers OK with the name as the site has it, or ERR. Lines may begin with a channel id
    /// (concurrency=).
    Basic {
        /// The client's address follows the password: key_extras "%>a"
        #[arg(long)]
        client: bool,
        #[command(flatten)]
        conditions: ConditionArguments,
    },
    /// external_acl_type … %LOGIN: is the user in any of these groups?
    ///
    /// The groups are the words of the acl line, where perm:app.codename, is:staff and
    /// is:superuser may stand in for a group's name.
    Group(External),
    /// external_acl_type … %>{Cookie}: whose session of the site is it?
    ///
    /// Answers OK with the user's name. With words on the acl line, the user must be in any of
    /// these groups.
    Session {
        /// The name that Squid has authenticated comes first: %LOGIN %>{Cookie}. A session of
        /// another account is refused then
        #[arg(long)]
        login: bool,
        #[command(flatten)]
        external: External,
    },
}

/// The form of the lines of an external access list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::Args)]
pub struct External {
    /// Lines begin with a channel id: external_acl_type has concurrency=
    #[arg(long)]
    pub concurrency: bool,
    /// The client's address comes second: %LOGIN %>a, or %>{Cookie} %>a
    #[arg(long)]
    pub client: bool,
}

const EXAMPLES: &str = "\
Examples:
  In squid.conf:
    auth_param basic program /usr/bin/hallpass-squid basic
    auth_param basic children 4 startup=0 idle=1
    auth_param basic realm The site's accounts
    auth_param basic credentialsttl 1 minute
    acl members proxy_auth REQUIRED
    external_acl_type site_group ttl=60 %LOGIN /usr/bin/hallpass-squid group
    acl editors external site_group editors is:superuser
    http_access allow members editors
    http_access deny all

  By hand:
    echo alice secret | hallpass-squid
    echo alice editors | hallpass-squid group";

/// The kind of request without a subcommand.
pub const BASIC: Kind = Kind::Basic {
    client: false,
    conditions: ConditionArguments {
        groups: Vec::new(),
        permissions: Vec::new(),
    },
};
