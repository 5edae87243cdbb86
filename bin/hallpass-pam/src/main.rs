//! PAM asks through pam_exec, the web site's accounts answer.
#![forbid(unsafe_code)]

mod input;
mod options;
mod run;

use std::process::ExitCode;

fn main() -> ExitCode {
    run::main()
}
