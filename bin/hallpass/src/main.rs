//! The system administrator's tool: asks a web site who its users are, from the shell.
#![forbid(unsafe_code)]

mod ask;
mod audit;
mod bench;
mod cache;
mod completions;
mod demo;
mod doctor;
mod explain;
mod hash;
mod init;
mod manual;
mod options;
mod output;
mod password;
mod run;
mod ticket;

use std::process::ExitCode;

fn main() -> ExitCode {
    hallpass_runtime::harden();
    run::main()
}
