//! Reads Redmine's own accounts, groups and tokens (`app/models/user.rb` and `token.rb`, 5.0).

use std::time::{Duration, SystemTime};

use hallpass_sessions::rails::RedmineLogin;
use hallpass_stores::Unavailable;
use hallpass_stores::sql::{Queries, Row, Value, fold_case};
use jiff::tz::TimeZone;
use subtle::ConstantTimeEq;

use super::moment::moment;
use super::remembered::{REMEMBERED, autologin_end};
use super::settings::Rails;
use crate::{
    Account, AccountLookup, Accounts, Described, HashContext, Id, Login, LoginField, MOST_ALIKE,
    MOST_GROUPS, Reason, Required, Stop, count, meets,
};

/// `Principal::STATUS_ACTIVE`. Others are registered, locked or anonymous.
const ACTIVE: i64 = 1;
/// How many hashes are looked at to learn what a check costs on this site.
const SOME_HASHES: usize = 64;
/// How many accounts are listed at a time.
const PAGE: usize = 1000;
/// The longest token that is looked for, in bytes: that of the column.
const LONGEST_TOKEN: usize = 40;
const MINUTE: u64 = 60;
pub(super) const DAY: u64 = 86_400;

/// The columns of an account, in the order in which [`account`] takes them.
const COLUMNS: &str = "account.\"id\", account.\"login\", account.\"hashed_password\", \
                       account.\"status\", account.\"admin\", account.\"firstname\", \
                       account.\"lastname\", (SELECT MIN(e.\"address\") FROM \"email_addresses\" e \
                       WHERE e.\"user_id\" = account.\"id\" AND e.\"is_default\" = TRUE)";
/// Groups are rows of the same table, and so is the anonymous user.
const IS_USER: &str = "account.\"type\" = 'User'";

/// The accounts of a Redmine.
#[derive(Debug)]
pub(super) struct RedmineAccounts {
    lookup: AccountLookup,
    zone: Option<TimeZone>,
    select: String,
}

impl RedmineAccounts {
    pub(super) fn new(rails: &Rails, lookup: &AccountLookup) -> Self {
        let meets = meets(lookup.account_where.as_deref());
        Self {
            lookup: lookup.clone(),
            zone: rails.time_zone.clone(),
            select: format!("SELECT {COLUMNS}, {meets} FROM \"users\" account WHERE {IS_USER}"),
        }
    }

    fn accounts(
        &self,
        queries: &mut Queries<'_>,
        rest: &str,
        parameters: &[(&str, Value)],
        limit: usize,
    ) -> Result<Vec<Account>, Unavailable> {
        let rows = queries.rows(&format!("{} {rest}", self.select), parameters, limit)?;
        Ok(rows.into_iter().filter_map(account).collect())
    }
}

/// `None` for a row without a key or a name, which is not an account.
fn account(mut row: Row) -> Option<Account> {
    let id = row.take(0).integer_like().filter(|id| *id > 0)?;
    let name = row.words(1).filter(|name| !name.is_empty())?;
    let encoded = row.text(2);
    let status = row.take(3).integer_like();
    let superuser = row.truth(4);
    let names = [row.words(5), row.words(6)].map(Option::unwrap_or_default);
    let email = row.words(7).unwrap_or_default();
    let meets = row.truth(8);
    Some(Account {
        id: Id {
            value: Value::Integer(id),
            text: id.to_string(),
        },
        name,
        encoded,
        active: status == Some(ACTIVE) && meets,
        inactive: Reason::Inactive,
        staff: false,
        superuser,
        email,
        full_name: names.join(" ").trim().to_owned(),
    })
}

impl Accounts for RedmineAccounts {
    /// As `find_by_login` does: the exact name, or the same in any case. Two accounts are none here.
    fn candidates(
        &mut self,
        queries: &mut Queries<'_>,
        name: &str,
    ) -> Result<Vec<Account>, Unavailable> {
        let name = name.trim_matches(['\0', '\t', '\n', '\x0b', '\x0c', '\r', ' ']);
        if name.is_empty() {
            return Ok(Vec::new());
        }
        let mut found = Vec::new();
        for field in &self.lookup.login {
            let same = |column: &str| queries.same_but_for_case(column, name);
            let condition = match field {
                LoginField::Username => format!("AND {}", same("account.\"login\"")),
                LoginField::Email => format!(
                    "AND account.\"id\" IN (SELECT e.\"user_id\" FROM \"email_addresses\" e WHERE \
                     e.\"is_default\" = TRUE AND {})",
                    same("e.\"address\"")
                ),
            };
            let parameters = [(":name", Value::from(name))];
            let mut alike = self.accounts(queries, &condition, &parameters, MOST_ALIKE)?;
            // Where there are too many to tell, they are all the same.
            if alike.len() < MOST_ALIKE {
                alike.retain(|account| {
                    let value = match field {
                        LoginField::Username => &account.name,
                        LoginField::Email => &account.email,
                    };
                    fold_case(value) == fold_case(name)
                });
            }
            found.append(&mut alike);
        }
        Ok(found)
    }

