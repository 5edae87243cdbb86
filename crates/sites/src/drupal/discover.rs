//! Builds the configuration of a Drupal site from its own files. PHP is not run.

use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use clap::Args;
use hallpass_php_literals::{Literal, Literals};

use super::settings::root;
use super::settings_php;
use crate::init::Page;
use crate::init::cookie::SessionCookie;
use crate::init::site_file;
use crate::php_file::Evaluated;

/// Where Drupal may be below the directory of a project.
const PLACES: [&str; 4] = ["", "web", "docroot", "html"];
/// The files that say the version, and what stands before it: of 8 and later, of 7.
const VERSIONS: [(&str, &str); 2] = [
    ("core/lib/Drupal.php", "const VERSION = '"),
    ("includes/bootstrap.inc", "define('VERSION', '"),
];
/// Variables of Drupal 7 that name another file of code for sessions or hashes.
const REPLACED: [&str; 2] = ["session_inc", "password_inc"];

/// Of a Drupal site, by reading its settings.php
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  hallpass init drupal /var/www/drupal --base-url https://www.example.org"
)]
pub(super) struct DiscoverDrupal {
    /// The directory of Drupal or of its project, or the settings.php of a site
    path: PathBuf,
    /// The address of the site, from which the session cookie has its name
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
    /// The directory of the site below `sites`
    #[arg(long, value_name = "NAME", default_value = "default")]
    site: String,
}

/// Reads the site at `path`, and writes what it is.
pub(super) fn write(page: &mut Page, options: &DiscoverDrupal) -> anyhow::Result<()> {
    let file = find(options)?;
    let mut source = site_file::read(&file)?;
    let evaluated = settings_php::evaluate(&file, &source);
    let Evaluated { literals, included } =
        evaluated.map_err(|error| anyhow!("cannot read {}: {error}", file.display()))?;
    // A rule may stand in any of them.
    for included in &included {
        source.push(b'\n');
        source.extend_from_slice(&site_file::read(included)?);
    }
    let directory = file.parent().map(Path::to_owned).unwrap_or_default();
    let root = root(&directory);
    site_file::must_say(&file, literals.variable("databases"), "$databases")?;
    let found = version(&root);
    let version = found
        .clone()
        .or_else(|| guessed(&literals))
        .with_context(|| {
            let (file, root) = (file.display(), root.display());
            format!("{file} is not that of a Drupal, 7 or later, and there is none in {root}")
        })?;
    let old = version.split('.').next() == Some("7");
    check_rules(&file, &source, &literals, old)?;
    let services = Services::read(&directory)?;
    page.note(&format!("The Drupal site in {}.", directory.display()));
    page.blank();
    page.string("framework", "drupal", "see docs/drupal.md for all keys");
    page.table("drupal", "the rest stands in the site's own file");
    let comment = "read at every start; PHP is not run";
    page.string("configuration", site_file::text(&file)?, comment);
    page.string("version", &version, "tables, the cookie's name and hashes");
    if found.is_none() {
        page.warn(&format!(
            "no Drupal is found in {}: {version} is assumed, as settings.php looks; write the site's \
             version into [drupal]",
            root.display()
        ));
    }
    if let Some(url) = &options.base_url {
        page.string("base_url", url, "the session cookie has its name from it");
    }
    let known_url = old && matches!(literals.variable("base_url"), Ok(Some(_)));
    if options.base_url.is_none() && !known_url {
        page.warn(
            "sessions are not read: the session cookie has its name from the site's address; add \
             base_url = \"https://…\" to [drupal], or use --base-url",
        );
    }
    if let Some(domain) = services.cookie_domain.as_deref().filter(|_| !old) {
        page.string("cookie_domain", domain, "as in its services.yml");
    }
    if let Some(suffix) = services.name_suffix.as_deref().filter(|_| !old) {
        page.string("name_suffix", suffix, "as in its services.yml");
    }
    if services.super_user == Some(false) {
        page.boolean("enable_super_user", false, "as in its services.yml");
    }
    write_phpass(page, &literals, &root, &version);
    warn(page, &file, &source, &literals);
    let domain = match literals.variable("cookie_domain") {
        Ok(Some(Literal::Text(text))) if old => Some(String::from_utf8_lossy(text).into_owned()),
        _ => services.cookie_domain.filter(|_| !old),
    };
    // Without a setting the domain is the site's host, with all names below it.
    let host = options.base_url.as_deref().and_then(|url| {
        let (_, rest) = url.split_once("://")?;
        rest.split(['/', ':']).next().map(str::to_owned)
    });
    if let Some(domain) = domain.or(host) {
        page.session_cookie(&SessionCookie {
            domain,
            ..SessionCookie::default()
        });
    }
    Ok(())
}

