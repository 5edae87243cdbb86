//! Reads `[php]`: php.ini's own names for where sessions are, `session.` dropped.

mod table;

use std::path::{Path, PathBuf};

use hallpass_sessions::php::{self, Handler, MemcachedClient};
use hallpass_settings::{Error, Life, Table};
use hallpass_stores::{cache, sql};
use serde::Deserialize;
use zeroize::Zeroizing;

use self::table::Preset;
pub use self::table::{PhpTable, PhpTime};
use super::save_path;
use crate::http::is_token;

/// The table.
#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub(super) struct PhpSettings {
    /// `"files"`, `"memcached"`, `"memcache"`, `"redis"`, `"rediscluster"` or `"pdo"`.
    save_handler: SaveHandler,
    /// As in php.ini: see below.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>", extend(
        "writeOnly" = true,
        "x-default" = "`/var/lib/php/sessions` if it exists, else the system's temporary directory",
    )))]
    save_path: Option<Zeroizing<String>>,
    /// `"php"`, `"php_binary"`, `"php_serialize"` or `"igbinary"`.
    #[cfg_attr(feature = "schema", schemars(extend("x-default" = "detected in each session")))]
    serialize_handler: Option<String>,
    /// The name of the session cookie.
    name: String,
    /// How long a session lives after its last use: seconds, or a duration.
    gc_maxlifetime: Life,
    /// The path to the login name in `$_SESSION`.
    user: Option<String>,
    /// Instead, the path to the primary key, which `user_by_id` of `[custom]` finds.
    user_id: Option<String>,
    /// A path to a value that must be true as well.
    authenticated: Option<String>,
    /// The user whose session files are accepted: a name or a number.
    #[cfg_attr(feature = "schema", schemars(extend("x-default" = "see *Files*")))]
    owner: Option<String>,
    /// The prefix of the keys in memcached or Redis, and of the ids in a table.
    #[cfg_attr(feature = "schema", schemars(extend("x-default" = "the handler's own")))]
    prefix: Option<String>,
    /// `"codeigniter3"`, `"codeigniter4"`, `"yii2"`, `"cakephp"` or `"laminas"`, for `pdo`: the table
    /// and columns of that framework in place of Symfony's. See *Presets*.
    preset: Option<Preset>,
    /// The table of sessions, for `pdo`.
    table: String,
    /// Its column of ids.
    id_column: String,
    /// Its column of contents.
    data_column: String,
    /// Its column of lifetimes; `""` if there is none: `gc_maxlifetime` counts then.
    lifetime_column: String,
    /// Its column of the times of the last writes: numbers or datetimes; `""` if there is none.
    time_column: String,
    /// Its column of the times at which sessions end, in place of `time_column`.
    #[cfg_attr(feature = "schema", schemars(extend("x-default" = "none")))]
    expires_column: String,
    /// Its column of session names, if it has the sessions of several cookies.
    #[cfg_attr(feature = "schema", schemars(extend("x-default" = "none")))]
    name_column: String,
    /// The zone of datetimes without one in these columns: that in which the site's PHP or its
    /// database writes them.
    time_zone: String,
}

/// Which of PHP's extensions keeps sessions.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema, serde::Serialize),
    schemars(inline)
)]
#[serde(rename_all = "lowercase")]
enum SaveHandler {
    Files,
    Memcached,
    Memcache,
    Redis,
    RedisCluster,
    Pdo,
}

impl Default for PhpSettings {
    fn default() -> Self {
        Self {
            save_handler: SaveHandler::Files,
            save_path: None,
            serialize_handler: None,
            name: "PHPSESSID".to_owned(),
            gc_maxlifetime: Life::seconds(1440),
            user: None,
            user_id: None,
            authenticated: None,
            owner: None,
            prefix: None,
            table: "sessions".to_owned(),
            id_column: "sess_id".to_owned(),
            data_column: "sess_data".to_owned(),
            lifetime_column: "sess_lifetime".to_owned(),
            time_column: "sess_time".to_owned(),
            preset: None,
            expires_column: String::new(),
            name_column: String::new(),
            time_zone: "UTC".to_owned(),
        }
    }
}

