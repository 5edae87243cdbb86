//! Builds the configuration of a WordPress site from its own files, and from what its database says of
//! plug-ins. PHP is not run.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use hallpass_php_literals::{Literal, Literals};
use hallpass_sessions::wordpress::{Version, keys, list};
use hallpass_settings::Document;
use hallpass_stores::sql::{Database, Settings};
use hallpass_stores::{Deadline, Unavailable};

use super::file::{Wrong, load, root};
use super::plugins::{Change, changes};
use super::settings::Wordpress;
use crate::init::cookie::SessionCookie;
use crate::init::{Page, site_file};

/// How long the database may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// What must be known of the file.
const NEEDED: [&str; 12] = [
    "$table_prefix",
    "DB_NAME",
    "DB_USER",
    "DB_PASSWORD",
    "DB_HOST",
    "LOGGED_IN_KEY",
    "LOGGED_IN_SALT",
    "MULTISITE",
    "SUBDOMAIN_INSTALL",
    "CUSTOM_USER_TABLE",
    "CUSTOM_USER_META_TABLE",
    "LOGGED_IN_COOKIE",
];

/// Of a WordPress site, by reading its wp-config.php
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  hallpass init wordpress /var/www/wordpress")]
pub(super) struct DiscoverWordpress {
    /// The site's directory, or its wp-config.php
    path: PathBuf,
    /// The site's host name, where Debian's package serves several
    #[arg(long, value_name = "NAME")]
    host: Option<String>,
    /// Which site of a network (multisite) it is
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    blog: u32,
}

/// Reads the site at `path`, and writes what it is.
pub(super) fn write(page: &mut Page, options: &DiscoverWordpress) -> anyhow::Result<()> {
    let file = find(&options.path)?;
    let loaded = match load(&file, options.host.as_deref()) {
        Ok(loaded) => loaded,
        Err(Wrong::Unread(path, error)) => bail!("cannot read {}: {error}", path.display()),
        Err(Wrong::Configuration(message)) => bail!("{message}"),
        Err(Wrong::Host(message)) => bail!("--host {message}"),
    };
    let (own, literals) = (loaded.path, loaded.literals);
    site_file::must_say(&own, literals.variable("table_prefix"), "$table_prefix")?;
    must_tell(&own, &literals)?;
    let directory = root(&file).map_or_else(
        || file.parent().unwrap_or(Path::new("/")).to_owned(),
        PathBuf::from,
    );
    page.note(&format!("The WordPress site in {}.", directory.display()));
    let looked = Site::read(&own, &literals, options.blog, &directory).look();
    if looked.passwords && looked.sessions {
        bail!(
            "the site's own code decides about passwords and about sessions, so that nothing is left: {}",
            looked.warnings.join("; ")
        );
    }
    page.blank();
    page.string(
        "framework",
        "wordpress",
        "see docs/wordpress.md for all keys",
    );
    if looked.passwords {
        page.table("access", "what the site's plug-ins change cannot be read");
        page.boolean("passwords", false, "plug-ins decide about passwords");
    }
    page.table(
        "wordpress",
        "the rest stands in the site's own file, and in its options",
    );
    let comment = "read at every start; PHP is not run";
    page.string("configuration", site_file::text(&own)?, comment);
    if options.blog != 1 {
        page.number(
            "blog",
            options.blog.into(),
            "which site of the network it is",
        );
    }
    match version(&directory) {
        Some(version) => page.string("version", &version, "which hashes and cookies it knows"),
        None => page.warn(
            "the site's version is not found in wp-includes/version.php: the newest is assumed; \
             before 6.8, add `version` to [wordpress]",
        ),
    }
    if looked.sessions {
        page.boolean("sessions", false, "plug-ins decide about sessions");
    }
    for warning in looked.warnings {
        page.warn(&warning);
    }
    let of_cookie = |name| constant(&literals, name).unwrap_or_default();
    page.session_cookie(&SessionCookie {
        domain: of_cookie("COOKIE_DOMAIN"),
        path: of_cookie("COOKIEPATH"),
        ..SessionCookie::default()
    });
    Ok(())
}

