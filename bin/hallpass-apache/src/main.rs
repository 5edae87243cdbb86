//! Apache asks, by mod_authnz_external or by a map of mod_rewrite, the web site's accounts answer.
#![forbid(unsafe_code)]

mod answer;
mod arguments;
mod input;
mod map;
mod options;
mod requirements;
mod rewritemap;
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
