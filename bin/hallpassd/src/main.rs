//! The program; the library has it all, for the command line to be read there.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    hallpass_runtime::harden();
    hallpassd::main()
}
