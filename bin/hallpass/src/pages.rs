//! Completions for shells, and manual pages, made of the command line itself.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use clap::CommandFactory;
use clap_complete::Shell;

use crate::options::Options;

/// Prints what teaches `shell` to complete this program's command line.
pub fn completions(shell: Shell) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Options::command(), "hallpass", &mut script);
    std::io::stdout()
        .write_all(&script)
        .context("cannot write the completions")?;
    Ok(ExitCode::SUCCESS)
}

/// Writes a manual page for the program and for each of its commands into `directory`.
pub fn manual(directory: &Path) -> anyhow::Result<ExitCode> {
    let doing = || format!("cannot write manual pages into {}", directory.display());
    std::fs::create_dir_all(directory).with_context(doing)?;
    clap_mangen::generate_to(Options::command(), directory).with_context(doing)?;
    Ok(ExitCode::SUCCESS)
}
