//! Checks many passwords at a time.
#![forbid(unsafe_code)]

mod lanes;
mod pace;
mod queue;
mod turns;

pub use self::queue::Checks;
pub use self::turns::Turns;
