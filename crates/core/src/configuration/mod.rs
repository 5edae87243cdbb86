//! The configuration: one TOML file that describes one site.
//!
//! Every key is asked for by name, and what nobody asked for is an error that names file, line and
//! key, and the nearest key there is.

mod access;
mod cache;
mod custom;
mod daemon;
mod database;
mod django;
mod ejabberd;
mod error;
mod http;
mod joomla;
mod limits;
mod log;
mod passwords;
mod php;
mod phpbb;
mod places;
mod secret;
mod section;
mod site_file;
mod tickets;
mod values;
mod via;

use std::path::{Path, PathBuf};

use hallpass_stores::sql;
use zeroize::Zeroizing;

use crate::Credential;
use crate::cookie::{self, Cookie, Reader};

pub use self::access::{Access, LoginField};
pub use self::cache::CacheLocation;
pub use self::custom::Custom;
pub use self::daemon::{Accepted, Daemon, Listener, TrustedProxy, Vouching};
pub use self::django::{
    Django, DjangoCache, DjangoSessions, Normalization, SessionEngine, SessionProfile, UserTable,
};
pub use self::ejabberd::{Ejabberd, EjabberdAccepted, WhenUnavailable};
pub use self::error::Error;
pub use self::http::{Http, NameIn};
pub use self::joomla::{Joomla, JoomlaCache, JoomlaClient, JoomlaSessions};
pub use self::limits::Limits;
pub use self::log::{Log, LogFormat, LogLevel, LogTarget};
pub use self::passwords::Passwords;
pub use self::php::{Php, PhpStore, PhpTable, PhpUser};
pub use self::phpbb::Phpbb;
pub use self::secret::SecretPlace;
use self::section::{Document, Section};
pub use self::tickets::TicketSettings;
pub use self::via::Via;

/// The file that the programs read when neither `--config` nor `$HALLPASS_CONFIG` names one.
pub const DEFAULT_PATH: &str = "/etc/hallpass/hallpass.toml";

/// The keys outside any table, and the tables.
const KEYS: [&str; 19] = [
    "name",
    "framework",
    "session_source",
    "database",
    "via",
    "via_only",
    "custom",
    "django",
    "http",
    "joomla",
    "php",
    "phpbb",
    "access",
    "passwords",
    "limits",
    "tickets",
    "ejabberd",
    "daemon",
    "log",
];

/// The first words of hallpassd's own paths. A site of such a name would answer in another's place
/// where a host puts the address that was wanted behind a path, as Envoy does: `/auth/auth`.
pub const ROUTES: [&str; 11] = [
    "as", "auth", "cache", "check", "ended", "healthz", "metrics", "question", "readyz", "session",
    "ticket",
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
    /// `[http]`: the page that says who is logged in, in place of the store of sessions.
    pub http: Option<Http>,
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
    /// Where its secrets are.
    pub secrets: Vec<SecretPlace>,
    /// What is worth a warning in the log, though nothing is wrong with it.
    pub warnings: Vec<String>,
}

/// The software that a site runs.
#[derive(Debug)]
pub enum Framework {
    /// Any, by the SQL that reads it.
    Custom(Box<Custom>),
    /// Django.
    Django(Box<Django>),
    /// Plain PHP, with the SQL that reads its accounts.
    Php(Box<Php>, Box<Custom>),
    /// Joomla.
    Joomla(Box<Joomla>),
    /// phpBB.
    Phpbb(Box<Phpbb>),
}

impl Configuration {
    /// The name of the site's session cookie; `None` where only the site itself can tell, and is
    /// given the whole header: [`Credential::Cookies`].
    #[must_use]
    pub fn session_cookie_name(&self) -> Option<&str> {
        match &self.http {
            Some(http) => Some(&http.cookie),
            None => self.framework.cookie_name(),
        }
    }

