//! Declares the command line.

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};
use hallpass_core::Requirement;
use hallpass_passwords::Rules;
use hallpass_runtime::{CommandLine, permission};

use crate::compare::SoftwareArguments;
pub use crate::init::InitCommand;

/// Asks a web site who its users are
///
/// Exit codes: 0 granted or done, 1 denied, 2 usage or configuration, 75 unavailable.
#[derive(Debug, Parser)]
#[command(name = "hallpass", version, arg_required_else_help = true, after_help = EXAMPLES)]
pub struct Options {
    #[command(flatten)]
    pub common: CommandLine,
    /// Answer with one JSON object
    #[arg(long, global = true)]
    pub json: bool,
    #[command(subcommand)]
    pub command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Check a user's password, typed at a prompt or read from standard input
    #[command(after_help = "Examples:
  hallpass check alice
  hallpass check alice --groups editors,staff --permission news.add_story < password")]
    Check {
        /// The login name
        user: String,
        #[command(flatten)]
        conditions: ConditionOptions,
        /// Explain how the verdict was reached
        #[arg(long)]
        explain: bool,
    },
    /// Check a session cookie's value, and print whose session it is
    #[command(after_help = "Examples:
  hallpass session wx2jf0wyz4bp6qno41ijf9k1ueqqmv2t
  hallpass session --cookie 'csrftoken=x; sessionid=wx2jf0wyz4bp6qno41ijf9k1ueqqmv2t'
  hallpass session - < token")]
    Session {
        #[command(flatten)]
        shown: ShownSession,
        #[command(flatten)]
        conditions: ConditionOptions,
        /// Explain how the verdict was reached
        #[arg(long)]
        explain: bool,
    },
    /// Explain a verdict: what was read, and what was decided
    #[command(subcommand)]
    Explain(ExplainCommand),
    /// Describe an account
    #[command(after_help = "Example:\n  hallpass user alice --json")]
    User {
        /// The login name
        user: String,
    },
    /// List the groups of an account, a name a line
    #[command(after_help = "Example:\n  hallpass groups alice")]
    Groups {
        /// The login name
        user: String,
    },
    /// Check whether an account holds all of these permissions
    #[command(after_help = "Example:\n  hallpass can alice news.add_story news.change_story")]
    Can {
        /// The login name
        user: String,
        /// Permissions, as in app.codename
        #[arg(required = true, value_name = "PERMISSION")]
        permissions: Vec<String>,
    },
    /// Verify, identify and make encoded password hashes; needs no configuration
    #[command(subcommand)]
    Hash(HashCommand),
    /// Flush hallpassd's cache of verified passwords, or print its statistics
    #[command(subcommand)]
    Cache(CacheCommand),
    /// Issue and verify tickets, which stand for a session for a short time
    #[command(subcommand)]
    Ticket(TicketCommand),
    /// Check every assumption about the site, its stores and its hosts, one line each
    ///
    /// Exit codes: 0 no problems, but perhaps warnings; 1 problems; 2 the configuration is wrong;
    /// 75 a store cannot be reached.
    #[command(after_help = "Examples:
  hallpass doctor
  hallpass doctor --as-user ejabberd --host ejabberd
  hallpass doctor --host nginx --host-config /srv/nginx/nginx.conf --json
  hallpass doctor --url https://shop.example.org/private/ --session - < token")]
    Doctor(DoctorOptions),
    /// Compare the answers of Hallpass with those of the site's own software, which is not changed
    ///
    /// Asks both about a sample of the site's accounts and sessions, and about names and sessions that
    /// are made up. Exit codes: 0 all agree; 1 there are differences; 2 the configuration is wrong; 75
    /// one side cannot be asked.
    #[command(after_help = "Examples:
  hallpass compare /srv/shop
  hallpass compare /srv/shop --all
  hallpass compare /srv/shop --user alice < password
  hallpass compare --url https://www.example.org/whoami")]
    Compare(CompareOptions),
    /// Count all accounts by how their passwords are stored
    #[command(after_help = "Examples:\n  hallpass audit\n  hallpass audit --csv > audit.csv")]
    Audit(AuditOptions),
    /// Print the SQL that creates a database user with the few rights that are needed
    #[command(after_help = "Example:\n  hallpass grants | psql shop")]
    Grants {
        /// The user's name [default: the one in the configuration; hallpass if that one exists,
        /// because it may be the site's own]
        #[arg(long, value_name = "NAME")]
        role: Option<String>,
    },
    /// Measure how many password checks a second this machine does, one and many at a time
    ///
    /// Measures the site's costliest hash, if there is a configuration; else that of Django 5.2.
    #[command(after_help = "Example:\n  hallpass bench")]
    Bench {
        /// Measure this hash instead
        #[arg(long, value_name = "ENCODED")]
        hash: Option<String>,
    },
    /// Print a shell completion script
    #[command(after_help = "Examples:
  hallpass completions bash > /etc/bash_completion.d/hallpass
  hallpass completions zsh hallpassd > /usr/local/share/zsh/site-functions/_hallpassd")]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
        /// The program whose command line is completed
        #[arg(default_value = "hallpass", value_name = "PROGRAM")]
        program: String,
    },
    /// Write the manual pages of all programs into a directory
    #[command(after_help = "Example:\n  hallpass man pages && man -l pages/hallpass-doctor.1")]
    Man {
        /// The directory, made if it is missing
        #[arg(value_name = "DIR")]
        directory: PathBuf,
    },
    /// Write a configuration file from the site itself, which is not changed
    #[command(subcommand)]
    Init(InitCommand),
    /// Print the settings in force and where each is from; secrets are never shown
    ///
    /// Each is printed as it is written in the file, with its line there, the site's own file that
    /// sets it, or the word default.
    #[command(after_help = "Examples:
  hallpass config --changed
  hallpass config --schema > hallpass.schema.json")]
    Config(ConfigOptions),
    /// Make a small Django site, and query it as each host does, through the real programs
    #[command(after_help = "Example:\n  hallpass demo")]
    Demo,
}

