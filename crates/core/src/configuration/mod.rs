//! Reads the configuration: one TOML file that describes one site.
//!
//! Each table is a struct of [`hallpass_settings`], which says of each key what it is for and its
//! default. What needs more than one key, or another file, is resolved after that.

mod access;
mod daemon;
mod database;
mod ejabberd;
mod jwt;
mod ldap;
mod limits;
mod log;
mod passwords;
#[cfg(feature = "schema")]
pub mod schema;
mod shared_limits;
mod tickets;

use std::path::{Path, PathBuf};

use hallpass_settings::{Document, Table, UrlOr};
use hallpass_sites::http::{Http, HttpTable};
use hallpass_sites::{AccountLookup, FRAMEWORKS, Framework, Site, SiteSettings, http};
use hallpass_stores::{cache, sql};
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::cookie::{self, Cookie};
use crate::jwt::has_form;
use crate::{Credential, Secret};

pub use hallpass_settings::{Error, Listener, SecretPlace};
pub use hallpass_sites::LoginField;

pub use self::access::Access;
pub use self::daemon::{Accepted, Daemon, DialectToken, TrustedProxy, Vouching};
pub use self::ejabberd::{Ejabberd, EjabberdAccepted, Kick, WhenUnavailable};
pub use self::jwt::Jwt;
pub use self::ldap::{Certificate, Ldap};
pub use self::limits::Limits;
pub use self::log::{Log, LogFormat, LogLevel, LogTarget};
pub use self::passwords::Passwords;
pub use self::shared_limits::SharedLimits;
pub use self::tickets::TicketSettings;

/// The file that the programs read when neither `--config` nor `$HALLPASS_CONFIG` names one.
pub const DEFAULT_PATH: &str = "/etc/hallpass/hallpass.toml";

/// The first words of hallpassd's own paths. A site of such a name would answer in another's place
/// where a host puts the address that was wanted behind a path, as Envoy does: `/auth/auth`.
pub const ROUTES: [&str; 11] = [
    "as", "auth", "cache", "check", "ended", "healthz", "metrics", "question", "readyz", "session",
    "ticket",
];

/// Describes a web site to the programs of Hallpass.
#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct File {
    /// The software that the site runs.
    framework: String,
    /// Where the site's tables are: a URL, or a table with one. See below.
    database: Option<UrlOr<database::DatabaseTable>>,
    /// Where the site's sessions are, if their tables are in a database of their own: as `database`.
    session_database: Option<UrlOr<database::DatabaseTable>>,
    /// The site's name: letters, digits, `-` and `_`. The first word of a path of `hallpassd`
    /// itself, such as `auth`, is not allowed.
    name: Option<String>,
    /// `"http"`: ask the site's own [page](http-source.md) who is logged in, instead of reading
    /// sessions from the site's store.
    session_source: Option<SessionSource>,
    /// The socket of a running `hallpassd`, as in `"unix:/run/hallpass/http.sock"`. The programs
    /// ask it instead of opening the stores; if it does not answer, they open the stores
    /// themselves.
    via: Option<String>,
    /// `true`: the programs never open the stores themselves; without the daemon, the answer is
    /// `unavailable`.
    #[cfg_attr(feature = "schema", schemars(extend("x-default" = "false")))]
    via_only: Option<bool>,
    /// Who gets in, on top of a valid credential.
    #[serde(default)]
    access: access::AccessTable,
    /// What a check may cost.
    #[serde(default)]
    passwords: passwords::PasswordsTable,
    /// How long an answer may take, how many wrong passwords are taken, and how long they may be.
    #[serde(default)]
    limits: limits::LimitsTable,
    /// How `hallpass-ejabberd` asks and answers.
    #[serde(default)]
    ejabberd: Ejabberd,
    /// Short-lived tickets that stand for a session.
    #[serde(default)]
    tickets: tickets::TicketsTable,
    /// Tokens that the site signs, as a credential beside the others. See [JWT](jwt.md).
    jwt: Option<jwt::JwtTable>,
    /// How `hallpassd` listens and answers.
    #[serde(default)]
    daemon: daemon::DaemonTable,
    /// The site as a read-only directory, where `[daemon] ldap` listens. See [LDAP](ldap.md).
    #[serde(default)]
    ldap: ldap::LdapTable,
    /// How the programs log: one line per decision, plus warnings and errors; never a secret.
    #[serde(default)]
    log: Log,
}

