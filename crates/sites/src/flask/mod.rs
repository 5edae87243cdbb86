//! Reads sites in Flask: its signed cookies, and the sessions of Flask-Session. Accounts come from
//! `[custom]`.

#[cfg(feature = "init")]
mod compare;
#[cfg(feature = "init")]
mod discover;
mod protection;
mod sessions;
mod settings;
mod table;

#[cfg(feature = "init")]
use std::path::Path;

#[cfg(feature = "init")]
use clap::{Args, FromArgMatches};
#[cfg(feature = "schema")]
use hallpass_settings::TableDescription;
use hallpass_settings::{Error, Table};
use hallpass_stores::{cache, sql};

use self::sessions::Sessions;
use self::settings::{Flask, FlaskStore};
#[cfg(feature = "init")]
use crate::compare::{Software, timeout};
use crate::cookie::Reader;
use crate::custom::{Custom, CustomAccounts};
#[cfg(feature = "init")]
use crate::init::Page;
use crate::{AccountLookup, Framework, Problem, Site, SiteSettings, WrongKey};

/// Flask.
pub(crate) struct FlaskFramework;

/// A site in Flask, and the SQL that reads its accounts.
#[derive(Debug)]
struct FlaskSite {
    flask: Flask,
    custom: Custom,
}

impl Framework for FlaskFramework {
    fn name(&self) -> &'static str {
        "flask"
    }

    fn title(&self) -> &'static str {
        "Flask"
    }

    fn borrows(&self) -> &'static [&'static str] {
        &["custom"]
    }

    fn read(
        &self,
        top: &Table<'_>,
        database: &mut sql::Settings,
        asks_the_site: bool,
    ) -> Result<Box<dyn SiteSettings>, Error> {
        let flask = Flask::read(&top.section("flask")?)?;
        let custom = Custom::read(&top.section("custom")?, &database.location)?;
        if custom.user_by_id.is_none() && !asks_the_site {
            let message = "is missing: `flask.user_id` is the id of an account, which it finds";
            return Err(top.wrong("custom.user_by_id", message));
        }
        Ok(Box::new(FlaskSite { flask, custom }))
    }

    #[cfg(feature = "schema")]
    fn describe(&self, generator: &mut schemars::SchemaGenerator) -> Vec<TableDescription> {
        vec![
            TableDescription::of::<settings::FlaskTable>("flask", generator),
            TableDescription::of::<crate::cache::CacheTable>("flask.cache", generator),
        ]
    }

    #[cfg(feature = "init")]
    fn arguments(&self, command: clap::Command) -> clap::Command {
        discover::DiscoverFlask::augment_args(command)
    }

    #[cfg(feature = "init")]
    fn discover(&self, page: &mut Page, arguments: &clap::ArgMatches) -> anyhow::Result<()> {
        let options = discover::DiscoverFlask::from_arg_matches(arguments)?;
        discover::write(page, &options)
    }

    #[cfg(feature = "init")]
    fn is_comparable(&self) -> bool {
        true
    }

    #[cfg(feature = "init")]
    fn software_arguments(&self, command: clap::Command) -> clap::Command {
        compare::arguments(command)
    }

    #[cfg(feature = "init")]
    fn software(
        &self,
        path: &Path,
        arguments: &clap::ArgMatches,
        told: &serde_json::Value,
    ) -> anyhow::Result<Option<Software>> {
        let options = compare::CompareFlask::from_arg_matches(arguments)?;
        compare::software(path, &options, told, timeout(arguments)).map(Some)
    }
}

impl SiteSettings for FlaskSite {
    fn open(&self, lookup: &AccountLookup) -> Site {
        Site {
            accounts: Box::new(CustomAccounts::new(&self.custom, lookup)),
            sessions: Box::new(Sessions::new(&self.flask)),
            rules: self.custom.rules(),
            algorithms: None,
        }
    }

    /// Where a remembered login's cookie counts as well, both are asked for.
    fn cookie_name(&self) -> Option<&str> {
        let remembers = self.flask.remember_cookie.is_some();
        (!remembers).then_some(&*self.flask.cookie_name)
    }

    fn cookie_reader(&self) -> Reader {
        Reader::Werkzeug
    }

    fn missing_for_sessions(&self) -> Option<&'static str> {
        let needed = matches!(self.flask.store, FlaskStore::Cookie { .. })
            || self.flask.use_signer == Some(true);
        (needed && self.flask.secret_keys.is_empty()).then_some("flask.secret_key")
    }

    fn has_session_tables(&self) -> bool {
        matches!(self.flask.store, FlaskStore::Table { .. })
    }

    fn session_cache(&self) -> Option<&cache::Settings> {
        match &self.flask.store {
            FlaskStore::Redis { settings, .. } => Some(settings),
            _ => None,
        }
    }

    fn tells_software(&self) -> serde_json::Value {
        serde_json::json!({
            "user": self.custom.user,
            "user_by_id": self.custom.user_by_id,
        })
    }

    fn needs_database(&self, asks_the_site: bool) -> bool {
        self.custom.asks() || (self.has_session_tables() && !asks_the_site)
    }

    fn looks_accounts_up(&self, asks_the_site: bool) -> bool {
        self.custom.user.is_some() || self.custom.finds_by_id(asks_the_site)
    }

    fn unknown_denial_cost(&self) -> Option<WrongKey> {
        self.custom.unknown_denial_cost()
    }

    fn advice(&self, problem: Problem<'_>) -> Option<String> {
        let advice = match problem {
            Problem::SignedWithAnotherKey => {
                "put the site's SECRET_KEY into [flask] secret_key".to_owned()
            }
            Problem::SomeSignedWithAnotherKey => {
                "put the site's SECRET_KEY_FALLBACKS into [flask] secret_key_fallbacks".to_owned()
            }
            Problem::SessionsInDatabase(number) => format!(
                "write the number {number} as the path of [flask] cache: `redis://…/{number}`"
            ),
            Problem::SessionsUndecodable => "put the site's SESSION_TYPE into [flask] \
                                             session_store, and its SESSION_USE_SIGNER into \
                                             session_use_signer"
                .to_owned(),
            _ => return self.custom.advice(problem),
        };
        Some(advice)
    }
}
