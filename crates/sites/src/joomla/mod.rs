//! Reads Joomla sites: `#__users` for accounts, `#__session` and the session handler's store for
//! sessions.

mod accounts;
#[cfg(feature = "init")]
mod discover;
mod extensions;
mod groups;
mod keys;
mod second_step;
mod sessions;
pub mod settings;
mod statements;

use std::path::Path;

#[cfg(feature = "init")]
use clap::{Args, FromArgMatches};
use hallpass_passwords::Rules;
#[cfg(feature = "schema")]
use hallpass_settings::TableDescription;
use hallpass_settings::{Error, Table};
use hallpass_stores::{cache, sql};

use self::accounts::JoomlaAccounts;
use self::sessions::Sessions;
use self::settings::{Joomla, JoomlaSessions};
use crate::cookie::Reader;
#[cfg(feature = "init")]
use crate::init::Page;
use crate::site_file::given;
use crate::{AccountLookup, Framework, Problem, Site, SiteFile, SiteSettings};

/// Joomla.
pub(crate) struct JoomlaFramework;

impl Framework for JoomlaFramework {
    fn name(&self) -> &'static str {
        "joomla"
    }

    fn title(&self) -> &'static str {
        "Joomla"
    }

    fn read(
        &self,
        top: &Table<'_>,
        database: &mut sql::Settings,
        _asks_the_site: bool,
    ) -> Result<Box<dyn SiteSettings>, Error> {
        let joomla;
        (joomla, *database) = Joomla::read(&top.section("joomla")?, given(database))?;
        Ok(Box::new(joomla))
    }

    fn site_file<'a>(&self, table: &'a Table<'a>) -> Result<Option<SiteFile<'a>>, Error> {
        settings::site_file(table)
    }

    #[cfg(feature = "schema")]
    fn describe(&self, generator: &mut schemars::SchemaGenerator) -> Vec<TableDescription> {
        let own = TableDescription::of::<settings::JoomlaTable>("joomla", generator);
        let file = TableDescription::of::<settings::JoomlaFile>("joomla", generator);
        vec![own.joined(file)]
    }

    #[cfg(feature = "init")]
    fn arguments(&self, command: clap::Command) -> clap::Command {
        discover::DiscoverJoomla::augment_args(command)
    }

    #[cfg(feature = "init")]
    fn discover(&self, page: &mut Page, arguments: &clap::ArgMatches) -> anyhow::Result<()> {
        let options = discover::DiscoverJoomla::from_arg_matches(arguments)?;
        discover::write(page, &options)
    }
}

impl SiteSettings for Joomla {
    fn open(&self, lookup: &AccountLookup) -> Site {
        Site {
            accounts: Box::new(JoomlaAccounts::new(self, lookup)),
            sessions: Box::new(Sessions::new(self)),
            rules: if self.major.is_some_and(|major| major < 4) {
                &[Rules::Joomla3]
            } else {
                &[Rules::Joomla]
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
        Joomla::missing_for_sessions(self)
    }

    fn session_cache(&self) -> Option<&cache::Settings> {
        match &self.sessions {
            JoomlaSessions::Cache(settings, _) => Some(settings),
            _ => None,
        }
    }

    fn advice(&self, problem: Problem<'_>) -> Option<String> {
        match problem {
            Problem::SessionsInDatabase(number) => Some(format!(
                "write [joomla] session_redis_server_db = {number}, as the site's configuration has it"
            )),
            Problem::SessionsWithoutData => Some(match &self.sessions {
                JoomlaSessions::Files { .. } => "put the directory that PHP really uses into \
                    [joomla] session_filesystem_path: php_admin_value[session.save_path] of php-fpm \
                    wins over Joomla's own"
                    .to_owned(),
                _ => "name in [joomla] the server that has the site's sessions, as the site's \
                      configuration does"
                    .to_owned(),
            }),
            Problem::SessionsUndecodable => Some(
                "see that [joomla] names the site's session handler, and that no other program \
                 writes there"
                    .to_owned(),
            ),
            Problem::SessionsWithoutAccount => {
                Some("put the site's own into [joomla] dbprefix".to_owned())
            }
            _ => None,
        }
    }

    fn session_directory(&self) -> Option<&Path> {
        match &self.sessions {
            JoomlaSessions::Files { directory, .. } => Some(directory),
            _ => None,
        }
    }
}
