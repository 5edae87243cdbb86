//! Builds the configuration of a Django site from what the site's own Python reports.

mod cache;
mod database;
mod found;
mod manage;
mod rules;
mod sessions;
mod user;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;

use self::found::{Answer, Found};
pub(super) use self::manage::find as find_site;
use self::rules::Expressed;
use self::sessions::Readable;
use crate::init::Page;
use crate::init::mapping::{self, Mapping};
pub(super) use crate::init::owner::root_warning;
use crate::init::python::Interpreter;
pub(super) use crate::init::python::find as find_python;
use crate::init::{environment, parse_duration};

/// What the site is asked.
const SCRIPT: &str = concat!(
    include_str!("overrides.py"),
    include_str!("managers.py"),
    include_str!("rules.py"),
    include_str!("database.py"),
    include_str!("sessions.py"),
    include_str!("site.py"),
    "\n\nmain()\n"
);
/// Algorithms of password hashes that are known here.
const ALGORITHMS: [&str; 11] = [
    "argon2",
    "bcrypt",
    "bcrypt_sha256",
    "crypt",
    "md5",
    "pbkdf2_sha1",
    "pbkdf2_sha256",
    "scrypt",
    "sha1",
    "unsalted_md5",
    "unsalted_sha1",
];

/// Of a Django site, by asking its own Python
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hallpass init django /srv/shop
  hallpass init django /srv/shop --settings shop.settings.production --env-file /etc/shop.env \\
      --output /etc/hallpass/hallpass.toml")]
pub(super) struct DiscoverDjango {
    /// The site's manage.py, or a directory that has it, itself or further below
    path: PathBuf,
    #[command(flatten)]
    site: SiteOptions,
    /// How long the site may take to load
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = parse_duration)]
    timeout: Duration,
}

/// `path` as the site's Python calls it.
pub(super) fn called_there(path: &Path, mappings: &[Mapping]) -> PathBuf {
    let there = mapping::path_of_the_site(mappings, &path.to_string_lossy());
    there.map_or_else(|| path.to_owned(), PathBuf::from)
}

/// How the site's own Python is asked.
#[derive(Debug, Args)]
pub(super) struct SiteOptions {
    /// The site's own Python [default: that of its virtual environment, else python3]
    #[arg(long, value_name = "PROGRAM")]
    pub python: Option<PathBuf>,
    /// The settings module [default: as manage.py says]
    #[arg(long, value_name = "MODULE", env = "DJANGO_SETTINGS_MODULE")]
    pub settings: Option<String>,
    /// The schema of a tenant, of a site with django-tenants: each tenant is a site by itself
    #[arg(long, value_name = "NAME")]
    pub schema: Option<String>,
    /// A file of environment variables that the settings read; may be given several times
    #[arg(long, value_name = "FILE")]
    pub env_file: Vec<PathBuf>,
    /// What a server or a path in the site's container is called here, as in
    /// db:5432=127.0.0.1:5432 or /app=/srv/shop; may be given several times
    #[arg(long, value_name = "FROM=TO")]
    pub map: Vec<Mapping>,
}

/// Asks the site, and writes what it says.
pub(super) fn write(page: &mut Page, options: &DiscoverDjango) -> anyhow::Result<()> {
    let settings = options.site.settings.clone();
    let site = manage::find(&options.path, settings.is_some())?;
    let mut environment = Vec::new();
    for file in &options.site.env_file {
        environment.extend(environment::read(file)?);
    }
    let interpreter = Interpreter {
        python: match &options.site.python {
            Some(python) => python.clone(),
            None => find_python(&site.directory),
        },
        environment,
        timeout: options.timeout,
    };
    let warning = root_warning(site.manage.as_deref().unwrap_or(&site.directory));
    if let Some(warning) = warning {
        page.warn_at_once(&warning);
    }
    let manage = site
        .manage
        .as_deref()
        .map(|path| called_there(path, &options.site.map));
    let arguments = [
        manage.map(OsString::from),
        settings.map(OsString::from),
        options.site.schema.clone().map(OsString::from),
    ];
    let arguments = arguments.map(Option::unwrap_or_default);
    let answer = interpreter.ask(&site.directory, SCRIPT, arguments)?;
    let unclear = || {
        let python = interpreter.python.display();
        format!("what {python} says cannot be understood")
    };
    let Answer { tenants } = serde_json::from_slice(&answer).with_context(unclear)?;
    match (tenants, &options.site.schema) {
        (Some(tenants), None) => bail!(
            "nothing is written: each tenant of this site is a site by itself, with accounts and \
             sessions of its own. Run this once for each, with --schema and its schema, which is \
             in the column schema_name of {}, and with --output",
            tenants.model
        ),
        (None, Some(_)) => {
            bail!("the site has no tenants: there is no TENANT_MODEL; take --schema away")
        }
        _ => {}
    }
    let mut found: Found = serde_json::from_slice(&answer).with_context(unclear)?;
    found.map(&options.site.map);
    page.note(&format!("The Django site in {}.", site.directory.display()));
    page.note(&format!(
        "Its settings are {}, its Python is {}.",
        found.settings,
        interpreter.python.display()
    ));
    page.blank();
    page.string("framework", "django", "see docs/django.md for all keys");
    let mut expressed = rules::express(&found.rules, &found.user.model)?;
    let readable = match expressed.sessions.take() {
        Some(why) => Err(why),
        None => sessions::readable(&found, &site.directory),
    };
    let schemas = found
        .tenants
        .as_ref()
        .map(|tenants| tenants.schemas.as_slice());
    database::write(page, &found.database, &site.directory, schemas)?;
    let of_sessions = readable.as_ref().ok().and_then(|it| it.database);
    if let Some(sessions) = of_sessions.filter(|it| !it.is_same(&found.database)) {
        database::write_for_sessions(page, sessions, &site.directory, schemas)?;
    }
    django(page, &found, &expressed, readable)
}

