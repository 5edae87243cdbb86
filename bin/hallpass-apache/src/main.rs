//! Apache's mod_authnz_external asks, the web site's accounts answer.
#![forbid(unsafe_code)]

mod answer;
mod arguments;
mod input;
mod options;
mod requirements;
mod run;

use std::process::ExitCode;

/// musl's own allocator asks the system for a little at a time and gives it back at once, which
/// takes a program that lives for a millisecond a good part of it.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

fn main() -> ExitCode {
    run::main()
}
