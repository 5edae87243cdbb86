//! Builds the configuration of a PHP site from php.ini and the files beside it. PHP is not run.

pub(super) mod ini;

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;

use self::ini::Settings;
use crate::init::Page;
use crate::init::cookie::SessionCookie;

/// Of a site in plain PHP, by reading php.ini and what stands beside it
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hallpass init php /etc/php/8.2/fpm --user user.username
  hallpass init php /etc/php/8.2/fpm /var/www/site/.user.ini --user _sf2_attributes._security_main")]
pub(super) struct DiscoverPhp {
    /// php.ini, a directory that has it, .user.ini, a pool's file: later ones win
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// The login name's place in $_SESSION, as in user.username
    #[arg(long, value_name = "KEYS")]
    user: Option<String>,
}

/// Reads the files, later ones winning, and writes what they say.
pub(super) fn write(page: &mut Page, options: &DiscoverPhp) -> anyhow::Result<()> {
    let mut settings = Settings::default();
    let mut read = Vec::new();
    for path in &options.paths {
        let path = std::path::absolute(path).context("cannot tell where the site is")?;
        read.extend(files(&path)?);
    }
    for file in &read {
        settings.read(file)?;
    }
    page.note("The PHP site whose settings stand in");
    for file in &read {
        page.note(&format!("    {}", file.display()));
    }
    page.blank();
    page.string("framework", "php", "see docs/php.md for all keys");
    page.table("php", "php.ini's own names, `session.` dropped");
    sessions(page, &settings)?;
    match &options.user {
        Some(user) => page.string("user", user, "the login name's place in $_SESSION"),
        None => bail!(
            "say where in $_SESSION the site puts the login name: --user user.username for \
             $_SESSION['user']['username']"
        ),
    }
    page.blank();
    page.note(
        "The name in the session is all there is. With SQL that finds accounts, passwords and",
    );
    page.note("groups are known, too, and only those who have an account are let in:");
    page.note("[custom]");
    page.note("user = \"SELECT id, username, password FROM users WHERE username = :username\"");
    page.note(
        "accounts = \"SELECT id, username, password FROM users WHERE id > :id ORDER BY id LIMIT 1000\"",
    );
    Ok(())
}

/// The files that `path` stands for, in the order in which PHP reads them.
fn files(path: &Path) -> anyhow::Result<Vec<PathBuf>> {
    if path.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    if !path.is_dir() {
        bail!("there is no {}", path.display());
    }
    let mut files: Vec<PathBuf> = ["php.ini", "conf.d", "pool.d", ".user.ini"]
        .iter()
        .map(|name| path.join(name))
        .filter(|path| path.exists())
        .collect();
    if files.is_empty() {
        // A directory of such files itself.
        files.push(path.to_owned());
    }
    let mut all = Vec::new();
    for file in files {
        if file.is_dir() {
            all.extend(listed(&file)?);
        } else {
            all.push(file);
        }
    }
    if all.is_empty() {
        bail!(
            "there is neither php.ini, conf.d, pool.d nor .user.ini in {}",
            path.display()
        );
    }
    Ok(all)
}

/// The files of a `conf.d` or `pool.d`, in the order of their names.
fn listed(directory: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let doing = || format!("cannot read {}", directory.display());
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).with_context(doing)? {
        let path = entry.with_context(doing)?.path();
        let known = path
            .extension()
            .is_some_and(|ending| ending == "ini" || ending == "conf");
        if known && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn sessions(page: &mut Page, settings: &Settings) -> anyhow::Result<()> {
    let text = |key: &str| {
        settings
            .text(key)
            .map(|text| text.filter(|text| !text.is_empty()))
    };
    let handler = text("session.save_handler")?.unwrap_or_else(|| "files".to_owned());
    let known = ["files", "memcached", "memcache", "redis", "rediscluster"];
    if !known.contains(&handler.as_str()) {
        bail!(
            "session.save_handler is {handler}, which is known to PHP alone; what is read here are \
             files, memcached, memcache, redis and rediscluster"
        );
    }
    page.string("save_handler", &handler, "session.save_handler");
    if let Some(path) = text("session.save_path")? {
        page.private |= handler.starts_with("redis") && path.contains("auth");
        page.string("save_path", &path, "session.save_path");
    }
    match text("session.serialize_handler")?.as_deref() {
        // Each session says itself which it is.
        None | Some("php" | "php_binary" | "php_serialize" | "igbinary") => {}
        Some(other) => page.warn(&format!(
            "session.serialize_handler is {other}, which is not read here: sessions will be denied"
        )),
    }
    if let Some(name) = text("session.name")? {
        page.string("name", &name, "session.name");
    }
    let of_cookie = |key: &str| anyhow::Ok(text(key)?.unwrap_or_default());
    let secure = of_cookie("session.cookie_secure")?;
    page.session_cookie(&SessionCookie {
        domain: of_cookie("session.cookie_domain")?,
        path: of_cookie("session.cookie_path")?,
        same_site: of_cookie("session.cookie_samesite")?,
        secure: ["1", "on", "yes", "true"].contains(&secure.to_ascii_lowercase().as_str()),
    });
    if let Some(lifetime) = text("session.gc_maxlifetime")? {
        match lifetime.trim().parse() {
            Ok(seconds) => page.number(
                "gc_maxlifetime",
                seconds,
                "session.gc_maxlifetime, in seconds",
            ),
            Err(_) => bail!("session.gc_maxlifetime is not a number of seconds"),
        }
    }
    let prefix = match handler.as_str() {
        "memcached" => "memcached.sess_prefix",
        "memcache" => "memcache.session_prefix_static_key",
        _ => "",
    };
    if let Some(value) = text(prefix)? {
        page.string("prefix", &value, prefix);
    }
    if handler.starts_with("redis")
        && let Some(compression) = text("redis.session.compression")?
        && compression != "none"
    {
        page.warn(&format!(
            "redis.session.compression is {compression}, which is not read here: sessions will be denied"
        ));
    }
    Ok(())
}
