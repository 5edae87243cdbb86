//! Reads `[wordpress]`: what the site's `wp-config.php` says, under the same names in lower case.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use hallpass_php_literals::Literal;
use hallpass_sessions::wordpress::Version;
use hallpass_settings::{Error, Fallback, LooseText, Number, SecretSource, Table, fields};
use hallpass_stores::Secret;
use hallpass_stores::sql::{Location, Settings};
use serde::Deserialize;

use super::file;
use super::keys::{Keys, NAMES};
use crate::http::is_token;
use crate::secret;
use crate::site_file::{self, Kind, SiteFile, filled, prefix};

/// The keys that are Hallpass' own.
#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub(super) struct WordpressTable {
    /// The site's own file, relative to this one. Files that it includes are read, too.
    pub(super) configuration: Option<String>,
    /// The name of the site in Debian's package, which has a file of settings for each; needed where
    /// there are several.
    pub(super) host: Option<String>,
    /// Which site of a network (multisite) this one is.
    #[cfg_attr(feature = "schema", schemars(extend("x-default" = "1")))]
    blog: Option<Number<1, 4_294_967_295>>,
    /// Whether application passwords count, at every endpoint that asks for a password or a token.
    application_passwords: bool,
    /// The site's WordPress. Before 6.8 it knows other hashes, and signs cookies with another part of
    /// them; before 4.0 cookies have no token.
    #[cfg_attr(feature = "schema", schemars(extend("x-default" = "the newest rules")))]
    version: Option<String>,
    /// `false`: sessions are not read, because a plug-in of the site has a say in which count.
    sessions: bool,
}

impl Default for WordpressTable {
    fn default() -> Self {
        Self {
            configuration: None,
            host: None,
            blog: None,
            application_passwords: false,
            version: None,
            sessions: true,
        }
    }
}

/// The keys that stand in the site's own file as constants. An empty one counts as not defined.
#[derive(Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub(super) struct WordpressFile {
    /// The database's name.
    db_name: Option<LooseText>,
    /// The database's user.
    db_user: Option<LooseText>,
    /// The database's password.
    db_password: Option<SecretSource>,
    /// A name, an address, either with `:port`, `[::1]:port`, `name:/path/of/a.sock`. `localhost` is
    /// the socket of Debian's server, else TCP.
    db_host: Option<LooseText>,
    /// `$table_prefix`: what the names of the site's tables begin with.
    table_prefix: Option<LooseText>,
    /// Whether the site is one of a network.
    #[cfg_attr(feature = "schema", schemars(extend("x-default" = "whether there is a table `sitemeta`, without a `configuration`")))]
    multisite: Option<LooseText>,
    /// Makes a network of the site as well.
    subdomain_install: Option<LooseText>,
    /// The table of the accounts.
    #[cfg_attr(feature = "schema", schemars(extend("x-default" = "`users` behind the prefix")))]
    custom_user_table: Option<LooseText>,
    /// The table of what is kept beside them.
    #[cfg_attr(feature = "schema", schemars(extend("x-default" = "`usermeta` behind the prefix")))]
    custom_user_meta_table: Option<LooseText>,
    /// The key of the cookie `logged_in`. Where WordPress itself would not take it (it is empty, the
    /// sample's, or another of the eight as well), the site's option counts, here as there.
    logged_in_key: Option<SecretSource>,
    /// The salt of the same.
    logged_in_salt: Option<SecretSource>,
    /// The site's other keys and salts: none may be the same as another.
    auth_key: Option<SecretSource>,
    /// As `auth_key`.
    auth_salt: Option<SecretSource>,
    /// As `auth_key`.
    secure_auth_key: Option<SecretSource>,
    /// As `auth_key`.
    secure_auth_salt: Option<SecretSource>,
    /// As `auth_key`.
    nonce_key: Option<SecretSource>,
    /// As `auth_key`.
    nonce_salt: Option<SecretSource>,
    /// The one key of WordPress 2.5: it stands in for a missing `logged_in_key`.
    secret_key: Option<SecretSource>,
    /// As `auth_key`.
    secret_salt: Option<SecretSource>,
    /// The name of the cookie.
    #[cfg_attr(feature = "schema", schemars(extend("x-default" = "from `cookiehash`")))]
    logged_in_cookie: Option<LooseText>,
    /// What the cookie's name ends with.
    #[cfg_attr(feature = "schema", schemars(extend("x-default" = "from the site's address")))]
    cookiehash: Option<LooseText>,
    /// The site's address, where it is not the one in its options.
    wp_siteurl: Option<LooseText>,
    /// The site's language, where it is not the one in its options: it decides what becomes of
    /// accents in names.
    wplang: Option<LooseText>,
    /// Nobody may edit files.
    disallow_file_edit: Option<LooseText>,
    /// Nobody may install, update or edit anything.
    disallow_file_mods: Option<LooseText>,
    /// Nobody may write any HTML.
    disallow_unfiltered_html: Option<LooseText>,
    /// Whether any file may be uploaded.
    allow_unfiltered_uploads: Option<LooseText>,
}