/// The settings.php of the site.
fn find(options: &DiscoverDrupal) -> anyhow::Result<PathBuf> {
    let mut name = Path::new(&options.site).components();
    let plain = matches!(name.next(), Some(std::path::Component::Normal(_)));
    if !plain || name.next().is_some() {
        bail!("{:?} is not the name of a directory", options.site);
    }
    let below = |place: &str| {
        let sites = options.path.join(place).join("sites");
        sites.join(&options.site).join("settings.php").is_file()
    };
    match PLACES.into_iter().find(|place| below(place)) {
        Some(place) => {
            let sites = options.path.join(place).join("sites");
            site_file::find(&sites.join(&options.site), "settings.php")
        }
        None => site_file::find(&options.path, "settings.php"),
    }
}

/// The version of the Drupal in `root`.
fn version(root: &Path) -> Option<String> {
    let stated = |(file, before): (&str, &str)| {
        let source = std::fs::read(root.join(file)).ok()?;
        let source = String::from_utf8_lossy(&source);
        let (_, rest) = source.split_once(before)?;
        let (version, _) = rest.split_once('\'')?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-".contains(&byte);
        let major: u32 = version.split('.').next()?.parse().ok()?;
        let fits = version.len() < 20 && version.bytes().all(plain) && major >= 7;
        fits.then(|| version.to_owned())
    };
    VERSIONS.into_iter().find_map(stated)
}

/// The version that settings.php is written for, where Drupal itself is not found: it has its salt
/// in another place since 8.
fn guessed(literals: &Literals) -> Option<String> {
    if !matches!(literals.element("settings", &["hash_salt"]), Ok(None)) {
        return Some("10".to_owned());
    }
    let salt = literals.variable("drupal_hash_salt");
    (!matches!(salt, Ok(None))).then(|| "7".to_owned())
}

/// # Errors
/// When the site has a rule that no configuration can express.
fn check_rules(file: &Path, source: &[u8], literals: &Literals, old: bool) -> anyhow::Result<()> {
    for name in REPLACED.iter().filter(|_| old) {
        match literals.element("conf", &[name]) {
            Ok(None) => {}
            Ok(Some(_)) => bail!(
                "{}: $conf['{name}'] names code of the site's own, by which it reads sessions or \
                 checks passwords otherwise than Drupal does; this cannot be configured",
                file.display()
            ),
            Err(not_literal) => bail!(
                "{}: whether $conf has '{name}', which replaces code of Drupal's, cannot be told: \
                 {not_literal}",
                file.display()
            ),
        }
    }
    if code_lines(source).any(|line| line.contains("user.role.")) {
        bail!(
            "{}: $config changes a role, and what is read here is the role without that; this \
             cannot be configured",
            file.display()
        );
    }
    Ok(())
}

/// Lines of PHP that are not comments from their beginning.
fn code_lines(source: &[u8]) -> impl Iterator<Item = String> {
    source.split(|byte| *byte == b'\n').filter_map(|line| {
        let line = String::from_utf8_lossy(line).trim().to_owned();
        let comment = ["#", "//", "*", "/*"].iter().any(|it| line.starts_with(it));
        (!comment).then_some(line)
    })
}

/// Says whether the site has the module phpass, where its exported configuration tells.
fn write_phpass(page: &mut Page, literals: &Literals, root: &Path, version: &str) {
    let mut parts = version
        .split('.')
        .map(|part| part.parse::<u32>().unwrap_or(0));
    let number = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    if number < (10, 1) {
        return;
    }
    let exported = match literals.element("settings", &["config_sync_directory"]) {
        Ok(Some(Literal::Text(path))) => {
            let path = root.join(String::from_utf8_lossy(path).as_ref());
            std::fs::read_to_string(path.join("core.extension.yml")).ok()
        }
        _ => None,
    };
    match exported {
        Some(modules) => {
            let there = modules
                .lines()
                .any(|line| line.trim_start().starts_with("phpass:"));
            let comment = "as in its exported configuration: core.extension.yml";
            page.boolean("phpass", there, comment);
        }
        None => page.warn(
            "passwords that were set before Drupal 10.1 are refused: whether the site has the \
             module phpass, which checks them, stands in its database; `hallpass doctor` looks, \
             and says what to write",
        ),
    }
}

