//! Builds the configuration of a site in Express from its package.json and its .env. Its code is not
//! read: what only that says, options name.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::custom::discover::{AccountColumns, Variables, from_url, variables, write_accounts};
use crate::init::Page;
use crate::init::url::without_user;

/// Variables that hold the secret of express-session, by custom.
const SECRETS: [&str; 5] = [
    "SESSION_SECRET",
    "EXPRESS_SESSION_SECRET",
    "SESSION_KEY",
    "COOKIE_SECRET",
    "SECRET",
];
/// Stores of express-session, and what stands in the way of reading them.
const UNREADABLE: [(&str, &str); 9] = [
    (
        "connect-mongo",
        "keeps sessions in MongoDB, which is not read here",
    ),
    (
        "connect-mongodb-session",
        "keeps sessions in MongoDB, which is not read here",
    ),
    (
        "cookie-session",
        "keeps sessions in cookies of its own kind, which are not read here",
    ),
    (
        "client-sessions",
        "keeps sessions in cookies of its own kind, which are not read here",
    ),
    (
        "iron-session",
        "keeps sessions in sealed cookies, which are not read here",
    ),
    (
        "memorystore",
        "keeps sessions in the memory of the site's process",
    ),
    (
        "session-file-store",
        "keeps sessions in files, which are not read here",
    ),
    (
        "connect-memcached",
        "keeps sessions in memcached, which is not read here",
    ),
    (
        "connect-dynamodb",
        "keeps sessions in DynamoDB, which is not read here",
    ),
];

/// Of a site in Express, by its package.json and .env, and options for what only its code says
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hallpass init express /srv/shop --table users --username-column email
  hallpass init express /srv/shop --secret-file /etc/shop/secret --user-id account.id")]
pub(super) struct DiscoverExpress {
    /// The directory of the site, which has its package.json
    path: PathBuf,
    /// A file with a secret of express-session; may be given several times [default: SESSION_SECRET of
    /// .env]
    #[arg(long, value_name = "FILE")]
    secret_file: Vec<PathBuf>,
    /// The session cookie [default: connect.sid, or that of Auth.js]
    #[arg(long, value_name = "NAME")]
    cookie_name: Option<String>,
    /// The path to the account's id in the session [default: passport.user]
    #[arg(long, value_name = "PATH")]
    user_id: Option<String>,
    /// The path to the login name in the session, instead
    #[arg(long, value_name = "PATH", conflicts_with = "user_id")]
    user: Option<String>,
    /// The prefix of connect-redis [default: sess:]
    #[arg(long, value_name = "TEXT")]
    prefix: Option<String>,
    /// The table of accounts [default: users, or User of Auth.js]
    #[arg(long, value_name = "NAME")]
    table: Option<String>,
    /// Its primary key
    #[arg(long, value_name = "NAME", default_value = "id")]
    id_column: String,
    /// The login name [default: username, or email of Auth.js]
    #[arg(long, value_name = "NAME")]
    username_column: Option<String>,
    /// The hash of the password
    #[arg(long, value_name = "NAME", default_value = "password")]
    password_column: String,
    /// Whether an account may log in
    #[arg(long, value_name = "NAME")]
    active_column: Option<String>,
    /// The e-mail address
    #[arg(long, value_name = "NAME")]
    email_column: Option<String>,
}

/// What package.json says.
#[derive(Deserialize)]
struct Package {
    #[serde(default)]
    dependencies: BTreeMap<String, serde_json::Value>,
}

impl Package {
    fn has(&self, name: &str) -> bool {
        self.dependencies.contains_key(name)
    }

    /// Whether the site has Auth.js, or NextAuth.js, as it was called.
    fn has_authjs(&self) -> bool {
        let is = |name: &String| name == "next-auth" || name.starts_with("@auth/");
        self.dependencies.keys().any(is)
    }
}

/// Reads what stands at the path, and writes what it says.
pub(super) fn write(page: &mut Page, options: &DiscoverExpress) -> anyhow::Result<()> {
    let directory = std::path::absolute(&options.path).context("cannot tell where the site is")?;
    let package = package(&directory)?;
    let is_authjs = package.has_authjs() && !package.has("express-session");
    if !is_authjs && !package.has("express-session") {
        bail!(
            "{} has neither express-session nor Auth.js among its dependencies",
            directory.join("package.json").display()
        );
    }
    let there = |(name, why): &(&str, &str)| {
        package
            .has(name)
            .then(|| format!("nothing is written: {name} {why}. See docs/http-source.md for a way to ask the site itself"))
    };
    if let Some(why) = UNREADABLE.iter().find_map(there).filter(|_| !is_authjs) {
        bail!(why);
    }
    let (_, variables) = variables(&directory)
        .context("the site's variables are not known; where they come from elsewhere, write them into a .env first")?;
    page.note(&format!("The site in {}.", directory.display()));
    page.blank();
    page.string("framework", "express", "see docs/express.md for all keys");
    let url = ["DATABASE_URL", "POSTGRES_URL", "MYSQL_URL", "DB_URL"]
        .into_iter()
        .find_map(|key| Some((key, variables.get(key)?)))
        .filter(|(_, url)| !url.is_empty());
    let Some((key, url)) = url else {
        bail!("the site's .env names no DATABASE_URL, which says where its accounts are");
    };
    from_url(page, "database", key, url, &directory)?;
    page.table("express", "the site's express-session");
    if is_authjs {
        authjs(page, options, &variables);
    } else {
        express(page, options, &package, &variables)?;
    }
    write_accounts(page, &columns(options, is_authjs), !is_authjs)?;
    if is_authjs {
        page.warn(
            "no password lets anybody in: Auth.js keeps none itself; where the site checks some, its \
             code says how",
        );
        page.table("access", "who gets in");
        page.boolean("passwords", false, "see above");
    } else {
        page.note(
            "Which accounts the site lets in is for its code to say (deserializeUser of Passport): \
             what it looks at beside the id belongs into these statements. `hallpass compare \
             --url` asks a page of the site whose its sessions are.",
        );
    }
    Ok(())
}

