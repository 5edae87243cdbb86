//! Reads the accounts and the sessions of a web site, as its framework keeps them.
//!
//! A framework is a folder here: its tables of the configuration, its accounts, its sessions, and
//! what the doctor advises about them. [`FRAMEWORKS`] lists them, and nothing outside a folder asks
//! which framework a site has: the configuration reads a [`SiteSettings`] and opens a [`Site`].
//!
//! ```no_run
//! use std::path::Path;
//! use std::time::Duration;
//!
//! use hallpass_settings::Document;
//! use hallpass_sites::{AccountLookup, FRAMEWORKS, LoginField};
//! use hallpass_stores::Deadline;
//! use hallpass_stores::sql::{Database, Location, Settings};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let document = Document::parse(Path::new("site.toml"), "[django]\nsession_engine = \"db\"")?;
//! let django = FRAMEWORKS.iter().find(|it| it.name() == "django").ok_or("no Django")?;
//! let mut database = Settings::new(Location::Sqlite("/srv/site/db.sqlite3".into()));
//! let mut site = django.read(&document.top(), &mut database, false)?.open(&AccountLookup {
//!     login: vec![LoginField::Username],
//!     ignore_case: false,
//!     account_where: None,
//! });
//! let deadline = Deadline::after(Duration::from_secs(2));
//! let alice = Database::new(&database)
//!     .ask(deadline, |queries| site.accounts.by_name(queries, "alice"))?;
//! println!("{alice:?}");
//! # Ok(())
//! # }
//! ```
//!
//! # Map
//!
//! | module | what it does |
//! |---|---|
//! | a folder of [`FRAMEWORKS`] | one framework |
//! | `framework` | the traits that a framework implements |
//! | `site` | an open site: its accounts, its sessions, the rules of its hashes |
//! | `account`, `described`, `session`, `reason` | accounts, what the doctor checks, sessions, why a request is denied |
//! | [`http`] | asks a page of the site itself who is logged in, whatever its framework |
//! | [`cookie`] | the session cookie in a Cookie header, as each framework reads it |
//! | `init` | builds a configuration from the site itself |
//! | `compare` | asks the site's own software the same |
//! | `cache`, `site_file` | settings that several frameworks have |
//! | `php_file` | a PHP file, and those that it includes |
#![forbid(unsafe_code)]

mod account;
mod cache;
#[cfg(feature = "init")]
pub mod compare;
pub mod cookie;
mod custom;
mod described;
mod django;
mod drupal;
mod express;
mod flask;
mod framework;
#[cfg(all(feature = "init", any(test, fuzzing)))]
pub mod fuzzing;
pub mod http;
#[cfg(feature = "init")]
pub mod init;
mod joomla;
mod laravel;
mod member;
mod php;
mod php_file;
mod phpbb;
mod rails;
mod reason;
mod remembered;
mod session;
mod site;
mod site_file;
mod wordpress;

pub(crate) use self::account::MOST_ALIKE;
pub use self::account::{
    Account, AccountLookup, Accounts, HashContext, Id, LoginField, Writable, meets, only,
};
pub use self::cache::{CacheTable, redis};
pub use self::described::{Described, MOST_GROUPS, Overlooked, Required, Table, count};
pub use self::framework::{Framework, NameForms, Problem, SiteSettings, WrongKey};
#[cfg(feature = "init")]
pub use self::framework::{chosen, commands};
pub use self::reason::{Reason, Stop};
pub(crate) use self::session::SAMPLE;
pub use self::session::{
    Client, Decoding, Elsewhere, Login, RestsOn, Sample, SessionSource, session_rows, tokens, until,
};
pub use self::site::{Site, ask, prefixed};
pub(crate) use self::site::{quoted, quoted_table};
pub use self::site_file::{SiteFile, secret};

/// The frameworks that Hallpass knows, in the order of the book.
pub static FRAMEWORKS: &[&dyn Framework] = &[
    &django::DjangoFramework,
    &joomla::JoomlaFramework,
    &phpbb::PhpbbFramework,
    &wordpress::WordpressFramework,
    &drupal::DrupalFramework,
    &laravel::LaravelFramework,
    &rails::RailsFramework,
    &flask::FlaskFramework,
    &express::ExpressFramework,
    &php::PhpFramework,
    &custom::CustomFramework,
];