/// `wp-config.php` at `path`, in it, or in the directory above, where WordPress looks for it as well.
fn find(path: &Path) -> anyhow::Result<PathBuf> {
    let found = site_file::find(path, "wp-config.php");
    if found.is_err() && path.join("wp-load.php").is_file() {
        let path = std::path::absolute(path).context("cannot tell where the site is")?;
        if let Some(above) = path.parent().map(|above| above.join("wp-config.php"))
            && above.is_file()
        {
            return Ok(above);
        }
    }
    found
}

/// Fails where the file computes what must be known, and says all of it.
fn must_tell(file: &Path, literals: &Literals) -> anyhow::Result<()> {
    let computed = |name: &&str| match name.strip_prefix('$') {
        Some(name) => literals.variable(name).is_err(),
        None => literals.constant(name).is_err(),
    };
    let names: Vec<&str> = NEEDED.into_iter().filter(computed).collect();
    if names.is_empty() {
        return Ok(());
    }
    let keys: Vec<String> = names
        .iter()
        .map(|name| name.trim_start_matches('$').to_ascii_lowercase())
        .collect();
    bail!(
        "PHP would have to run to tell {} of {}: write hallpass.toml by hand, with {} in [wordpress], empty \
         where the site does not define it",
        names.join(", "),
        file.display(),
        keys.join(", ")
    )
}

/// A text that the file defines.
fn constant(literals: &Literals, name: &str) -> Option<String> {
    match literals.constant(name) {
        Ok(Some(Literal::Text(text))) => String::from_utf8(text.to_vec()).ok(),
        _ => None,
    }
}

/// The version of the WordPress in `directory`.
fn version(directory: &Path) -> Option<String> {
    let source = std::fs::read(directory.join("wp-includes/version.php")).ok()?;
    let literals = hallpass_php_literals::read(&source).ok()?;
    let Literal::Text(text) = literals.variable("wp_version").ok()?? else {
        return None;
    };
    let text = String::from_utf8(text.to_vec()).ok()?;
    let version: String = text
        .chars()
        .take_while(|letter| letter.is_ascii_digit() || *letter == '.')
        .collect();
    Version::parse(&version).map(|_| version)
}

/// Where a site's code is, and its database.
struct Site {
    wordpress: Option<(Wordpress, Settings)>,
    content: PathBuf,
    plugins: PathBuf,
    must_use: PathBuf,
}

/// What the code of a site changes.
#[derive(Default)]
struct Looked {
    /// Whether passwords are judged by more than WordPress itself.
    passwords: bool,
    /// The same of sessions.
    sessions: bool,
    warnings: Vec<String>,
}

impl Site {
    fn read(file: &Path, literals: &Literals, blog: u32, root: &Path) -> Self {
        let content = constant(literals, "WP_CONTENT_DIR").map(PathBuf::from);
        let content = content.unwrap_or_else(|| root.join("wp-content"));
        let or = |name, usual: &str| {
            constant(literals, name).map_or_else(|| content.join(usual), PathBuf::from)
        };
        Self {
            wordpress: settings(file, blog),
            plugins: or("WP_PLUGIN_DIR", "plugins"),
            must_use: or("WPMU_PLUGIN_DIR", "mu-plugins"),
            content,
        }
    }

