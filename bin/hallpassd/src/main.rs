//! Runs the library, in which the command line can be read by other programs, too.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    hallpass_runtime::harden();
    hallpassd::main()
}
