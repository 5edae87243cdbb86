//! Reads `[drupal]`: what the site's `settings.php` says, under the same names.

use std::path::{Path, PathBuf};

use hallpass_php_literals::{Key, Literal};
use hallpass_settings::{Error, Fallback, LooseText, SecretSource, Table, fields};
use hallpass_stores::sql::{Location, Settings};
use hallpass_stores::{Address, Secret};
use serde::Deserialize;

use super::cookie_name::{self, Origin};
use super::settings_php;
use super::tables::Prefix;
use super::version::Version;
use crate::http::is_token;
use crate::php_file::{self, Evaluated};
use crate::secret;
use crate::site_file::{self, Element, Kind, Names, SiteFile, filled};

/// Where the site's own file has each of its settings.
const ELEMENTS: &[Element] = &[
    ("driver", "databases", &["default", "default", "driver"]),
    ("database", "databases", &["default", "default", "database"]),
    ("username", "databases", &["default", "default", "username"]),
    ("password", "databases", &["default", "default", "password"]),
    ("host", "databases", &["default", "default", "host"]),
    ("port", "databases", &["default", "default", "port"]),
    (
        "unix_socket",
        "databases",
        &["default", "default", "unix_socket"],
    ),
    ("prefix", "databases", &["default", "default", "prefix"]),
    ("base_url", "base_url", &[]),
    ("cookie_domain", "cookie_domain", &[]),
    (
        "do_not_hash_session_ids",
        "conf",
        &["do_not_hash_session_ids"],
    ),
];

/// The keys that are Hallpass' own, or stand in other files of the site's.
#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub(super) struct DrupalTable {
    /// The site's own file, relative to this one.
    pub(super) configuration: Option<String>,
    /// The site's Drupal, as in `"7"`, `"9.5"` or `"10.3"`: which tables it has, how its cookie is
    /// called, and which hashes it checks. Without a minor version, the newest of that one.
    version: String,
    /// Whether the site has the module phpass (Password Compatibility), which checks the hashes of
    /// Drupal before 10.1 in later ones.
    phpass: bool,
    /// The name of the session cookie. One that begins with `SSESS` is that of a site that is asked
    /// by HTTPS.
    #[cfg_attr(feature = "schema", schemars(extend("x-default" = "from `base_url`")))]
    session_cookie_name: Option<String>,
    /// `name_suffix` of `session.storage.options` in the site's services.yml, from 10.3 on.
    name_suffix: String,
    /// Whether user 1 holds every permission: `security.enable_super_user` in the site's
    /// services.yml, from 10.3 on.
    enable_super_user: bool,
    /// The prefix of the site's tables: text, or a table with `default` and one for each table that
    /// has another, as in `{ default = "d7_", users = "shared_" }`.
    #[cfg_attr(feature = "schema", schemars(extend("x-default" = "`$databases`, else none")))]
    prefix: Option<Prefix>,
    /// Whether accounts that have a second factor, or must set one up, are let in by their password
    /// alone.
    allow_missing_second_factor: bool,
}

impl Default for DrupalTable {
    fn default() -> Self {
        Self {
            configuration: None,
            version: "10".to_owned(),
            phpass: false,
            session_cookie_name: None,
            name_suffix: String::new(),
            enable_super_user: true,
            prefix: None,
            allow_missing_second_factor: false,
        }
    }
}

/// The keys that stand in the site's own file, those of the database in
/// `$databases['default']['default']`.
#[derive(Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub(super) struct DrupalFile {
    /// `mysql`, `pgsql` or `sqlite`.
    driver: Option<LooseText>,
    /// The database's name; with `sqlite` the file, relative to the directory of Drupal.
    database: Option<LooseText>,
    /// The database's user.
    username: Option<LooseText>,
    /// The database's password.
    password: Option<SecretSource>,
    /// The database server.
    host: Option<LooseText>,
    /// Its port.
    port: Option<LooseText>,
    /// The path of its socket.
    unix_socket: Option<LooseText>,
    /// The address of the site, as browsers have it: the name of the session cookie comes from it.
    base_url: Option<LooseText>,
    /// The domain of the session cookie, where the site sets one: its name comes from it then. In 8
    /// and later it stands in the site's services.yml.
    cookie_domain: Option<LooseText>,
    /// Whether a Drupal 7 keeps session ids as they are, not their hashes.
    #[cfg_attr(feature = "schema", schemars(extend("x-default" = "false")))]
    do_not_hash_session_ids: Option<LooseText>,
}

