//! What every Hallpass program shares: the command line, the log, and deadlines.
#![forbid(unsafe_code)]

mod alarm;
mod command_line;
mod input;
pub mod log;
mod terminate;
mod worker;

pub use self::alarm::exit_after;
pub use self::command_line::CommandLine;
pub use self::input::read_until;
pub use self::log::Log;
pub use self::terminate::on_terminate;
pub use self::worker::Worker;
