//! Builds the configuration of a Laravel site from its `.env`, `config/*.php` and model. PHP is not
//! run unless the operator says so: what it would compute is asked for, and a rule that cannot be read
//! is an error.

mod asked;
mod config;
mod model;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use hallpass_php_literals::words;
use hallpass_sessions::laravel::Cipher;

use self::asked::Asked;
use self::config::Config;
use super::environment::Environment;
use super::roles::TABLES;
use super::settings::Driver;
use super::site_environment::SiteEnvironment;
use crate::init::cookie::SessionCookie;
use crate::init::owner::root_warning;
use crate::init::url::{encode, without_user};
use crate::init::{Page, parse_duration, site_file};

/// Of a Laravel site, by reading its .env and config/*.php
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hallpass init laravel /srv/shop
  hallpass init laravel /srv/shop --guard admin --set session.cookie=shop_session
  sudo -u www-data hallpass init laravel /srv/shop --php --output /var/lib/shop/hallpass.toml")]
pub(super) struct DiscoverLaravel {
    /// The site's directory, or its .env
    path: PathBuf,
    /// The guard whose accounts are let in [default: auth.defaults.guard]
    #[arg(long, value_name = "NAME")]
    guard: Option<String>,
    /// A value of the site's configuration that PHP computes, as in session.cookie=shop_session; may
    /// be given several times
    #[arg(long = "set", id = "set", value_name = "KEY=VALUE", value_parser = parse_setting)]
    set: Vec<(String, String)>,
    /// Ask the application itself for its configuration, by this PHP [default: php]. Its code is run
    /// then, and config/*.php may compute what it likes
    #[arg(long, value_name = "PROGRAM", num_args = 0..=1, default_missing_value = "php")]
    php: Option<PathBuf>,
    /// How long PHP may take
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = parse_duration, requires = "php")]
    timeout: Duration,
    /// A trait of the model that puts no condition on its rows; may be given several times
    #[arg(long = "trait", value_name = "NAME")]
    traits: Vec<String>,
}

