//! Builds the configuration of a Flask site from what the site's own Python reports.

mod accounts;
mod found;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;

use self::found::{Found, Login, Redis, Sessions, Store};
use crate::custom::discover::from_url;
use crate::init::owner::root_warning;
use crate::init::python::{Interpreter, find as find_python};
use crate::init::url::encode;
use crate::init::{Page, environment, parse_duration};

/// What the site is asked.
const SCRIPT: &str = concat!(include_str!("site.py"), "\n\nmain()\n");

/// Of a Flask site, by asking its own Python
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hallpass init flask /srv/shop --app shop:create_app
  hallpass init flask /srv/shop --python /srv/shop/venv/bin/python --username-column email")]
pub(super) struct DiscoverFlask {
    /// The directory that the site is started in
    path: PathBuf,
    #[command(flatten)]
    site: SiteOptions,
    /// The column of login names [default: username, login, name or email, whichever is there first]
    #[arg(long, value_name = "NAME")]
    username_column: Option<String>,
    /// The column of password hashes [default: password_hash, password, pw_hash or hash]
    #[arg(long, value_name = "NAME")]
    password_column: Option<String>,
    /// How long the site may take to load
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = parse_duration)]
    timeout: Duration,
}

/// How the site's own Python is asked.
#[derive(Debug, Args)]
pub(super) struct SiteOptions {
    /// The site's own Python [default: that of its virtual environment, else python3]
    #[arg(long, value_name = "PROGRAM")]
    pub python: Option<PathBuf>,
    /// The application, as `flask --app` takes it [default: FLASK_APP, else app.py or wsgi.py]
    #[arg(long, value_name = "NAME")]
    pub app: Option<String>,
    /// The class of accounts, as MODULE:CLASS [default: the one that derives from Flask-Login's
    /// UserMixin]
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,
    /// A file of environment variables that the site reads; may be given several times
    #[arg(long, value_name = "FILE")]
    pub env_file: Vec<PathBuf>,
}

/// The site's directory at `path`.
pub(super) fn find_directory(path: &Path) -> anyhow::Result<PathBuf> {
    let path = std::path::absolute(path).context("cannot tell where the site is")?;
    if !path.is_dir() {
        bail!("there is no directory {}", path.display());
    }
    Ok(path)
}

/// Asks the site, and writes what it says.
pub(super) fn write(page: &mut Page, options: &DiscoverFlask) -> anyhow::Result<()> {
    let directory = find_directory(&options.path)?;
    let mut variables = Vec::new();
    for file in &options.site.env_file {
        variables.extend(environment::read(file)?);
    }
    let python = options.site.python.clone();
    let interpreter = Interpreter {
        python: python.unwrap_or_else(|| find_python(&directory)),
        environment: variables,
        timeout: options.timeout,
    };
    if let Some(warning) = root_warning(&directory) {
        page.warn_at_once(&warning);
    }
    let arguments = [&options.site.app, &options.site.model];
    let arguments = arguments.map(|it| OsString::from(it.clone().unwrap_or_default()));
    let answer = interpreter.ask(&directory, SCRIPT, arguments)?;
    let python = interpreter.python.display();
    let found: Found = serde_json::from_slice(&answer)
        .with_context(|| format!("what {python} says cannot be understood"))?;
    let model = accounts::checked(&found)?;
    page.note(&format!("The Flask site in {}.", directory.display()));
    page.note(&format!(
        "Its application is {}, its Python is {python}.",
        found.app
    ));
    let version =
        |(name, version): (&String, &Option<String>)| Some(format!("{name} {}", version.as_ref()?));
    let versions: Vec<String> = found.versions.iter().filter_map(version).collect();
    page.note(&format!("It has {}.", versions.join(", ")));
    page.blank();
    page.string("framework", "flask", "see docs/flask.md for all keys");
    let readable = readable(&found);
    if let Err(why) = &readable {
        page.warn(&format!("no session lets anybody in: {why}"));
    }
    from_url(
        page,
        "database",
        "of the class of accounts",
        &model.database,
        &directory,
    )?;
    if let Sessions::Known {
        database: Some(url),
        ..
    } = &found.sessions
        && readable.is_ok()
        && **url != *model.database
    {
        from_url(
            page,
            "session_database",
            "of the table of sessions",
            url,
            &directory,
        )?;
    }
    page.table("flask", "Flask's own settings, in lower case");
    flask(page, &found, readable.is_ok())?;
    accounts::write(page, &found, model, options)
}

