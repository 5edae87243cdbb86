//! Holds the parts that every Hallpass program shares: command line, log, deadlines, and the ways to
//! ask about a site.
//!
//! | a program | uses |
//! |---|---|
//! | that its host starts for one request | [`OneShot`] |
//! | that its host keeps running | [`Helper`] and [`converse`] |
//! | that asks by itself | [`SiteClient`] |
#![forbid(unsafe_code)]

mod buffer;

mod command_line;
mod conversation;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod helper;
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
pub use self::process::{exit_after, harden, on_terminate};
pub use self::site_client::{SiteClient, no_sessions};