/// Warns of what is not read.
fn warn(page: &mut Page, file: &Path, source: &[u8], literals: &Literals) {
    if let Err(not_literal) = literals.element("databases", &["default", "default", "database"]) {
        page.warn(&format!(
            "{}: {not_literal}; add `database = \"…\"` at the top, and to [drupal] prefix, base_url, \
             cookie_domain and do_not_hash_session_ids, as far as the error of the next command \
             asks for them",
            file.display()
        ));
    }
    let other = |line: &String| {
        line.contains("container_yamls") && !line.contains("$site_path . '/services.yml'")
    };
    if code_lines(source).any(|line| other(&line)) {
        page.warn(
            "the site has further files of services, which are not read: if they set cookie_domain, \
             name_suffix or security.enable_super_user, write the same into [drupal]",
        );
    }
    page.note("Modules that ask for a second factor are looked for in the database: `hallpass");
    page.note("doctor` says whether there is one. Passwords alone are refused then.");
}

/// What the site's services.yml says of sessions and user 1.
#[derive(Debug, Default, PartialEq, Eq)]
struct Services {
    cookie_domain: Option<String>,
    name_suffix: Option<String>,
    super_user: Option<bool>,
}

impl Services {
    fn read(directory: &Path) -> anyhow::Result<Self> {
        let path = directory.join("services.yml");
        match std::fs::read_to_string(&path) {
            Ok(text) => Self::parse(&text).with_context(|| format!("{}", path.display())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
        }
    }

    /// Lines `key: value`, as the file that comes with Drupal has them.
    ///
    /// # Errors
    /// For what is written otherwise, and for another handler of sessions.
    fn parse(text: &str) -> anyhow::Result<Self> {
        let mut services = Self::default();
        for line in text.lines() {
            let line = line.trim();
            if line.starts_with('#') {
                continue;
            }
            let replaced = [
                "session_handler",
                "session_manager",
                "session_configuration",
            ];
            if replaced.iter().any(|it| line.contains(it)) || line == "password:" {
                bail!(
                    "it replaces a service of Drupal's sessions: {line}; this cannot be configured"
                );
            }
            let keys = ["cookie_domain", "name_suffix", "security.enable_super_user"];
            let Some(key) = keys.into_iter().find(|key| line.contains(key)) else {
                continue;
            };
            let value = line
                .strip_prefix(key)
                .and_then(|rest| rest.strip_prefix(':'));
            let value = value.and_then(plain_value).with_context(|| {
                format!("cannot read {line:?}; write it as `{key}: value` on a line of its own")
            })?;
            match key {
                "cookie_domain" => services.cookie_domain = Some(value).filter(|it| !it.is_empty()),
                "name_suffix" => services.name_suffix = Some(value).filter(|it| !it.is_empty()),
                _ => {
                    // Drupal takes the right away where it is exactly `false`. Less is safe.
                    services.super_user = Some(value.eq_ignore_ascii_case("true"));
                }
            }
        }
        Ok(services)
    }
}

/// A scalar of YAML on one line, with or without quotes.
fn plain_value(text: &str) -> Option<String> {
    let text = text.trim();
    for quote in ['\'', '"'] {
        if let Some(rest) = text.strip_prefix(quote) {
            let (value, after) = rest.split_once(quote)?;
            let after = after.trim_start();
            let done = after.is_empty() || after.starts_with('#');
            return (done && !value.contains('\\')).then(|| value.to_owned());
        }
    }
    let value = text.split(" #").next().unwrap_or_default().trim();
    let plain = |char: char| char.is_ascii_alphanumeric() || ".-_".contains(char);
    value.chars().all(plain).then(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_are_read_as_drupal_writes_them() {
        let text = "parameters:\n  security.enable_super_user: false\n  session.storage.options:\n    \
            # cookie_domain: '.example.com'\n    cookie_domain: '.example.org' # ours\n    \
            name_suffix: \"x1\"\n    gc_maxlifetime: 200000\n";
        let services = Services::parse(text).unwrap();
        assert_eq!(services.cookie_domain.as_deref(), Some(".example.org"));
        assert_eq!(services.name_suffix.as_deref(), Some("x1"));
        assert_eq!(services.super_user, Some(false));
        let text = "  security.enable_super_user: true\n    name_suffix: ''\n#   name_suffix: y";
        let expected = Services {
            super_user: Some(true),
            ..Services::default()
        };
        assert_eq!(Services::parse(text).unwrap(), expected);
    }

    #[test]
    fn services_that_are_written_otherwise_are_not_guessed() {
        for text in [
            "session.storage.options: { cookie_domain: '.example.org' }",
            "cookie_domain: &a '.example.org'",
            "cookie_domain: '.example.org",
            "cookie_domain: \"\\u002eexample.org\"",
            "name_suffix: [x]",
            "services:\n  session_handler.storage:\n    class: Other",
        ] {
            assert!(Services::parse(text).is_err(), "{text}");
        }
    }
}
