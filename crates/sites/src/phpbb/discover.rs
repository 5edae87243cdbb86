//! Builds the configuration of a phpBB board from its own file. PHP is not run.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;

use crate::init::Page;
use crate::init::site_file;

/// Of a phpBB board, by reading its config.php
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  hallpass init phpbb /var/www/phpbb")]
pub(super) struct DiscoverPhpbb {
    /// The board's directory, or its config.php
    path: PathBuf,
}

/// Reads the board at `path`, and writes what it is.
pub(super) fn write(page: &mut Page, options: &DiscoverPhpbb) -> anyhow::Result<()> {
    let file = site_file::find(&options.path, "config.php")?;
    let source = site_file::read(&file)?;
    let literals = hallpass_php_literals::read(&source)
        .with_context(|| format!("cannot read {}", file.display()))?;
    site_file::must_say(&file, literals.variable("table_prefix"), "$table_prefix")?;
    site_file::must_say(&file, literals.variable("dbms"), "$dbms")?;
    let directory = file.parent().unwrap_or(Path::new("/"));
    page.note(&format!("The phpBB board in {}.", directory.display()));
    page.note("Passwords are good while its auth_method is db or oauth; `hallpass doctor` looks.");
    page.blank();
    page.string("framework", "phpbb", "see docs/phpbb.md for all keys");
    page.table(
        "phpbb",
        "the rest stands in the board's own file, and in its table of settings",
    );
    let comment = "read at every start; PHP is not run";
    page.string("configuration", site_file::text(&file)?, comment);
    Ok(())
}
