//! `[php]`: php.ini's own names for where sessions are, `session.` dropped.

mod save_path;

use std::path::{Path, PathBuf};

use hallpass_sessions::php::{self, Handler, MemcachedClient};
use hallpass_stores::cache;

use super::Error;
use super::http::is_token;
use super::secret::beside;
use super::section::Section;
use super::values::Most;

/// `session.gc_maxlifetime`, in seconds.
const GC_MAXLIFETIME: u64 = 1440;

/// The users whom web servers and PHP run as, where nobody says otherwise.
const USUAL_OWNERS: [&str; 6] = ["www-data", "apache", "nginx", "http", "wwwrun", "www"];

/// Where Debian's PHP keeps its sessions.
const DEBIAN: &str = "/var/lib/php/sessions";

/// A site in PHP.
#[derive(Debug)]
pub struct Php {
    /// `save_handler` and `save_path`: where sessions are.
    pub store: PhpStore,
    /// `serialize_handler`; `None` to find it in each session.
    pub serialize_handler: Option<Handler>,
    /// `name`: that of the session cookie.
    pub cookie_name: String,
    /// `gc_maxlifetime`: how long after its last use a session lives, in seconds.
    pub gc_maxlifetime: u64,
    /// The place in a session of whoever is logged in; `None` where sessions are not read.
    pub user: Option<PhpUser>,
    /// The place in a session of what must be true as well.
    pub authenticated: Option<php::Path>,
}

/// Where PHP keeps its sessions.
#[derive(Debug)]
pub enum PhpStore {
    /// `memcached`, `memcache`, `redis` or `rediscluster`.
    Cache {
        /// The servers.
        servers: Box<cache::Settings>,
        /// What leads the key of every session.
        prefix: String,
        /// Who wrote them, where it is memcached that has them.
        client: Option<MemcachedClient>,
    },
    /// `files`
    Files {
        /// The directory.
        directory: PathBuf,
        /// How many directories lie in between, each called by one more character of the id.
        depth: usize,
        /// The ids of the users whose files are sessions, in a directory that everybody may write
        /// to.
        owners: Vec<u32>,
        /// Whether they are meant for every other directory, too.
        always: bool,
    },
    /// `pdo`: Symfony's table. All as identifiers without quotes.
    Table(PhpTable),
}

/// A table of sessions, and its columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PhpTable {
    /// The table.
    pub table: String,
    /// Its column of ids.
    pub id: String,
    /// Its column of contents.
    pub data: String,
    /// Its column of lifetimes; `None` where there is none, and `gc_maxlifetime` holds.
    pub lifetime: Option<String>,
    /// Its column of the times of the last writes, in Unix seconds.
    pub time: String,
}

/// The place in a session of whoever is logged in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PhpUser {
    /// That of the primary key of an account.
    Id(php::Path),
    /// That of the login name.
    Name(php::Path),
}

impl Php {
    /// Reads the table. Whether sessions are `read` by what it says.
    pub(super) fn read(mut section: Section<'_>, read: bool) -> Result<Self, Error> {
        let user = match (path(&mut section, "user")?, path(&mut section, "user_id")?) {
            (Some(name), None) => Some(PhpUser::Name(name)),
            (None, Some(id)) => Some(PhpUser::Id(id)),
            (None, None) if !read => None,
            (None, None) => {
                let message = "is missing: the path to the login name in $_SESSION, as in \
                               \"user.username\" (or `user_id`)";
                return Err(section.wrong("user", message));
            }
            (Some(_), Some(_)) => {
                return Err(section.wrong("user_id", "is given beside `user`; one of them counts"));
            }
        };
        let name = section.string("name")?;
        let cookie_name = name.unwrap_or_else(|| "PHPSESSID".to_owned());
        if !is_token(&cookie_name) {
            return Err(section.wrong("name", "no cookie can be called that"));
        }
        let serialize_handler = match section.string("serialize_handler")? {
            None => None,
            Some(name) => Some(Handler::from_name(&name).ok_or_else(|| {
                let message = "is none of \"php\", \"php_binary\", \"php_serialize\", \"igbinary\"";
                section.wrong("serialize_handler", message)
            })?),
        };
        let lifetime = section.seconds("gc_maxlifetime", Most::Life)?;
        let php = Self {
            store: PhpStore::read(&mut section)?,
            serialize_handler,
            cookie_name,
            gc_maxlifetime: lifetime.map_or(GC_MAXLIFETIME, |lifetime| lifetime.as_secs()),
            user,
            authenticated: path(&mut section, "authenticated")?,
        };
        section.finish()?;
        Ok(php)
    }

    /// Whether sessions are in the site's database.
    pub(super) fn in_database(&self) -> bool {
        matches!(self.store, PhpStore::Table(_))
    }
}