/// A Drupal site.
#[derive(Clone, Debug)]
pub struct Drupal {
    /// The prefix of its tables.
    pub(super) prefix: Prefix,
    /// Its version.
    pub(super) version: Version,
    /// Whether it has the module phpass.
    pub(super) phpass: bool,
    /// The name of its session cookie; `None` where nothing tells it.
    pub(super) session_cookie_name: Option<String>,
    /// Whether user 1 holds every permission.
    pub(super) super_user: bool,
    /// Whether it keeps session ids as they are.
    pub(super) do_not_hash_session_ids: bool,
    /// Whether a password is good without the second factor.
    pub(super) allow_missing_second_factor: bool,
    /// Whether its database finds a name in any case by an index.
    pub(super) folds_by_index: bool,
}

impl Drupal {
    /// Reads the table; the site's database is what comes with it, unless one is `given`.
    pub(super) fn read(
        table: &Table<'_>,
        given: Option<Settings>,
    ) -> Result<(Self, Settings), Error> {
        let own: DrupalTable = table.read_beside(fields::<DrupalFile>(), None)?;
        let site_file = own_file(table, &own)?;
        let fallback = site_file.as_ref().map(|file| Without {
            file,
            // Another database was given: what the site's own file says of its own does not count.
            database: given.is_some(),
        });
        let fallback = fallback.as_ref().map(|file| file as &dyn Fallback);
        let mut file: DrupalFile = table.read_beside(fields::<DrupalTable>(), fallback)?;
        let Some(version) = Version::parse(&own.version) else {
            return Err(table.wrong(
                "version",
                "is not a version of Drupal from 7 on, as in \"10.3\"",
            ));
        };
        let prefix = match (own.prefix, &site_file) {
            (Some(prefix), _) => prefix,
            (None, Some(file)) => prefix_in(table, file)?,
            (None, None) => Prefix::default(),
        };
        if !prefix.is_valid() {
            let message = "must consist of at most 64 letters, digits and `_`, behind the name of \
                           another database and a dot";
            return Err(table.wrong("prefix", message));
        }
        let database = match given {
            Some(given) => given,
            None => {
                let database = file.database(table, own.configuration.as_deref())?;
                if matches!(database.location, Location::Sqlite(_)) && !prefix.is_empty() {
                    let message = "is not read with SQLite, where Drupal keeps such tables in a \
                                   file of their own";
                    return Err(table.wrong("prefix", message));
                }
                database
            }
        };
        let session_cookie_name = match own.session_cookie_name {
            Some(name) if is_token(&name) => Some(name),
            Some(_) => {
                let message = "is not a valid cookie name";
                return Err(table.wrong("session_cookie_name", message));
            }
            None => file.cookie_name(table, version, &own.name_suffix)?,
        };
        let truth = |text: &Option<LooseText>| text.as_ref().is_some_and(LooseText::is_true);
        let drupal = Self {
            prefix,
            version,
            phpass: own.phpass,
            session_cookie_name,
            super_user: own.enable_super_user,
            do_not_hash_session_ids: truth(&file.do_not_hash_session_ids),
            allow_missing_second_factor: own.allow_missing_second_factor,
            folds_by_index: version.is_7() || matches!(database.location, Location::Mysql(_)),
        };
        Ok((drupal, database))
    }
}

/// The site's own file, where `table` names one.
pub(super) fn site_file<'a>(table: &'a Table<'a>) -> Result<Option<SiteFile<'a>>, Error> {
    let own: DrupalTable = table.read_beside(fields::<DrupalFile>(), None)?;
    own_file(table, &own)
}

fn own_file<'a>(table: &'a Table<'a>, own: &DrupalTable) -> Result<Option<SiteFile<'a>>, Error> {
    let Some(path) = own.configuration.as_deref() else {
        return Ok(None);
    };
    let path = table.beside(path);
    let path = std::path::absolute(&path).unwrap_or(path);
    table.note_file(&path);
    let wrong = |error: &dyn std::fmt::Display| {
        let message = format!("cannot be read: {}: {error}", path.display());
        table.wrong("configuration", &message)
    };
    let source = php_file::bytes(&path).map_err(|error| wrong(&error).unread(&path))?;
    let evaluated = settings_php::evaluate(&path, &source);
    let Evaluated { literals, included } = evaluated.map_err(|error| wrong(&error))?;
    for file in &included {
        table.note_file(file);
    }
    let names = Names::Elements(ELEMENTS);
    Ok(Some(SiteFile::of(table, path, literals, names)))
}

/// The site's own file, where another database may have been given.
struct Without<'a> {
    file: &'a SiteFile<'a>,
    database: bool,
}