/// What is asked for sessions in place of the site's own store.
#[derive(Clone, Copy, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(inline))]
#[serde(rename_all = "lowercase")]
enum SessionSource {
    Http,
}

/// A site, and how its hosts ask about it.
#[derive(Debug)]
pub struct Configuration {
    /// The file that it was read from.
    pub path: PathBuf,
    /// The site's name, under which `hallpassd` serves it as well.
    pub name: Option<String>,
    /// `framework`: the software that it runs.
    pub software: &'static str,
    /// What the tables of its framework say.
    pub framework: Box<dyn SiteSettings>,
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
    /// `[limits] shared`: where several machines keep one count of wrong passwords.
    pub shared_limits: Option<SharedLimits>,
    /// `[tickets]`, where they are switched on.
    pub tickets: Option<TicketSettings>,
    /// `[jwt]`, where it is there.
    pub jwt: Option<Jwt>,
    /// `[ejabberd]`
    pub ejabberd: Ejabberd,
    /// `[daemon]`
    pub daemon: Daemon,
    /// `[ldap]`: the site as a directory.
    pub ldap: Ldap,
    /// `[log]`
    pub log: Log,
    /// The files that it was read from: a change of any of them may change it.
    pub files: Vec<PathBuf>,
    /// Where its secrets are.
    pub secrets: Vec<SecretPlace>,
    /// What is worth a warning in the log, though nothing is wrong with it.
    pub warnings: Vec<String>,
}

/// A running daemon that is asked in place of the stores.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Via {
    /// Its unix socket.
    pub socket: PathBuf,
    /// Whether the stores are left alone even where it is not there.
    pub only: bool,
}

impl Configuration {
    /// The name of the site's session cookie; `None` where only the site itself can tell, and is
    /// given the whole header: [`Credential::Cookies`].
    #[must_use]
    pub fn session_cookie_name(&self) -> Option<&str> {
        match &self.http {
            Some(http) => http.cookie_name(),
            None => self.framework.cookie_name(),
        }
    }