/// A WordPress site.
#[derive(Clone, Debug)]
pub struct Wordpress {
    /// `$table_prefix`: letters, digits and underscores.
    pub(super) prefix: String,
    /// Which site of a network it is.
    pub(super) blog: u32,
    /// Whether it is one of a network; `None` where a table tells.
    pub(super) multisite: Option<bool>,
    /// What the table told: sites become networks while nobody is served.
    pub(super) has_network: Arc<OnceLock<bool>>,
    pub(super) users: String,
    pub(super) usermeta: String,
    pub(super) keys: Keys,
    pub(super) cookie_name: Option<String>,
    pub(super) cookiehash: Option<String>,
    pub(super) siteurl: Option<String>,
    /// Whether sessions are read.
    pub(super) reads_sessions: bool,
    /// Whether nothing tells the cookie's name: the file computes it.
    pub(super) cookie_unknown: bool,
    pub(super) locale: Option<String>,
    pub(super) application_passwords: bool,
    pub(super) version: Version,
    pub(super) rules: Constants,
    /// `$super_admins`, where the file sets it.
    pub(super) super_admins: Option<Vec<String>>,
    /// The host that the site's own software is to be asked as.
    pub(super) host: Option<String>,
    /// Whether the database compares names by the collation of their column.
    pub(super) collates: bool,
}

/// What constants forbid to all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Constants {
    pub(super) file_edit: bool,
    pub(super) file_mods: bool,
    pub(super) unfiltered_html: bool,
    pub(super) unfiltered_uploads: bool,
}

/// What in `wp-config.php` is not needed to know.
pub(super) const OPTIONAL: [&str; 16] = [
    "auth_key",
    "auth_salt",
    "secure_auth_key",
    "secure_auth_salt",
    "nonce_key",
    "nonce_salt",
    "secret_key",
    "secret_salt",
    "logged_in_cookie",
    "cookiehash",
    "wp_siteurl",
    "wplang",
    "disallow_file_edit",
    "disallow_file_mods",
    "disallow_unfiltered_html",
    "allow_unfiltered_uploads",
];

