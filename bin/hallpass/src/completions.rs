//! `hallpass completions`: what teaches a shell to complete the command line.

use std::io::Write;
use std::process::ExitCode;

use anyhow::Context;
use clap::CommandFactory;
use clap_complete::Shell;

use crate::options::Options;

/// Prints what teaches `shell` to complete this program's command line.
pub fn run(shell: Shell) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Options::command(), "hallpass", &mut script);
    std::io::stdout()
        .write_all(&script)
        .context("cannot write the completions")?;
    Ok(ExitCode::SUCCESS)
}