    /// Redmine has no index on names.
    fn scans(&self, _name: &str) -> bool {
        true
    }

    fn by_key(
        &mut self,
        queries: &mut Queries<'_>,
        key: &str,
    ) -> Result<Option<Account>, Unavailable> {
        let Ok(id) = key.parse::<i64>() else {
            return Ok(None);
        };
        let condition = "AND account.\"id\" = :id";
        let found = self.accounts(queries, condition, &[(":id", id.into())], 2)?;
        Ok(crate::only(found))
    }

    fn refuses_passwords(
        &mut self,
        queries: &mut Queries<'_>,
        account: &Account,
    ) -> Result<Option<Reason>, Unavailable> {
        let Some(state) = State::read(queries, &account.id.value)? else {
            return Ok(Some(Reason::UnusablePassword));
        };
        if state.passwords_elsewhere {
            return Ok(Some(Reason::PasswordElsewhere));
        }
        if state.has_second_factor {
            return Ok(Some(Reason::PasswordAlone));
        }
        let settings = Settings::read(queries)?;
        if state.must_change_password(&settings, self.zone.as_ref(), SystemTime::now()) {
            return Ok(Some(Reason::NewPassword));
        }
        let due = state.must_set_up_second_factor(&settings);
        Ok(due.then_some(Reason::PasswordBeforeSetUp))
    }

    fn groups(
        &mut self,
        queries: &mut Queries<'_>,
        account: &Account,
    ) -> Result<Vec<String>, Unavailable> {
        let statement = "SELECT g.\"lastname\" FROM \"users\" g JOIN \"groups_users\" m ON \
                         m.\"group_id\" = g.\"id\" WHERE m.\"user_id\" = :id AND g.\"type\" = 'Group'";
        let parameters = [(":id", account.id.value.clone())];
        let rows = queries.rows(statement, &parameters, usize::MAX)?;
        let mut names: Vec<String> = rows
            .into_iter()
            .filter_map(|mut row| row.words(0))
            .collect();
        names.sort();
        names.dedup();
        Ok(names)
    }

    fn hash_context(
        &mut self,
        queries: &mut Queries<'_>,
        account: &Account,
    ) -> Result<HashContext, Unavailable> {
        let statement = "SELECT \"salt\" FROM \"users\" WHERE \"id\" = :id";
        let mut rows = queries.rows(statement, &[(":id", account.id.value.clone())], 1)?;
        Ok(HashContext {
            salt: rows.pop().and_then(|mut row| row.text(0)),
            ..HashContext::default()
        })
    }
}

impl Described for RedmineAccounts {
    fn needs(&self) -> Vec<Required> {
        let mut needed = needed_for_accounts();
        needed.push(Required::table(
            "email_addresses",
            "",
            &["user_id", "address", "is_default"],
        ));
        needed.push(Required::table(
            "groups_users",
            "",
            &["user_id", "group_id"],
        ));
        needed
    }

    fn count(&mut self, queries: &mut Queries<'_>) -> Result<Option<u64>, Unavailable> {
        count(queries, "\"users\"", " WHERE \"type\" = 'User'")
    }

    fn page_after(
        &mut self,
        queries: &mut Queries<'_>,
        last: Option<&Id>,
    ) -> Result<Vec<Account>, Unavailable> {
        let last = last.map_or(Value::Integer(0), |id| id.value.clone());
        let rest = format!("AND account.\"id\" > :id ORDER BY account.\"id\" LIMIT {PAGE}");
        self.accounts(queries, &rest, &[(":id", last)], usize::MAX)
    }

    fn sample_hashes(&mut self, queries: &mut Queries<'_>) -> Result<Vec<String>, Unavailable> {
        let statement = format!(
            "SELECT \"hashed_password\" FROM \"users\" WHERE \"hashed_password\" <> '' ORDER BY \
             \"id\" DESC LIMIT {SOME_HASHES}"
        );
        let rows = queries.rows(&statement, &[], SOME_HASHES)?;
        Ok(rows.into_iter().filter_map(|mut row| row.text(0)).collect())
    }

