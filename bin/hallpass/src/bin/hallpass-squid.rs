//! Runs `hallpass-squid`, whose code is the library of that name.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    hallpass_runtime::harden();
    hallpass_squid::main()
}