impl Wordpress {
    /// Reads the table; the site's database is what comes with it, unless one is `given`.
    pub(super) fn read(
        table: &Table<'_>,
        given: Option<Settings>,
    ) -> Result<(Self, Settings), Error> {
        let own: WordpressTable = table.read_beside(fields::<WordpressFile>(), None)?;
        let site_file = file::read(table, &own)?;
        let fallback = site_file.as_ref().map(|file| file as &dyn Fallback);
        let mut file: WordpressFile = table.read_beside(fields::<WordpressTable>(), fallback)?;
        let database = file.database(table)?;
        let database = match given {
            Some(given) => given,
            None => database?,
        };
        let computed = |key: &str| {
            let in_file = site_file
                .as_ref()
                .is_some_and(|file| file.find(key).is_err());
            in_file && !table.has(key)
        };
        let keys = file.keys(table)?;
        let version = match &own.version {
            None => Version::default(),
            Some(text) => Version::parse(text)
                .ok_or_else(|| table.wrong("version", "is not a version, as in \"6.9\""))?,
        };
        let cookie_name = filled(&file.logged_in_cookie).map(str::to_owned);
        if cookie_name.as_deref().is_some_and(|name| !is_token(name)) {
            return Err(table.wrong("logged_in_cookie", "is not a valid cookie name"));
        }
        let cookiehash = filled(&file.cookiehash).map(str::to_owned);
        if cookiehash.as_deref().is_some_and(|hash| !is_token(hash)) {
            return Err(table.wrong("cookiehash", "cannot stand in a cookie's name"));
        }
        let unknown = |key: &str, given: bool| !given && computed(key);
        let siteurl = filled(&file.wp_siteurl).map(str::to_owned);
        let cookie_unknown = unknown("logged_in_cookie", cookie_name.is_some())
            || (cookie_name.is_none()
                && (unknown("cookiehash", cookiehash.is_some())
                    || (cookiehash.is_none() && unknown("wp_siteurl", siteurl.is_some()))));
        let prefix = prefix(table, "table_prefix", &file.table_prefix)?;
        let named = |text: &Option<LooseText>, name: &str| match filled(text) {
            Some(name) => name.to_owned(),
            None => format!("{prefix}{name}"),
        };
        let truth = |text: &Option<LooseText>| text.as_ref().is_some_and(LooseText::is_true);
        let blog = own.blog.map(|blog| blog.0);
        // Whatever it is: WordPress asks only whether there is one (`is_multisite`).
        let defined = |key: &str| {
            let file = site_file.as_ref().filter(|_| !table.has(key));
            file.is_some_and(|file| matches!(file.find(key), Ok(Some(_))))
        };
        let multisite = match &file.multisite {
            Some(multisite) => Some(multisite.is_true()),
            None if truth(&file.subdomain_install) || defined("subdomain_install") => Some(true),
            None if blog.is_some_and(|blog| blog > 1) => Some(true),
            None => site_file.as_ref().map(|_| false),
        };
        let forbidden = |key: &str, text: &Option<LooseText>| truth(text) || computed(key);
        let wordpress = Self {
            users: named(&file.custom_user_table, "users"),
            usermeta: named(&file.custom_user_meta_table, "usermeta"),
            prefix: prefix.clone(),
            blog: blog.unwrap_or(1),
            multisite,
            has_network: Arc::default(),
            keys,
            cookie_name,
            cookiehash,
            siteurl,
            cookie_unknown,
            locale: filled(&file.wplang).map(str::to_owned),
            application_passwords: own.application_passwords,
            reads_sessions: own.sessions,
            version,
            rules: Constants {
                file_edit: forbidden("disallow_file_edit", &file.disallow_file_edit),
                file_mods: forbidden("disallow_file_mods", &file.disallow_file_mods),
                unfiltered_html: forbidden(
                    "disallow_unfiltered_html",
                    &file.disallow_unfiltered_html,
                ),
                unfiltered_uploads: !truth(&file.allow_unfiltered_uploads),
            },
            super_admins: super_admins(table, site_file.as_ref())?,
            host: file::host(site_file.as_ref(), own.host),
            collates: matches!(database.location, Location::Mysql(_)),
        };
        for (key, name) in [
            ("custom_user_table", &wordpress.users),
            ("custom_user_meta_table", &wordpress.usermeta),
        ] {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
            if !name.bytes().all(plain) {
                return Err(table.wrong(key, "must consist of letters, digits and `_`"));
            }
        }
        Ok((wordpress, database))
    }
}

/// The site's own file, where `table` names one.
pub(super) fn site_file<'a>(table: &'a Table<'a>) -> Result<Option<SiteFile<'a>>, Error> {
    let own: WordpressTable = table.read_beside(fields::<WordpressFile>(), None)?;
    file::read(table, &own)
}