    fn group_names(
        &mut self,
        queries: &mut Queries<'_>,
    ) -> Result<Option<Vec<String>>, Unavailable> {
        let statement = "SELECT \"lastname\" FROM \"users\" WHERE \"type\" = 'Group'";
        let rows = queries.rows(statement, &[], MOST_GROUPS)?;
        Ok(Some(
            rows.into_iter()
                .filter_map(|mut row| row.words(0))
                .collect(),
        ))
    }
}

fn needed_for_accounts() -> Vec<Required> {
    let users = [
        "id",
        "login",
        "hashed_password",
        "salt",
        "status",
        "admin",
        "firstname",
        "lastname",
        "type",
        "auth_source_id",
    ];
    vec![
        Required::table("users", "", &users),
        Required::small_table("settings", "", &["name", "value"]),
    ]
}

/// What is read of the database beside the session's store.
pub(super) fn needed_for_sessions() -> Vec<Required> {
    let mut needed = needed_for_accounts();
    let tokens = ["value", "user_id", "action", "created_on", "updated_on"];
    needed.push(Required::table("tokens", "", &tokens));
    needed
}

/// When the session of `login` ends (`verify_session_token`), where it does; or why it is not one.
/// What an account had to do at its login, it has to do first (`check_password_change` and
/// `check_twofa_activation` of application_controller.rb).
pub(super) fn session_end(
    queries: &mut Queries<'_>,
    login: &RedmineLogin,
    zone: Option<&TimeZone>,
    now: SystemTime,
) -> Result<Option<SystemTime>, Stop> {
    let Ok(user) = login.user.parse::<i64>() else {
        return Err(Reason::InvalidSession.into());
    };
    let statement = "SELECT \"value\", \"created_on\", \"updated_on\" FROM \"tokens\" WHERE \
                     \"user_id\" = :user AND \"value\" = :token AND \"action\" = 'session'";
    let parameters = [
        (":user", Value::Integer(user)),
        (":token", Value::from(&*login.token)),
    ];
    let mut rows = queries.rows(statement, &parameters, 2)?;
    let (Some(mut row), true) = (rows.pop(), rows.is_empty()) else {
        return Err(Reason::NoSession.into());
    };
    // A collation may take another token for the same.
    if row.text(0).as_deref() != Some(&*login.token) {
        return Err(Reason::NoSession.into());
    }
    let settings = Settings::read(queries)?;
    let (created, updated) = (row.take(1), row.take(2));
    let mut end = None;
    for (time, minutes) in [
        (created, settings.number("session_lifetime")),
        (updated, settings.number("session_timeout")),
    ] {
        if minutes == 0 {
            continue;
        }
        let length = Duration::from_secs(minutes.saturating_mul(MINUTE));
        let Some(time) = moment(&time, zone) else {
            return Err(Reason::InvalidSession.into());
        };
        let this = time.checked_add(length);
        end = [end, this].into_iter().flatten().min();
    }
    if login.new_password || login.second_factor {
        let Some(state) = State::read(queries, &Value::Integer(user))? else {
            return Ok(end);
        };
        if login.new_password && state.must_change_password(&settings, zone, now) {
            return Err(Reason::NewPassword.into());
        }
        if login.second_factor && state.must_set_up_second_factor(&settings) {
            return Err(Reason::SecondFactorSetUp.into());
        }
    }
    Ok(end)
}

/// Who is logged in by the cookie `autologin` that holds `token`. The site makes a session of it at
/// once, in which what an account has to do comes first.
pub(super) fn remembered(
    queries: &mut Queries<'_>,
    token: &str,
    zone: Option<&TimeZone>,
    now: SystemTime,
) -> Result<Option<Login>, Stop> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric();
    if token.is_empty() || token.len() > LONGEST_TOKEN || !token.bytes().all(plain) {
        return Ok(None);
    }
    let settings = Settings::read(queries)?;
    let days = settings.number("autologin");
    let statement = "SELECT \"value\", \"user_id\", \"created_on\" FROM \"tokens\" WHERE \
                     \"value\" = :token AND \"action\" = 'autologin'";
    let mut rows = match days {
        0 => Vec::new(),
        _ => queries.rows(statement, &[(":token", Value::from(token))], 2)?,
    };
    let row = rows.pop().filter(|_| rows.is_empty());
    let found = row.and_then(|mut row| {
        let own = row.text(0)?;
        let user = row.take(1).integer_like()?;
        let created = moment(&row.take(2), zone);
        let end = autologin_end(created, days).filter(|end| now < *end)?;
        bool::from(own.as_bytes().ct_eq(token.as_bytes())).then_some((user, end))
    });
    let told = || match &found {
        Some((user, _)) => format!("the account {user} is remembered"),
        None => "no living token of autologin is the cookie's".to_owned(),
    };
    queries.tracer().decided("remember", found.is_some(), told);
    let Some((user, end)) = found else {
        return Ok(None);
    };
    if let Some(state) = State::read(queries, &Value::Integer(user))? {
        if state.must_change_password(&settings, zone, now) {
            return Err(Reason::NewPassword.into());
        }
        if state.must_set_up_second_factor(&settings) {
            return Err(Reason::SecondFactorSetUp.into());
        }
    }
    Ok(Some(Login {
        key: user.to_string(),
        auth_hash: None,
        expires: Some(end),
        decoded: REMEMBERED,
        from_token: false,
    }))
}

