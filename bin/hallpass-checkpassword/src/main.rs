//! Dovecot and others ask by the checkpassword interface, the web site's accounts answer.
#![forbid(unsafe_code)]

mod answer;
mod descriptor;
mod environment;
mod input;
mod options;
mod run;

use std::process::ExitCode;

fn main() -> ExitCode {
    run::main()
}
