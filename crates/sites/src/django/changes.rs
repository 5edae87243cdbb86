//! Changes accounts, as Django itself would.

use std::time::SystemTime;

use hallpass_passwords::{Algorithm, MakeError, make};
use hallpass_sessions::django::Version;
use hallpass_stores::Unavailable;
use hallpass_stores::sql::{Changes, Column, Value};
use unicode_normalization::UnicodeNormalization;

use super::datetime::Clock;
use super::statements::KeyKind;
use crate::django::settings::UserTable;
use crate::{Account, Reason, Stop};
use crate::{quoted, quoted_table};

/// The longest login name, in characters (`AbstractUser.username`).
const LONGEST_NAME: usize = 150;

/// `PBKDF2PasswordHasher.iterations` (contrib/auth/hashers.py) of the first version that has them,
/// newest first.
const ITERATIONS: [(Version, u32); 20] = [
    (Version::new(6, 1), 1_500_000),
    (Version::new(6, 0), 1_200_000),
    (Version::new(5, 2), 1_000_000),
    (Version::new(5, 1), 870_000),
    (Version::new(5, 0), 720_000),
    (Version::new(4, 2), 600_000),
    (Version::new(4, 1), 390_000),
    (Version::new(4, 0), 320_000),
    (Version::new(3, 2), 260_000),
    (Version::new(3, 1), 216_000),
    (Version::new(3, 0), 180_000),
    (Version::new(2, 2), 150_000),
    (Version::new(2, 1), 120_000),
    (Version::new(2, 0), 100_000),
    (Version::new(1, 11), 36_000),
    (Version::new(1, 10), 30_000),
    (Version::new(1, 9), 24_000),
    (Version::new(1, 8), 20_000),
    (Version::new(1, 7), 15_000),
    (Version::new(1, 6), 12_000),
];

/// What `make_password` of a Django of this `version` makes of `password`: PBKDF2, unless the
/// site `allowed` other hashers alone; then the first of those.
pub(super) fn encode(
    password: &[u8],
    version: Version,
    allowed: Option<&[String]>,
) -> Result<String, Stop> {
    let pbkdf2 = Algorithm::Pbkdf2Sha256;
    let algorithm = match allowed {
        None => Some(pbkdf2),
        Some(names) if names.iter().any(|name| name == pbkdf2.name()) => Some(pbkdf2),
        Some(names) => names.iter().find_map(|name| name.parse().ok()),
    };
    let Some(algorithm) = algorithm else {
        let message = "none of `password_hashers` can be written";
        return Err(Unavailable::new(message).into());
    };
    let cost = (algorithm == pbkdf2).then(|| iterations(version));
    let mut failed = None;
    let encoded = make(algorithm, password, cost, &mut |bytes| {
        if let Err(error) = getrandom::fill(bytes) {
            failed = Some(error);
        }
    });
    if let Some(error) = failed {
        let message = format!("the system gives no random numbers: {error}");
        return Err(Unavailable::new(message).into());
    }
    match encoded {
        Ok(encoded) => Ok(encoded),
        Err(MakeError::Password) => Err(Reason::Malformed.into()),
        Err(error) => Err(Unavailable::new(format!("hashing a password: {error}")).into()),
    }
}

fn iterations(version: Version) -> u32 {
    let known = ITERATIONS.iter().find(|(since, _)| version >= *since);
    known.map_or(10_000, |(_, iterations)| *iterations)
}

pub(super) fn set_password(
    user: &UserTable,
    changes: &mut Changes<'_>,
    account: &Account,
    encoded: &str,
) -> Result<(), Stop> {
    match &user.password {
        Some(password) => set(user, password, encoded.into(), changes, account),
        None => Err(Reason::NotPermitted.into()),
    }
}

pub(super) fn deactivate(
    user: &UserTable,
    changes: &mut Changes<'_>,
    account: &Account,
) -> Result<(), Stop> {
    match &user.active {
        Some(active) => set(user, active, Value::Integer(0), changes, account),
        // Nothing could be switched off.
        None => Err(Reason::NotPermitted.into()),
    }
}

fn set(
    user: &UserTable,
    column: &str,
    value: Value,
    changes: &mut Changes<'_>,
    account: &Account,
) -> Result<(), Stop> {
    let (table, column, id) = (quoted_table(&user.table), quoted(column), quoted(&user.id));
    let statement = format!("UPDATE {table} SET {column} = :value WHERE {id} = :id");
    let parameters = [(":value", value), (":id", account.id.value.clone())];
    one(changes.execute(&statement, &parameters)?)
}