fn django(
    page: &mut Page,
    found: &Found,
    expressed: &Expressed,
    readable: Result<Readable<'_>, String>,
) -> anyhow::Result<()> {
    if let (Some(passwords), Err(sessions)) = (&expressed.passwords, &readable) {
        return Err(rules::nobody(passwords, sessions));
    }
    page.table("django", "Django's own settings, in lower case");
    page.string("version", &found.version, "what of old sessions is legal");
    let cache = sessions::write(page, found, readable);
    let backends = expressed.backends.iter().map(String::as_str);
    let comment = "AUTHENTICATION_BACKENDS";
    page.strings("authentication_backends", backends, comment);
    let hashers = found.hashers.iter().map(String::as_str);
    page.strings("password_hashers", hashers.clone(), "PASSWORD_HASHERS");
    for unknown in hashers.filter(|name| !ALGORITHMS.contains(name)) {
        page.warn(&format!(
            "the hasher {unknown} is not known here: accounts with such passwords are denied"
        ));
    }
    if found.database.zone != "UTC" {
        page.string(
            "time_zone",
            &found.database.zone,
            "of datetimes without one",
        );
    }
    if found.authtoken {
        page.note("authtoken = true  # would take the tokens of Django REST framework, too");
    }
    user::write(page, found)?;
    if let Some(why) = &expressed.permissions {
        page.warn(&format!(
            "{why}: who holds which permission is not known here, and nobody counts as holding one"
        ));
    }
    if expressed.permissions.is_some() && found.user.permissions.is_some() {
        page.boolean("permissions", false, "superusers are none either");
    }
    let factors = &found.rules.second_factors.tables;
    if !factors.is_empty() {
        let comment = "of accounts in them no password is enough";
        page.strings("second_factor", factors.iter().map(String::as_str), comment);
    }
    for warning in &expressed.warnings {
        page.warn(warning);
    }
    if let Some(cache) = cache {
        cache.place.write(page, &cache.setting);
    }
    access(page, expressed, &found.rules.manager.name);
    Ok(())
}

/// `[access]`, where the site has rules that it can express.
fn access(page: &mut Page, expressed: &Expressed, manager: &str) {
    let Expressed {
        passwords, names, ..
    } = expressed;
    if passwords.is_none() && names.is_none() && expressed.condition.is_none() {
        return;
    }
    page.table("access", "who gets in");
    if let (Some(why), Some(_)) = (names, passwords) {
        page.warn(&format!(
            "no account is looked up by a name (`login = []` of [access]), so sessions alone let \
             somebody in: {why}. If it gives the accounts that Django's own would give, take the \
             line away"
        ));
        page.strings("login", [], "see above");
    }
    if let Some(why) = &expressed.passwords {
        page.warn(&format!(
            "no password lets anybody in (`passwords = false` of [access]): {why}. If it refuses \
             nobody whom Django's own would take, take the line away; if it takes e-mail addresses \
             for names, so does `login = [\"username\", \"email\"]`"
        ));
        page.boolean("passwords", false, "see above");
    }
    if let Some(condition) = &expressed.condition {
        page.string("where", condition, &format!("of {manager}"));
    }
}