    /// The session that the Cookie headers of a request hold.
    #[must_use]
    pub fn session_in<'a>(
        &self,
        headers: impl IntoIterator<Item = &'a [u8]> + Clone,
    ) -> Option<Credential> {
        let session = cookie::credential(headers.clone(), self.session_cookie());
        match &session {
            // Where the site alone can tell its cookies, the header is there whatever is in it.
            Some(Credential::Session(_)) => session,
            _ => self.jwt_in(headers).or(session),
        }
    }

    /// The token in the cookie that `[jwt]` names.
    #[must_use]
    pub fn jwt_in<'a>(&self, headers: impl IntoIterator<Item = &'a [u8]>) -> Option<Credential> {
        let cookie = self.jwt.as_ref()?.cookie()?;
        let token = cookie::value(headers, cookie)?;
        Some(Credential::Jwt(Secret::new(token)))
    }

    /// What `token` is where it stands for a session, without a cookie around: a token that the site
    /// signed, if it has the form of one and `[jwt]` is there, else a session's own.
    #[must_use]
    pub fn session_token(&self, token: Secret) -> Credential {
        match self.jwt.is_some() && has_form(token.expose()) {
            true => Credential::Jwt(token),
            false => Credential::Session(token),
        }
    }

    /// The site's session cookie, where its name is known, and how the site reads it.
    #[must_use]
    pub fn session_cookie(&self) -> Option<Cookie<'_>> {
        let reader = self.cookie_reader();
        let name = self.session_cookie_name()?;
        Some(Cookie { name, reader })
    }

    /// How the site reads its cookies.
    fn cookie_reader(&self) -> cookie::Reader {
        let rule = self.http.as_ref().and_then(|http| http.cookie_rule);
        rule.unwrap_or_else(|| self.framework.cookie_reader())
    }

    /// Whether it says enough to read the site's sessions.
    #[must_use]
    pub fn reads_sessions(&self) -> bool {
        self.missing_for_sessions().is_none()
    }

    /// The key that is missing to read the site's sessions.
    #[must_use]
    pub fn missing_for_sessions(&self) -> Option<&'static str> {
        match self.http {
            Some(_) => None,
            None => self.framework.missing_for_sessions(),
        }
    }

    /// Whether the site gives out tokens, which programs show in place of a password.
    #[must_use]
    pub fn reads_tokens(&self) -> bool {
        self.framework.reads_tokens()
    }

    /// The caches that have sessions in them.
    #[must_use]
    pub fn caches(&self) -> Vec<&cache::Settings> {
        let by_page = self.http.is_some();
        let cache = (!by_page).then(|| self.framework.session_cache());
        cache.flatten().into_iter().collect()
    }

    /// The directories that have sessions in them.
    #[must_use]
    pub fn session_directories(&self) -> Vec<&Path> {
        let by_page = self.http.is_some();
        let directory = (!by_page).then(|| self.framework.session_directory());
        directory.flatten().into_iter().collect()
    }

    /// Whether the site is served as a directory.
    pub(crate) fn is_directory(&self) -> bool {
        self.ldap.configured || !self.daemon.ldap.is_empty()
    }

    /// The site, names being read as `lookup` says.
    pub(crate) fn open(&self, lookup: &AccountLookup) -> Site {
        let site = self.framework.open(lookup);
        match &self.http {
            Some(page) => {
                let location = &self.database.location;
                http::asking(site, page, self.cookie_reader(), location, lookup)
            }
            None => site,
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
            .map_err(|error| Error::file(path, format!("cannot read it: {error}")).unread(path))?;
        Self::parse(path, &text)
    }

    /// Reads `text` as if it stood in the file at `path`.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn parse(path: &Path, text: &str) -> Result<Self, Error> {
        Self::parse_of(FRAMEWORKS, path, text)
    }

    /// Reads `text`, where `frameworks` are those that a site may run.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn parse_of(frameworks: &[&dyn Framework], path: &Path, text: &str) -> Result<Self, Error> {
        let document = Document::parse(path, text)?;
        let top = document.top();
        let names: Vec<&str> = frameworks.iter().map(|it| it.name()).collect();
        let file: File = top.read_beside(&[&names[..], &["http"]].concat(), None)?;
        if let Some(name) = &file.name {
            if name.is_empty() || !name.bytes().all(is_name_byte) {
                return Err(top.wrong("name", "must consist of letters, digits, `-` and `_`"));
            }
            if ROUTES.contains(&name.as_str()) {
                let message = format!(
                    "is {name:?}, which is a path of hallpassd's own: /{name}; choose another name"
                );
                return Err(top.wrong("name", &message));
            }
        }
        top.warn_of_writers(None, path);
        let asks_the_site = file.session_source.is_some();
        let framework = frameworks.iter().find(|it| it.name() == file.framework);
        let Some(framework) = framework else {
            return Err(top.unknown_word("framework", &file.framework, &names));
        };
        only_its_own(*framework, &names, &top)?;
        let software = framework.name();
        let mut database = database::resolve(&top.section("database")?, file.database)?;
        let framework = framework.read(&top, &mut database, asks_the_site)?;
        if file.session_database.is_some() {
            if asks_the_site || !framework.has_session_tables() {
                let message = "has no effect: the site's sessions are not in tables of its own";
                return Err(top.wrong("session_database", message));
            }
            let table = top.section("session_database")?;
            let sessions = database::resolve(&table, file.session_database)?;
            database.sessions = Some(Box::new(sessions));
        }
        let nowhere = matches!(database.location, sql::Location::Nowhere);
        if nowhere && framework.needs_database(asks_the_site) {
            return Err(top.wrong("database", "is missing"));
        }
        let section = top.section("http")?;
        let http = match (asks_the_site, section.is_there()) {
            (true, false) => return Err(top.wrong("http", "is missing: the page to ask")),
            (true, true) => {
                let table: HttpTable = section.read()?;
                Some(table.resolve(&section, framework.cookie_name())?)
            }
            (false, false) => None,
            (false, true) => {
                let message = "has no effect without session_source = \"http\" at the top";
                return Err(top.wrong("http", message));
            }
        };
        let via = via(&top, file.via.as_deref(), file.via_only)?;
        let accounts =
            (!nowhere && framework.looks_accounts_up(asks_the_site)).then_some(&database.location);
        let jwt = match file.jwt {
            Some(_) if accounts.is_none() => {
                let message = "has no effect: the accounts that tokens name are not looked up";
                return Err(top.wrong("jwt", message));
            }
            Some(table) => Some(table.resolve(&top.section("jwt")?)?),
            None => None,
        };
        let access =
            file.access
                .resolve(&top.section("access")?, accounts, framework.login_fields())?;
        let (limits, shared) = file.limits.resolve(&top.section("limits")?)?;
        let tickets = file.tickets.resolve(&top.section("tickets")?)?;
        let site = file.name.as_deref().unwrap_or_default();
        let shared_limits = shared.map(|cache| {
            SharedLimits::new(cache, tickets.as_ref(), software, site, &database.location)
        });
        let daemon = file.daemon.resolve(&top.section("daemon")?, &access)?;
        let ldap = file.ldap.resolve(&top.section("ldap")?, &daemon.ldap)?;
        let configuration = Self {
            path: path.to_owned(),
            name: file.name,
            software,
            framework,
            database,
            http,
            via,
            passwords: file.passwords.resolve(&top.section("passwords")?)?,
            limits,
            shared_limits,
            tickets,
            jwt,
            ejabberd: Ejabberd {
                configured: top.has("ejabberd"),
                ..file.ejabberd
            },
            daemon,
            ldap,
            access,
            log: file.log,
            files: document.files(),
            secrets: document.secrets(),
            warnings: document.warnings(),
        };
        configuration.ejabberd_has_what_it_needs(&top, &file.framework)?;
        configuration.knows_what_denials_cost(&top)?;
        Ok(configuration)
    }

    /// Where hosts send passwords, and nothing says what an unknown name has to cost, the time of
    /// an answer tells which names have an account.
    fn knows_what_denials_cost(&self, top: &Table<'_>) -> Result<(), Error> {
        let Some(wrong) = self.framework.unknown_denial_cost() else {
            return Ok(());
        };
        // Without a table of its own, the daemon is what answers hosts.
        let by_ejabberd =
            self.ejabberd.configured && self.ejabberd.accept.contains(&EjabberdAccepted::Password);
        let checks = self.access.passwords
            && (self.daemon.accept.password
                || by_ejabberd
                || !self.daemon.dialects.is_empty()
                || self.is_directory())
            && self.via.as_ref().is_none_or(|via| !via.only);
        if self.passwords.dummy.is_some() || !checks {
            return Ok(());
        }
        Err(top.section(wrong.table)?.wrong(wrong.key, wrong.message))
    }

    fn ejabberd_has_what_it_needs(&self, top: &Table<'_>, framework: &str) -> Result<(), Error> {
        let ejabberd = &self.ejabberd;
        if ejabberd.account_changes && !self.framework.is_writable() {
            let message = format!(
                "has no effect with framework = \"{framework}\": its accounts are not changed"
            );
            return Err(top.wrong("ejabberd.account_changes", &message));
        }
        if ejabberd.account_changes && !self.access.passwords {
            let message = "writes passwords, and [access] passwords = false lets nobody in by one";
            return Err(top.wrong("ejabberd.account_changes", message));
        }
        let tickets = ejabberd.accept.contains(&EjabberdAccepted::Ticket);
        if tickets && self.tickets.is_none() && self.via.is_none() {
            let message = "has \"ticket\", which needs `key` in [tickets]";
            return Err(top.wrong("ejabberd.accept", message));
        }
        Ok(())
    }
}

/// An error for a table that is for another framework.
fn only_its_own(framework: &dyn Framework, names: &[&str], top: &Table<'_>) -> Result<(), Error> {
    let own = framework.name();
    let another = |name: &&&str| **name != own && !framework.borrows().contains(name);
    match names.iter().filter(another).find(|name| top.has(name)) {
        Some(table) => Err(top.wrong(table, &format!("has no effect with framework = \"{own}\""))),
        None => Ok(()),
    }
}

/// `via` and `via_only`.
fn via(top: &Table<'_>, via: Option<&str>, only: Option<bool>) -> Result<Option<Via>, Error> {
    let Some(via) = via else {
        return match only {
            None => Ok(None),
            Some(_) => Err(top.wrong("via_only", "has no effect without `via`")),
        };
    };
    let path = via.strip_prefix("unix:").filter(|path| !path.is_empty());
    let message = "is not a unix socket, as in \"unix:/run/hallpass/http.sock\"";
    Ok(Some(Via {
        socket: top.beside(path.ok_or_else(|| top.wrong("via", message))?),
        only: only.unwrap_or(false),
    }))
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}
