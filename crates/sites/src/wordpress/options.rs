//! Reads what the site keeps in its options, and a network of sites in `sitemeta` and `blogs`.

use std::collections::BTreeMap;

use hallpass_sessions::wordpress::{Roles, list};
use hallpass_stores::Unavailable;
use hallpass_stores::sql::{Queries, Row, Value};
use md5::{Digest as _, Md5};
use zeroize::Zeroizing;

use super::settings::Wordpress;
use crate::{prefixed, quoted};

/// The network that sites are of where the table of sites does not say.
const MAIN_NETWORK: i64 = 1;
/// The most rows that a few options may have.
const MOST: usize = 64;

impl Wordpress {
    /// Whether it is one of a network of sites.
    pub(super) fn is_multisite(&self, queries: &mut Queries<'_>) -> Result<bool, Unavailable> {
        if let Some(multisite) = self.multisite.or_else(|| self.has_network.get().copied()) {
            return Ok(multisite);
        }
        let table = format!("{}sitemeta", self.prefix);
        let found = !queries.columns(&table)?.is_empty() || queries.hides(&table)?;
        Ok(*self.has_network.get_or_init(|| found))
    }

    /// What the names of this site's own tables begin with (`wpdb::get_blog_prefix`).
    pub(super) fn own_prefix(&self) -> String {
        match self.blog {
            1 => self.prefix.clone(),
            blog => format!("{}{blog}_", self.prefix),
        }
    }

    /// The options of this site that are called so, where there are such (`get_option`).
    pub(super) fn options(
        &self,
        queries: &mut Queries<'_>,
        names: &[&str],
    ) -> Result<BTreeMap<String, String>, Unavailable> {
        let statement = format!(
            "SELECT \"option_name\", \"option_value\" FROM {} WHERE \"option_name\" IN ({})",
            prefixed(&self.own_prefix(), "options"),
            placeholders(names),
        );
        read(queries, &statement, names, Vec::new())
    }

    /// The options of the network, or those of the one site (`get_site_option`).
    pub(super) fn site_options(
        &self,
        queries: &mut Queries<'_>,
        names: &[&str],
    ) -> Result<BTreeMap<String, String>, Unavailable> {
        if !self.is_multisite(queries)? {
            return self.options(queries, names);
        }
        let network = self.network(queries)?;
        let statement = format!(
            "SELECT \"meta_key\", \"meta_value\" FROM {} WHERE \"site_id\" = :network AND \
             \"meta_key\" IN ({})",
            prefixed(&self.prefix, "sitemeta"),
            placeholders(names),
        );
        read(
            queries,
            &statement,
            names,
            vec![(":network", Value::Integer(network))],
        )
    }

    /// The network that this site is of.
    fn network(&self, queries: &mut Queries<'_>) -> Result<i64, Unavailable> {
        let statement = format!(
            "SELECT \"site_id\" FROM {} WHERE \"blog_id\" = :blog",
            prefixed(&self.prefix, "blogs")
        );
        let parameters = [(":blog", Value::Integer(self.blog.into()))];
        let mut rows = queries.rows(&statement, &parameters, 1)?;
        let network = rows.pop().and_then(|mut row| row.take(0).integer_like());
        Ok(network.unwrap_or(MAIN_NETWORK))
    }

    /// Whether no page of this site is shown to any but super administrators (`ms_site_check` in
    /// `wp-includes/ms-load.php`).
    pub(super) fn is_closed(&self, queries: &mut Queries<'_>) -> Result<bool, Unavailable> {
        if !self.is_multisite(queries)? {
            return Ok(false);
        }
        let statement = format!(
            "SELECT \"deleted\", \"archived\", \"spam\" FROM {} WHERE \"blog_id\" = :blog",
            prefixed(&self.prefix, "blogs")
        );
        let parameters = [(":blog", Value::Integer(self.blog.into()))];
        let mut rows = queries.rows(&statement, &parameters, 1)?;
        Ok(rows.pop().is_some_and(|mut row| {
            let mut flag = |column| row.take(column).integer_like().unwrap_or_default();
            matches!(flag(0), 1 | 2) || flag(1) == 1 || flag(2) == 1
        }))
    }

