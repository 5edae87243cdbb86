//! Runs `hallpass demo`: makes a small Django site, as Django 5.2's migrations and login leave it
//! behind, and queries it as each host does, through the real programs.

mod hosts;
mod site;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};

use self::hosts::Programs;
use self::site::Site;
use crate::terminal::line;

/// Runs the demonstration. The exit code is 1 when any answer is wrong.
pub fn run() -> anyhow::Result<ExitCode> {
    let programs = Programs::beside(&own_directory()?)?;
    line("Making a Django site: its tables in SQLite, three people, one of them logged in ...");
    let site = Site::make().context("making the site")?;
    line("");
    line("  alice   password \"correct horse\", in the group editors, may add news, is logged in");
    line("  bob     password \"pa:ss wörd\", in no group");
    line("  carol   password \"deactivated\", switched off");
    let wrong = hosts::ask(&programs, &site)?;
    line("");
    if wrong > 0 {
        line(&format!("{wrong} answers were wrong."));
        return Ok(ExitCode::FAILURE);
    }
    line(
        "Every answer was right. The site is gone again; `hallpass --help` says how to ask yours.",
    );
    Ok(ExitCode::SUCCESS)
}

fn own_directory() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe().context("finding this program's own directory")?;
    match own.parent() {
        Some(directory) => Ok(directory.to_owned()),
        None => bail!("this program is in no directory"),
    }
}
