//! Reads sites in Express: the sessions of express-session, and with a preset those that Auth.js
//! keeps in a database. Accounts come from `[custom]`.

#[cfg(feature = "init")]
mod discover;
mod sessions;
mod settings;
mod table;

#[cfg(feature = "init")]
use clap::{Args, FromArgMatches};
#[cfg(feature = "schema")]
use hallpass_settings::TableDescription;
use hallpass_settings::{Error, Table};
use hallpass_stores::{cache, sql};

use self::sessions::Sessions;
use self::settings::{Express, ExpressStore};
use crate::cookie::Reader;
use crate::custom::{Custom, CustomAccounts};
#[cfg(feature = "init")]
use crate::init::Page;
use crate::member::SessionUser;
use crate::{AccountLookup, Framework, Problem, Site, SiteSettings, WrongKey};

/// Express, with express-session.
pub(crate) struct ExpressFramework;

/// A site in Express, and the SQL that reads its accounts.
#[derive(Debug)]
struct ExpressSite {
    express: Express,
    custom: Custom,
}

impl Framework for ExpressFramework {
    fn name(&self) -> &'static str {
        "express"
    }

    fn title(&self) -> &'static str {
        "Express"
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
        let express = Express::read(&top.section("express")?, &database.location, !asks_the_site)?;
        let custom = Custom::read(&top.section("custom")?, &database.location)?;
        if express.names_ids() && custom.user_by_id.is_none() && !asks_the_site {
            let message = "is missing: a session has the id of an account, which it finds";
            return Err(top.wrong("custom.user_by_id", message));
        }
        Ok(Box::new(ExpressSite { express, custom }))
    }

    #[cfg(feature = "schema")]
    fn describe(&self, generator: &mut schemars::SchemaGenerator) -> Vec<TableDescription> {
        vec![
            TableDescription::of::<settings::ExpressTable>("express", generator),
            TableDescription::of::<crate::cache::CacheTable>("express.cache", generator),
        ]
    }

    #[cfg(feature = "init")]
    fn arguments(&self, command: clap::Command) -> clap::Command {
        discover::DiscoverExpress::augment_args(command)
    }

    #[cfg(feature = "init")]
    fn discover(&self, page: &mut Page, arguments: &clap::ArgMatches) -> anyhow::Result<()> {
        let options = discover::DiscoverExpress::from_arg_matches(arguments)?;
        discover::write(page, &options)
    }
}

impl Express {
    /// Whether a session names its account by the primary key.
    fn names_ids(&self) -> bool {
        !matches!(self.user, Some(SessionUser::Name(_)))
    }
}

impl SiteSettings for ExpressSite {
    fn open(&self, lookup: &AccountLookup) -> Site {
        Site {
            accounts: Box::new(CustomAccounts::new(&self.custom, lookup)),
            sessions: Box::new(Sessions::new(&self.express)),
            rules: self.custom.rules(),
            algorithms: None,
        }
    }

    fn cookie_name(&self) -> Option<&str> {
        Some(&self.express.cookie_name)
    }

    fn cookie_reader(&self) -> Reader {
        Reader::First
    }

    fn missing_for_sessions(&self) -> Option<&'static str> {
        let needed = !matches!(self.express.store, ExpressStore::Tokens(_));
        (needed && self.express.secrets.is_empty()).then_some("express.secrets")
    }

    fn has_session_tables(&self) -> bool {
        !matches!(self.express.store, ExpressStore::Redis { .. })
    }

    fn session_cache(&self) -> Option<&cache::Settings> {
        match &self.express.store {
            ExpressStore::Redis { settings, .. } => Some(settings),
            _ => None,
        }
    }

    fn needs_database(&self, asks_the_site: bool) -> bool {
        self.custom.asks() || (self.has_session_tables() && !asks_the_site)
    }

    fn looks_accounts_up(&self, asks_the_site: bool) -> bool {
        let by_id = self.express.names_ids() && self.custom.finds_by_id(asks_the_site);
        self.custom.user.is_some() || by_id
    }

    fn unknown_denial_cost(&self) -> Option<WrongKey> {
        self.custom.unknown_denial_cost()
    }

    fn advice(&self, problem: Problem<'_>) -> Option<String> {
        let advice = match problem {
            Problem::SignedWithAnotherKey | Problem::SomeSignedWithAnotherKey => {
                "put all that the site gives express-session as `secret` into [express] secrets"
                    .to_owned()
            }
            Problem::SessionsInDatabase(number) => format!(
                "write the number {number} as the path of [express] cache: `redis://…/{number}`"
            ),
            Problem::SessionsUndecodable => {
                "put the path to the account in the site's sessions into [express] user_id or user"
                    .to_owned()
            }
            _ => return self.custom.advice(problem),
        };
        Some(advice)
    }
}
