//! Reads any site with SQL tables, by the statements of `[custom]`.

mod accounts;
#[cfg(feature = "init")]
pub(crate) mod discover;
mod rows;
mod sessions;
mod settings;

#[cfg(feature = "init")]
use clap::{Args, FromArgMatches};
use hallpass_passwords::Rules;
#[cfg(feature = "schema")]
use hallpass_settings::TableDescription;
use hallpass_settings::{Error, Table};
use hallpass_stores::sql;

pub(crate) use self::accounts::CustomAccounts;
use self::sessions::Sessions;
pub use self::settings::Custom;
use crate::cookie::Reader;
#[cfg(feature = "init")]
use crate::init::Page;
use crate::{AccountLookup, Framework, Problem, Site, SiteSettings, WrongKey};

/// Every format that says what it is.
pub(crate) const ANY_RULES: [Rules; Rules::SELF_DESCRIBING.len()] = Rules::SELF_DESCRIBING;

/// Any software, by the SQL that reads its tables.
pub(crate) struct CustomFramework;

impl Framework for CustomFramework {
    fn name(&self) -> &'static str {
        "custom"
    }

    fn title(&self) -> &'static str {
        "any SQL tables"
    }

    fn read(
        &self,
        top: &Table<'_>,
        database: &mut sql::Settings,
        asks_the_site: bool,
    ) -> Result<Box<dyn SiteSettings>, Error> {
        let custom = Custom::read(&top.section("custom")?, &database.location)?;
        if custom.user.is_none() && !asks_the_site {
            return Err(top.wrong("custom.user", "is missing: the SQL that finds accounts"));
        }
        Ok(Box::new(custom))
    }

    #[cfg(feature = "schema")]
    fn describe(&self, generator: &mut schemars::SchemaGenerator) -> Vec<TableDescription> {
        vec![TableDescription::of::<Custom>("custom", generator)]
    }

    #[cfg(feature = "init")]
    fn arguments(&self, command: clap::Command) -> clap::Command {
        discover::DiscoverCustom::augment_args(command)
    }

    #[cfg(feature = "init")]
    fn discover(&self, page: &mut Page, arguments: &clap::ArgMatches) -> anyhow::Result<()> {
        let options = discover::DiscoverCustom::from_arg_matches(arguments)?;
        discover::write(page, &options)
    }
}

impl SiteSettings for Custom {
    fn open(&self, lookup: &AccountLookup) -> Site {
        Site {
            accounts: Box::new(CustomAccounts::new(self, lookup)),
            sessions: Box::new(Sessions::new(self)),
            rules: self.rules(),
            algorithms: None,
        }
    }

    fn cookie_name(&self) -> Option<&str> {
        self.cookie.as_deref()
    }

    fn cookie_reader(&self) -> Reader {
        self.cookie_rule.unwrap_or(Reader::Django)
    }

    fn missing_for_sessions(&self) -> Option<&'static str> {
        self.session.is_none().then_some("custom.session")
    }

    fn needs_database(&self, _asks_the_site: bool) -> bool {
        self.asks()
    }

    fn looks_accounts_up(&self, asks_the_site: bool) -> bool {
        self.user.is_some() || (self.session.is_some() && self.finds_by_id(asks_the_site))
    }

    fn unknown_denial_cost(&self) -> Option<WrongKey> {
        Custom::unknown_denial_cost(self)
    }

    fn advice(&self, problem: Problem<'_>) -> Option<String> {
        let of_accounts = matches!(problem, Problem::SessionsWithoutAccount);
        of_accounts.then(|| "correct [custom] user_by_id".to_owned())
    }
}