fn package(directory: &Path) -> anyhow::Result<Package> {
    let path = directory.join("package.json");
    let text = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_slice(&text)
        .with_context(|| format!("{} cannot be understood", path.display()))
}

fn columns(options: &DiscoverExpress, is_authjs: bool) -> AccountColumns {
    let or = |given: &Option<String>, express: &str, authjs: &str| {
        let usual = if is_authjs { authjs } else { express };
        given.clone().unwrap_or_else(|| usual.to_owned())
    };
    AccountColumns {
        table: or(&options.table, "users", "User"),
        id_column: options.id_column.clone(),
        username_column: or(&options.username_column, "username", "email"),
        // Its tables have none.
        password_column: (!is_authjs).then(|| options.password_column.clone()),
        active_column: options.active_column.clone(),
        email_column: options.email_column.clone(),
    }
}

/// The preset, with the cookie of a site by HTTPS where that is what the site is.
fn authjs(page: &mut Page, options: &DiscoverExpress, variables: &Variables) {
    page.string("preset", "authjs", "database sessions of Auth.js");
    let url = ["AUTH_URL", "NEXTAUTH_URL"]
        .into_iter()
        .find_map(|key| variables.get(key));
    let is_secure = url.is_some_and(|url| url.starts_with("https:"));
    let usual = if is_secure {
        "__Secure-authjs.session-token"
    } else {
        "authjs.session-token"
    };
    let name = options.cookie_name.as_deref().unwrap_or(usual);
    page.string(
        "session_cookie_name",
        name,
        "by AUTH_URL; NextAuth.js 4 says next-auth for authjs",
    );
    page.note("Its `session.strategy` must be \"database\": a token of the strategy \"jwt\" is in no table.");
}

fn express(
    page: &mut Page,
    options: &DiscoverExpress,
    package: &Package,
    variables: &Variables,
) -> anyhow::Result<()> {
    let mut secrets = Vec::new();
    for path in &options.secret_file {
        let mut secret = Zeroizing::new(
            std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?,
        );
        while matches!(secret.last(), Some(b'\n' | b'\r')) {
            secret.pop();
        }
        secrets.push(secret);
    }
    if secrets.is_empty() {
        let named = SECRETS.into_iter().find_map(|key| variables.get(key));
        secrets.extend(
            named
                .filter(|it| !it.is_empty())
                .map(|it| Zeroizing::new(it.as_bytes().to_vec())),
        );
    }
    if secrets.is_empty() {
        page.warn(
            "no session lets anybody in: the secret of express-session is not in .env; --secret-file \
             names a file that has it",
        );
    }
    let values = secrets.iter().map(|it| it.as_slice());
    page.secrets(
        "secrets",
        "session_secret",
        values,
        "what express-session gets as `secret`",
    );
    if let Some(name) = &options.cookie_name {
        page.string("session_cookie_name", name, "what it gets as `name`");
    }
    match (&options.user, &options.user_id) {
        (Some(user), _) => page.string("user", user, "the login name in a session"),
        (None, Some(id)) => page.string("user_id", id, "the account's id in a session"),
        (None, None) if package.has("passport") => {
            page.string("user_id", "passport.user", "Passport's");
        }
        (None, None) => bail!(
            "nothing says where a session has its account: the site has no Passport, so --user-id or \
             --user names the path, as in --user-id account.id"
        ),
    }
    if !package.has("connect-redis") {
        page.string(
            "session_store",
            "sql",
            "its own table, as its store makes it",
        );
        return Ok(());
    }
    page.string("session_store", "redis", "connect-redis");
    if let Some(prefix) = &options.prefix {
        page.string("session_prefix", prefix, "its `prefix`");
    }
    let redis = ["REDIS_URL", "REDIS_URI", "REDISCLOUD_URL"];
    let redis = redis
        .into_iter()
        .find_map(|key| Some((key, variables.get(key)?)));
    let Some((key, url)) = redis.filter(|(_, url)| !url.is_empty()) else {
        bail!("the site's .env names no REDIS_URL, which says where connect-redis keeps sessions");
    };
    let (url, user) = without_user(url);
    page.table("express.cache", key);
    page.string("url", &url, "its server and database");
    if let Some(name) = user.name.filter(|_| user.password.is_some()) {
        page.string("username", &name, "its user");
    }
    if let Some(password) = &user.password {
        page.secret("password", "cache_password", password, "and the password");
    }
    Ok(())
}
