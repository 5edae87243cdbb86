//! Finds out the configuration of a site from its own `dummy.ini`.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;

use crate::init::{Page, site_file};

/// Of a site of the dummy, by reading its dummy.ini
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  hallpass init dummy /srv/club")]
pub(super) struct DiscoverDummy {
    /// The site's directory, or its dummy.ini
    path: PathBuf,
}

/// Reads the site at the path, and writes what it is.
pub(super) fn write(page: &mut Page, options: &DiscoverDummy) -> anyhow::Result<()> {
    let file = site_file::find(&options.path, "dummy.ini")?;
    let source = site_file::read(&file)?;
    let text = std::str::from_utf8(&source)
        .with_context(|| format!("{} is not Unicode", file.display()))?;
    let get = |key: &str| {
        let value = |line: &'_ str| {
            line.split_once('=')
                .map(|(k, v)| (k.trim().to_owned(), v.trim().to_owned()))
        };
        let found = text.lines().filter_map(value).find(|(name, _)| name == key);
        found
            .map(|(_, value)| value)
            .with_context(|| format!("{} does not say {key}", file.display()))
    };
    // No configuration says that passwords are checked elsewhere.
    let method = get("login")?;
    if method != "members" {
        bail!(
            "{}: login = {method}: passwords are not checked against the site's members",
            file.display()
        );
    }
    let directory = file.parent().unwrap_or(Path::new("/"));
    page.note(&format!("The site in {}.", directory.display()));
    page.blank();
    page.string("framework", "dummy", "see docs/dummy.md for all keys");
    let database = directory.join(get("database")?);
    let url = format!("sqlite:{}", site_file::text(&database)?);
    page.string("database", &url, "database");
    page.table("dummy", "what dummy.ini says");
    page.string("table_prefix", &get("table_prefix")?, "table_prefix");
    page.string("session_cookie_name", &get("cookie")?, "cookie");
    Ok(())
}
