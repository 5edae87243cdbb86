//! Runs the program of the library, from which `hallpass man` reads the command line.
#![forbid(unsafe_code)]

use std::process::ExitCode;

/// musl's own allocator asks the system for a little at a time and gives it back at once, which
/// takes a program that lives for a millisecond a good part of it.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

fn main() -> ExitCode {
    hallpass_runtime::harden();
    hallpass_apache::main()
}
