//! Reads Drupal sites, 7 to 11: users, roles, permissions and sessions.

mod accounts;
mod cookie_name;
#[cfg(feature = "init")]
mod discover;
mod modules;
mod roles;
mod sessions;
mod settings;
mod settings_php;
mod tables;
mod version;

#[cfg(feature = "init")]
use clap::{Args, FromArgMatches};
use hallpass_passwords::Rules;
#[cfg(feature = "schema")]
use hallpass_settings::TableDescription;
use hallpass_settings::{Error, Table};
use hallpass_stores::sql;

use self::accounts::DrupalAccounts;
use self::sessions::Sessions;
use self::settings::Drupal;
use crate::cookie::Reader;
#[cfg(feature = "init")]
use crate::init::Page;
use crate::site_file::given;
use crate::{AccountLookup, Framework, Problem, Site, SiteFile, SiteSettings};

/// Drupal.
pub(crate) struct DrupalFramework;

impl Framework for DrupalFramework {
    fn name(&self) -> &'static str {
        "drupal"
    }

    fn title(&self) -> &'static str {
        "Drupal"
    }

    fn read(
        &self,
        top: &Table<'_>,
        database: &mut sql::Settings,
        _asks_the_site: bool,
    ) -> Result<Box<dyn SiteSettings>, Error> {
        let drupal;
        (drupal, *database) = Drupal::read(&top.section("drupal")?, given(database))?;
        Ok(Box::new(drupal))
    }

    fn site_file<'a>(&self, table: &'a Table<'a>) -> Result<Option<SiteFile<'a>>, Error> {
        settings::site_file(table)
    }

    #[cfg(feature = "schema")]
    fn describe(&self, generator: &mut schemars::SchemaGenerator) -> Vec<TableDescription> {
        let own = TableDescription::of::<settings::DrupalTable>("drupal", generator);
        let file = TableDescription::of::<settings::DrupalFile>("drupal", generator);
        vec![own.joined(file)]
    }

    #[cfg(feature = "init")]
    fn arguments(&self, command: clap::Command) -> clap::Command {
        discover::DiscoverDrupal::augment_args(command)
    }

    #[cfg(feature = "init")]
    fn discover(&self, page: &mut Page, arguments: &clap::ArgMatches) -> anyhow::Result<()> {
        let options = discover::DiscoverDrupal::from_arg_matches(arguments)?;
        discover::write(page, &options)
    }
}

impl SiteSettings for Drupal {
    fn open(&self, lookup: &AccountLookup) -> Site {
        Site {
            accounts: Box::new(DrupalAccounts::new(self, lookup)),
            sessions: Box::new(Sessions::new(self)),
            rules: match (self.version.checks_by_phpass(), self.phpass) {
                (true, _) => &[Rules::Drupal7],
                (false, true) => &[Rules::Drupal],
                (false, false) => &[Rules::Drupal10],
            },
            algorithms: None,
        }
    }

    fn cookie_name(&self) -> Option<&str> {
        self.session_cookie_name.as_deref()
    }

    fn cookie_reader(&self) -> Reader {
        Reader::Php
    }

    fn missing_for_sessions(&self) -> Option<&'static str> {
        self.session_cookie_name
            .is_none()
            .then_some("drupal.base_url")
    }

    fn advice(&self, problem: Problem<'_>) -> Option<String> {
        match problem {
            Problem::SessionsWithoutAccount => {
                Some("put the site's own prefix into [drupal] prefix".to_owned())
            }
            _ => None,
        }
    }
}
