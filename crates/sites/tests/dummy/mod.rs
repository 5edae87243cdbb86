//! A framework that does not exist: members, their groups, and logins that a new password ends.

mod accounts;
mod advice;
#[cfg(feature = "init")]
mod discover;
mod sessions;
mod settings;

#[cfg(feature = "init")]
use clap::{Args, FromArgMatches};
use hallpass_passwords::Rules;
#[cfg(feature = "schema")]
use hallpass_settings::TableDescription;
use hallpass_settings::{Error, Table};
use hallpass_stores::sql;

use self::accounts::DummyAccounts;
use self::sessions::Sessions;
use self::settings::Dummy;
use crate::cookie::Reader;
#[cfg(feature = "init")]
use crate::init::Page;
use crate::{AccountLookup, Framework, Problem, Site, SiteSettings};

/// The dummy.
pub(crate) struct DummyFramework;

impl Framework for DummyFramework {
    fn name(&self) -> &'static str {
        "dummy"
    }

    fn title(&self) -> &'static str {
        "Dummy"
    }

    fn read(
        &self,
        top: &Table<'_>,
        _database: &mut sql::Settings,
        _asks_the_site: bool,
    ) -> Result<Box<dyn SiteSettings>, Error> {
        Ok(Box::new(Dummy::read(&top.section("dummy")?)?))
    }

    #[cfg(feature = "schema")]
    fn describe(&self, generator: &mut schemars::SchemaGenerator) -> Vec<TableDescription> {
        vec![TableDescription::of::<Dummy>("dummy", generator)]
    }

    #[cfg(feature = "init")]
    fn arguments(&self, command: clap::Command) -> clap::Command {
        discover::DiscoverDummy::augment_args(command)
    }

    #[cfg(feature = "init")]
    fn discover(&self, page: &mut Page, arguments: &clap::ArgMatches) -> anyhow::Result<()> {
        let options = discover::DiscoverDummy::from_arg_matches(arguments)?;
        discover::write(page, &options)
    }
}

impl SiteSettings for Dummy {
    fn open(&self, lookup: &AccountLookup) -> Site {
        Site {
            accounts: Box::new(DummyAccounts::new(self, lookup)),
            sessions: Box::new(Sessions::new(self)),
            rules: &[Rules::Django],
            algorithms: None,
        }
    }

    fn cookie_name(&self) -> Option<&str> {
        self.session_cookie_name.as_deref()
    }

    fn cookie_reader(&self) -> Reader {
        Reader::First
    }

    fn missing_for_sessions(&self) -> Option<&'static str> {
        let missing = self.session_cookie_name.is_none();
        missing.then_some("dummy.session_cookie_name")
    }

    fn advice(&self, problem: Problem<'_>) -> Option<String> {
        advice::advice(problem)
    }
}
