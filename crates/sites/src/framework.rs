//! Defines what a framework says of itself, and what its tables say of a site.

use std::path::Path;

#[cfg(feature = "schema")]
use hallpass_settings::TableDescription;
use hallpass_settings::{Error, Table};
use hallpass_stores::{cache, sql};

#[cfg(feature = "init")]
use crate::compare::Software;
use crate::cookie::Reader;
#[cfg(feature = "init")]
use crate::init::Page;
use crate::{AccountLookup, LoginField, Site, SiteFile};

/// The software that sites run.
pub trait Framework: Sync {
    /// Its word in the configuration: `framework = "…"`. Its own table has the same name.
    fn name(&self) -> &'static str;

    /// What people call it.
    fn title(&self) -> &'static str;

    /// The tables of other frameworks that it reads as well.
    fn borrows(&self) -> &'static [&'static str] {
        &[]
    }

    /// Reads its tables. What the site's own file says of the database takes the place of none.
    /// `asks_the_site`: a page of the site says who is logged in, and no store of sessions is read.
    ///
    /// # Errors
    /// [`Error`] naming file, line and key, when anything in it is not what it should be.
    fn read(
        &self,
        top: &Table<'_>,
        database: &mut sql::Settings,
        asks_the_site: bool,
    ) -> Result<Box<dyn SiteSettings>, Error>;

    /// The site's own file that stands in for keys of `table`, where one is named.
    ///
    /// # Errors
    /// [`Error`] when it cannot be read.
    fn site_file<'a>(&self, _table: &'a Table<'a>) -> Result<Option<SiteFile<'a>>, Error> {
        Ok(None)
    }

    /// Adds to `command` what `hallpass init` asks for to find such a site, and its help.
    #[cfg(feature = "init")]
    fn arguments(&self, command: clap::Command) -> clap::Command;

    /// Reads the site that `arguments` name, and writes its configuration into `page`.
    ///
    /// # Errors
    /// A file or setting is missing, or the site has a rule that no configuration can express.
    #[cfg(feature = "init")]
    fn discover(&self, page: &mut Page, arguments: &clap::ArgMatches) -> anyhow::Result<()>;

    /// Whether `hallpass compare` can ask the own software of such a site.
    #[cfg(feature = "init")]
    fn is_comparable(&self) -> bool {
        false
    }

    /// Adds to `command` what `hallpass compare` asks for to start the own software of such a site.
    #[cfg(feature = "init")]
    fn software_arguments(&self, command: clap::Command) -> clap::Command {
        command
    }

    /// How the own software of the site at `path` is started; `None` where it cannot be asked. `told`
    /// is what the settings of the site tell it.
    ///
    /// # Errors
    /// There is no such site at `path`, or an argument names what cannot be read.
    #[cfg(feature = "init")]
    fn software(
        &self,
        _path: &Path,
        _arguments: &clap::ArgMatches,
        _told: &serde_json::Value,
    ) -> anyhow::Result<Option<Software>> {
        Ok(None)
    }

    /// Describes its own table and the tables in it.
    #[cfg(feature = "schema")]
    fn describe(&self, generator: &mut schemars::SchemaGenerator) -> Vec<TableDescription>;
}

/// The subcommand of each of `frameworks`, which is called as its framework is, with what it asks
/// for.
#[cfg(feature = "init")]
pub fn commands(frameworks: &[&dyn Framework]) -> impl Iterator<Item = clap::Command> {
    let command = |it: &&dyn Framework| it.arguments(clap::Command::new(it.name()));
    frameworks.iter().map(command)
}

