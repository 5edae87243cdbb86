//! Reads sites in plain PHP: sessions as PHP's save handlers keep them. Accounts, if any, come from
//! `[custom]`.

pub(crate) mod cached;
#[cfg(feature = "init")]
mod compare;
#[cfg(feature = "init")]
mod discover;
mod file;
mod save_path;
mod sessions;
pub(crate) mod settings;
mod table;

use std::path::Path;

#[cfg(feature = "init")]
use clap::{Args, FromArgMatches};
#[cfg(feature = "schema")]
use hallpass_settings::TableDescription;
use hallpass_settings::{Error, Table};
use hallpass_stores::{cache, sql};

#[cfg(all(feature = "init", any(test, fuzzing)))]
pub(crate) use self::discover::ini::fuzzed as fuzzed_ini;
use self::sessions::Sessions;
use self::settings::{Php, PhpStore, PhpUser};
#[cfg(feature = "init")]
use crate::compare::{Software, timeout};
use crate::cookie::Reader;
use crate::custom::{Custom, CustomAccounts};
#[cfg(feature = "init")]
use crate::init::Page;
use crate::{AccountLookup, Framework, Problem, Site, SiteSettings, WrongKey};

/// Plain PHP.
pub(crate) struct PhpFramework;

/// A site in plain PHP, and the SQL that reads its accounts.
#[derive(Debug)]
struct PhpSite {
    php: Php,
    custom: Custom,
}

impl Framework for PhpFramework {
    fn name(&self) -> &'static str {
        "php"
    }

    fn title(&self) -> &'static str {
        "PHP"
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
        let php = Php::read(&top.section("php")?, !asks_the_site)?;
        let custom = Custom::read(&top.section("custom")?, &database.location)?;
        if matches!(php.user, Some(PhpUser::Id(_))) && custom.user_by_id.is_none() {
            let message = "is missing: `php.user_id` is the id of an account, which it finds";
            return Err(top.wrong("custom.user_by_id", message));
        }
        Ok(Box::new(PhpSite { php, custom }))
    }

    #[cfg(feature = "schema")]
    fn describe(&self, generator: &mut schemars::SchemaGenerator) -> Vec<TableDescription> {
        vec![TableDescription::of::<settings::PhpSettings>(
            "php", generator,
        )]
    }

    #[cfg(feature = "init")]
    fn arguments(&self, command: clap::Command) -> clap::Command {
        discover::DiscoverPhp::augment_args(command)
    }

    #[cfg(feature = "init")]
    fn discover(&self, page: &mut Page, arguments: &clap::ArgMatches) -> anyhow::Result<()> {
        let options = discover::DiscoverPhp::from_arg_matches(arguments)?;
        discover::write(page, &options)
    }

    #[cfg(feature = "init")]
    fn is_comparable(&self) -> bool {
        true
    }

    #[cfg(feature = "init")]
    fn software_arguments(&self, command: clap::Command) -> clap::Command {
        compare::ComparePhp::augment_args(command)
    }

    #[cfg(feature = "init")]
    fn software(
        &self,
        path: &Path,
        arguments: &clap::ArgMatches,
        told: &serde_json::Value,
    ) -> anyhow::Result<Option<Software>> {
        let options = compare::ComparePhp::from_arg_matches(arguments)?;
        compare::software(path, &options, told, timeout(arguments)).map(Some)
    }
}

impl SiteSettings for PhpSite {
    fn open(&self, lookup: &AccountLookup) -> Site {
        Site {
            accounts: Box::new(CustomAccounts::new(&self.custom, lookup)),
            sessions: Box::new(Sessions::new(&self.php)),
            rules: self.custom.rules(),
            algorithms: None,
        }
    }

    fn cookie_name(&self) -> Option<&str> {
        Some(&self.php.cookie_name)
    }

    fn cookie_reader(&self) -> Reader {
        Reader::Php
    }

    fn has_session_tables(&self) -> bool {
        self.php.in_database()
    }

    fn session_cache(&self) -> Option<&cache::Settings> {
        match &self.php.store {
            PhpStore::Cache { servers, .. } => Some(servers),
            _ => None,
        }
    }

    fn session_directory(&self) -> Option<&Path> {
        match &self.php.store {
            PhpStore::Files { directory, .. } => Some(directory),
            _ => None,
        }
    }

    fn tells_software(&self) -> serde_json::Value {
        self.php.places.clone()
    }

    fn needs_database(&self, asks_the_site: bool) -> bool {
        self.custom.asks() || (self.php.in_database() && !asks_the_site)
    }

    fn looks_accounts_up(&self, asks_the_site: bool) -> bool {
        let ids = matches!(self.php.user, Some(PhpUser::Id(_)));
        self.custom.user.is_some() || (ids && self.custom.finds_by_id(asks_the_site))
    }

    fn unknown_denial_cost(&self) -> Option<WrongKey> {
        self.custom.unknown_denial_cost()
    }

    fn advice(&self, problem: Problem<'_>) -> Option<String> {
        match problem {
            Problem::SessionsUndecodable => {
                Some("put the site's session.serialize_handler into [php]".to_owned())
            }
            Problem::SessionsInDatabase(number) => Some(format!(
                "write database={number} in [php] save_path, as PHP has it"
            )),
            _ => self.custom.advice(problem),
        }
    }
}