#[derive(Debug, Subcommand)]
pub enum ExplainCommand {
    /// Explain a password's verdict
    #[command(after_help = "Example:\n  hallpass explain check alice --groups editors < password")]
    Check {
        /// The login name
        user: String,
        #[command(flatten)]
        conditions: ConditionOptions,
    },
    /// Explain a session's verdict
    #[command(after_help = "Example:\n  hallpass explain session - < token")]
    Session {
        #[command(flatten)]
        shown: ShownSession,
        #[command(flatten)]
        conditions: ConditionOptions,
    },
    /// Explain the verdict on an account whose name the host has authenticated
    #[command(after_help = "Example:\n  hallpass explain user alice --permission news.add_story")]
    User {
        /// The login name
        user: String,
        #[command(flatten)]
        conditions: ConditionOptions,
    },
    /// Explain the verdict on an HTTP request, whose headers are on standard input
    #[command(after_help = "Example:\n  hallpass explain request < headers")]
    Request {
        #[command(flatten)]
        conditions: ConditionOptions,
    },
}

#[derive(Debug, Default, Args)]
pub struct DoctorOptions {
    /// Run the checks as this system user, in the environment that a server gives; needs root
    #[arg(long, value_name = "NAME")]
    pub as_user: Option<String>,
    /// Check this server's configuration, which must point to Hallpass
    #[arg(long, value_enum)]
    pub host: Option<HostKind>,
    /// That server's configuration file [default: the system's]
    #[arg(long, value_name = "FILE", requires = "host")]
    pub host_config: Option<PathBuf>,
    /// Ask this page of a live host from outside, as its clients do, and check nothing else
    #[arg(long, value_name = "URL", conflicts_with_all = ["as_user", "host"])]
    pub url: Option<String>,
    /// Ask with this session, too: the value of the session cookie, or a file that holds it; - reads it
    /// from standard input, where no other user of the machine sees it
    #[arg(
        long,
        value_name = "TOKEN",
        requires = "url",
        allow_hyphen_values = true
    )]
    pub session: Option<String>,
    /// Ask as this account, too; its password is typed at a prompt or read from standard input
    #[arg(long, value_name = "NAME", requires = "url")]
    pub user: Option<String>,
    /// The name of the session cookie [default: the configuration's]
    #[arg(long, value_name = "NAME", requires = "url")]
    pub cookie: Option<String>,
    /// Trust the certificates in this file, in PEM [default: the system's]
    #[arg(long, value_name = "FILE", requires = "url")]
    pub ca: Option<PathBuf>,
    /// What `--as-user` starts
    #[arg(long, hide = true)]
    pub detached: bool,
}

