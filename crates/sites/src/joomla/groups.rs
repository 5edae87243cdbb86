//! Reads the groups of an account, including all parent groups.

use hallpass_stores::Unavailable;
use hallpass_stores::sql::{Queries, Row, Value};

use crate::{MOST_GROUPS, prefixed};

/// The group of every account without another group (`Access::getGroupsByUser` in
/// libraries/src/Access/Access.php of 4.4).
const PUBLIC: i64 = 1;

/// The statements that ask for groups, as id and title.
#[derive(Debug)]
pub(super) struct Groups {
    /// Of `:id`, an account's.
    of_user: String,
    /// All of them.
    all: String,
    /// Of `:id`, a group's; `None` in Joomla 1.5, where every account has a group.
    one: Option<String>,
}

/// A group.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) id: i64,
    pub(super) title: String,
}

impl Groups {
    pub(super) fn new(prefix: &str, queries: &mut Queries<'_>) -> Result<Self, Unavailable> {
        let above = "b.\"lft\" <= a.\"lft\" AND b.\"rgt\" >= a.\"rgt\"";
        let users = prefixed(prefix, "users");
        if queries.columns(&format!("{prefix}usergroups"))?.is_empty() {
            let groups = prefixed(prefix, "core_acl_aro_groups");
            return Ok(Self {
                of_user: format!(
                    "SELECT DISTINCT b.\"id\", b.\"name\" FROM {users} u JOIN {groups} a ON \
                     a.\"id\" = u.\"gid\" JOIN {groups} b ON {above} WHERE u.\"id\" = :id"
                ),
                all: format!("SELECT \"id\", \"name\" FROM {groups}"),
                one: None,
            });
        }
        let (groups, map) = (
            prefixed(prefix, "usergroups"),
            prefixed(prefix, "user_usergroup_map"),
        );
        Ok(Self {
            of_user: format!(
                "SELECT DISTINCT b.\"id\", b.\"title\" FROM {map} m JOIN {groups} a ON a.\"id\" \
                 = m.\"group_id\" JOIN {groups} b ON {above} WHERE m.\"user_id\" = :id"
            ),
            all: format!("SELECT \"id\", \"title\" FROM {groups}"),
            one: Some(format!(
                "SELECT \"id\", \"title\" FROM {groups} WHERE \"id\" = :id"
            )),
        })
    }

    /// The groups of the account `id`.
    pub(super) fn of(
        &self,
        queries: &mut Queries<'_>,
        id: &Value,
    ) -> Result<Vec<Group>, Unavailable> {
        let mut rows = queries.rows(&self.of_user, &[(":id", id.clone())], usize::MAX)?;
        if rows.is_empty()
            && let Some(one) = &self.one
        {
            rows = queries.rows(one, &[(":id", PUBLIC.into())], 1)?;
        }
        let group = |mut row: Row| {
            let id = row.take(0).integer_like()?;
            let title = row.text(1)?;
            Some(Group { id, title })
        };
        Ok(rows.into_iter().filter_map(group).collect())
    }

    /// The titles of all groups, and their ids.
    pub(super) fn names(&self, queries: &mut Queries<'_>) -> Result<Vec<String>, Unavailable> {
        let rows = queries.rows(&self.all, &[], MOST_GROUPS)?;
        let mut names = Vec::new();
        for mut row in rows {
            names.extend(row.take(0).integer_like().map(|id| id.to_string()));
            names.extend(row.text(1));
        }
        Ok(names)
    }

    /// Whether they are those of Joomla 1.5.
    pub(super) fn are_old(&self) -> bool {
        self.one.is_none()
    }

    pub(super) fn tables(&self, prefix: &str) -> Vec<String> {
        let names: &[&str] = match self.one {
            Some(_) => &["usergroups", "user_usergroup_map"],
            None => &["core_acl_aro_groups"],
        };
        names.iter().map(|name| format!("{prefix}{name}")).collect()
    }
}
