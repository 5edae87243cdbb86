//! The configuration: one TOML file that describes one site.
//!
//! Every key is asked for by name, and what nobody asked for is an error that names file, line and
//! key, and the nearest key there is.

mod access;
mod cache;
mod daemon;
mod database;
mod django;
mod ejabberd;
mod error;
mod limits;
mod log;
mod passwords;
mod secret;
mod section;
mod tickets;
mod values;
mod via;

use std::path::{Path, PathBuf};

use hallpass_stores::sql;
use zeroize::Zeroizing;

pub use self::access::{Access, LoginField};
pub use self::cache::CacheLocation;
pub use self::daemon::{Accepted, Daemon, Listener, TrustedProxy};
pub use self::django::{
    Django, DjangoCache, DjangoSessions, Normalization, SessionEngine, SessionProfile, UserTable,
};
pub use self::ejabberd::{Ejabberd, EjabberdAccepted, WhenUnavailable};
pub use self::error::Error;
pub use self::limits::Limits;
pub use self::log::{Log, LogFormat, LogLevel, LogTarget};
pub use self::passwords::Passwords;
use self::section::Document;
pub use self::tickets::TicketSettings;
pub use self::via::Via;

/// Where the configuration is looked for when nothing else is said.
pub const DEFAULT_PATH: &str = "/etc/hallpass/hallpass.toml";

/// The keys outside any table, and the tables.
const KEYS: [&str; 13] = [
    "name",
    "framework",
    "database",
    "via",
    "via_only",
    "django",
    "access",
    "passwords",
    "limits",
    "tickets",
    "ejabberd",
    "daemon",
    "log",
];

/// A site, and how its hosts ask about it.
#[derive(Debug)]
pub struct Configuration {
    /// The file that it was read from.
    pub path: PathBuf,
    /// The site's name, under which `hallpassd` serves it as well.
    pub name: Option<String>,
    /// The software that the site runs, with its settings.
    pub framework: Framework,
    /// The site's database.
    pub database: sql::Settings,
    /// `via`: the daemon that programs ask in place of the stores.
    pub via: Option<Via>,
    /// `[access]`: who gets in, on top of a valid credential.
    pub access: Access,
    /// `[passwords]`: what a check may cost.
    pub passwords: Passwords,
    /// `[limits]`: how long an answer may take, and how long a password may be.
    pub limits: Limits,
    /// `[tickets]`, where they are switched on.
    pub tickets: Option<TicketSettings>,
    /// `[ejabberd]`
    pub ejabberd: Ejabberd,
    /// `[daemon]`
    pub daemon: Daemon,
    /// `[log]`
    pub log: Log,
    /// What is worth a warning in the log, though nothing is wrong with it.
    pub warnings: Vec<String>,
}

/// The software that a site runs.
#[derive(Debug)]
pub enum Framework {
    /// Django.
    Django(Box<Django>),
}

impl Configuration {
    /// The file to read: `option` if given, else what `HALLPASS_CONFIG` names, else
    /// [`DEFAULT_PATH`].
    #[must_use]
    pub fn find(option: Option<&Path>) -> PathBuf {
        option.map_or_else(
            || std::env::var_os("HALLPASS_CONFIG").map_or(DEFAULT_PATH.into(), PathBuf::from),
            Path::to_path_buf,
        )
    }

    /// The name of the site's session cookie.
    #[must_use]
    pub fn session_cookie_name(&self) -> &str {
        match &self.framework {
            Framework::Django(django) => &django.sessions.cookie_name,
        }
    }

    /// Whether it says enough to read the site's sessions.
    #[must_use]
    pub fn reads_sessions(&self) -> bool {
        match &self.framework {
            Framework::Django(django) => django.reads_sessions(),
        }
    }

    /// Whether the site gives out tokens, which programs show in place of a password.
    #[must_use]
    pub fn reads_tokens(&self) -> bool {
        match &self.framework {
            Framework::Django(django) => django.authtoken,
        }
    }

    /// Reads the file at `path`, and the secrets that it names.
    ///
    /// # Errors
    /// [`Error`] naming file, line and key, when the file or a secret cannot be read, or anything
    /// in it is not what it should be.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let text = std::fs::read_to_string(path)
            .map(Zeroizing::new)
            .map_err(|error| Error::file(path, format!("cannot read it: {error}")))?;
        Self::parse(path, &text)
    }

    /// Reads `text` as if it stood in the file at `path`.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn parse(path: &Path, text: &str) -> Result<Self, Error> {
        let document = Document::parse(path, text)?;
        let mut top = document.top();
        // Before anything is missed: it may be there, misspelt.
        top.only(&KEYS)?;
        let name = top.string("name")?;
        if let Some(name) = &name
            && (name.is_empty() || !name.bytes().all(is_name_byte))
        {
            return Err(top.wrong("name", "may hold letters, digits, `-` and `_` alone"));
        }
        let framework = match top.required_string("framework")?.as_str() {
            "django" => Framework::Django(Box::new(Django::read(top.section("django")?)?)),
            "joomla" | "phpbb" | "php" | "custom" => {
                return Err(top.wrong("framework", "this version knows \"django\" alone"));
            }
            _ => {
                let frameworks =
                    "is none of \"django\", \"joomla\", \"phpbb\", \"php\", \"custom\"";
                return Err(top.wrong("framework", frameworks));
            }
        };
        let database = database::read(&mut top, true)?;
        let via = Via::read(&mut top)?;
        let configuration = Self {
            path: path.to_owned(),
            name,
            framework,
            database,
            via,
            access: Access::read(top.section("access")?)?,
            passwords: Passwords::read(top.section("passwords")?)?,
            limits: Limits::read(top.section("limits")?)?,
            tickets: TicketSettings::read(top.section("tickets")?)?,
            ejabberd: Ejabberd::read(top.section("ejabberd")?)?,
            daemon: Daemon::read(top.section("daemon")?)?,
            log: Log::read(top.section("log")?)?,
            warnings: document.warnings(),
        };
        Ok(configuration)
    }
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}
