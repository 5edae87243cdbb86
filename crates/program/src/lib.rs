//! What every Hallpass program shares: the command line, the log, and deadlines.
#![forbid(unsafe_code)]

mod command_line;
pub mod log;
mod terminate;
mod watchdog;
mod worker;

pub use self::command_line::CommandLine;
pub use self::log::Log;
pub use self::terminate::on_terminate;
pub use self::watchdog::Watchdog;
pub use self::worker::Worker;