/// The rows of `settings` that count here.
struct Settings(Vec<(String, String)>);

impl Settings {
    fn read(queries: &mut Queries<'_>) -> Result<Self, Unavailable> {
        let statement = "SELECT \"name\", \"value\" FROM \"settings\" WHERE \"name\" IN \
                         ('session_lifetime', 'session_timeout', 'password_max_age', 'twofa', \
                         'autologin')";
        let rows = queries.rows(statement, &[], usize::MAX)?;
        let pair = |mut row: Row| Some((row.words(0)?, row.words(1).unwrap_or_default()));
        Ok(Self(rows.into_iter().filter_map(pair).collect()))
    }

    /// What `to_i` makes of a setting: 0 where there is none.
    fn number(&self, name: &str) -> u64 {
        let digits: String = self
            .text(name)
            .unwrap_or_default()
            .trim_start()
            .chars()
            .take_while(char::is_ascii_digit)
            .collect();
        match digits.is_empty() {
            true => 0,
            // Too large a number is a long time.
            false => digits.parse().unwrap_or(u64::MAX),
        }
    }

    fn text(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(found, _)| found == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// What an account's row says beyond its name and its hash.
struct State {
    admin: bool,
    /// `auth_source_id`: LDAP.
    passwords_elsewhere: bool,
    has_second_factor: bool,
    must_change: bool,
    changed: Value,
    /// Whether a group of it demands a second factor.
    group_demands: bool,
}

impl State {
    fn read(queries: &mut Queries<'_>, id: &Value) -> Result<Option<Self>, Unavailable> {
        let known = queries.columns("users")?;
        let column = |name: &str| match known.iter().find(|column| column.name == name) {
            Some(column) => {
                let quoted = format!("\"{name}\"");
                queries.seconds_of(&quoted, &column.kind)
            }
            // Redmine before 5.0 has fewer.
            None => "NULL".to_owned(),
        };
        let group = match known.iter().any(|column| column.name == "twofa_required") {
            true => {
                "(SELECT COUNT(*) FROM \"users\" g JOIN \"groups_users\" m ON m.\"group_id\" = \
                 g.\"id\" WHERE m.\"user_id\" = :id AND g.\"twofa_required\" = TRUE)"
            }
            false => "0",
        };
        let statement = format!(
            "SELECT \"admin\", \"auth_source_id\", {}, {}, {}, {group} FROM \"users\" WHERE \"id\" = :id",
            column("twofa_scheme"),
            column("must_change_passwd"),
            column("passwd_changed_on"),
        );
        let mut rows = queries.rows(&statement, &[(":id", id.clone())], 2)?;
        let (Some(mut row), true) = (rows.pop(), rows.is_empty()) else {
            return Ok(None);
        };
        Ok(Some(Self {
            admin: row.truth(0),
            passwords_elsewhere: !matches!(row.take(1), Value::Null),
            has_second_factor: row.words(2).is_some_and(|scheme| !scheme.trim().is_empty()),
            must_change: row.truth(3),
            changed: row.take(4),
            group_demands: row.truth(5),
        }))
    }

    /// `must_change_password?`
    fn must_change_password(
        &self,
        settings: &Settings,
        zone: Option<&TimeZone>,
        now: SystemTime,
    ) -> bool {
        if self.passwords_elsewhere {
            return false;
        }
        let days = settings.number("password_max_age");
        let expired = days > 0 && {
            let length = Duration::from_secs(days.saturating_mul(DAY));
            let end = moment(&self.changed, zone).map(|changed| changed.checked_add(length));
            // Where the end has no place in time, it does not come.
            end.is_none_or(|end| end.is_some_and(|end| end < now))
        };
        self.must_change || expired
    }

    /// `must_activate_twofa?`
    fn must_set_up_second_factor(&self, settings: &Settings) -> bool {
        !self.has_second_factor
            && match settings.text("twofa").unwrap_or("1") {
                "0" => false,
                "1" => self.group_demands,
                "3" => self.admin,
                _ => true,
            }
    }
}