/// The users that web servers and PHP usually run as.
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
    /// Where a session names its account; `None` where sessions are not read.
    pub user: Option<PhpUser>,
    /// The place in a session of what must be true as well.
    pub authenticated: Option<php::Path>,
    /// `user`, `user_id` and `authenticated` as they are written.
    pub places: serde_json::Value,
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
        /// The ids of the users whose files are sessions, in a world-writable
        /// directory.
        owners: Vec<u32>,
        /// Whether they are meant for every other directory, too.
        always: bool,
    },
    /// `pdo`: Symfony's table. All as identifiers without quotes.
    Table(PhpTable),
}

/// Where a session names its account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PhpUser {
    /// That of the primary key of an account.
    Id(php::Path),
    /// That of the login name.
    Name(php::Path),
}

impl Php {
    /// Reads the table. Whether sessions are `read` by what it says.
    pub(super) fn read(table: &Table<'_>, read: bool) -> Result<Self, Error> {
        let mut given: PhpSettings = table.read()?;
        if let Some(preset) = given.preset {
            given.apply(preset, table);
        }
        let path = |key, text: &Option<String>| {
            let parsed = text.as_deref().map(str::parse).transpose();
            parsed.map_err(|wrong: php::InvalidPath| {
                table.wrong(key, &format!("is not a path into $_SESSION: {wrong}"))
            })
        };
        let user = match (path("user", &given.user)?, path("user_id", &given.user_id)?) {
            (Some(name), None) => Some(PhpUser::Name(name)),
            (None, Some(id)) => Some(PhpUser::Id(id)),
            (None, None) if !read => None,
            (None, None) => {
                let message = "is missing: the path to the login name in $_SESSION, as in \
                               \"user.username\" (or `user_id`)";
                return Err(table.wrong("user", message));
            }
            (Some(_), Some(_)) => {
                return Err(table.wrong("user_id", "is given beside `user`; one of them counts"));
            }
        };
        if !is_token(&given.name) {
            return Err(table.wrong("name", "is not a valid cookie name"));
        }
        let handler = |name: &String| {
            let message = "is none of \"php\", \"php_binary\", \"php_serialize\", \"igbinary\"";
            Handler::from_name(name).ok_or_else(|| table.wrong("serialize_handler", message))
        };
        let serialize_handler = given.serialize_handler.as_ref().map(handler).transpose()?;
        Ok(Self {
            serialize_handler,
            gc_maxlifetime: given.gc_maxlifetime.get().as_secs(),
            user,
            authenticated: path("authenticated", &given.authenticated)?,
            places: serde_json::json!({
                "user": given.user,
                "user_id": given.user_id,
                "authenticated": given.authenticated,
            }),
            cookie_name: given.name.clone(),
            store: PhpStore::resolve(table, given)?,
        })
    }

    /// Whether sessions are in the site's database.
    pub(super) fn in_database(&self) -> bool {
        matches!(self.store, PhpStore::Table(_))
    }
}

