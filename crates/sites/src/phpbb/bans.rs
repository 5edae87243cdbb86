//! Reads the list of bans (`check_ban` in phpbb/session.php of 3.3).

use std::time::{SystemTime, UNIX_EPOCH};

use hallpass_stores::Unavailable;
use hallpass_stores::sql::{Queries, Value};

use super::board::Settings;
use super::checks::hops_of;
use crate::phpbb::settings::Phpbb;
use crate::prefixed;
use crate::{Account, Client};

/// The most bans that are looked at.
const MOST: usize = 100_000;

/// Whether `account` is banned at the time `now`: by its id, or the address of `client`, where that
/// is known, and those of the proxies before it where the board looks at them. One entry that excepts
/// it is stronger than all bans.
///
/// Entries of e-mail addresses do not count, as exceptions neither: the board asks for them where
/// a visitor registers or takes another address, and never where an account logs in or goes on
/// (`session_create` calls `check_ban` without one).
pub(super) fn is_banned(
    phpbb: &Phpbb,
    queries: &mut Queries<'_>,
    account: &Account,
    client: &Client,
    now: SystemTime,
) -> Result<bool, Unavailable> {
    let statement = format!(
        "SELECT \"ban_userid\", \"ban_ip\", \"ban_exclude\", \"ban_end\" FROM {} WHERE \
         \"ban_email\" = '' AND (\"ban_userid\" = :id OR \"ban_ip\" <> '')",
        prefixed(&phpbb.prefix, "banlist")
    );
    let seconds = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
    let parameters = [(":id", account.id.value.clone())];
    let rows = queries.rows(&statement, &parameters, MOST)?;
    if rows.len() == MOST {
        return Err(Unavailable::new("the board's list of bans is too long"));
    }
    let mut addresses: Vec<String> = client
        .address
        .map(|address| address.to_canonical().to_string())
        .into_iter()
        .collect();
    let hops = hops_of(client.forwarded_for.as_deref().unwrap_or_default());
    if !hops.is_empty() && !rows.is_empty() && Settings::read(phpbb, queries)?.forwarded_for_check {
        addresses.extend(hops.into_iter().map(str::to_owned));
    }
    let mut banned = false;
    for mut row in rows {
        let user = row.take(0).integer_like().unwrap_or_default();
        let ip = row.text(1).unwrap_or_default();
        let excepted = row.truth(2);
        if row
            .take(3)
            .integer_like()
            .is_some_and(|end| end != 0 && end < seconds)
        {
            continue;
        }
        let theirs = (user != 0 && account.id.value == Value::Integer(user))
            || addresses.iter().any(|address| matches(&ip, address));
        if theirs && excepted {
            return Ok(false);
        }
        banned |= theirs;
    }
    Ok(banned)
}

/// Whether `pattern`, in which a star stands for anything, is all of `text`, whatever the case. No
/// pattern is nobody's.
fn matches(pattern: &str, text: &str) -> bool {
    if pattern.is_empty() {
        return false;
    }
    let (pattern, text) = (pattern.to_lowercase(), text.to_lowercase());
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let Some(last) = parts.next_back() else {
        return rest.is_empty();
    };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = rest.get(at + part.len()..).unwrap_or_default(),
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_anything() {
        for (pattern, text) in [
            ("192.0.2.*", "192.0.2.7"),
            ("*@example.org", "A@Example.org"),
            ("*", ""),
            ("a*b*c", "axxbxxc"),
            ("a", "A"),
            ("a*a", "aa"),
        ] {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [
            ("", ""),
            ("", "a"),
            ("192.0.2.*", "192.0.20.7"),
            ("192.0.2.1", "192.0.2.11"),
            ("*@example.org", "a@example.org.net"),
            ("a*a", "a"),
            ("a.c", "abc"),
        ] {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
    }
}
