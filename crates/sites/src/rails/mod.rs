//! Reads sites in Ruby on Rails, 5 to 8: Devise's accounts and logins, or Redmine's own, and sessions
//! in cookies, in Active Record or in Redis.

mod accounts;
mod advice;
#[cfg(feature = "init")]
mod compare;
#[cfg(feature = "init")]
mod discover;
mod moment;
mod redmine;
mod remembered;
mod sessions;
mod settings;
mod statements;
mod store;

#[cfg(feature = "init")]
use std::path::Path;

#[cfg(feature = "init")]
use clap::{Args, FromArgMatches};
use hallpass_passwords::Rules;
#[cfg(feature = "schema")]
use hallpass_settings::TableDescription;
use hallpass_settings::{Error, Table};
use hallpass_stores::{cache, sql};

use self::accounts::DeviseAccounts;
use self::redmine::RedmineAccounts;
use self::sessions::Sessions;
use self::settings::{Application, Rails, RailsStore};
#[cfg(feature = "init")]
use crate::compare::{Software, timeout};
use crate::cookie::Reader;
use crate::custom::Custom;
#[cfg(feature = "init")]
use crate::init::Page;
use crate::{AccountLookup, Framework, Problem, Site, SiteSettings};

/// Ruby on Rails.
pub(crate) struct RailsFramework;

/// A site in Rails, and the SQL that reads its groups and permissions.
#[derive(Debug)]
struct RailsSite {
    rails: Rails,
    custom: Custom,
}

impl Framework for RailsFramework {
    fn name(&self) -> &'static str {
        "rails"
    }

    fn title(&self) -> &'static str {
        "Rails"
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
        let rails = Rails::read(&top.section("rails")?)?;
        let custom = Custom::read(&top.section("custom")?, &database.location)?;
        let section = top.section("custom")?;
        let unused = [
            "user",
            "user_by_id",
            "accounts",
            "session",
            "cookie",
            "cookie_rule",
        ];
        if let Some(key) = unused.iter().find(|key| section.has(key)) {
            let message = "has no effect here: accounts and sessions are those of [rails]";
            return Err(section.wrong(key, message));
        }
        if matches!(rails.application, Application::Redmine(_)) && section.is_there() {
            let message = "has no effect with preset = \"redmine\", whose groups are read";
            return Err(top.wrong("custom", message));
        }
        Ok(Box::new(RailsSite { rails, custom }))
    }

    #[cfg(feature = "schema")]
    fn describe(&self, generator: &mut schemars::SchemaGenerator) -> Vec<TableDescription> {
        vec![
            TableDescription::of::<settings::RailsTable>("rails", generator),
            TableDescription::of::<crate::cache::CacheTable>("rails.cache", generator),
        ]
    }

    #[cfg(feature = "init")]
    fn arguments(&self, command: clap::Command) -> clap::Command {
        discover::DiscoverRails::augment_args(command)
    }

    #[cfg(feature = "init")]
    fn discover(&self, page: &mut Page, arguments: &clap::ArgMatches) -> anyhow::Result<()> {
        let options = discover::DiscoverRails::from_arg_matches(arguments)?;
        discover::write(page, &options)
    }

    #[cfg(feature = "init")]
    fn is_comparable(&self) -> bool {
        true
    }

    #[cfg(feature = "init")]
    fn software_arguments(&self, command: clap::Command) -> clap::Command {
        compare::CompareRails::augment_args(command)
    }

    #[cfg(feature = "init")]
    fn software(
        &self,
        path: &Path,
        arguments: &clap::ArgMatches,
        told: &serde_json::Value,
    ) -> anyhow::Result<Option<Software>> {
        let options = compare::CompareRails::from_arg_matches(arguments)?;
        compare::software(path, &options, told, timeout(arguments)).map(Some)
    }
}

impl SiteSettings for RailsSite {
    fn open(&self, lookup: &AccountLookup) -> Site {
        let sessions = Box::new(Sessions::new(&self.rails));
        match &self.rails.application {
            Application::Devise(devise) => Site {
                accounts: Box::new(DeviseAccounts::new(
                    &self.rails,
                    devise,
                    &self.custom,
                    lookup,
                )),
                sessions,
                rules: &[Rules::Devise],
                algorithms: None,
            },
            Application::Redmine(_) => Site {
                accounts: Box::new(RedmineAccounts::new(&self.rails, lookup)),
                sessions,
                rules: &[Rules::Redmine],
                algorithms: None,
            },
        }
    }

    /// Where a remembered login's cookie counts as well, both are asked for.
    fn cookie_name(&self) -> Option<&str> {
        let name = self.rails.cookie_name.as_deref();
        name.filter(|_| !self.rails.remembers())
    }

    fn cookie_reader(&self) -> Reader {
        Reader::Rack
    }

    fn missing_for_sessions(&self) -> Option<&'static str> {
        let has_keys = self.rails.keys.is_some();
        match (&self.rails.store, &self.rails.cookie_name) {
            (RailsStore::Cookie, _) if !has_keys => Some("rails.secret_key_base"),
            (_, None) => Some("rails.session_cookie_name"),
            _ => None,
        }
    }

    fn has_session_tables(&self) -> bool {
        matches!(self.rails.store, RailsStore::Table(_))
    }

    fn session_cache(&self) -> Option<&cache::Settings> {
        match &self.rails.store {
            RailsStore::Redis(settings, _) => Some(settings),
            _ => None,
        }
    }

    fn tells_software(&self) -> serde_json::Value {
        compare_told(&self.rails)
    }

    fn advice(&self, problem: Problem<'_>) -> Option<String> {
        advice::advice(problem)
    }
}

/// What the site's own Ruby is told of the configuration.
fn compare_told(rails: &Rails) -> serde_json::Value {
    match &rails.application {
        Application::Devise(devise) => serde_json::json!({ "scope": devise.scope }),
        Application::Redmine(_) => serde_json::json!({ "preset": "redmine" }),
    }
}
