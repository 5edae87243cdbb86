//! Decides which step an account must take at the site beyond its password: show a second factor,
//! or set one up (libraries/src/Application/MultiFactorAuthenticationHandler.php and
//! administrator/components/com_users/src/Helper/Mfa.php of 4.4 and 5).

use hallpass_stores::Unavailable;
use hallpass_stores::sql::{Queries, Value};

use super::extensions::{Extensions, Statements, Viewer};
use super::groups::Groups;
use crate::prefixed;

/// The most second factors of one account that are looked at.
const MOST: usize = 1000;

/// What an account must do at the site before it is let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Set up a second factor, which one of its groups demands.
    SetUp,
    /// Show its second factor.
    Show,
}

/// Where a site keeps second factors.
#[derive(Debug)]
pub(super) enum SecondSteps {
    /// Nowhere: Joomla before 3.2.
    None,
    /// In `otpKey` of `#__users`: 3.2 to 4.1. A session begins after it is shown.
    Column(String),
    /// In `#__user_mfa`: 4.2 and later. A session begins before it is shown.
    Table {
        /// The methods of `:id`, and whether anything is kept of them.
        methods: String,
        /// What is left in `otpKey`: Joomla moves it into the table after the next login.
        left: Option<String>,
    },
    /// The database tells this user nothing of `#__user_mfa`. There is one where Joomla has methods
    /// as they are since 4.2.
    Hidden {
        table: Box<Self>,
        without: Box<Self>,
    },
}

impl SecondSteps {
    /// The database is asked what there is; `column` says whether `#__users` has `otpKey`.
    pub(super) fn new(
        prefix: &str,
        column: bool,
        queries: &mut Queries<'_>,
    ) -> Result<Self, Unavailable> {
        let users = prefixed(prefix, "users");
        let left = column.then(|| format!("SELECT \"otpKey\" FROM {users} WHERE \"id\" = :id"));
        let name = format!("{prefix}user_mfa");
        let columns = queries.columns(&name)?;
        let hidden = columns.is_empty();
        let without = left.clone().map_or(Self::None, Self::Column);
        if hidden && !queries.hides(&name)? {
            return Ok(without);
        }
        // What is kept is encrypted, and a secret.
        let kept = if hidden || columns.iter().any(|column| column.name == "options") {
            "CASE WHEN \"options\" IS NULL OR \"options\" IN ('', '[]', '{}', 'null') THEN 0 \
             ELSE 1 END"
        } else {
            "1"
        };
        let methods = format!(
            "SELECT \"method\", {kept} FROM {} WHERE \"user_id\" = :id",
            prefixed(prefix, "user_mfa")
        );
        let table = Self::Table { methods, left };
        Ok(match hidden {
            true => Self::Hidden {
                table: Box::new(table),
                without: Box::new(without),
            },
            false => table,
        })
    }

    /// Where the site keeps them. Without `extensions`, there are no methods of 4.2.
    pub(super) fn known(
        &self,
        queries: &mut Queries<'_>,
        extensions: Option<&Statements>,
    ) -> Result<&Self, Unavailable> {
        let Self::Hidden { table, without } = self else {
            return Ok(self);
        };
        let has_methods = match extensions {
            Some(statements) => statements.has_methods(queries)?,
            None => false,
        };
        Ok(if has_methods { table } else { without })
    }

    /// Whether they can be read.
    pub(super) fn check(
        &self,
        queries: &mut Queries<'_>,
        extensions: Option<&Statements>,
    ) -> Result<(), Unavailable> {
        if let Self::Table { methods, .. } = self.known(queries, extensions)? {
            queries.rows(methods, &[(":id", Value::Integer(0))], 1)?;
        }
        Ok(())
    }

    /// What the account `id` must do after it has given its password. Without `extensions`, every
    /// method can be shown.
    pub(super) fn after_password(
        &self,
        queries: &mut Queries<'_>,
        extensions: Option<&Extensions>,
        groups: &Groups,
        id: &Value,
    ) -> Result<Option<Step>, Unavailable> {
        let Self::Column(statement) = self else {
            return self.in_session(queries, extensions, groups, id);
        };
        let set = method_left(queries, statement, id)?.is_some();
        let viewer = viewer(groups, queries, id)?;
        let asked = set && extensions.is_none_or(|extensions| extensions.offer_old(&viewer));
        Ok(asked.then_some(Step::Show))
    }

    /// What the account `id` must do in a session that has not shown a second factor.
    pub(super) fn in_session(
        &self,
        queries: &mut Queries<'_>,
        extensions: Option<&Extensions>,
        groups: &Groups,
        id: &Value,
    ) -> Result<Option<Step>, Unavailable> {
        let Self::Table { methods, left } = self else {
            return Ok(None);
        };
        let mut set = Vec::new();
        for mut row in queries.rows(methods, &[(":id", id.clone())], MOST)? {
            if row.truth(1) {
                set.push(row.text(0).unwrap_or_default());
            }
        }
        if let Some(left) = left {
            set.extend(method_left(queries, left, id)?);
        }
        // Backup codes stand in for another factor, and are none.
        set.retain(|method| method != "backupcodes");
        let Some(extensions) = extensions else {
            return Ok((!set.is_empty()).then_some(Step::Show));
        };
        let viewer = viewer(groups, queries, id)?;
        let is_in = |listed: &[i64]| listed.iter().any(|group| viewer.groups.contains(group));
        let forced = is_in(&extensions.forced);
        let exempt = is_in(&extensions.exempt) && !forced;
        let pending = set.iter().any(|method| extensions.offer(&viewer, method));
        Ok(match (pending, forced) {
            (true, _) if !exempt => Some(Step::Show),
            (false, true) => Some(Step::SetUp),
            _ => None,
        })
    }
}

fn viewer(groups: &Groups, queries: &mut Queries<'_>, id: &Value) -> Result<Viewer, Unavailable> {
    let groups = groups.of(queries, id)?;
    Ok(Viewer {
        id: id.integer_like().unwrap_or_default(),
        groups: groups.into_iter().map(|group| group.id).collect(),
    })
}

/// The method in `otpKey`, `METHOD:SECRET`.
fn method_left(
    queries: &mut Queries<'_>,
    statement: &str,
    id: &Value,
) -> Result<Option<String>, Unavailable> {
    let mut rows = queries.rows(statement, &[(":id", id.clone())], 1)?;
    let key = rows.pop().and_then(|mut row| row.text(0));
    let method = |key: String| key.split(':').next().unwrap_or_default().to_owned();
    Ok(key.filter(|key| !key.is_empty()).map(method))
}