    /// The session that the Cookie headers of a request hold.
    #[must_use]
    pub fn session_in<'a>(
        &self,
        headers: impl IntoIterator<Item = &'a [u8]>,
    ) -> Option<Credential> {
        cookie::credential(headers, self.session_cookie())
    }

    /// The site's session cookie, where its name is known, and how the site reads it.
    #[must_use]
    pub fn session_cookie(&self) -> Option<Cookie<'_>> {
        let of_framework = match &self.framework {
            Framework::Custom(custom) => custom.cookie_rule.unwrap_or(Reader::Django),
            Framework::Django(_) => Reader::Django,
            Framework::Joomla(_) | Framework::Php(..) | Framework::Phpbb(_) => Reader::Php,
        };
        let rule = self.http.as_ref().and_then(|http| http.cookie_rule);
        let reader = rule.unwrap_or(of_framework);
        let name = self.session_cookie_name()?;
        Some(Cookie { name, reader })
    }

    /// Whether it says enough to read the site's sessions.
    #[must_use]
    pub fn reads_sessions(&self) -> bool {
        self.missing_for_sessions().is_none()
    }

    /// The key that is missing to read the site's sessions.
    #[must_use]
    pub fn missing_for_sessions(&self) -> Option<&'static str> {
        match &self.framework {
            _ if self.http.is_some() => None,
            Framework::Custom(custom) => custom.session.is_none().then_some("custom.session"),
            Framework::Django(django) => (!django.reads_sessions()).then_some("django.secret_key"),
            Framework::Joomla(joomla) => joomla.missing_for_sessions(),
            Framework::Php(..) | Framework::Phpbb(_) => None,
        }
    }

    /// Whether the site gives out tokens, which programs show in place of a password.
    #[must_use]
    pub fn reads_tokens(&self) -> bool {
        match &self.framework {
            Framework::Django(django) => django.authtoken,
            Framework::Custom(_)
            | Framework::Joomla(_)
            | Framework::Php(..)
            | Framework::Phpbb(_) => false,
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
        if let Some(name) = &name
            && ROUTES.contains(&name.as_str())
        {
            let message = format!(
                "is {name:?}, which is a path of hallpassd's own: /{name}; choose another name"
            );
            return Err(top.wrong("name", &message));
        }
        top.warn_of_writers(None, path);
        let word = top.required_string("framework")?;
        let asks_the_site = match top.string("session_source")?.as_deref() {
            None => false,
            Some("http") => true,
            Some(_) => {
                let message = "is not \"http\"; without it, the site's own store is read";
                return Err(top.wrong("session_source", message));
            }
        };
        only_its_own(&mut top, &word)?;
        let mut database = database::read(&mut top)?;
        let framework = match word.as_str() {
            "custom" => {
                let custom = Custom::read(top.section("custom")?, &database.location)?;
                if custom.user.is_none() && !asks_the_site {
                    return Err(top.wrong("custom.user", "is missing: the SQL that finds accounts"));
                }
                Framework::Custom(Box::new(custom))
            }
            "django" => Framework::Django(Box::new(Django::read(top.section("django")?)?)),
            "php" => {
                let php = Php::read(top.section("php")?, !asks_the_site)?;
                let custom = Custom::read(top.section("custom")?, &database.location)?;
                if matches!(php.user, Some(PhpUser::Id(_))) && custom.user_by_id.is_none() {
                    let message = "is missing: `php.user_id` is the id of an account, which it \
                                   finds";
                    return Err(top.wrong("custom.user_by_id", message));
                }
                Framework::Php(Box::new(php), Box::new(custom))
            }
            "joomla" => {
                let given = given(&database);
                let (joomla, its_own) = Joomla::read(top.section("joomla")?, given)?;
                database = its_own;
                Framework::Joomla(Box::new(joomla))
            }
            "phpbb" => {
                let given = given(&database);
                let (phpbb, its_own) = Phpbb::read(top.section("phpbb")?, given)?;
                database = its_own;
                Framework::Phpbb(Box::new(phpbb))
            }
            _ => {
                let frameworks =
                    "is none of \"django\", \"joomla\", \"phpbb\", \"php\", \"custom\"";
                return Err(top.wrong("framework", frameworks));
            }
        };
        let nowhere = matches!(database.location, sql::Location::Nowhere);
        if nowhere && framework.needs_database(asks_the_site) {
            return Err(top.wrong("database", "is missing"));
        }
        let http = match (asks_the_site, top.optional_section("http")?) {
            (true, None) => return Err(top.wrong("http", "is missing: the page to ask")),
            (true, Some(section)) => Some(Http::read(section, framework.cookie_name())?),
            (false, None) => None,
            (false, Some(_)) => {
                let message = "has no use without session_source = \"http\" at the top";
                return Err(top.wrong("http", message));
            }
        };
        let via = Via::read(&mut top)?;
        let accounts =
            (!nowhere && framework.looks_accounts_up(asks_the_site)).then_some(&database.location);
        let access = Access::read(top.section("access")?, accounts)?;
        let configuration = Self {
            path: path.to_owned(),
            name,
            framework,
            database,
            http,
            via,
            passwords: Passwords::read(top.section("passwords")?)?,
            limits: Limits::read(top.section("limits")?)?,
            tickets: TicketSettings::read(top.section("tickets")?)?,
            ejabberd: Ejabberd::read(top.section("ejabberd")?)?,
            daemon: Daemon::read(top.section("daemon")?, &access)?,
            access,
            log: Log::read(top.section("log")?)?,
            secrets: document.secrets(),
            warnings: document.warnings(),
        };
        configuration.ejabberd_has_what_it_needs(&mut top)?;
        configuration.knows_what_denials_cost(&mut top)?;
        Ok(configuration)
    }

    /// Where hosts send passwords, and nothing says what an unknown name has to cost, the time of
    /// an answer tells which names have an account.
    fn knows_what_denials_cost(&self, top: &mut Section<'_>) -> Result<(), Error> {
        let (Framework::Custom(custom) | Framework::Php(_, custom)) = &self.framework else {
            return Ok(());
        };
        let known = custom.accounts.is_some() || self.passwords.dummy.is_some();
        // Without a table of its own, the daemon is what answers hosts.
        let by_ejabberd = top.value("ejabberd").is_some()
            && self.ejabberd.accept.contains(&EjabberdAccepted::Password);
        let checks = custom.user.is_some()
            && self.access.passwords
            && (self.daemon.accept.password || by_ejabberd)
            && self.via.as_ref().is_none_or(|via| !via.only);
        if known || !checks {
            return Ok(());
        }
        let message = "finds accounts whose passwords are checked, and nothing says what a check \
                       of an unknown name has to cost: the time that it takes would tell which \
                       names have an account. Add `accounts`, the SQL that lists the accounts, or \
                       [passwords] dummy = \"pbkdf2_sha256$1000000\" (or another hash as costly \
                       as the site's own); or set [access] passwords = false where no password is \
                       to let anybody in";
        Err(top.section("custom")?.wrong("user", message))
    }

    fn ejabberd_has_what_it_needs(&self, top: &mut Section<'_>) -> Result<(), Error> {
        let ejabberd = &self.ejabberd;
        if ejabberd.account_changes && !matches!(self.framework, Framework::Django(_)) {
            let message = "is for Django alone: nothing is changed in other software's tables";
            return Err(top.wrong("ejabberd.account_changes", message));
        }
        if ejabberd.account_changes && !self.access.passwords {
            let message = "writes passwords, and [access] passwords = false lets nobody in by one";
            return Err(top.wrong("ejabberd.account_changes", message));
        }
        let tickets = ejabberd.accept.contains(&EjabberdAccepted::Ticket);
        if tickets && self.tickets.is_none() && self.via.is_none() {
            let message = "has \"ticket\", and there are none without `key` in [tickets]";
            return Err(top.wrong("ejabberd.accept", message));
        }
        Ok(())
    }
}