fn parse_setting(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("not KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

/// Reads the site at `path`, and writes what it is.
pub(super) fn write(page: &mut Page, options: &DiscoverLaravel) -> anyhow::Result<()> {
    let file = site_file::find(&options.path, ".env")?;
    let directory = file.parent().map(Path::to_owned).unwrap_or_default();
    let source = site_file::read(&file)?;
    let text = std::str::from_utf8(&source).context("the site's .env is not text")?;
    let read = || {
        Environment::parse(text)
            .map_err(|wrong| anyhow::anyhow!("{}:{}: {}", file.display(), wrong.line, wrong.reason))
    };
    let environment = read()?;
    let asked = match &options.php {
        None => None,
        Some(php) => {
            let absolute =
                std::path::absolute(&directory).context("cannot tell where the site is")?;
            if let Some(warning) = root_warning(&absolute.join("bootstrap/app.php")) {
                page.warn_at_once(&warning);
            }
            Some(Asked::of(php, &absolute, options.timeout)?)
        }
    };
    let config = Config::new(&environment, &directory, &options.set, asked)?;
    let site = SiteEnvironment::of(read()?, directory.clone());
    let guard = match &options.guard {
        Some(guard) => guard.clone(),
        None => config
            .filled("auth.defaults.guard")?
            .unwrap_or_else(|| "web".to_owned()),
    };
    let model = accounts(&config, &directory, &guard, options)?;
    let connection = config.filled("database.default")?;
    let connection = connection.unwrap_or_else(|| "sqlite".to_owned());
    let prefix = config.filled(&format!("database.connections.{connection}.prefix"))?;
    let prefix = prefix.unwrap_or_default();

    page.note(&format!("The Laravel site in {}.", directory.display()));
    page.blank();
    page.string("framework", "laravel", "see docs/laravel.md for all keys");
    database(page, &config, &site, &connection)?;
    page.table("laravel", "the rest stands in the site's own .env");
    page.string(
        "environment",
        site_file::text(&file)?,
        "read at every start; PHP is not run",
    );
    if config.is_cached() {
        page.note(
            "bootstrap/cache/config.php was read: after `php artisan config:cache`, run this again",
        );
    }
    keys(page, &config, &site)?;
    page.string("guard", &guard, "whose accounts are let in");
    let cached = sessions(page, &config, &directory, &connection, &prefix)?;
    let uses = authenticates_sessions(&directory)?;
    page.boolean(
        "authenticate_session",
        uses,
        "whether a new password ends the others' sessions",
    );
    page.string(
        "user_table",
        &format!("{prefix}{}", model.table),
        "the model's table",
    );
    page.string("user_id_column", &model.key, "its primary key");
    let deleted_at = model.deleted_at.as_deref().unwrap_or_default();
    page.string("deleted_at_column", deleted_at, "of SoftDeletes");
    if let Some(class) = &model.class {
        page.string("user_model", class, "as roles name it");
    }
    role_tables(page, &config, &prefix)?;
    hashing(page, &config, &directory)?;
    page.note(
        "username_column = \"email\"  # people log in by their address; say so where they do not",
    );
    for warning in &model.warnings {
        page.warn(warning);
    }
    providers(page, &directory)?;
    if let Some(cached) = cached {
        cached.write(page);
    }
    Ok(())
}

/// The table of accounts.
struct Accounts {
    table: String,
    key: String,
    deleted_at: Option<String>,
    class: Option<String>,
    warnings: Vec<String>,
}

fn accounts(
    config: &Config<'_>,
    directory: &Path,
    guard: &str,
    options: &DiscoverLaravel,
) -> anyhow::Result<Accounts> {
    let driver = config.filled(&format!("auth.guards.{guard}.driver"))?;
    let driver = driver.or_else(|| (guard == "web").then(|| "session".to_owned()));
    match driver.as_deref() {
        Some("session") => {}
        None => bail!("config/auth.php has no guard {guard}; --guard names one that it has"),
        Some(other) => bail!(
            "nothing is written: the guard {guard} has the driver {other}, which is not read; --guard \
             names one whose driver is session"
        ),
    }
    let provider = config.filled(&format!("auth.guards.{guard}.provider"))?;
    let provider = provider.unwrap_or_else(|| "users".to_owned());
    let kind = config.filled(&format!("auth.providers.{provider}.driver"))?;
    match kind.as_deref().unwrap_or("eloquent") {
        "database" => Ok(Accounts {
            table: config
                .filled(&format!("auth.providers.{provider}.table"))?
                .context("the provider names no table")?,
            key: "id".to_owned(),
            deleted_at: None,
            class: None,
            warnings: Vec::new(),
        }),
        "eloquent" => {
            let class = config.filled(&format!("auth.providers.{provider}.model"))?;
            let class = class.unwrap_or_else(|| "App\\Models\\User".to_owned());
            let model = model::read(directory, &class, &options.traits)?;
            let mut warnings = Vec::new();
            if model.verifies {
                warnings.push(
                    "the model verifies e-mail addresses: pages of the site with the middleware \
                     `verified` refuse accounts that are let in here; `where = \"email_verified_at IS \
                     NOT NULL\"` in [access] refuses them, too"
                        .to_owned(),
                );
            }
            Ok(Accounts {
                table: model.table,
                key: model.key,
                deleted_at: model.deleted_at,
                class: model.roles.then_some(class),
                warnings,
            })
        }
        other => bail!(
            "nothing is written: the accounts of the guard {guard} come from the provider {other}, \
             which is the site's own code"
        ),
    }
}

/// Those of spatie/laravel-permission, where they are not called as usual.
fn role_tables(page: &mut Page, config: &Config<'_>, prefix: &str) -> anyhow::Result<()> {
    let mut names = Vec::new();
    for usual in TABLES {
        let name = config.filled(&format!("permission.table_names.{usual}"))?;
        names.push(format!("{prefix}{}", name.as_deref().unwrap_or(usual)));
    }
    if names != TABLES {
        let names = names.iter().map(String::as_str);
        page.strings(
            "role_tables",
            names,
            "permission.table_names, with the prefix",
        );
    }
    Ok(())
}

/// `app.key` and `app.cipher`.
fn keys(page: &mut Page, config: &Config<'_>, site: &SiteEnvironment) -> anyhow::Result<()> {
    let key = config.filled("app.key")?;
    if let Some(key) = key
        && site.text("APP_KEY") != Some(&key)
    {
        page.secret(
            "app_key",
            "app_key",
            key.as_bytes(),
            "app.key, which is not that of .env",
        );
    }
    let cipher = config
        .filled("app.cipher")?
        .unwrap_or_else(|| "AES-256-CBC".to_owned());
    if Cipher::from_name(&cipher).is_none() {
        bail!("nothing is written: the cipher {cipher} is not known here");
    }
    page.string("cipher", &cipher.to_ascii_lowercase(), "app.cipher");
    Ok(())
}

/// The database, where it is not what the site's .env says of it.
fn database(
    page: &mut Page,
    config: &Config<'_>,
    site: &SiteEnvironment,
    connection: &str,
) -> anyhow::Result<()> {
    let of = |name: &str| config.filled(&format!("database.connections.{connection}.{name}"));
    let driver = of("driver")?.unwrap_or_else(|| connection.to_owned());
    let url = of("url")?;
    let same = |name: &str, variable: &str, usual: Option<&str>| {
        let said = of(name)?;
        let said = said.as_deref().or(usual);
        anyhow::Ok(said == site.text(variable).or(usual))
    };
    if !config.is_cached()
        && url.is_some()
        && url.as_deref() == site.text("DB_URL").or_else(|| site.text("DATABASE_URL"))
    {
        return Ok(());
    }
    if url.is_some() {
        let (url, user) = without_user(url.as_deref().unwrap_or_default());
        let url = match (&user.name, url.split_once("://")) {
            (Some(name), Some((scheme, rest))) => format!("{scheme}://{}@{rest}", encode(name)),
            _ => url,
        };
        page.table("database", "the connection's `url`");
        page.string("url", &url, "where it is");
        if let Some(password) = &user.password {
            page.secret("password", "database_password", password, "of its user");
        }
        return Ok(());
    }
    if driver == "sqlite" {
        let path = of("database")?.unwrap_or_default();
        if site.text("DB_CONNECTION") != Some("sqlite")
            || site.text("DB_DATABASE").is_some_and(|it| it != path)
        {
            page.string("database", &format!("sqlite:{path}"), "the site's database");
        }
        return Ok(());
    }
    let (scheme, port) = match driver.as_str() {
        "mysql" | "mariadb" => ("mysql", "3306"),
        "pgsql" => ("postgres", "5432"),
        other => bail!("nothing is written: a database of {other} is not read"),
    };
    let as_said = site.text("DB_CONNECTION") == Some(driver.as_str())
        && same("host", "DB_HOST", Some("127.0.0.1"))?
        && same("port", "DB_PORT", Some(port))?
        && same("database", "DB_DATABASE", Some("laravel"))?
        && same("username", "DB_USERNAME", Some("root"))?
        && same("password", "DB_PASSWORD", None)?
        && same("unix_socket", "DB_SOCKET", None)?;
    if as_said {
        return Ok(());
    }
    let host = of("host")?.unwrap_or_else(|| "127.0.0.1".to_owned());
    let name = of("database")?.unwrap_or_default();
    let user = of("username")?.unwrap_or_default();
    let socket = of("unix_socket")?.map(|path| format!("?socket={}", encode(&path)));
    let url = format!(
        "{scheme}://{}@{host}:{}/{}{}",
        encode(&user),
        of("port")?.unwrap_or_else(|| port.to_owned()),
        encode(&name),
        socket.unwrap_or_default(),
    );
    page.table("database", "config/database.php");
    page.string("url", &url, "where it is");
    if let Some(password) = of("password")? {
        page.secret(
            "password",
            "database_password",
            password.as_bytes(),
            "of its user",
        );
    }
    Ok(())
}

/// A cache whose password goes into a table of its own.
struct CacheServer {
    url: String,
    username: Option<String>,
    password: String,
}

impl CacheServer {
    fn write(&self, page: &mut Page) {
        page.table("laravel.cache", "where the sessions are");
        page.string("url", &self.url, "the Redis connection");
        if let Some(username) = &self.username {
            page.string("username", username, "its user");
        }
        page.secret(
            "password",
            "redis_password",
            self.password.as_bytes(),
            "its password",
        );
    }
}

fn sessions(
    page: &mut Page,
    config: &Config<'_>,
    directory: &Path,
    connection: &str,
    prefix: &str,
) -> anyhow::Result<Option<CacheServer>> {
    let driver = config
        .filled("session.driver")?
        .unwrap_or_else(|| "database".to_owned());
    let Some(known) = Driver::from_word(&driver) else {
        bail!(
            "nothing is written: the session driver is {driver}, which only the site itself can ask; \
             `session_source = \"http\"` asks one of its pages"
        );
    };
    let word = if driver == "native" { "file" } else { &driver };
    page.string("session_driver", word, "session.driver");
    let cookie = config.filled("session.cookie")?;
    let cookie =
        cookie.context("config/session.php names no cookie; --set session.cookie=NAME does")?;
    page.string("session_cookie", &cookie, "session.cookie");
    let lifetime = config.filled("session.lifetime")?;
    let lifetime = lifetime.map_or(Ok(120), |it| it.trim().parse::<u64>());
    page.number(
        "session_lifetime",
        lifetime.context("session.lifetime is not a whole number")?,
        "in minutes",
    );
    page.boolean(
        "session_encrypt",
        config.truth("session.encrypt")?,
        "session.encrypt",
    );
    match config.filled("session.serialization")?.as_deref() {
        None => page.string("session_serialization", "php", "session.serialization"),
        Some(word @ ("php" | "json")) => {
            page.string("session_serialization", word, "session.serialization")
        }
        Some(other) => {
            bail!("nothing is written: sessions are serialized as {other}, which is not known here")
        }
    }
    let own = config.filled("session.connection")?;
    let mut server = None;
    match known {
        Driver::Database => {
            if own.as_deref().is_some_and(|own| own != connection) {
                page.warn("sessions are not read: their table is in another database; describe it with `session_database`");
            }
            let table = config.filled("session.table")?.unwrap_or_else(|| "sessions".to_owned());
            page.string("session_table", &format!("{prefix}{table}"), "session.table");
        }
        Driver::File => {
            let usual = || directory.join("storage/framework/sessions");
            let files = config.filled("session.files")?.map_or_else(usual, PathBuf::from);
            page.string("session_files", site_file::text(&files)?, "session.files");
        }
        Driver::Redis | Driver::Memcached => {
            server = in_cache(page, config, known, own.as_deref())?;
        }
        Driver::Cookie => page.warn(
            "sessions are in the browsers' own cookies: a logout does not end a copy of one, here as \
             at the site",
        ),
    }
    page.session_cookie(&SessionCookie {
        domain: config.filled("session.domain")?.unwrap_or_default(),
        path: config.filled("session.path")?.unwrap_or_default(),
        same_site: config.filled("session.same_site")?.unwrap_or_default(),
        secure: config.truth("session.secure")?,
    });
    if except(directory, &cookie)? {
        page.warn(
            "sessions are not read: the site does not encrypt its session cookie (EncryptCookies), so \
             that whoever knows an id has the session",
        );
    }
    Ok(server)
}

fn in_cache(
    page: &mut Page,
    config: &Config<'_>,
    driver: Driver,
    connection: Option<&str>,
) -> anyhow::Result<Option<CacheServer>> {
    let word = if driver == Driver::Redis {
        "redis"
    } else {
        "memcached"
    };
    let store = config
        .filled("session.store")?
        .unwrap_or_else(|| word.to_owned());
    let prefix = match config.text("session.prefix")?.filter(|it| !it.is_empty()) {
        Some(prefix) => Some(prefix),
        None => match config.text(&format!("cache.stores.{store}.prefix"))? {
            Some(prefix) => Some(prefix),
            None => config.text("cache.prefix")?,
        },
    };
    page.string("cache_prefix", &prefix.unwrap_or_default(), "cache.prefix");
    if driver == Driver::Memcached {
        let of = |name: &str| config.filled(&format!("cache.stores.{store}.servers.0.{name}"));
        let host = of("host")?.unwrap_or_else(|| "127.0.0.1".to_owned());
        let port = of("port")?.unwrap_or_else(|| "11211".to_owned());
        let url = match host.strip_prefix('/') {
            Some(_) => format!("memcached:unix:{host}"),
            None => format!("memcached://{host}:{port}"),
        };
        page.string("cache", &url, "cache.stores.memcached");
        return Ok(None);
    }
    for option in ["serializer", "compression"] {
        if config
            .get(&format!("database.redis.options.{option}"))?
            .is_some()
        {
            bail!(
                "nothing is written: the Redis client has the option {option}, whose values are not read"
            );
        }
    }
    let before = config
        .text("database.redis.options.prefix")?
        .unwrap_or_default();
    page.string("redis_prefix", &before, "database.redis.options.prefix");
    let connection = connection.unwrap_or("default");
    let of = |name: &str| config.filled(&format!("database.redis.{connection}.{name}"));
    let number = of("database")?.unwrap_or_else(|| "0".to_owned());
    let (url, username, password) = match of("url")? {
        Some(url) => {
            let (url, user) = without_user(&url);
            let password = user
                .password
                .map(|it| String::from_utf8_lossy(&it).into_owned());
            (url, user.name, password)
        }
        None => {
            let host = of("host")?.unwrap_or_else(|| "127.0.0.1".to_owned());
            let port = of("port")?.unwrap_or_else(|| "6379".to_owned());
            let url = match host.split_once("://") {
                Some((_, host)) => format!("rediss://{host}:{port}/{number}"),
                None if host.starts_with('/') => format!("unix://{host}?db={number}"),
                None => format!("redis://{host}:{port}/{number}"),
            };
            (url, of("username")?, of("password")?)
        }
    };
    match password {
        None => {
            page.string("cache", &url, "database.redis");
            Ok(None)
        }
        Some(password) => Ok(Some(CacheServer {
            url,
            username: username.filter(|it| !it.is_empty()),
            password,
        })),
    }
}

/// Which hashes count: since 11 those of one algorithm alone.
fn hashing(page: &mut Page, config: &Config<'_>, directory: &Path) -> anyhow::Result<()> {
    let driver = config
        .filled("hashing.driver")?
        .unwrap_or_else(|| "bcrypt".to_owned());
    let option = if driver == "bcrypt" {
        "bcrypt"
    } else {
        "argon"
    };
    let verifies = match config.get(&format!("hashing.{option}.verify"))? {
        Some(_) => config.truth(&format!("hashing.{option}.verify"))?,
        // Without a file of the site's own, that of the framework counts.
        None => {
            !directory.join("config/hashing.php").is_file()
                && major(directory)?.is_none_or(|it| it >= 11)
        }
    };
    match (verifies, driver.as_str()) {
        (true, "bcrypt" | "argon" | "argon2id") => {
            page.string(
                "hashing_driver",
                &driver,
                "hashing.driver, whose hashes alone count",
            );
        }
        (false, "bcrypt" | "argon") => {}
        // Argon2id hashes alone go through `password_verify` there, too.
        (false, "argon2id") => {}
        (_, other) => bail!(
            "nothing is written: passwords are hashed by {other}, which is the site's own code"
        ),
    }
    Ok(())
}

/// The major version of the framework, where it is installed beside the site.
fn major(directory: &Path) -> anyhow::Result<Option<u32>> {
    let path = directory.join("vendor/laravel/framework/src/Illuminate/Foundation/Application.php");
    let Ok(source) = std::fs::read(path) else {
        return Ok(None);
    };
    let words = words(&source)?;
    let version = words
        .windows(2)
        .find(|it| it.first().is_some_and(|it| it == "VERSION"));
    let version = version
        .and_then(|it| it.get(1))
        .map(String::as_str)
        .unwrap_or_default();
    Ok(version.split('.').next().and_then(|it| it.parse().ok()))
}

/// The words of the site's own file `name`; none where there is no such file.
fn words_of(directory: &Path, name: &str) -> anyhow::Result<Vec<String>> {
    let path = directory.join(name);
    if !path.is_file() {
        return Ok(Vec::new());
    }
    let source = site_file::read(&path)?;
    words(&source).with_context(|| format!("cannot read {}", path.display()))
}

/// Whether pages use the middleware `AuthenticateSession`: in a group of app/Http/Kernel.php, in
/// bootstrap/app.php, or on a route.
fn authenticates_sessions(directory: &Path) -> anyhow::Result<bool> {
    let is_it = |word: &String| {
        let last = word.rsplit('\\').next().unwrap_or(word);
        matches!(
            last,
            "AuthenticateSession" | "authenticateSessions" | "auth.session"
        )
    };
    let kernel = words_of(directory, "app/Http/Kernel.php")?;
    let groups = kernel.iter().skip_while(|it| *it != "$middlewareGroups");
    let mut groups = groups.take_while(|it| *it != ";");
    if groups.any(is_it) {
        return Ok(true);
    }
    for name in ["bootstrap/app.php", "routes/web.php", "routes/auth.php"] {
        if words_of(directory, name)?.iter().any(is_it) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether the site leaves the `cookie` unencrypted.
fn except(directory: &Path, cookie: &str) -> anyhow::Result<bool> {
    for name in [
        "app/Http/Middleware/EncryptCookies.php",
        "bootstrap/app.php",
    ] {
        if words_of(directory, name)?.iter().any(|it| it == cookie) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What the site's providers change of guards.
fn providers(page: &mut Page, directory: &Path) -> anyhow::Result<()> {
    let Ok(entries) = std::fs::read_dir(directory.join("app/Providers")) else {
        return Ok(());
    };
    for entry in entries.flatten().take(1000) {
        let name = entry.file_name();
        let Some(name) = name.to_str().filter(|name| name.ends_with(".php")) else {
            continue;
        };
        let words = words_of(directory, &format!("app/Providers/{name}"))?;
        for triple in words.windows(3) {
            let [class, method, kind] = triple else {
                continue;
            };
            let replaces = class == "Auth"
                && matches!(method.as_str(), "extend" | "provider")
                && matches!(kind.as_str(), "session" | "eloquent" | "database");
            if replaces {
                bail!(
                    "nothing is written: app/Providers/{name} replaces Laravel's own {kind} driver of guards"
                );
            }
        }
        if words
            .iter()
            .any(|it| it == "authenticateUsing" || it == "authenticateThrough")
        {
            page.warn(&format!(
                "app/Providers/{name} checks passwords in a way of its own (laravel/fortify): no \
                 password lets anybody in; if it refuses nobody whom Laravel's own takes, take \
                 `passwords = false` away"
            ));
            page.table("access", "who gets in");
            page.boolean("passwords", false, "see above");
        }
        if words
            .iter()
            .any(|it| it == "morphMap" || it == "enforceMorphMap")
        {
            page.warn(&format!(
                "app/Providers/{name} gives models other names: put that of the guard's model into \
                 `user_model`, or nobody counts as having a role"
            ));
        }
    }
    Ok(())
}