/// A server whose configuration can be checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum HostKind {
    /// Apache 2.4
    Apache,
    /// Caddy
    Caddy,
    /// Centrifugo
    Centrifugo,
    /// Dovecot
    Dovecot,
    /// ejabberd
    Ejabberd,
    /// EMQX
    Emqx,
    /// Exim
    Exim,
    /// FreeRADIUS
    Freeradius,
    /// HAProxy
    Haproxy,
    /// lighttpd
    Lighttpd,
    /// Mosquitto with mosquitto-go-auth
    Mosquitto,
    /// nginx
    Nginx,
    /// PAM
    Pam,
    /// Postfix
    Postfix,
    /// Prosody
    Prosody,
    /// RabbitMQ
    Rabbitmq,
    /// Programs that use Cyrus SASL
    Saslauthd,
    /// Squid
    Squid,
    /// Synapse
    Synapse,
    /// Traefik
    Traefik,
    /// VerneMQ
    Vernemq,
}

#[derive(Debug, Args)]
pub struct CompareOptions {
    /// Where the site is: a directory, or the file that its framework starts from
    #[arg(required_unless_present = "url")]
    pub path: Option<PathBuf>,
    /// How many accounts to compare
    #[arg(long, value_name = "N", default_value_t = 200)]
    pub accounts: usize,
    /// How many sessions to compare, the newest first
    #[arg(long, value_name = "N", default_value_t = 200)]
    pub sessions: usize,
    /// Compare all accounts and all sessions
    #[arg(long, conflicts_with_all = ["accounts", "sessions"])]
    pub all: bool,
    /// Compare this user's password as well, typed at a prompt or read from standard input
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// A file with the values of session cookies to compare as well, one a line; - is standard input
    #[arg(long, value_name = "FILE")]
    pub tokens: Option<PathBuf>,
    /// The framework of the site's own software [default: the configuration's]
    #[arg(long, value_name = "FRAMEWORK")]
    pub framework: Option<String>,
    #[command(flatten)]
    pub software: SoftwareArguments,
    #[command(flatten)]
    pub page: PageOptions,
}

/// A page of the running site that says who is logged in.
#[derive(Debug, Args)]
#[command(next_help_heading = "Of any site, by a page that says who is logged in")]
pub struct PageOptions {
    /// Ask this page about sessions, in place of the site's own software
    #[arg(long, value_name = "URL", conflicts_with_all = ["path", "user", "framework"])]
    pub url: Option<String>,
    /// Where the login name is in its answer: a JSON pointer, or header:NAME
    #[arg(long, value_name = "PLACE", default_value = "/user/username")]
    pub name_at: String,
    /// The session cookie's name [default: the configuration's]
    #[arg(long, value_name = "NAME")]
    pub cookie: Option<String>,
}

#[derive(Debug, Subcommand)]
pub enum TicketCommand {
    /// Issue a ticket for a session that is live
    #[command(after_help = "Example:\n  hallpass ticket issue --session - < token")]
    Issue {
        /// The session cookie's value; - reads it from standard input
        #[arg(long, value_name = "TOKEN", allow_hyphen_values = true)]
        session: String,
    },
    /// Print whose session a ticket stands for
    #[command(after_help = "Example:\n  hallpass ticket verify - < ticket")]
    Verify {
        /// The ticket; - reads it from standard input
        #[arg(allow_hyphen_values = true)]
        ticket: String,
    },
}

#[derive(Debug, Args)]
pub struct ConfigOptions {
    /// Print only the settings that differ from their defaults
    #[arg(long)]
    pub changed: bool,
    /// Print the JSON Schema of the configuration file; needs no configuration
    #[arg(long, conflicts_with = "changed")]
    pub schema: bool,
}

#[derive(Debug, Args)]
pub struct AuditOptions {
    /// Answer with comma-separated values
    #[arg(long, conflicts_with = "json")]
    pub csv: bool,
}

