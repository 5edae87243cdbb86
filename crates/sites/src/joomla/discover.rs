//! Builds the configuration of a Joomla site from its own files. PHP is not run.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use hallpass_php_literals::Literal;

use crate::init::Page;
use crate::init::cookie::SessionCookie;
use crate::init::site_file;

/// The list of files that Joomla was installed from, since 1.6: it names the version.
const MANIFEST: &str = "administrator/manifests/files/joomla.xml";
/// The class that says the version: of 1.5 and 1.6, of 1.7 to 3.7.
const VERSIONS: [&str; 3] = [
    "libraries/joomla/version.php",
    "includes/version.php",
    "libraries/cms/version/version.php",
];

/// Of a Joomla site, by reading its configuration.php
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  hallpass init joomla /var/www/joomla")]
pub(super) struct DiscoverJoomla {
    /// The site's directory, or its configuration.php
    path: PathBuf,
    /// Count the sessions of the back end, not those of the site
    #[arg(long)]
    administrator: bool,
}

/// Reads the site at `path`, and writes what it is.
pub(super) fn write(page: &mut Page, options: &DiscoverJoomla) -> anyhow::Result<()> {
    let file = site_file::find(&options.path, "configuration.php")?;
    let source = site_file::read(&file)?;
    let literals = hallpass_php_literals::read(&source)
        .with_context(|| format!("cannot read {}", file.display()))?;
    // It must be one: any site may have a file of this name.
    site_file::must_say(&file, literals.property("JConfig", "dbprefix"), "$dbprefix")?;
    let directory = file.parent().map(Path::to_owned).unwrap_or_default();
    page.note(&format!("The Joomla site in {}.", directory.display()));
    page.blank();
    page.string("framework", "joomla", "see docs/joomla.md for all keys");
    page.table("joomla", "the rest stands in the site's own file");
    let comment = "read at every start; PHP is not run";
    page.string("configuration", site_file::text(&file)?, comment);
    page.string(
        "client",
        if options.administrator {
            "administrator"
        } else {
            "site"
        },
        "whose sessions count",
    );
    match version(&directory) {
        Some(version) => page.string("version", &version, "which hashes it knows"),
        None => page.warn(
            "the site's version is not found beside its configuration.php: the newest is assumed; \
             before 4, add `version = \"3\"` to [joomla]",
        ),
    }
    let of_cookie = |key| match literals.property("JConfig", key) {
        Ok(Some(Literal::Text(text))) => String::from_utf8_lossy(text).into_owned(),
        _ => String::new(),
    };
    page.session_cookie(&SessionCookie {
        domain: of_cookie("cookie_domain"),
        path: of_cookie("cookie_path"),
        ..SessionCookie::default()
    });
    let handler = match literals.property("JConfig", "session_handler") {
        Ok(Some(Literal::Text(handler))) => String::from_utf8_lossy(handler).into_owned(),
        _ => String::new(),
    };
    let place = literals.property("JConfig", "session_filesystem_path");
    let no_place = !matches!(place, Ok(Some(Literal::Text(path))) if !path.is_empty());
    match handler.as_str() {
        "filesystem" | "none" if no_place => page.warn(
            "sessions are not read: they are in PHP's own files; add `session_filesystem_path`, as \
             session.save_path of php.ini, to [joomla]",
        ),
        "" | "database" | "redis" | "memcached" | "filesystem" | "none" => {}
        other => page.warn(&format!(
            "sessions are not read: the session handler is {other}, which only PHP can ask"
        )),
    }
    Ok(())
}

/// The version of the site in `directory`.
fn version(directory: &Path) -> Option<String> {
    let manifest = std::fs::read_to_string(directory.join(MANIFEST)).ok();
    let element = manifest.as_deref().and_then(|manifest| {
        let (_, rest) = manifest.split_once("<version>")?;
        Some(rest.split_once("</version>")?.0.trim().to_owned())
    });
    element.or_else(|| class(directory)).filter(|version| {
        version.len() < 20 && version.starts_with(|first: char| first.is_ascii_digit())
    })
}

fn class(directory: &Path) -> Option<String> {
    let files = VERSIONS.iter().map(|name| directory.join(name));
    files
        .filter_map(|file: PathBuf| std::fs::read(file).ok())
        .find_map(|source| {
            let literals = hallpass_php_literals::read(&source).ok()?;
            match literals.property("JVersion", "RELEASE").ok()?? {
                Literal::Text(text) => String::from_utf8(text.to_vec()).ok(),
                _ => None,
            }
        })
}