impl Framework {
    /// The name of the session cookie, where it is known without asking the site.
    fn cookie_name(&self) -> Option<&str> {
        match self {
            Self::Custom(custom) => custom.cookie.as_deref(),
            Self::Django(django) => Some(&django.sessions.cookie_name),
            Self::Joomla(joomla) => joomla.session_cookie_name.as_deref(),
            Self::Php(php, _) => Some(&php.cookie_name),
            Self::Phpbb(_) => None,
        }
    }

    /// Whether accounts are looked up in the database, and not only called what a session says.
    /// `user_by_id` looks none up where sessions, or the site that is asked for them, give names.
    fn looks_accounts_up(&self, asks_the_site: bool) -> bool {
        let by_id = |custom: &Custom| custom.user_by_id.is_some() && !asks_the_site;
        match self {
            Self::Custom(custom) => {
                custom.user.is_some() || (custom.session.is_some() && by_id(custom))
            }
            Self::Php(php, custom) => {
                let ids = matches!(php.user, Some(PhpUser::Id(_)));
                custom.user.is_some() || (ids && by_id(custom))
            }
            Self::Django(_) | Self::Joomla(_) | Self::Phpbb(_) => true,
        }
    }

    /// Whether a database is asked, where the site itself is asked for sessions or not.
    fn needs_database(&self, asks_the_site: bool) -> bool {
        match self {
            Self::Custom(custom) => custom.asks(),
            Self::Django(_) => !asks_the_site,
            Self::Joomla(_) | Self::Phpbb(_) => true,
            Self::Php(php, custom) => custom.asks() || (php.in_database() && !asks_the_site),
        }
    }
}

/// The database at the top, where there is one: it replaces what the site's own file says.
fn given(database: &sql::Settings) -> Option<sql::Settings> {
    let nowhere = matches!(database.location, sql::Location::Nowhere);
    (!nowhere).then(|| database.clone())
}

/// An error for a table that is for another framework than `framework`.
fn only_its_own(top: &mut Section<'_>, framework: &str) -> Result<(), Error> {
    for table in ["custom", "django", "joomla", "php", "phpbb"] {
        let own = table == framework || (table == "custom" && framework == "php");
        if !own && top.value(table).is_some() {
            let message = format!("has no use with framework = \"{framework}\"");
            return Err(top.wrong(table, &message));
        }
    }
    Ok(())
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}
