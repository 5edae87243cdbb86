//! Reads the accounts and the sessions of a web site, as its framework keeps them.
//!
//! A framework is a folder here: its tables of the configuration, its accounts, its sessions, and
//! what the doctor advises about them. [`FRAMEWORKS`] lists them, and nothing outside a folder asks
//! which framework a site has: the configuration reads a [`SiteSettings`] and opens a [`Site`].
//!
//! # Map
//!
//! | module | what it does |
//! |---|---|
//! | `framework` | what a framework has to say, and the list of them |
//! | `site` | a site, ready to be asked |
//! | `account`, `described`, `session`, `reason` | what sites speak of |
//! | `django`, `joomla`, `phpbb`, `php`, `custom` | one framework each |
//! | [`http`] | asks a page of the site itself who is logged in, whatever its framework |
//! | [`cookie`] | the session cookie in a Cookie header, as each framework reads it |
//! | `init` | builds a configuration from the site itself |
//! | `cache`, `site_file` | settings that several frameworks have |
#![forbid(unsafe_code)]

mod access;
mod account;
mod cache;
pub mod cookie;
mod custom;
mod described;
mod django;
mod framework;
pub mod http;
#[cfg(feature = "init")]
pub mod init;
mod joomla;
mod php;
mod phpbb;
mod reason;
mod secret;
mod session;
mod site;
mod site_file;

pub use hallpass_stores::Secret;

pub use self::access::{AccountLookup, LoginField};
pub use self::account::{Account, Accounts, HashContext, Id, Writable};
pub(crate) use self::account::{meets, only};
pub(crate) use self::described::count;
pub use self::described::{Described, Overlooked, Required, Table};
pub use self::framework::{FRAMEWORKS, Framework, NameForms, Problem, SiteSettings, WrongKey};
pub use self::reason::{Reason, Stop};
pub use self::secret::secret;
pub use self::session::{Client, Decoding, Login, Sample, SessionSource};
pub(crate) use self::session::{SAMPLE, SOME_KEYS, session_rows, tokens, until};
pub use self::site::{Site, ask};
pub(crate) use self::site::{prefixed, quoted};
pub use self::site_file::SiteFile;