/// Makes a row for `name`, which no account has: an active account without rights, every other column
/// as the model's own defaults are.
pub(super) fn register(
    user: &UserTable,
    key: KeyKind,
    clock: &Clock,
    changes: &mut Changes<'_>,
    name: &str,
    encoded: &str,
    now: SystemTime,
) -> Result<(), Stop> {
    if user.password.is_none() {
        return Err(Reason::NotPermitted.into());
    }
    let columns = changes.queries().columns(&user.table)?;
    let (mut names, mut places, mut values) = (Vec::new(), Vec::new(), Vec::new());
    for (index, column) in columns.iter().enumerate() {
        let value = if column.name == user.username {
            // SQLite would take any word for a number.
            if column.kind.contains("int") && name.parse::<i64>().is_err() {
                return Err(Reason::Malformed.into());
            }
            Some(name.into())
        } else if user.password.as_ref() == Some(&column.name) {
            Some(encoded.into())
        } else if user.active.as_ref() == Some(&column.name) {
            Some(Value::Integer(1))
        } else if !column.required {
            None
        } else if column.name == user.id && key == KeyKind::Uuid {
            Some(Value::Text(uuid()?))
        } else {
            Some(default(column, clock, now)?)
        };
        if let Some(value) = value {
            names.push(quoted(&column.name));
            let place = format!(":c{index}");
            places.push(place.clone());
            values.push((place, value));
        }
    }
    let statement = format!(
        "INSERT INTO {} ({}) VALUES ({})",
        quoted_table(&user.table),
        names.join(", "),
        places.join(", ")
    );
    let values: Vec<(&str, Value)> = values
        .iter()
        .map(|(place, value)| (place.as_str(), value.clone()))
        .collect();
    one(changes.execute(&statement, &values)?)
}

/// The value of a required column in the row of a new account:
/// nothing in text, no in booleans, now in datetimes, as the fields of `AbstractUser` do.
fn default(column: &Column, clock: &Clock, now: SystemTime) -> Result<Value, Unavailable> {
    let kind = column.kind.as_str();
    let has = |words: &[&str]| words.iter().any(|word| kind.contains(word));
    if has(&["timestamp", "datetime"]) {
        let knows_zones = kind.contains("with time zone");
        return match (knows_zones, clock.write(now)) {
            (true, _) => Ok(Value::Moment(now)),
            (false, Some(text)) => Ok(Value::Text(text)),
            (false, None) => Err(Unavailable::new("the time cannot be written")),
        };
    }
    if has(&["char", "text", "clob"]) {
        return Ok("".into());
    }
    if has(&[
        "int", "bool", "numeric", "decimal", "double", "real", "float",
    ]) {
        return Ok(Value::Integer(0));
    }
    Err(Unavailable::new(format!(
        "the column {} of the users must have a value, and no default is known for its type \
         {kind}",
        column.name
    )))
}

/// The name as `UserManager.create_user` keeps it, if the model's validator takes it
/// (`AbstractBaseUser.normalize_username`, `UnicodeUsernameValidator`, 5.2).
pub(super) fn normalized(name: &str) -> Option<String> {
    let name: String = name.nfkc().collect();
    let fits = (1..=LONGEST_NAME).contains(&name.chars().count());
    let word = |character: char| character.is_alphanumeric() || "_.@+-".contains(character);
    (fits && name.chars().all(word)).then_some(name)
}

/// A random UUID (RFC 9562, version 4) in hexadecimal digits.
fn uuid() -> Result<String, Unavailable> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| {
        Unavailable::new(format!("the system gives no random numbers: {error}"))
    })?;
    let number = u128::from_be_bytes(bytes);
    let number = number & !(0xf << 76) | 4 << 76;
    let number = number & !(0x3 << 62) | 2 << 62;
    Ok(format!("{number:032x}"))
}

/// One row is changed, or something is very wrong, and nothing is.
fn one(rows: u64) -> Result<(), Stop> {
    match rows {
        1 => Ok(()),
        _ => Err(Unavailable::new(format!(
            "{rows} rows would have been changed in place of one"
        ))
        .into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn iterations_are_those_of_the_version() {
        for (major, minor, expected) in [
            (1, 4, 10_000),
            (1, 11, 36_000),
            (3, 2, 260_000),
            (4, 2, 600_000),
            (5, 2, 1_000_000),
            (6, 0, 1_200_000),
            (6, 1, 1_500_000),
        ] {
            assert_eq!(iterations(Version::new(major, minor)), expected);
        }
        assert_eq!(iterations(Version::NEWEST), 1_500_000);
    }

    #[test]
    fn names_are_those_that_the_model_takes() {
        for (name, expected) in [
            ("alice", Some("alice")),
            ("zoë", Some("zoë")),
            ("joe@example.org", Some("joe@example.org")),
            ("ｗｉｄｅ", Some("wide")),
            ("a_b.c+d-e", Some("a_b.c+d-e")),
            ("two words", None),
            ("a/b", None),
            ("a\nb", None),
            ("", None),
            ("'", None),
        ] {
            assert_eq!(normalized(name).as_deref(), expected, "{name}");
        }
        assert!(normalized(&"n".repeat(150)).is_some());
        assert!(normalized(&"n".repeat(151)).is_none());
    }

    #[test]
    fn uuids_say_their_version() {
        let uuid = uuid().unwrap();
        assert_eq!(uuid.len(), 32);
        assert_eq!(&uuid[12..13], "4");
        assert!("89ab".contains(&uuid[16..17]));
    }
}
