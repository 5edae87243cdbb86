//! What every Hallpass program shares: the command line, the log, and deadlines.
#![forbid(unsafe_code)]

mod alarm;
mod command_line;
mod conditions;
mod conversation;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod growing;
mod harden;
mod input;
pub mod lines;
pub mod log;
mod paths;
mod site;
mod terminate;
pub mod via;
mod worker;

pub use self::alarm::exit_after;
pub use self::command_line::CommandLine;
pub use self::conditions::{ConditionArguments, permission};
pub use self::conversation::{Framing, Helper, converse};
pub use self::growing::{append, drop_front};
pub use self::harden::harden;
pub use self::input::{read_from_until, read_until};
pub use self::log::Log;
pub use self::paths::for_paths;
pub use self::site::{Open, Site, Source, no_sessions};
pub use self::terminate::on_terminate;
pub use self::via::{Asker, ask_once};
pub use self::worker::Worker;