/// Why the site's sessions are not read.
fn readable(found: &Found) -> Result<(), String> {
    let Some(login) = &found.login else {
        return Err(
            "the site has no Flask-Login, so that nothing says where a session has its \
                    account: set user_id of [flask]"
                .to_owned(),
        );
    };
    if login.id_attribute != "get_id" {
        return Err(format!(
            "its LoginManager gives ids by {}",
            login.id_attribute
        ));
    }
    match &found.sessions {
        Sessions::Other { other } => Err(format!("it keeps sessions in {other}")),
        Sessions::Known {
            redis: Some(Redis::Other { other }),
            ..
        } => Err(format!("it reaches Redis through {other}")),
        Sessions::Known {
            store: Store::Cookie,
            ..
        } if found.secret_keys.is_empty() => {
            Err("it has no SECRET_KEY, so that Flask itself has no sessions".to_owned())
        }
        Sessions::Known { .. } if is_strong(login) && !login.usual_identifier => {
            Err("its LoginManager identifies browsers by code of the site's own".to_owned())
        }
        Sessions::Known { .. } => Ok(()),
    }
}

fn is_strong(login: &Login) -> bool {
    login.protection.as_deref() == Some("strong")
}

/// `[flask]`; without a key where sessions are not readable.
fn flask(page: &mut Page, found: &Found, is_readable: bool) -> anyhow::Result<()> {
    page.string(
        "session_cookie_name",
        &found.cookie_name,
        "SESSION_COOKIE_NAME",
    );
    let Some(first) = found.secret_keys.first().filter(|_| is_readable) else {
        return Ok(());
    };
    page.session_cookie(&found.cookie);
    page.secret("secret_key", "secret_key", first, "SECRET_KEY");
    let Sessions::Known {
        store,
        prefix,
        use_signer,
        redis,
        table,
        ..
    } = &found.sessions
    else {
        return Ok(());
    };
    if *store == Store::Cookie {
        let fallbacks = found.secret_keys.iter().skip(1).map(|key| key.as_slice());
        if found.secret_keys.len() > 1 {
            page.secrets(
                "secret_key_fallbacks",
                "secret_key_fallback",
                fallbacks,
                "SECRET_KEY_FALLBACKS",
            );
        }
        let lifetime = format!("{}s", found.lifetime);
        let comment = "PERMANENT_SESSION_LIFETIME";
        page.string("permanent_session_lifetime", &lifetime, comment);
        page.note("A signed cookie outlives its logout: see docs/flask.md.");
    } else {
        page.boolean("session_use_signer", *use_signer, "SESSION_USE_SIGNER");
        page.string("session_prefix", prefix, "SESSION_KEY_PREFIX");
    }
    if let Some(login) = found.login.as_ref().filter(|login| is_strong(login)) {
        let strong = login.protection.as_deref().unwrap_or_default();
        page.string("session_protection", strong, "of its LoginManager");
    }
    match &found.login {
        Some(login) => {
            let name = &login.remember_cookie_name;
            page.string("remember_cookie_name", name, "REMEMBER_COOKIE_NAME");
        }
        None => page.boolean("remember", false, "there is no Flask-Login"),
    }
    match store {
        Store::Cookie => {}
        Store::Sql => {
            page.string("session_store", "sql", "SESSION_TYPE");
            if let Some(table) = table {
                page.string("session_table", table, "SESSION_SQLALCHEMY_TABLE");
            }
        }
        Store::Redis => {
            page.string("session_store", "redis", "SESSION_TYPE");
            if let Some(Redis::Known { .. }) = redis {
                cache(page, redis.as_ref())?;
            }
        }
    }
    Ok(())
}

/// `[flask.cache]`
fn cache(page: &mut Page, redis: Option<&Redis>) -> anyhow::Result<()> {
    let Some(Redis::Known {
        by,
        host,
        port,
        path,
        db,
        username,
        password,
        checks,
    }) = redis
    else {
        return Ok(());
    };
    let host = if host.contains(':') {
        format!("[{host}]")
    } else {
        host.clone()
    };
    let url = match (by.as_str(), path) {
        ("unix", Some(path)) => format!("unix:{}?db={db}", encode(path)),
        ("tls", _) => format!("rediss://{host}:{port}/{db}"),
        ("tcp", _) => format!("redis://{host}:{port}/{db}"),
        _ => bail!("the site's SESSION_REDIS cannot be understood"),
    };
    page.table("flask.cache", "SESSION_REDIS");
    page.string("url", &url, "its server and database");
    if let Some(username) = username {
        page.string("username", username, "its user");
    }
    if let Some(password) = password {
        page.secret("password", "cache_password", password, "and the password");
    }
    if by == "tls" && !checks {
        page.string("tls", "require", "the site does not check the certificate");
    }
    Ok(())
}
