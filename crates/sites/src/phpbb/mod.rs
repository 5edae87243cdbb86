//! Reads phpBB boards, 3.0 to 3.3: users, groups, bans and sessions.

mod accounts;
mod bans;
mod board;
mod checks;
mod cookies;
#[cfg(feature = "init")]
mod discover;
mod sessions;
mod settings;
mod text;

#[cfg(feature = "init")]
use clap::{Args, FromArgMatches};
use hallpass_passwords::Rules;
#[cfg(feature = "schema")]
use hallpass_settings::TableDescription;
use hallpass_settings::{Error, Table};
use hallpass_stores::sql;

use self::accounts::PhpbbAccounts;
use self::sessions::Sessions;
use self::settings::Phpbb;
use crate::cookie::Reader;
#[cfg(feature = "init")]
use crate::init::Page;
use crate::site_file::given;
use crate::{AccountLookup, Framework, NameForms, Site, SiteFile, SiteSettings};

/// phpBB.
pub(crate) struct PhpbbFramework;

impl Framework for PhpbbFramework {
    fn name(&self) -> &'static str {
        "phpbb"
    }

    fn title(&self) -> &'static str {
        "phpBB"
    }

    fn read(
        &self,
        top: &Table<'_>,
        database: &mut sql::Settings,
        _asks_the_site: bool,
    ) -> Result<Box<dyn SiteSettings>, Error> {
        let phpbb;
        (phpbb, *database) = Phpbb::read(&top.section("phpbb")?, given(database))?;
        Ok(Box::new(phpbb))
    }

    fn site_file<'a>(&self, table: &'a Table<'a>) -> Result<Option<SiteFile<'a>>, Error> {
        settings::site_file(table)
    }

    #[cfg(feature = "schema")]
    fn describe(&self, generator: &mut schemars::SchemaGenerator) -> Vec<TableDescription> {
        let own = TableDescription::of::<settings::PhpbbTable>("phpbb", generator);
        let file = TableDescription::of::<settings::PhpbbFile>("phpbb", generator);
        vec![own.joined(file)]
    }

    #[cfg(feature = "init")]
    fn arguments(&self, command: clap::Command) -> clap::Command {
        discover::DiscoverPhpbb::augment_args(command)
    }

    #[cfg(feature = "init")]
    fn discover(&self, page: &mut Page, arguments: &clap::ArgMatches) -> anyhow::Result<()> {
        let options = discover::DiscoverPhpbb::from_arg_matches(arguments)?;
        discover::write(page, &options)
    }
}

impl SiteSettings for Phpbb {
    fn open(&self, lookup: &AccountLookup) -> Site {
        Site {
            accounts: Box::new(PhpbbAccounts::new(self, lookup)),
            sessions: Box::new(Sessions::new(self)),
            rules: &[Rules::Phpbb],
            algorithms: None,
        }
    }

    /// The board's table of settings says it.
    fn cookie_name(&self) -> Option<&str> {
        None
    }

    fn cookie_reader(&self) -> Reader {
        Reader::Php
    }

    /// Those of phpBB's clean names.
    fn name_forms(&self) -> NameForms {
        NameForms {
            compatibility: true,
            confusables: true,
        }
    }
}
