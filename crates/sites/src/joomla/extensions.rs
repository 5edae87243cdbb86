//! Reads which plug-ins of a site are on, and what the options of com_users say of second factors
//! (`PluginHelper::load` in libraries/src/Plugin/PluginHelper.php and
//! `Access::getAuthorisedViewLevels` of 4.4).

use hallpass_stores::Unavailable;
use hallpass_stores::sql::{Queries, Row};
use serde_json::Value as Json;

use super::groups::Groups;
use crate::prefixed;

/// The most rows that are read of either table.
const MOST: usize = 1000;
/// The view level that every viewer has.
const PUBLIC_LEVEL: i64 = 1;
/// The group that guests are in where com_users does not say.
const PUBLIC_GROUP: i64 = 1;
/// Joomla's own methods of a second factor: plug-in and method have one name.
const OWN_METHODS: [&str; 5] = ["email", "fixed", "totp", "webauthn", "yubikey"];

/// The statements that ask for the extensions of one site.
#[derive(Debug)]
pub(super) struct Statements {
    extensions: String,
    levels: String,
    methods: String,
}

/// Whom plug-ins are shown to.
#[derive(Debug)]
pub(super) struct Viewer {
    /// Zero for guests.
    pub(super) id: i64,
    pub(super) groups: Vec<i64>,
}

/// The extensions that decide who may log in, as they are now.
#[derive(Debug)]
pub(super) struct Extensions {
    /// Those that are on: folder, element, view level.
    plugins: Vec<(String, String, i64)>,
    /// The rules of each view level: groups, and accounts as negative numbers. Read where a plug-in
    /// is not shown to all.
    levels: Vec<(i64, Vec<i64>)>,
    /// `forceMFAUserGroups`.
    pub(super) forced: Vec<i64>,
    /// `neverMFAUserGroups`.
    pub(super) exempt: Vec<i64>,
    /// `guest_usergroup`.
    guests: i64,
}

impl Statements {
    /// `None` where the database has no `#__extensions`: Joomla 1.5, and parts of a site. Where the
    /// user has no right to know, reading fails, as it does where there is a table without a right
    /// to it.
    pub(super) fn new(
        prefix: &str,
        groups: &Groups,
        queries: &mut Queries<'_>,
    ) -> Result<Option<Self>, Unavailable> {
        let name = format!("{prefix}extensions");
        if queries.columns(&name)?.is_empty() && (groups.are_old() || !queries.hides(&name)?) {
            return Ok(None);
        }
        Ok(Some(Self {
            extensions: format!(
                "SELECT \"type\", \"folder\", \"element\", \"access\", CASE WHEN \"type\" = \
                 'component' THEN \"params\" END FROM {} WHERE (\"type\" = 'plugin' AND \
                 \"folder\" IN ('authentication', 'multifactorauth', 'twofactorauth') AND \
                 \"enabled\" = 1 AND \"state\" IN (0, 1)) OR (\"type\" = 'component' AND \
                 \"element\" = 'com_users')",
                prefixed(prefix, "extensions")
            ),
            levels: format!(
                "SELECT \"id\", \"rules\" FROM {}",
                prefixed(prefix, "viewlevels")
            ),
            methods: format!(
                "SELECT 1 FROM {} WHERE \"type\" = 'plugin' AND \"folder\" = 'multifactorauth'",
                prefixed(prefix, "extensions")
            ),
        }))
    }

    /// Whether there are plug-ins for second factors as they are since 4.2, on or off.
    pub(super) fn has_methods(&self, queries: &mut Queries<'_>) -> Result<bool, Unavailable> {
        Ok(!queries.rows(&self.methods, &[], 1)?.is_empty())
    }

    pub(super) fn read(&self, queries: &mut Queries<'_>) -> Result<Extensions, Unavailable> {
        let mut read = Extensions {
            plugins: Vec::new(),
            levels: Vec::new(),
            forced: Vec::new(),
            exempt: Vec::new(),
            guests: PUBLIC_GROUP,
        };
        for mut row in queries.rows(&self.extensions, &[], MOST)? {
            if row.text(0).as_deref() == Some("component") {
                let options = row.text(4).unwrap_or_default();
                let options: Json = serde_json::from_str(&options).unwrap_or_default();
                read.forced = groups_in(&options, "forceMFAUserGroups");
                read.exempt = groups_in(&options, "neverMFAUserGroups");
                if let Some(guests) = options.get("guest_usergroup").and_then(number) {
                    read.guests = guests;
                }
            } else if let (Some(folder), Some(element)) = (row.text(1), row.text(2)) {
                let level = row.take(3).integer_like().unwrap_or_default();
                read.plugins.push((folder, element, level));
            }
        }
        if read
            .plugins
            .iter()
            .any(|(_, _, level)| *level != PUBLIC_LEVEL)
        {
            let level = |mut row: Row| {
                let rules = row.text(1).unwrap_or_default();
                let rules: Vec<Json> = serde_json::from_str(&rules).unwrap_or_default();
                let groups = rules.iter().filter_map(number).collect();
                Some((row.take(0).integer_like()?, groups))
            };
            let rows = queries.rows(&self.levels, &[], MOST)?;
            read.levels = rows.into_iter().filter_map(level).collect();
        }
        Ok(read)
    }
}

impl Extensions {
    /// Whether Joomla's own authentication plug-in is on: without it, no password in `#__users` is
    /// compared with anything. Who logs in is a guest until then.
    pub(super) fn check_passwords(&self) -> bool {
        let guest = Viewer {
            id: 0,
            groups: vec![PUBLIC_GROUP, self.guests],
        };
        self.any(&guest, "authentication", |element| element == "joomla")
    }

    /// Whether the method of a second factor can be shown by `viewer`. What is not
    /// Joomla's own may be called otherwise than its plug-in.
    pub(super) fn offer(&self, viewer: &Viewer, method: &str) -> bool {
        self.any(viewer, "multifactorauth", |element| {
            element == method || !OWN_METHODS.contains(&element)
        })
    }

    /// Whether there is any method of 3.2 to 4.1. Where there is none, Joomla asks for none.
    pub(super) fn offer_old(&self, viewer: &Viewer) -> bool {
        self.any(viewer, "twofactorauth", |_| true)
    }

    fn any(&self, viewer: &Viewer, folder: &str, called: impl Fn(&str) -> bool) -> bool {
        self.plugins.iter().any(|(found, element, level)| {
            found == folder && called(element) && self.shown(*level, viewer)
        })
    }

    fn shown(&self, level: i64, viewer: &Viewer) -> bool {
        let meets = |rule: &i64| match *rule {
            rule if rule < 0 => rule.checked_neg() == Some(viewer.id),
            group => viewer.groups.contains(&group),
        };
        level == PUBLIC_LEVEL
            || self
                .levels
                .iter()
                .any(|(id, rules)| *id == level && rules.iter().any(meets))
    }
}

/// A list of groups among `options`; what is not a list counts for nothing, as in Joomla.
fn groups_in(options: &Json, key: &str) -> Vec<i64> {
    let list = options.get(key).and_then(Json::as_array);
    list.into_iter().flatten().filter_map(number).collect()
}

/// A number, which forms save as text.
fn number(value: &Json) -> Option<i64> {
    match value {
        Json::String(text) => text.trim().parse().ok(),
        _ => value.as_i64(),
    }
}