    /// The logins of the super administrators; none where the site is not of a network.
    pub(super) fn super_administrators(
        &self,
        queries: &mut Queries<'_>,
    ) -> Result<Vec<String>, Unavailable> {
        if !self.is_multisite(queries)? {
            return Ok(Vec::new());
        }
        if let Some(logins) = &self.super_admins {
            return Ok(logins.clone());
        }
        let found = self.site_options(queries, &["site_admins"])?;
        Ok(match found.get("site_admins") {
            Some(stored) => list(stored),
            None => vec!["admin".to_owned()],
        })
    }

    /// The roles of this site.
    pub(super) fn roles(&self, queries: &mut Queries<'_>) -> Result<Roles, Unavailable> {
        let name = format!("{}user_roles", self.own_prefix());
        let found = self.options(queries, &[&name])?;
        Ok(found
            .get(&name)
            .map_or_else(Roles::default, |stored| Roles::read(stored)))
    }

    /// The site's language (`get_locale`).
    pub(super) fn locale(&self, queries: &mut Queries<'_>) -> Result<String, Unavailable> {
        let mut found = self.options(queries, &["WPLANG"])?.remove("WPLANG");
        if found.is_none() && self.is_multisite(queries)? {
            found = self.site_options(queries, &["WPLANG"])?.remove("WPLANG");
        }
        Ok(found.or_else(|| self.locale.clone()).unwrap_or_default())
    }

    /// The name of the cookie `logged_in` (`wp_cookie_constants` in
    /// `wp-includes/default-constants.php`).
    pub(super) fn cookie_name(&self, queries: &mut Queries<'_>) -> Result<String, Unavailable> {
        if let Some(name) = &self.cookie_name {
            return Ok(name.clone());
        }
        let hash = match &self.cookiehash {
            Some(hash) => hash.clone(),
            None => self
                .siteurl(queries)?
                .map(|url| md5(&url))
                .unwrap_or_default(),
        };
        Ok(format!("wordpress_logged_in_{hash}"))
    }

    /// The address that the cookie's name comes from. That of a network keeps its slash.
    fn siteurl(&self, queries: &mut Queries<'_>) -> Result<Option<String>, Unavailable> {
        let multisite = self.is_multisite(queries)?;
        let found = match (&self.siteurl, multisite) {
            (Some(url), false) => Some(url.clone()),
            _ => self.site_options(queries, &["siteurl"])?.remove("siteurl"),
        };
        let found = found.map(|url| match multisite {
            true => url,
            false => url.trim_end_matches(['/', '\\']).to_owned(),
        });
        Ok(found.filter(|url| !url.is_empty()))
    }

    /// The key and the salt of the cookie in a row; `None` where there is none yet.
    pub(super) fn salt(
        &self,
        queries: &mut Queries<'_>,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, Unavailable> {
        let stored = match self.keys.are_complete() {
            true => BTreeMap::new(),
            false => self.site_options(queries, &["logged_in_key", "logged_in_salt"])?,
        };
        Ok(self.keys.salt(|name| stored.get(name).cloned()))
    }

    /// The table of the accounts, and of what is kept beside them, as identifiers.
    pub(super) fn tables(&self) -> (String, String) {
        (quoted(&self.users), quoted(&self.usermeta))
    }
}

/// `names` as they stand in a statement: each is one of WordPress' own, with no quote in it.
fn placeholders(names: &[&str]) -> String {
    let literal = |name: &&str| format!("'{}'", name.replace('\'', ""));
    names.iter().map(literal).collect::<Vec<_>>().join(", ")
}

/// The rows whose first column is one of `names`, letter by letter: a collation may take more for the
/// same. Of several the first counts.
fn read(
    queries: &mut Queries<'_>,
    statement: &str,
    names: &[&str],
    parameters: Vec<(&str, Value)>,
) -> Result<BTreeMap<String, String>, Unavailable> {
    let rows = queries.rows(statement, &parameters, MOST)?;
    let pair = |mut row: Row| {
        let name = row.words(0).filter(|name| names.contains(&name.as_str()))?;
        Some((name, row.words(1)?))
    };
    Ok(rows.into_iter().rev().filter_map(pair).collect())
}

fn md5(text: &str) -> String {
    let digest: [u8; 16] = Md5::digest(text).into();
    format!("{:032x}", u128::from_be_bytes(digest))
}
