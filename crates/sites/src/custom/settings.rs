//! Reads `[custom]`: the SQL that reads accounts, groups and sessions of any site.

use hallpass_passwords::Rules;
use hallpass_settings::{Error, Table};
use hallpass_stores::sql::{self, Location};
use serde::Deserialize;

use super::ANY_RULES;
use crate::WrongKey;
use crate::cookie::Reader;
use crate::http::is_token;

/// The SQL that reads accounts, groups and sessions of any site.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Custom {
    /// The account that the typed name `:username` means. Required.
    pub user: Option<String>,
    /// The account whose id is `:id`. Required for `session`, and for `user_id` of `[php]`.
    pub user_by_id: Option<String>,
    /// The names of the groups of the account `:id` (or `:username`), one per row.
    pub groups: Option<String>,
    /// The names of the permissions of the account `:id` (or `:username`), one per row.
    pub permissions: Option<String>,
    /// The accounts after `:id`, ordered by id, at most a thousand of them: `hallpass audit`
    /// counts them, and they show how much a check costs on this site. The first time `:id` is 0,
    /// so ids must be positive numbers: `… WHERE id > :id ORDER BY id LIMIT 1000`.
    pub accounts: Option<String>,
    /// The id of the user who is logged in. `:session` is the cookie's value, `:now` the time in
    /// Unix seconds.
    pub session: Option<String>,
    /// By whose rules the column `password` is read: a word of `hallpass hash verify --as`, as in
    /// `"werkzeug"`.
    #[cfg_attr(feature = "schema", schemars(extend("x-default" = "every format that says what it is")))]
    pub hashes: Option<String>,
    /// The name of the session cookie.
    pub cookie: Option<String>,
    /// How the site reads cookies, and so
    /// [which of two of one name counts](custom.md#two-cookies-of-one-name): `"django"` (the last),
    /// `"php"` (the first), `"werkzeug"`
    /// (the first), `"first"` or `"last"`.
    #[cfg_attr(feature = "schema", schemars(extend("x-default" = "\"django\"")))]
    pub cookie_rule: Option<Reader>,
}

impl Custom {
    /// Reads the table, whose statements are for the database at `location`.
    pub(crate) fn read(table: &Table<'_>, location: &Location) -> Result<Self, Error> {
        let custom: Self = table.read()?;
        let of_account: &[&str] = &[":id", ":username"];
        let statements: [(_, _, &[&str], &[&str]); 6] = [
            ("user", &custom.user, &[":username"], &[":username"]),
            ("user_by_id", &custom.user_by_id, &[":id"], &[":id"]),
            ("groups", &custom.groups, of_account, of_account),
            ("permissions", &custom.permissions, of_account, of_account),
            ("accounts", &custom.accounts, &[":id"], &[":id"]),
            (
                "session",
                &custom.session,
                &[":session"],
                &[":session", ":now"],
            ),
        ];
        for (key, statement, needed, known) in statements {
            if let Some(statement) = statement {
                check(statement, needed, known, location)
                    .map_err(|wrong| table.wrong(key, &wrong))?;
            }
        }
        if custom.cookie.as_deref().is_some_and(|name| !is_token(name)) {
            return Err(table.wrong("cookie", "is not a valid cookie name"));
        }
        if let Some(word) = &custom.hashes
            && Rules::from_name(word).is_none()
        {
            return Err(table.unknown_word("hashes", word, &Rules::ALL.map(Rules::name)));
        }
        if custom.session.is_some() && custom.user_by_id.is_none() {
            let message = "is missing: `session` gives the id of an account, which it finds";
            return Err(table.wrong("user_by_id", message));
        }
        Ok(custom)
    }

    /// Whose rules say what a stored hash means.
    pub(crate) fn rules(&self) -> &'static [Rules] {
        match self.hashes.as_deref().and_then(Rules::from_name) {
            Some(rules) => rules.alone(),
            None => &ANY_RULES,
        }
    }

    /// What is wrong where passwords are checked, and the accounts cannot be listed to see what that
    /// costs.
    pub(crate) fn unknown_denial_cost(&self) -> Option<WrongKey> {
        let unknown = self.user.is_some() && self.accounts.is_none();
        unknown.then_some(WrongKey {
            table: "custom",
            key: "user",
            message: "finds accounts whose passwords are checked, and nothing says what a check \
                      of an unknown name has to cost: the time that it takes would tell which \
                      names have an account. Add `accounts`, the SQL that lists the accounts, or \
                      [passwords] dummy = \"pbkdf2_sha256$1000000\" (or another hash as costly \
                      as the site's own); or set [access] passwords = false where no password is \
                      to let anybody in",
        })
    }

    /// Whether `user_by_id` looks accounts up: it looks none up where the site that is asked for
    /// sessions gives names.
    pub(crate) fn finds_by_id(&self, asks_the_site: bool) -> bool {
        self.user_by_id.is_some() && !asks_the_site
    }

    /// Whether there is anything that a database is asked for.
    pub(crate) fn asks(&self) -> bool {
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