impl Fallback for Without<'_> {
    fn get(&self, key: &str) -> Result<Option<hallpass_settings::Given>, Error> {
        let of_database = ELEMENTS
            .iter()
            .any(|(name, variable, _)| *name == key && *variable == "databases");
        match self.database && of_database {
            true => Ok(None),
            false => self.file.get(key),
        }
    }
}

/// The prefix that the site's own file gives: text, or an array.
fn prefix_in(table: &Table<'_>, file: &SiteFile<'_>) -> Result<Prefix, Error> {
    let text = |literal: &Literal| match literal {
        Literal::Text(bytes) => String::from_utf8(bytes.to_vec()).ok(),
        Literal::Boolean(false) | Literal::Null => Some(String::new()),
        _ => None,
    };
    let prefix = match file.literal("prefix")? {
        None => Some(Prefix::default()),
        Some(Literal::Array(elements)) => {
            let each = elements.iter().map(|(key, value)| match key {
                Key::Text(name) => Some((String::from_utf8(name.clone()).ok()?, text(value)?)),
                Key::Integer(_) => None,
            });
            each.collect::<Option<_>>().map(Prefix::Each)
        }
        Some(literal) => text(literal).map(Prefix::All),
    };
    prefix.ok_or_else(|| {
        let path = file.path.display();
        let message = format!("{path}: the prefix is neither text nor an array of texts");
        table.wrong("configuration", &message)
    })
}

impl DrupalFile {
    /// What it says about the database. `file` is the site's own.
    fn database(&mut self, table: &Table<'_>, file: Option<&str>) -> Result<Settings, Error> {
        let password = secret(table, "password", self.password.take())?;
        let missing = |key| {
            let message = "is missing; it stands in the site's settings.php, which \
                           `configuration` names";
            table.wrong(key, message)
        };
        let name = filled(&self.database).ok_or_else(|| missing("database"));
        let kind = match filled(&self.driver).ok_or_else(|| missing("driver"))? {
            // 11.2 has a driver `mysqli` beside the other.
            "mysql" | "mysqli" => Kind::Mysql,
            "pgsql" => Kind::Postgres,
            "sqlite" => {
                let path = root(&site_file::directory(table, file)).join(name?);
                return Ok(Settings::new(Location::Sqlite(path)));
            }
            _ => {
                let message = "is unsupported; supported are mysql, pgsql and sqlite";
                return Err(table.wrong("driver", message));
            }
        };
        let addresses = self.addresses(table, kind)?;
        let user = filled(&self.username).map(str::to_owned);
        let password = password.filter(|password: &Secret| !password.expose().is_empty());
        Ok(site_file::settings(
            kind,
            addresses,
            name?.to_owned(),
            user,
            password,
        ))
    }

    /// Where the server is. MySQL's `localhost` is its socket whatever the port, PostgreSQL's an
    /// address, as PDO connects.
    fn addresses(&self, table: &Table<'_>, kind: Kind) -> Result<Vec<Address>, Error> {
        if kind == Kind::Mysql
            && let Some(socket) = filled(&self.unix_socket)
        {
            return Ok(vec![Address::Unix(socket.into())]);
        }
        let host = filled(&self.host).unwrap_or("localhost");
        let port = filled(&self.port);
        let found = site_file::addresses(kind, host, port);
        let mut found = found.map_err(|message| table.wrong("port", message))?;
        if host == "localhost" {
            match kind {
                Kind::Postgres => found.retain(|it| matches!(it, Address::Tcp { .. })),
                Kind::Mysql if port.is_some() => {
                    let usual = site_file::addresses(kind, host, None);
                    let usual = usual.map_err(|message| table.wrong("port", message))?;
                    let sockets = usual
                        .into_iter()
                        .filter(|it| matches!(it, Address::Unix(_)));
                    found = sockets.chain(found).collect();
                }
                Kind::Mysql => {}
            }
        }
        Ok(found)
    }

    /// The name of the session cookie; `None` where the address of the site is not known.
    fn cookie_name(
        &self,
        table: &Table<'_>,
        version: Version,
        name_suffix: &str,
    ) -> Result<Option<String>, Error> {
        let Some(base_url) = filled(&self.base_url) else {
            return Ok(None);
        };
        let derived = cookie_name::derived(&Origin {
            base_url,
            cookie_domain: filled(&self.cookie_domain),
            name_suffix,
            old: version.is_7(),
        });
        let message = "is not the address of a site, as in \"https://www.example.org/base\"";
        derived
            .map(Some)
            .ok_or_else(|| table.wrong("base_url", message))
    }
}

/// The directory of Drupal, where its own file is in `sites/default` of it, or beside that.
pub(super) fn root(directory: &Path) -> PathBuf {
    let above = directory.parent().and_then(Path::parent);
    above.unwrap_or(directory).to_owned()
}
