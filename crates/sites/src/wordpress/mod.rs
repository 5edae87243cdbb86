//! Reads WordPress sites, 3.0 to 6.9, alone or in a network: accounts, roles, capabilities and the
//! cookie `logged_in`.

mod accounts;
mod advice;
mod applications;
mod capabilities;
#[cfg(feature = "init")]
mod compare;
mod debian;
#[cfg(feature = "init")]
mod discover;
mod file;
mod keys;
mod names;
mod options;
#[cfg(feature = "init")]
mod plugins;
mod sessions;
mod settings;

#[cfg(feature = "init")]
use std::path::Path;

#[cfg(feature = "init")]
use clap::{Args, FromArgMatches};
use hallpass_passwords::Rules;
use hallpass_sessions::wordpress::Version;
#[cfg(feature = "schema")]
use hallpass_settings::TableDescription;
use hallpass_settings::{Error, Table};
use hallpass_stores::sql;

use self::accounts::WordpressAccounts;
use self::sessions::Sessions;
use self::settings::Wordpress;
#[cfg(feature = "init")]
use crate::compare::{Software, timeout};
use crate::cookie::Reader;
#[cfg(feature = "init")]
use crate::init::Page;
use crate::site_file::given;
use crate::{AccountLookup, Framework, LoginField, Problem, Site, SiteFile, SiteSettings};

/// The algorithms that WordPress knows before 6.8.
const BEFORE_BCRYPT: [&str; 8] = [
    "md5",
    "phpass",
    "bcrypt",
    "crypt_md5",
    "crypt_sha256",
    "crypt_sha512",
    "crypt_ext_des",
    "crypt_std_des",
];

/// WordPress.
pub(crate) struct WordpressFramework;

impl Framework for WordpressFramework {
    fn name(&self) -> &'static str {
        "wordpress"
    }

    fn title(&self) -> &'static str {
        "WordPress"
    }

    fn read(
        &self,
        top: &Table<'_>,
        database: &mut sql::Settings,
        _asks_the_site: bool,
    ) -> Result<Box<dyn SiteSettings>, Error> {
        let wordpress;
        (wordpress, *database) = Wordpress::read(&top.section("wordpress")?, given(database))?;
        Ok(Box::new(wordpress))
    }

    fn site_file<'a>(&self, table: &'a Table<'a>) -> Result<Option<SiteFile<'a>>, Error> {
        settings::site_file(table)
    }

    #[cfg(feature = "schema")]
    fn describe(&self, generator: &mut schemars::SchemaGenerator) -> Vec<TableDescription> {
        let own = TableDescription::of::<settings::WordpressTable>("wordpress", generator);
        let file = TableDescription::of::<settings::WordpressFile>("wordpress", generator);
        vec![own.joined(file)]
    }

    #[cfg(feature = "init")]
    fn arguments(&self, command: clap::Command) -> clap::Command {
        discover::DiscoverWordpress::augment_args(command)
    }

    #[cfg(feature = "init")]
    fn discover(&self, page: &mut Page, arguments: &clap::ArgMatches) -> anyhow::Result<()> {
        let options = discover::DiscoverWordpress::from_arg_matches(arguments)?;
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
        compare::software(path, arguments, told, timeout(arguments)).map(Some)
    }
}

impl SiteSettings for Wordpress {
    fn open(&self, lookup: &AccountLookup) -> Site {
        let old = self.version < Version::BCRYPT;
        Site {
            accounts: Box::new(WordpressAccounts::new(self, lookup)),
            sessions: Box::new(Sessions::new(self)),
            rules: &[Rules::Wordpress],
            algorithms: old.then(|| BEFORE_BCRYPT.map(str::to_owned).to_vec()),
        }
    }

    /// The site's address, which is in its options, says it.
    fn cookie_name(&self) -> Option<&str> {
        None
    }

    fn cookie_reader(&self) -> Reader {
        Reader::Php
    }

    /// The site's own file may compute the cookie's name.
    fn missing_for_sessions(&self) -> Option<&'static str> {
        match (self.reads_sessions, self.cookie_unknown) {
            (false, _) => Some("wordpress.sessions = true"),
            (true, true) => Some("wordpress.logged_in_cookie"),
            (true, false) => None,
        }
    }

    fn reads_tokens(&self) -> bool {
        self.application_passwords
    }

    fn login_fields(&self) -> &'static [LoginField] {
        &[LoginField::Username, LoginField::Email]
    }

    fn tells_software(&self) -> serde_json::Value {
        serde_json::json!({
            "blog": self.blog,
            "host": self.host,
            "application_passwords": self.application_passwords,
        })
    }

    fn advice(&self, problem: Problem<'_>) -> Option<String> {
        advice::advice(problem)
    }
}