/// The framework among `frameworks` whose subcommand is in `matches`, and what was said of the site.
#[cfg(feature = "init")]
#[must_use]
pub fn chosen<'f, 'm>(
    frameworks: &[&'f dyn Framework],
    matches: &'m clap::ArgMatches,
) -> Option<(&'f dyn Framework, &'m clap::ArgMatches)> {
    let (name, arguments) = matches.subcommand()?;
    let framework = frameworks.iter().find(|it| it.name() == name)?;
    Some((*framework, arguments))
}

/// What the configuration says of a site in the tables of its framework.
pub trait SiteSettings: std::fmt::Debug + Send + Sync {
    /// The site, names being read as `lookup` says.
    fn open(&self, lookup: &AccountLookup) -> Site;

    /// The name of the session cookie; `None` where only the site itself can tell.
    fn cookie_name(&self) -> Option<&str>;

    /// How the site reads its session cookie.
    fn cookie_reader(&self) -> Reader;

    /// The key that is missing to read the site's sessions.
    fn missing_for_sessions(&self) -> Option<&'static str> {
        None
    }

    /// Whether sessions are believed without looking at who signed them.
    fn trusts_session_store(&self) -> bool {
        false
    }

    /// Whether sessions are in tables that may be in another database than the accounts.
    fn has_session_tables(&self) -> bool {
        false
    }

    /// The cache that has sessions in it.
    fn session_cache(&self) -> Option<&cache::Settings> {
        None
    }

    /// The directory that has sessions in it.
    fn session_directory(&self) -> Option<&Path> {
        None
    }

    /// Whether the site gives out tokens, which programs show in place of a password.
    fn reads_tokens(&self) -> bool {
        false
    }

    /// Whether accounts can be changed.
    fn is_writable(&self) -> bool {
        false
    }

    /// Whether a database is asked, where the site itself is asked for sessions or not.
    fn needs_database(&self, _asks_the_site: bool) -> bool {
        true
    }

    /// Whether accounts are looked up in the database, and not only called what a session says.
    fn looks_accounts_up(&self, _asks_the_site: bool) -> bool {
        true
    }

    /// What is wrong where passwords are checked, and nothing else says what a check of an unknown
    /// name has to cost.
    fn unknown_denial_cost(&self) -> Option<WrongKey> {
        None
    }

    /// What the site's own software has to be told of the configuration, to be compared with it.
    fn tells_software(&self) -> serde_json::Value {
        serde_json::Value::Null
    }

    /// What people may type as their name on the site's own login page.
    fn login_fields(&self) -> &'static [LoginField] {
        &[LoginField::Username]
    }

    /// Which spellings of a name the site takes for the same.
    fn name_forms(&self) -> NameForms {
        NameForms::default()
    }

    /// What the administrator can do about `problem`, in the framework's words; `None` where there
    /// is nothing of its own to say.
    fn advice(&self, _problem: Problem<'_>) -> Option<String> {
        None
    }
}

/// A key of the configuration, and what is wrong with it.
#[derive(Clone, Copy, Debug)]
pub struct WrongKey {
    /// The table that it is in.
    pub table: &'static str,
    /// The key.
    pub key: &'static str,
    /// What is wrong, to follow the key.
    pub message: &'static str,
}

/// Which spellings of a name a site takes for the same, beside what `[access]` says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NameForms {
    /// Unicode's compatibility forms (NFKC).
    pub compatibility: bool,
    /// Case and accents, and letters that look alike.
    pub confusables: bool,
}

/// What the doctor found, where only the framework's own words help.
#[derive(Clone, Copy, Debug)]
pub enum Problem<'a> {
    /// Password hashes are of this algorithm, which is not allowed.
    AlgorithmNotAllowed(&'a str),
    /// The store of sessions is trusted.
    SessionStoreTrusted,
    /// Sessions are under keys that begin so, and not where they are looked for.
    SessionsElsewhere(&'a str),
    /// Sessions are in this database of Redis, and not in the configured one.
    SessionsInDatabase(u32),
    /// No account has a login name.
    AccountsWithoutName,
    /// Accounts are logged in, and none of their sessions has data.
    SessionsWithoutData,
    /// All sessions are signed with another key.
    SignedWithAnotherKey,
    /// Some sessions are signed with another key.
    SomeSignedWithAnotherKey,
    /// All sessions of people are of other passwords.
    SessionsStale,
    /// Sessions were made by a backend that is not listed.
    BackendNotListed,
    /// Sessions cannot be decoded.
    SessionsUndecodable,
    /// Sessions belong to accounts that are not found.
    SessionsWithoutAccount,
}
