//! `[custom]`: the SQL that reads accounts, groups and sessions of any site.

use hallpass_stores::sql::{self, Location};

use super::Error;
use super::http::is_token;
use super::section::Section;
use crate::cookie::Reader;

/// The SQL that reads accounts, groups and sessions of any site.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Custom {
    /// The account of the login name `:username`.
    pub user: Option<String>,
    /// The account of the primary key `:id`.
    pub user_by_id: Option<String>,
    /// The names of the groups that the account `:id` is in.
    pub groups: Option<String>,
    /// The names of the permissions that the account `:id` has.
    pub permissions: Option<String>,
    /// The accounts whose primary keys come after `:id`, by their keys.
    pub accounts: Option<String>,
    /// The primary key of whoever is logged in to the session `:session` at `:now`, in Unix
    /// seconds.
    pub session: Option<String>,
    /// The name of the session cookie.
    pub cookie: Option<String>,
    /// How the site reads it; `None` where nothing is said.
    pub cookie_rule: Option<Reader>,
}

impl Custom {
    /// Reads the table, whose statements are for the database at `location`.
    pub(super) fn read(mut section: Section<'_>, location: &Location) -> Result<Self, Error> {
        let mut statement = |key, needed: &[&str], known| -> Result<Option<String>, Error> {
            let Some(text) = section.string(key)? else {
                return Ok(None);
            };
            check(&text, needed, known, location).map_err(|wrong| section.wrong(key, &wrong))?;
            Ok(Some(text))
        };
        let of_account: &[&str] = &[":id", ":username"];
        let custom = Self {
            user: statement("user", &[":username"], &[":username"])?,
            user_by_id: statement("user_by_id", &[":id"], &[":id"])?,
            groups: statement("groups", of_account, of_account)?,
            permissions: statement("permissions", of_account, of_account)?,
            accounts: statement("accounts", &[":id"], &[":id"])?,
            session: statement("session", &[":session"], &[":session", ":now"])?,
            cookie: section.string("cookie")?,
            cookie_rule: cookie_rule(&mut section)?,
        };
        if custom.cookie.as_deref().is_some_and(|name| !is_token(name)) {
            return Err(section.wrong("cookie", "no cookie can be called that"));
        }
        if custom.session.is_some() && custom.user_by_id.is_none() {
            let message = "is missing: `session` gives the id of an account, which it finds";
            return Err(section.wrong("user_by_id", message));
        }
        section.finish()?;
        Ok(custom)
    }

    /// Whether there is anything that a database is asked for.
    pub(super) fn asks(&self) -> bool {
        let statements = [
            &self.user,
            &self.user_by_id,
            &self.groups,
            &self.permissions,
            &self.accounts,
            &self.session,
        ];
        statements.into_iter().any(Option::is_some)
    }
}

/// `cookie_rule`: who reads the session cookie, and so which of two of one name counts.
pub(super) fn cookie_rule(section: &mut Section<'_>) -> Result<Option<Reader>, Error> {
    let Some(word) = section.string("cookie_rule")? else {
        return Ok(None);
    };
    let known = Reader::WORDS.into_iter().find(|(known, _)| *known == word);
    let message = "is none of \"django\", \"php\", \"first\", \"last\"";
    known
        .map(|(_, reader)| Some(reader))
        .ok_or_else(|| section.wrong("cookie_rule", message))
}

/// Whether `statement` reads, by one of the parameters `needed` and none but those `known`.
fn check(
    statement: &str,
    needed: &[&str],
    known: &[&str],
    location: &Location,
) -> Result<(), String> {
    let word = statement.split_whitespace().next().unwrap_or_default();
    if !["SELECT", "WITH"]
        .iter()
        .any(|known| word.eq_ignore_ascii_case(known))
    {
        return Err("does not begin with SELECT (or WITH), and nothing else is run".to_owned());
    }
    let parameters =
        sql::parameters(statement, location).map_err(|unreadable| unreadable.to_string())?;
    let either = known.join(" and ");
    if let Some(unknown) = parameters
        .iter()
        .find(|name| !known.contains(&name.as_str()))
    {
        return Err(format!("has the parameter {unknown}; known here: {either}"));
    }
    // Without it every question would have the same answer.
    if !parameters
        .iter()
        .any(|name| needed.contains(&name.as_str()))
    {
        let needed = needed.first().copied().unwrap_or_default();
        return Err(format!(
            "does not name {needed}, as in `WHERE … = {needed}`"
        ));
    }
    Ok(())
}
