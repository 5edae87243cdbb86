//! Reads sites of Laravel's, 8 to 12: the table of the guard's accounts, sessions in whatever driver
//! has them, and the roles of spatie/laravel-permission.

mod accounts;
#[cfg(feature = "init")]
mod compare;
#[cfg(feature = "init")]
mod discover;
mod environment;
mod roles;
mod sessions;
mod settings;
mod site_environment;

use std::path::Path;
#[cfg(feature = "init")]
use std::path::PathBuf;

#[cfg(feature = "init")]
use clap::{Args, FromArgMatches};
use hallpass_passwords::Rules;
#[cfg(feature = "schema")]
use hallpass_settings::TableDescription;
use hallpass_settings::{Error, Table};
use hallpass_stores::{cache, sql};

use self::accounts::LaravelAccounts;
use self::sessions::Sessions;
use self::settings::{Laravel, SessionStore};
#[cfg(feature = "init")]
use crate::compare::{Software, timeout};
use crate::cookie::Reader;
use crate::custom::Custom;
#[cfg(feature = "init")]
use crate::init::Page;
use crate::site_file::given;
use crate::{AccountLookup, Framework, Problem, Site, SiteSettings};

#[cfg(all(feature = "init", any(test, fuzzing)))]
pub(crate) use self::environment::fuzzed as fuzzed_environment;

/// Laravel.
pub(crate) struct LaravelFramework;

impl Framework for LaravelFramework {
    fn name(&self) -> &'static str {
        "laravel"
    }

    fn title(&self) -> &'static str {
        "Laravel"
    }

    fn borrows(&self) -> &'static [&'static str] {
        &["custom"]
    }

    fn read(
        &self,
        top: &Table<'_>,
        database: &mut sql::Settings,
        _asks_the_site: bool,
    ) -> Result<Box<dyn SiteSettings>, Error> {
        let section = top.section("custom")?;
        let of_accounts = ["user", "user_by_id", "accounts", "session", "cookie"];
        if let Some(key) = of_accounts.iter().find(|key| section.has(key)) {
            let message = "has no effect with framework = \"laravel\", of which `groups` and \
                           `permissions` may be here";
            return Err(section.wrong(key, message));
        }
        let given = given(database);
        let laravel = top.section("laravel")?;
        let location = given.as_ref().map_or(&database.location, |it| &it.location);
        let custom = Custom::read(&section, location)?;
        let (laravel, settings) = Laravel::read(&laravel, custom, given)?;
        *database = settings;
        Ok(Box::new(laravel))
    }

    #[cfg(feature = "schema")]
    fn describe(&self, generator: &mut schemars::SchemaGenerator) -> Vec<TableDescription> {
        vec![TableDescription::of::<settings::LaravelTable>(
            "laravel", generator,
        )]
    }

    #[cfg(feature = "init")]
    fn arguments(&self, command: clap::Command) -> clap::Command {
        discover::DiscoverLaravel::augment_args(command)
    }

    #[cfg(feature = "init")]
    fn discover(&self, page: &mut Page, arguments: &clap::ArgMatches) -> anyhow::Result<()> {
        let options = discover::DiscoverLaravel::from_arg_matches(arguments)?;
        discover::write(page, &options)
    }

    #[cfg(feature = "init")]
    fn is_comparable(&self) -> bool {
        true
    }

    #[cfg(feature = "init")]
    fn software(
        &self,
        path: &Path,
        arguments: &clap::ArgMatches,
        told: &serde_json::Value,
    ) -> anyhow::Result<Option<Software>> {
        // The option of all sites in PHP.
        let php = arguments.try_get_one::<PathBuf>("php").ok().flatten();
        let php = php.map_or_else(|| PathBuf::from("php"), PathBuf::clone);
        compare::software(path, php, told, timeout(arguments)).map(Some)
    }
}

impl SiteSettings for Laravel {
    fn open(&self, lookup: &AccountLookup) -> Site {
        Site {
            accounts: Box::new(LaravelAccounts::new(self, lookup)),
            sessions: Box::new(Sessions::new(self)),
            rules: &[Rules::Php],
            algorithms: self.algorithms.clone(),
        }
    }

    /// Where other cookies count as well, all of them are asked for.
    fn cookie_name(&self) -> Option<&str> {
        let others = self.remember || matches!(self.store, SessionStore::Cookie);
        self.session_cookie.as_deref().filter(|_| !others)
    }

    fn cookie_reader(&self) -> Reader {
        Reader::Php
    }

    fn missing_for_sessions(&self) -> Option<&'static str> {
        self.missing()
    }

    fn has_session_tables(&self) -> bool {
        matches!(self.store, SessionStore::Table { .. })
    }

    fn session_cache(&self) -> Option<&cache::Settings> {
        match &self.store {
            SessionStore::Redis(cached) | SessionStore::Memcached(cached) => Some(&cached.servers),
            _ => None,
        }
    }

    fn session_directory(&self) -> Option<&Path> {
        match &self.store {
            SessionStore::Files { directory, .. } => Some(directory),
            _ => None,
        }
    }

    fn tells_software(&self) -> serde_json::Value {
        serde_json::json!({
            "guard": self.guard_name,
            "name": self.users.name,
            "email": self.users.email,
            "authenticate_session": self.authenticate_session,
        })
    }

    fn advice(&self, problem: Problem<'_>) -> Option<String> {
        let advice = match problem {
            Problem::SessionsInDatabase(number) => {
                return Some(format!(
                    "write the number {number} behind the server in [laravel] cache: the Redis \
                     connection of config/session.php says which database has the sessions"
                ));
            }
            Problem::AlgorithmNotAllowed(_) => {
                "put the site's own `hashing.driver` into [laravel] hashing_driver, or leave it out"
            }
            Problem::SessionsUndecodable => {
                "put the site's own `session.encrypt` and `session.serialization` into [laravel]"
            }
            Problem::SessionsWithoutAccount => {
                "put the table of the guard's model into [laravel] user_table, and its primary key \
                 into user_id_column"
            }
            Problem::SessionsWithoutData => "put the site's own `session.driver` into [laravel]",
            Problem::SessionsStale => {
                "the accounts have changed their passwords since; if the site lets these sessions \
                 in, write [laravel] authenticate_session = false"
            }
            Problem::AccountsWithoutName => {
                "put the column that people log in by into [laravel] username_column"
            }
            _ => return None,
        };
        Some(advice.to_owned())
    }
}
