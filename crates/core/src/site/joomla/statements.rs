//! The SQL that asks for accounts, made once for the columns that a site's Joomla has.

use hallpass_stores::Unavailable;
use hallpass_stores::sql::Queries;

use super::extensions;
use super::groups::Groups;
use super::second_step::SecondSteps;
use super::table;

/// How many hashes are looked at to learn what a check costs on this site.
pub(super) const SOME_HASHES: usize = 64;
/// How many accounts are listed at a time.
const PAGE: usize = 500;

/// The statements for one site. Accounts come as: id, username, password, block, e-mail, name,
/// whether a new password must be chosen.
#[derive(Debug)]
pub(super) struct Statements {
    pub(super) select: String,
    /// Of `:name`.
    pub(super) by_username: String,
    /// Of `:name`.
    pub(super) by_email: String,
    /// Of `:id`.
    pub(super) by_id: String,
    /// From the beginning, and of `:id`.
    pub(super) first: String,
    pub(super) after: String,
    pub(super) some_hashes: String,
    pub(super) groups: Groups,
    pub(super) second_steps: SecondSteps,
    pub(super) extensions: Option<extensions::Statements>,
}

impl Statements {
    /// The statements for the site whose tables begin with `prefix`, 1.5 to 5: the database is
    /// asked which columns there are.
    pub(super) fn new(prefix: &str, queries: &mut Queries<'_>) -> Result<Self, Unavailable> {
        let name = format!("{prefix}users");
        let columns = queries.columns(&name)?;
        let has = |name: &str| columns.iter().any(|column| column.name == name);
        if !has("block") || !has("password") {
            return Err(Unavailable::new(format!(
                "the database has no table {name} of Joomla's; is it the site's, and is \
                 `dbprefix` right?"
            )));
        }
        let optional = |name: &str| {
            if has(name) {
                format!("\"{name}\"")
            } else {
                "NULL".to_owned()
            }
        };
        let users = table(prefix, "users");
        let select = format!(
            "SELECT \"id\", \"username\", \"password\", \"block\", \"email\", \"name\", {} FROM \
             {users}",
            optional("requireReset"),
        );
        Ok(Self {
            by_username: format!("{select} WHERE \"username\" = :name"),
            by_email: format!("{select} WHERE \"email\" = :name"),
            by_id: format!("{select} WHERE \"id\" = :id"),
            first: format!("{select} ORDER BY \"id\" LIMIT {PAGE}"),
            after: format!("{select} WHERE \"id\" > :id ORDER BY \"id\" LIMIT {PAGE}"),
            some_hashes: format!(
                "SELECT \"password\" FROM {users} ORDER BY \"id\" DESC LIMIT {SOME_HASHES}"
            ),
            groups: Groups::new(prefix, queries)?,
            second_steps: SecondSteps::new(prefix, has("otpKey"), queries)?,
            extensions: extensions::Statements::new(prefix, queries)?,
            select,
        })
    }
}
