//! Runs `hallpass-apache`, whose code is the library of that name.
#![forbid(unsafe_code)]

use std::process::ExitCode;

/// musl's own allocator asks the system for a little memory at a time and returns it at once, which
/// takes a good part of a program that runs for a millisecond.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

fn main() -> ExitCode {
    hallpass_runtime::harden();
    hallpass_apache::main()
}