impl PhpStore {
    fn resolve(table: &Table<'_>, mut given: PhpSettings) -> Result<Self, Error> {
        use SaveHandler::{Files, Memcache, Memcached, Pdo, Redis, RedisCluster};
        for (key, name) in [
            ("table", &given.table),
            ("id_column", &given.id_column),
            ("data_column", &given.data_column),
            ("lifetime_column", &given.lifetime_column),
            ("time_column", &given.time_column),
            ("expires_column", &given.expires_column),
            ("name_column", &given.name_column),
        ] {
            let needed = ["table", "id_column", "data_column"].contains(&key);
            let none = name.is_empty() && !needed;
            let valid = match key {
                "table" => sql::TableName::parse(name).is_some(),
                _ => sql::identifier(name).is_some(),
            };
            if !none && !valid {
                return Err(table.wrong(key, "is not a valid name of a table or column"));
            }
        }
        let handler = given.save_handler;
        for (key, of) in [
            (
                "prefix",
                &[Memcached, Memcache, Redis, RedisCluster, Pdo][..],
            ),
            ("preset", &[Pdo]),
            ("expires_column", &[Pdo]),
            ("name_column", &[Pdo]),
            ("time_zone", &[Pdo]),
            ("owner", &[Files]),
            ("table", &[Pdo]),
            ("id_column", &[Pdo]),
            ("data_column", &[Pdo]),
            ("lifetime_column", &[Pdo]),
            ("time_column", &[Pdo]),
        ] {
            if table.has(key) && !of.contains(&handler) {
                let message = format!("has no effect with save_handler = \"{}\"", handler.word());
                return Err(table.wrong(key, &message));
            }
        }
        let wrong = |message: &str| table.wrong("save_path", message);
        let save_path = given.save_path.take();
        let save_path = save_path.as_ref().map(|path| path.as_str());
        let needed =
            || save_path.ok_or_else(|| wrong("is missing: where the servers are, as in php.ini"));
        let base = table.path().parent().unwrap_or(Path::new(""));
        Ok(match handler {
            Files => {
                let place = save_path.unwrap_or_else(|| usual());
                let place = save_path::files(place).map_err(wrong)?;
                let directory = place.directory;
                let directory =
                    directory.map_or_else(std::env::temp_dir, |path| table.beside(path));
                let always = given.owner.is_some();
                let owners = match given.owner {
                    Some(owner) => vec![save_path::user(&owner).ok_or_else(|| {
                        table.wrong("owner", "is neither a user of this system nor a user id")
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
            Memcached => Self::Cache {
                servers: Box::new(save_path::memcached(needed()?, base).map_err(wrong)?),
                prefix: given.prefix.unwrap_or_else(|| "memc.sess.key.".to_owned()),
                client: Some(MemcachedClient::Memcached),
            },
            Memcache => Self::Cache {
                servers: Box::new(save_path::memcached(needed()?, base).map_err(wrong)?),
                prefix: given.prefix.unwrap_or_default(),
                client: Some(MemcachedClient::Memcache),
            },
            Redis | RedisCluster => {
                let (redis, usual) = if handler == Redis {
                    (save_path::redis(needed()?, base), "PHPREDIS_SESSION:")
                } else {
                    let cluster = save_path::redis_cluster(needed()?, base);
                    (cluster, "PHPREDIS_CLUSTER_SESSION:")
                };
                let redis = redis.map_err(wrong)?;
                if redis.secret {
                    table.warn_of_secret("save_path");
                }
                if given.prefix.is_some() && redis.prefix.is_some() {
                    return Err(table.wrong("prefix", "is given in save_path, too"));
                }
                let prefix = given.prefix.or(redis.prefix);
                Self::Cache {
                    servers: Box::new(redis.settings),
                    prefix: prefix.unwrap_or_else(|| usual.to_owned()),
                    client: None,
                }
            }
            Pdo => {
                if save_path.is_some() {
                    let message = "has no effect: with pdo, sessions are in `database`";
                    table.warn("save_path", message);
                }
                Self::Table(PhpTable::resolve(table, given)?)
            }
        })
    }
}

impl SaveHandler {
    fn word(self) -> &'static str {
        match self {
            Self::Files => "files",
            Self::Memcached => "memcached",
            Self::Memcache => "memcache",
            Self::Redis => "redis",
            Self::RedisCluster => "rediscluster",
            Self::Pdo => "pdo",
        }
    }
}

/// The ids of the users that web servers and PHP usually run as on this system.
pub(crate) fn usual_owners() -> Vec<u32> {
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
