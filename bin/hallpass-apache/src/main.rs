//! Apache's mod_authnz_external asks, the web site's accounts answer.
#![forbid(unsafe_code)]

mod answer;
mod input;
mod options;
mod requirements;
mod run;

use std::process::ExitCode;

fn main() -> ExitCode {
    run::main()
}