#[derive(Debug, Subcommand)]
pub enum CacheCommand {
    /// Forget all verified passwords
    #[command(after_help = "Example:\n  hallpass cache flush")]
    Flush(CacheOptions),
    /// Print how many passwords are cached, and how often the cache was hit
    #[command(after_help = "Example:\n  hallpass cache stats --json")]
    Stats(CacheOptions),
}

#[derive(Debug, Args)]
pub struct CacheOptions {
    /// hallpassd's unix socket [default: as `via` or [daemon] `listen` says]
    #[allow(
        rustdoc::broken_intra_doc_links,
        reason = "it is printed by --help as it stands"
    )]
    #[arg(long, value_name = "PATH")]
    pub socket: Option<PathBuf>,
}

/// A session, as a visitor shows it.
#[derive(Debug, Args)]
pub struct ShownSession {
    /// The cookie's value; - reads it from standard input
    #[arg(required_unless_present = "cookie")]
    pub token: Option<String>,
    /// A whole Cookie header, in place of the cookie's value
    #[arg(
        long,
        value_name = "HEADER",
        conflicts_with = "token",
        allow_hyphen_values = true
    )]
    pub cookie: Option<String>,
}

#[derive(Debug, Args)]
pub struct ConditionOptions {
    /// The account must be in one of these groups; perm:app.codename, is:staff and is:superuser may
    /// stand in for a group's name
    #[arg(long, value_delimiter = ',', value_name = "GROUP,…")]
    pub groups: Vec<Requirement>,
    /// The account must hold this permission; may be given several times
    #[arg(long, value_name = "APP.CODENAME", value_parser = permission)]
    pub permission: Vec<Requirement>,
}

#[derive(Debug, Subcommand)]
pub enum HashCommand {
    /// Check a password, typed at a prompt or read from standard input, against a hash
    #[command(after_help = "Example:
  hallpass hash verify 'pbkdf2_sha256$1000000$…' < password
  hallpass hash verify --encoded-file hash --as phpbb")]
    Verify {
        #[command(flatten)]
        encoded: Encoded,
        /// The software whose rules decide [default: django, and php for formats that
        /// Django does not know]
        #[arg(long = "as", value_name = "SOFTWARE", value_parser = rules())]
        rules: Option<Rules>,
        /// The account's login name, which SMF hashes with the password
        #[arg(long, value_name = "NAME")]
        login_name: Option<String>,
        /// The account's salt, where it has a column of its own: Redmine, vBulletin, MyBB, XenForo 1.0
        /// and boards that phpBB took over from them
        #[arg(long, value_name = "TEXT")]
        salt: Option<String>,
    },
    /// Identify the algorithm of a hash, and what a check costs
    #[command(after_help = "Example:\n  hallpass hash identify 'pbkdf2_sha256$1000000$…'")]
    Identify {
        #[command(flatten)]
        encoded: Encoded,
    },
    /// Hash a password, typed at a prompt or read from standard input
    #[command(after_help = "Example:\n  hallpass hash make --iterations 1200000 < password")]
    Make {
        /// The algorithm, as Django names it
        #[arg(long, default_value = "pbkdf2_sha256")]
        algorithm: hallpass_passwords::Algorithm,
        /// The cost, in the algorithm's own unit [default: the software's]
        #[arg(long, value_name = "N")]
        iterations: Option<u32>,
    },
}

/// Reads the name of the software whose rules decide, and lists all of them in the help.
fn rules() -> impl TypedValueParser<Value = Rules> {
    PossibleValuesParser::new(Rules::ALL.map(Rules::name)).try_map(|name| name.parse::<Rules>())
}

/// An encoded hash, given or in a file.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct Encoded {
    /// The encoded hash, as the site stores it
    pub encoded: Option<String>,
    /// A file that holds the encoded hash, in place of the argument
    #[arg(long, value_name = "FILE")]
    pub encoded_file: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  hallpass demo
  hallpass check alice
  hallpass session wx2jf0wyz4bp6qno41ijf9k1ueqqmv2t --json
  hallpass can alice news.add_story && echo permitted";
