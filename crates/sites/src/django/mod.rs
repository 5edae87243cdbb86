//! Reads Django sites: `django.contrib.auth` for accounts, `django.contrib.sessions` for sessions.

mod accounts;
mod advice;
mod changes;
#[cfg(feature = "init")]
mod compare;
mod datetime;
#[cfg(feature = "init")]
mod discover;
mod second_factor;
mod sessions;
pub(crate) mod settings;
mod statements;

use std::path::Path;

#[cfg(feature = "init")]
use clap::{Args, FromArgMatches};
use hallpass_passwords::Rules;
#[cfg(feature = "schema")]
use hallpass_settings::TableDescription;
use hallpass_settings::{Error, Table};
use hallpass_stores::{cache as cache_store, sql};

use self::accounts::DjangoAccounts;
use self::sessions::Sessions;
use self::settings::{Django, Normalization, SessionEngine};
use crate::cache::CacheLocation;
#[cfg(feature = "init")]
use crate::compare::{Software, timeout};
use crate::cookie::Reader;
#[cfg(feature = "init")]
use crate::init::Page;
use crate::{AccountLookup, Framework, NameForms, Problem, Site, SiteSettings};

/// Django.
pub(crate) struct DjangoFramework;

impl Framework for DjangoFramework {
    fn name(&self) -> &'static str {
        "django"
    }

    fn title(&self) -> &'static str {
        "Django"
    }

    fn read(
        &self,
        top: &Table<'_>,
        _database: &mut sql::Settings,
        _asks_the_site: bool,
    ) -> Result<Box<dyn SiteSettings>, Error> {
        Ok(Box::new(Django::read(&top.section("django")?)?))
    }

    #[cfg(feature = "schema")]
    fn describe(&self, generator: &mut schemars::SchemaGenerator) -> Vec<TableDescription> {
        vec![
            TableDescription::of::<settings::DjangoTable>("django", generator),
            TableDescription::of::<crate::cache::CacheTable>("django.cache", generator),
            TableDescription::of::<settings::ProfileTable>("django.session_profile", generator),
        ]
    }

    #[cfg(feature = "init")]
    fn arguments(&self, command: clap::Command) -> clap::Command {
        discover::DiscoverDjango::augment_args(command)
    }

    #[cfg(feature = "init")]
    fn discover(&self, page: &mut Page, arguments: &clap::ArgMatches) -> anyhow::Result<()> {
        let options = discover::DiscoverDjango::from_arg_matches(arguments)?;
        discover::write(page, &options)
    }

    #[cfg(feature = "init")]
    fn is_comparable(&self) -> bool {
        true
    }

    #[cfg(feature = "init")]
    fn software_arguments(&self, command: clap::Command) -> clap::Command {
        compare::CompareDjango::augment_args(command)
    }

    #[cfg(feature = "init")]
    fn software(
        &self,
        path: &Path,
        arguments: &clap::ArgMatches,
        _told: &serde_json::Value,
    ) -> anyhow::Result<Option<Software>> {
        let options = compare::CompareDjango::from_arg_matches(arguments)?;
        compare::software(path, &options, timeout(arguments)).map(Some)
    }
}

impl SiteSettings for Django {
    fn open(&self, lookup: &AccountLookup) -> Site {
        Site {
            accounts: Box::new(DjangoAccounts::new(self, lookup)),
            sessions: Box::new(Sessions::new(self)),
            rules: &[Rules::Django],
            algorithms: self.password_hashers.clone(),
        }
    }

    fn cookie_name(&self) -> Option<&str> {
        Some(&self.sessions.cookie_name)
    }

    fn cookie_reader(&self) -> Reader {
        Reader::Django
    }

    fn missing_for_sessions(&self) -> Option<&'static str> {
        (!self.reads_sessions()).then_some("django.secret_key")
    }

    fn trusts_session_store(&self) -> bool {
        self.sessions.trust_store && self.secret_keys.is_empty()
    }

    fn has_session_tables(&self) -> bool {
        self.sessions.profile.is_some()
            || matches!(
                self.sessions.engine,
                SessionEngine::Database | SessionEngine::CachedDatabase(_)
            )
            || matches!(self.cache_location(), Some(CacheLocation::Table(_)))
    }

    fn session_cache(&self) -> Option<&cache_store::Settings> {
        match self.cache_location()? {
            CacheLocation::Server(settings) => Some(settings),
            CacheLocation::Directory(_) | CacheLocation::Table(_) => None,
        }
    }

    fn session_directory(&self) -> Option<&Path> {
        match (&self.sessions.engine, self.cache_location()) {
            (SessionEngine::File { directory, .. }, _)
            | (_, Some(CacheLocation::Directory(directory))) => Some(directory),
            _ => None,
        }
    }

    fn reads_tokens(&self) -> bool {
        self.authtoken
    }

    fn is_writable(&self) -> bool {
        true
    }

    fn needs_database(&self, asks_the_site: bool) -> bool {
        !asks_the_site
    }

    fn name_forms(&self) -> NameForms {
        NameForms {
            compatibility: self.normalize == Normalization::Nfkc,
            confusables: false,
        }
    }

    fn advice(&self, problem: Problem<'_>) -> Option<String> {
        Some(advice::advice(problem))
    }
}

impl Django {
    /// Where the cache is that has sessions in it.
    fn cache_location(&self) -> Option<&CacheLocation> {
        match &self.sessions.engine {
            SessionEngine::Cache(cache)
            | SessionEngine::CachedDatabase(cache)
            | SessionEngine::Redis(cache) => Some(&cache.location),
            _ => None,
        }
    }
}