    /// Looks at all code that the site runs beside WordPress itself.
    fn look(&self) -> Looked {
        let mut looked = Looked::default();
        let mut found: BTreeMap<Change, BTreeSet<String>> = BTreeMap::new();
        let mut add = |name: &str, path: &Path| {
            for change in changes(path) {
                found.entry(change).or_default().insert(name.to_owned());
            }
        };
        match self.active() {
            Ok(active) => {
                for plugin in active.plugins {
                    // A plug-in is a file, or the directory that its file is in.
                    match plugin.split_once('/') {
                        Some((directory, _)) => add(directory, &self.plugins.join(directory)),
                        None => add(&plugin, &self.plugins.join(&plugin)),
                    }
                }
                for theme in active.themes {
                    add(
                        &format!("theme {theme}"),
                        &self.content.join("themes").join(&theme),
                    );
                }
            }
            Err(error) => {
                looked.passwords = true;
                looked.warnings.push(format!(
                    "the site's database cannot be asked which plug-ins are active: {error}; so no \
                     password is accepted; where none of them has a say in logging in, take `passwords \
                     = false` out"
                ));
            }
        }
        for entry in std::fs::read_dir(&self.must_use)
            .into_iter()
            .flatten()
            .flatten()
        {
            let name = format!("mu-plugins/{}", entry.file_name().to_string_lossy());
            add(&name, &entry.path());
        }
        for name in ["sunrise.php", "object-cache.php", "advanced-cache.php"] {
            add(name, &self.content.join(name));
        }
        if self.content.join("object-cache.php").is_file() {
            looked.warnings.push(
                "object-cache.php keeps what WordPress reads in a cache, and Hallpass asks the database: a \
                 change that is made past WordPress, by SQL, counts here at once, and there after `wp cache \
                 flush`"
                    .to_owned(),
            );
        }
        if self.content.join("db.php").is_file() {
            let names = found.entry(Change::Database).or_default();
            names.insert("db.php".to_owned());
        }
        for (change, names) in found {
            let names = names.into_iter().collect::<Vec<_>>().join(", ");
            looked.passwords |= change == Change::Passwords;
            looked.sessions |= change == Change::Sessions;
            looked.warnings.push(match change {
                Change::Passwords => format!(
                    "these have a say in which passwords are right, or ask for a second factor: \
                     {names}; so no password is accepted; where they only count or log attempts, take \
                     `passwords = false` out"
                ),
                Change::Sessions => format!(
                    "these have a say in which sessions count: {names}; so none is read; where they only \
                     log, take `sessions = false` out"
                ),
                Change::Visitors => format!(
                    "these may take visitors for others than their cookie says: {names}; Hallpass reads \
                     the cookie alone"
                ),
                Change::Permissions => format!(
                    "these have a say in what accounts are allowed: {names}; capabilities are read as \
                     they are stored, so use roles where these change them"
                ),
                Change::Names => format!("these change how names are read: {names}"),
                Change::Database => format!(
                    "{names} takes the place of WordPress' own access to its database; give `database` \
                     at the top where that is not the one in wp-config.php"
                ),
            });
        }
        looked
    }

    /// What the database says is active.
    fn active(&self) -> Result<Active, Unavailable> {
        let Some((wordpress, settings)) = &self.wordpress else {
            return Err(Unavailable::new("wp-config.php does not say where it is"));
        };
        let mut database = Database::new(settings);
        database.ask(Deadline::after(TIMEOUT), |queries| {
            let names = ["active_plugins", "template", "stylesheet"];
            let options = wordpress.options(queries, &names)?;
            let option = |name: &str| options.get(name).map(String::as_str).unwrap_or_default();
            let mut plugins = list(option("active_plugins"));
            if wordpress.is_multisite(queries)? {
                let found = wordpress.site_options(queries, &["active_sitewide_plugins"])?;
                plugins.extend(found.values().flat_map(|stored| keys(stored)));
            }
            let themes = [option("template"), option("stylesheet")].map(str::to_owned);
            Ok(Active {
                plugins,
                themes: themes
                    .into_iter()
                    .filter(|theme| !theme.is_empty())
                    .collect(),
            })
        })
    }
}

/// What of a site's code is active.
struct Active {
    plugins: Vec<String>,
    themes: BTreeSet<String>,
}

/// The site as a configuration of its own file alone would have it.
fn settings(file: &Path, blog: u32) -> Option<(Wordpress, Settings)> {
    let path = crate::init::quote(file.to_str()?);
    let text = format!("[wordpress]\nconfiguration = {path}\nblog = {blog}\n");
    let document = Document::parse(Path::new("hallpass.toml"), &text).ok()?;
    let table = document.top().section("wordpress").ok()?;
    let (wordpress, settings) = Wordpress::read(&table, None).ok()?;
    Some((wordpress, settings))
}