/// The logins in `$super_admins`, which the file may set in place of the network's own list.
fn super_admins(
    table: &Table<'_>,
    file: Option<&SiteFile<'_>>,
) -> Result<Option<Vec<String>>, Error> {
    let Some(file) = file else {
        return Ok(None);
    };
    match file.literals.variable("super_admins") {
        Ok(None) => Ok(None),
        Ok(Some(Literal::Array(logins))) => {
            let login = |(_, login): &(_, Literal)| match login {
                Literal::Text(text) => String::from_utf8(text.to_vec()).ok(),
                _ => None,
            };
            Ok(Some(logins.iter().filter_map(login).collect()))
        }
        Ok(Some(_)) => Ok(Some(Vec::new())),
        // A file that may have set anything has most likely not set this.
        Err(error) if file.literals.sets_anything() => {
            let message = format!(
                "{}: {error}; super administrators may be others",
                file.path.display()
            );
            table.warn("configuration", &message);
            Ok(None)
        }
        Err(_) => Ok(Some(Vec::new())),
    }
}

impl WordpressFile {
    fn keys(&mut self, table: &Table<'_>) -> Result<Keys, Error> {
        let mut given: BTreeMap<&'static str, Secret> = BTreeMap::new();
        let sources = [
            self.auth_key.take(),
            self.auth_salt.take(),
            self.secure_auth_key.take(),
            self.secure_auth_salt.take(),
            self.logged_in_key.take(),
            self.logged_in_salt.take(),
            self.nonce_key.take(),
            self.nonce_salt.take(),
            self.secret_key.take(),
            self.secret_salt.take(),
        ];
        for (name, source) in NAMES.into_iter().zip(sources) {
            if let Some(key) = secret(table, name, source)? {
                given.insert(name, key);
            }
        }
        Ok(Keys::new(&given))
    }

    /// What it says about the database; why that cannot be used, where another is given, does not
    /// matter.
    fn database(&mut self, table: &Table<'_>) -> Result<Result<Settings, Error>, Error> {
        let password = secret(table, "db_password", self.db_password.take())?;
        let Some(name) = filled(&self.db_name) else {
            let message = "is missing; it stands in the site's wp-config.php, which \
                           `configuration` names";
            return Ok(Err(table.wrong("db_name", message)));
        };
        let (host, port) = host_and_port(filled(&self.db_host).unwrap_or("localhost"));
        let user = filled(&self.db_user).map(str::to_owned);
        Ok(match site_file::addresses(Kind::Mysql, host, port) {
            Ok(addresses) => {
                let name = name.to_owned();
                Ok(site_file::settings(
                    Kind::Mysql,
                    addresses,
                    name,
                    user,
                    password,
                ))
            }
            Err(message) => Err(table.wrong("db_host", message)),
        })
    }
}

/// The host and the port, or the socket, that `DB_HOST` names (`wpdb::parse_db_host` of 6.9).
fn host_and_port(host: &str) -> (&str, Option<&str>) {
    if let Some(at) = host.find(":/") {
        return (host.get(..at).unwrap_or_default(), host.get(at + 1..));
    }
    match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, port)) => (host, port.strip_prefix(':')),
        None if host.matches(':').count() > 1 => (host, None),
        None => match host.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (host, None),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `wpdb::parse_db_host` of 6.1 takes them apart.
    #[test]
    fn hosts_are_taken_apart_as_wordpress_does() {
        for (host, expected) in [
            ("localhost", ("localhost", None)),
            ("db.example.org:3307", ("db.example.org", Some("3307"))),
            ("127.0.0.1", ("127.0.0.1", None)),
            (
                "localhost:/run/my.sock",
                ("localhost", Some("/run/my.sock")),
            ),
            (":/run/my.sock", ("", Some("/run/my.sock"))),
            ("[::1]:3307", ("::1", Some("3307"))),
            ("[::1]", ("::1", None)),
            ("::1", ("::1", None)),
        ] {
            assert_eq!(host_and_port(host), expected, "{host}");
        }
    }
}
