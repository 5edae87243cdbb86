//! Runs the program of the library, from which `hallpass man` reads the command line.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    hallpass_runtime::harden();
    hallpassd::main()
}
