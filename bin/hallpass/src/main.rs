//! The system administrator's tool: asks a web site who its users are, from the shell.
#![forbid(unsafe_code)]

mod ask;
mod bench;
mod cache;
mod demo;
mod hash;
mod options;
mod output;
mod password;
mod run;

use std::process::ExitCode;

fn main() -> ExitCode {
    run::main()
}
