//! Declares the command line.

use hallpass_runtime::{CommandLine, ConditionArguments};

/// The name of the program.
pub const PROGRAM: &str = "hallpass-apache";

/// Answers Apache's mod_authnz_external by the accounts of a web site
#[derive(Debug, clap::Parser)]
#[command(name = PROGRAM, version, after_help = EXAMPLES)]
pub struct Options {
    #[command(flatten)]
    pub common: CommandLine,
    #[command(subcommand)]
    pub question: Option<Question>,
}

/// The request of Apache.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum Question {
    /// Is this the user's password?
    ///
    /// Exit codes: 0 granted, 1 unknown user, 2 wrong password, 3 inactive or not permitted,
    /// 7 throttled, 51 malformed input, 52 configuration, 53 unavailable.
    Auth {
        #[command(flatten)]
        input: Input,
        /// Accept this as well as the password: the session of the site whose cookie the browser
        /// sent, if it is the user's
        #[arg(long, value_enum)]
        accept: Option<AlsoAccepted>,
    },
    /// Is the user in any of these groups?
    ///
    /// `perm:app.codename`, `is:staff` and `is:superuser` may stand in for a group's name.
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

/// A credential that is accepted besides the password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum AlsoAccepted {
    /// The session that the variable COOKIE shows
    Session,
}

/// The options of the requests of mod_authnz_external.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Input {
    /// The method of DefineExternalAuth or DefineExternalGroup
    #[arg(long, value_enum, default_value_t = Method::Pipe)]
    pub method: Method,
}

/// The methods of mod_authnz_external.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Method {
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
