//! `cache`: where the site's cache is.

pub(super) mod address;
mod url;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hallpass_stores::cache::{Login, RedisServers, Settings, Store};
use hallpass_stores::{Address, Secret, Tls, TlsMode, sql};
use toml::de::DeValue;

use self::url::Url;
use super::Error;
use super::secret::beside;
use super::section::Section;
use super::values::Most;

/// Where a cache of the site is.
#[derive(Debug)]
pub enum CacheLocation {
    /// Files in a directory.
    Directory(PathBuf),
    /// Redis or memcached.
    Server(Box<Settings>),
    /// Rows of a table of the site's database; its name as a quoted identifier.
    Table(String),
}

/// How long connecting and asking may take where nothing is said.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Reads `key`: a URL, or a table with the URL and more.
pub(super) fn read(
    section: &mut Section<'_>,
    key: &'static str,
) -> Result<Option<CacheLocation>, Error> {
    match section.value(key) {
        None => Ok(None),
        Some(DeValue::String(url)) => {
            let url = parse(section, key, url.as_ref())?;
            // A table of which nothing is there.
            let mut nothing = section.table_of(key, None);
            location(section, key, url, &mut nothing).map(Some)
        }
        Some(DeValue::Table(table)) => {
            let mut options = section.table_of(key, Some(table));
            let url = options.required_string("url")?;
            let url = parse(&options, "url", &url)?;
            let of = section.table_of(key, Some(table));
            let location = location(&of, "url", url, &mut options)?;
            options.finish()?;
            Ok(Some(location))
        }
        Some(_) => Err(section.wrong(key, "is neither a URL nor a table with one")),
    }
}

fn parse(section: &Section<'_>, key: &str, url: &str) -> Result<Url, Error> {
    let url = Url::parse(url).map_err(|wrong| section.wrong(key, wrong))?;
    if let Url::Redis(redis) = &url
        && redis.password.is_some()
    {
        section.warn_of_secret(key);
    }
    Ok(url)
}

/// What the URL at `key` of `section` names, with what `options` say beside it.
fn location(
    section: &Section<'_>,
    key: &str,
    url: Url,
    options: &mut Section<'_>,
) -> Result<CacheLocation, Error> {
    let store = match url {
        Url::Directory(path) => {
            return Ok(CacheLocation::Directory(beside(section.path(), &path)));
        }
        Url::Table(name) => {
            let name = sql::identifier(&name);
            let name = name.ok_or_else(|| section.wrong(key, "no table can be called that"))?;
            return Ok(CacheLocation::Table(name));
        }
        Url::Memcached(addresses) => Store::Memcached(all_beside(section, addresses)),
        Url::Redis(redis) => store(section, key, redis, options)?,
    };
    Ok(CacheLocation::Server(Box::new(Settings {
        store,
        connect_timeout: options
            .duration("connect_timeout", Most::Wait)?
            .unwrap_or(TIMEOUT),
        query_timeout: options
            .duration("query_timeout", Most::Wait)?
            .unwrap_or(TIMEOUT),
    })))
}

fn store(
    section: &Section<'_>,
    key: &str,
    mut redis: url::Redis,
    options: &mut Section<'_>,
) -> Result<Store, Error> {
    let twice = |key| section.wrong(key, "is given in the URL, too");
    let username = options.string("username")?;
    if username.is_some() && redis.username.is_some() {
        return Err(twice("username"));
    }
    let password = options.secret("password")?;
    if password.is_some() && redis.password.is_some() {
        return Err(twice("password"));
    }
    let username = username.or(redis.username.take());
    let login = login(username, password.or(redis.password.take()))
        .map_err(|wrong| section.wrong(key, wrong))?;
    let addresses = all_beside(section, redis.addresses);
    let servers = match redis.service {
        Some(service) => {
            let username = options.string("sentinel_username")?;
            let password = options.secret("sentinel_password")?;
            RedisServers::Sentinel {
                sentinels: addresses,
                service,
                login: self::login(username, password)
                    .map_err(|wrong| section.wrong("sentinel_username", wrong))?,
            }
        }
        None => match options.string("servers")?.as_deref() {
            None | Some("replicas") => RedisServers::Replicated(addresses),
            Some("shards") => RedisServers::Sharded(addresses),
            Some(_) => {
                let message = "is neither \"replicas\" nor \"shards\"";
                return Err(section.wrong("servers", message));
            }
        },
    };
    let mode = match options.string("tls")?.as_deref() {
        None => redis.tls,
        Some("disable") => TlsMode::Disable,
        Some("require") => TlsMode::Require,
        Some("verify-full") => TlsMode::VerifyFull,
        Some(_) => {
            let message = "is none of \"disable\", \"require\", \"verify-full\"";
            return Err(section.wrong("tls", message));
        }
    };
    let ca = options.string("ca")?;
    let asked = ca.is_some();
    let ca = ca.or(redis.ca).map(|path| beside(section.path(), &path));
    if ca.is_some() && mode == TlsMode::Disable {
        let key = if asked { "ca" } else { key };
        return Err(section.wrong(
            key,
            "names certificates, but there is no TLS: use rediss://",
        ));
    }
    Ok(Store::Redis {
        servers,
        login,
        database: redis.database.unwrap_or(0),
        tls: Tls { mode, ca },
    })
}

fn login(
    username: Option<String>,
    password: Option<Secret>,
) -> Result<Option<Arc<Login>>, &'static str> {
    match (username, password) {
        (None, None) => Ok(None),
        (Some(_), None) => Err("names a user without a password"),
        (username, Some(password)) => Ok(Some(Arc::new(Login { username, password }))),
    }
}

/// The addresses, with sockets relative to the file.
fn all_beside(section: &Section<'_>, addresses: Vec<Address>) -> Vec<Address> {
    let beside = |address| match address {
        Address::Unix(path) => {
            let directory = section.path().parent();
            Address::Unix(directory.map_or(path.clone(), |directory| directory.join(&path)))
        }
        tcp => tcp,
    };
    addresses.into_iter().map(beside).collect()
}

#[cfg(test)]
mod tests;
