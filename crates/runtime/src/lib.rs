//! Holds the parts that every Hallpass program shares: command line, log, deadlines, and the ways to
//! ask about a site.
//!
//! | a program | uses |
//! |---|---|
//! | that its host starts for one request | [`OneShot`] |
//! | that its host keeps running | [`Helper`] and [`converse`] |
//! | that sends requests of its own | [`SiteClient`] |
//!
//! ```no_run
//! use std::path::Path;
//! use std::sync::Arc;
//! use std::time::Instant;
//!
//! use hallpass_core::{ClaimedName, Configuration, Credential, Request, Secret, Verdict};
//! use hallpass_runtime::{SiteClient, harden};
//!
//! harden();
//! let configuration = Configuration::load(Path::new("/etc/hallpass/hallpass.toml"))?;
//! let mut site = SiteClient::new(Arc::new(configuration), "my-host");
//! let name = ClaimedName::Named("alice".to_owned());
//! let request = Request::new(name, Credential::Password(Secret::new("correct horse")));
//! // hallpassd answers where the configuration names it, else the stores.
//! let deadline = site.deadline(Instant::now());
//! if let Verdict::Granted(identity) = site.ask(request, deadline) {
//!     println!("{}", identity.name);
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

mod buffer;
mod command_line;
mod conversation;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod helper;
pub mod jid;
pub mod lines;
pub mod log;
mod one_shot;
mod paths;
mod process;
mod site_client;
pub mod via;

pub use self::buffer::{append, drop_front, read_from_until, read_until};
pub use self::command_line::{
    CONFIG_VARIABLE, CommandLine, ConditionArguments, permission, print_usage,
};
pub use self::conversation::{Framing, Handler, converse};
pub use self::helper::Helper;
pub use self::log::Log;
pub use self::one_shot::{ExitCodes, OneShot};
pub use self::paths::for_paths;
pub use self::process::{exit_after, harden, on_signals, on_terminate};
pub use self::site_client::{SiteClient, no_sessions};