impl PhpStore {
    fn read(section: &mut Section<'_>) -> Result<Self, Error> {
        // Asked for whatever the handler, so that what has no use is told from what is unknown.
        let save_path = section.string("save_path")?;
        let prefix = section.string("prefix")?;
        let owner = section.string("owner")?;
        let mut column = |key, default: &str| -> Result<(String, bool), Error> {
            let given = section.string(key)?;
            let there = given.is_some();
            let name = given.unwrap_or_else(|| default.to_owned());
            let none = name.is_empty() && key == "lifetime_column";
            if !none && hallpass_stores::sql::identifier(&name).is_none() {
                return Err(section.wrong(key, "no table or column can be called that"));
            }
            Ok((name, there))
        };
        let (table, table_given) = column("table", "sessions")?;
        let (id, id_given) = column("id_column", "sess_id")?;
        let (data, data_given) = column("data_column", "sess_data")?;
        let (lifetime, lifetime_given) = column("lifetime_column", "sess_lifetime")?;
        let (time, time_given) = column("time_column", "sess_time")?;
        let handler = section.string("save_handler")?;
        let handler = handler.as_deref().unwrap_or("files");
        for (key, given, of) in [
            (
                "prefix",
                prefix.is_some(),
                &["memcached", "memcache", "redis", "rediscluster"][..],
            ),
            ("owner", owner.is_some(), &["files"]),
            ("table", table_given, &["pdo"]),
            ("id_column", id_given, &["pdo"]),
            ("data_column", data_given, &["pdo"]),
            ("lifetime_column", lifetime_given, &["pdo"]),
            ("time_column", time_given, &["pdo"]),
        ] {
            if given && !of.contains(&handler) {
                let message = format!("has no use with save_handler = \"{handler}\"");
                return Err(section.wrong(key, &message));
            }
        }
        let wrong = |message: &str| section.wrong("save_path", message);
        let needed = || {
            save_path
                .as_deref()
                .ok_or_else(|| wrong("is missing: where the servers are, as in php.ini"))
        };
        let base = section.path().parent().unwrap_or(Path::new(""));
        Ok(match handler {
            "files" => {
                let place = save_path::files(save_path.as_deref().unwrap_or_else(|| usual()))
                    .map_err(wrong)?;
                let directory = place
                    .directory
                    .map_or_else(std::env::temp_dir, |directory| {
                        beside(section.path(), &directory)
                    });
                let always = owner.is_some();
                let owners = match owner {
                    Some(owner) => vec![save_path::user(&owner).ok_or_else(|| {
                        section.wrong("owner", "is no user of this system, and no number of one")
                    })?],
                    None => usual_owners(),
                };
                Self::Files {
                    directory,
                    depth: place.depth,
                    owners,
                    always,
                }
            }
            "memcached" => Self::Cache {
                servers: Box::new(save_path::memcached(needed()?, base).map_err(wrong)?),
                prefix: prefix.unwrap_or_else(|| "memc.sess.key.".to_owned()),
                client: Some(MemcachedClient::Memcached),
            },
            "memcache" => Self::Cache {
                servers: Box::new(save_path::memcached(needed()?, base).map_err(wrong)?),
                prefix: prefix.unwrap_or_default(),
                client: Some(MemcachedClient::Memcache),
            },
            "redis" | "rediscluster" => {
                let (redis, usual) = if handler == "redis" {
                    (save_path::redis(needed()?, base), "PHPREDIS_SESSION:")
                } else {
                    let cluster = save_path::redis_cluster(needed()?, base);
                    (cluster, "PHPREDIS_CLUSTER_SESSION:")
                };
                let redis = redis.map_err(wrong)?;
                if redis.secret {
                    section.warn_of_secret("save_path");
                }
                if prefix.is_some() && redis.prefix.is_some() {
                    return Err(section.wrong("prefix", "is given in save_path, too"));
                }
                let prefix = prefix.or(redis.prefix);
                Self::Cache {
                    servers: Box::new(redis.settings),
                    prefix: prefix.unwrap_or_else(|| usual.to_owned()),
                    client: None,
                }
            }
            "pdo" => {
                if save_path.is_some() {
                    section.warn(
                        "save_path",
                        "has no use: with pdo, sessions are in `database`",
                    );
                }
                Self::Table(PhpTable {
                    table,
                    id,
                    data,
                    lifetime: Some(lifetime).filter(|name| !name.is_empty()),
                    time,
                })
            }
            _ => {
                let message = "is none of \"files\", \"memcached\", \"memcache\", \"redis\", \
                               \"rediscluster\", \"pdo\"";
                return Err(section.wrong("save_handler", message));
            }
        })
    }
}

/// The ids of the users whom web servers and PHP run as on this system.
pub(super) fn usual_owners() -> Vec<u32> {
    USUAL_OWNERS
        .into_iter()
        .filter_map(save_path::user)
        .collect()
}

/// Where PHP keeps its sessions when php.ini does not say: where Debian's does, else in the
/// system's directory for temporary files.
fn usual() -> &'static str {
    if Path::new(DEBIAN).is_dir() {
        DEBIAN
    } else {
        ""
    }
}

fn path(section: &mut Section<'_>, key: &'static str) -> Result<Option<php::Path>, Error> {
    let Some(text) = section.string(key)? else {
        return Ok(None);
    };
    let path = text.parse().map_err(|wrong: php::InvalidPath| {
        section.wrong(key, &format!("is no path into $_SESSION: {wrong}"))
    })?;
    Ok(Some(path))
}
