//! Asserts what holds for every session, whoever wrote it. Fuzz targets call these functions, and
//! the tests below replay their corpora.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

use std::sync::LazyLock;

use crate::django::{
    Keyring, SESSION_SALT, Version, open_trusted, read, read_cache_file, read_cache_row,
    read_cache_value,
};
use crate::express::{self, Secrets};
use crate::flask::{CookieKeys, RememberKey, SidKey, read_cookie, read_stored};
use crate::laravel::{
    self, Cipher, Cookie, Encrypter, Guard, Recaller, Serialization, app_key, from_cookie,
    from_redis, from_row, seal_cookie,
};
use crate::php::{Handler, Path, Scalar, drupal, find, joomla};
use crate::rails::{self, DeviseRecaller, Serializer};
use crate::wordpress::{
    AuthCookie, Capabilities, Roles, Version as Wordpress, application_passwords, fragment, keys,
    list, session_end,
};
use crate::{Member, MemberPath};

/// A session's payload, JSON or a pickle: what is found is found again. Whether there is a login.
pub fn django_pickles(input: &[u8]) -> bool {
    let found = read(input);
    assert_eq!(read(input), found);
    matches!(found, Ok(Some(_)))
}

/// A container of a session that the server keeps, under every version's rules: what is believed
/// with a signature is the same without. How many versions believe it.
pub fn django_containers(input: &[u8]) -> usize {
    let versions = [(1, 4), (3, 2), (4, 0), (6, 1)];
    let believes = |(major, minor): (_, _)| {
        let version = Version::new(major, minor);
        let keys = Keyring::stored(version, SESSION_SALT, [&b"first"[..]]);
        let trusted = open_trusted(version, input);
        if let Ok(trusted) = &trusted {
            let _ = read(&trusted.payload);
        }
        let signed = keys.open(input);
        // Django writes no colon into an old container, and Python's Base64 skips one. Without a
        // key such a container looks like a new one.
        let new = Keyring::stored(Version::new(4, 0), SESSION_SALT, [&b"first"[..]]);
        let unclear = (major, minor) == (3, 2) && input.contains(&b':') && new.open(input).is_err();
        if let (Ok(signed), false) = (&signed, unclear) {
            assert_eq!(trusted.unwrap().payload, signed.payload);
        }
        signed.is_ok()
    };
    versions
        .into_iter()
        .filter(|version| believes(*version))
        .count()
}

/// What a cache keeps for a session, in every encoding. How many readers find a login in it.
pub fn django_cache_values(input: &[u8]) -> usize {
    let values = [None, Some(1), Some(9)].map(|flags| read_cache_value(input, flags));
    let row = read_cache_row(input);
    let file = read_cache_file(input).map(|file| file.login);
    let found = values.iter().chain([&row, &file]);
    found.filter(|found| matches!(found, Ok(Some(_)))).count()
}

/// A path, a line feed, and a session of PHP's, by every handler: what is found without a handler is
/// what one of them finds. Whether anything is.
pub fn php_sessions(input: &[u8]) -> bool {
    let Some(end) = input.iter().position(|byte| *byte == b'\n') else {
        return false;
    };
    let (path, session) = (&input[..end], &input[end + 1..]);
    let Ok(path) = String::from_utf8_lossy(path).parse::<Path>() else {
        return false;
    };
    let _ = joomla::read(session, None);
    let by_one = Handler::ALL.map(|handler| find(session, Some(handler), &path));
    let Ok(found @ Some(_)) = find(session, None, &path) else {
        return false;
    };
    // Not equality: a float that is not a number does not equal itself.
    let shown = format!("{:?}", Ok::<_, ()>(found));
    assert!(by_one.iter().any(|one| format!("{one:?}") == shown));
    true
}

/// A session of Drupal's, and its configuration: an account is one that a path finds as well, and a
/// role or a list of modules is an array. Whether anything is read.
pub fn php_drupal(input: &[u8]) -> bool {
    let user = drupal::user(input);
    if let Ok(Some(user)) = user {
        let path: Path = "_sf2_attributes.uid".parse().unwrap();
        let found = match find(input, None, &path).unwrap() {
            Some(Scalar::Integer(number)) => number,
            Some(Scalar::Text(text)) => String::from_utf8(text).unwrap().parse().unwrap(),
            found => panic!("{found:?}"),
        };
        assert!(found == user && user > 0);
    }
    let role = drupal::role(input);
    if let Ok(role) = &role {
        let read: usize = role.permissions.iter().map(Vec::len).sum();
        assert!(input.starts_with(b"a:") && read <= input.len());
    }
    let modules = drupal::modules(input);
    matches!(user, Ok(Some(_))) || role.is_ok() || modules.is_ok()
}

/// A cookie of WordPress', a line feed, and what it keeps serialized: nothing is signed by a key that it
/// was not signed with, a session has one end whatever is around the text, and a capability that is
/// allowed is one of the account's or of a role of its own. How much is found.
pub fn wordpress_rows(input: &[u8]) -> usize {
    let end = input.iter().position(|byte| *byte == b'\n');
    let (cookie, stored) = input.split_at(end.unwrap_or(input.len()));
    let stored = String::from_utf8_lossy(stored.get(1..).unwrap_or_default());
    let mut found = 0;
    for version in [
        Wordpress::default(),
        Wordpress::new(6, 1),
        Wordpress::new(3, 9),
    ] {
        let Some(cookie) = AuthCookie::parse(cookie, version) else {
            continue;
        };
        found += 1;
        let part = fragment(&stored, version);
        assert!(part.len() <= 4 && stored.contains(part));
        assert!(!cookie.is_signed(b"a key that nobody has", part));
        let end = session_end(&stored, cookie.token.unwrap_or_default());
        assert_eq!(
            session_end(&format!(" {stored}\n"), cookie.token.unwrap_or_default()),
            end
        );
        found += usize::from(end.is_some());
    }
    let roles = Roles::read(&stored);
    let held = Capabilities::read(&stored, &roles);
    assert!(
        held.roles
            .iter()
            .all(|role| roles.clone().names().contains(role))
    );
    assert!(held.allow("exist") && !held.allow("do_not_allow"));
    found
        + held.roles.len()
        + list(&stored).len()
        + keys(&stored).len()
        + application_passwords(&stored).len()
}

/// A cookie of Laravel's under the key of the recorded application: what is opened and sealed again is
/// the same, and counts for one name alone. Whether it is opened.
pub fn laravel_cookies(input: &[u8]) -> bool {
    let key = || app_key(b"base64:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=");
    let mut opened = false;
    for cipher in [Cipher::Aes256Cbc, Cipher::Aes256Gcm] {
        let encrypter = Encrypter::new(cipher, vec![key()]).unwrap();
        let Ok(cookie) = Cookie::open(input, &encrypter) else {
            continue;
        };
        opened = true;
        let name = "laravel_session";
        let Some(value) = cookie.value_of(name, &encrypter) else {
            continue;
        };
        assert_eq!(cookie.value_of("XSRF-TOKEN", &encrypter), None);
        let sealed = seal_cookie(name, value, &encrypter).unwrap();
        let again = Cookie::open(sealed.as_bytes(), &encrypter).unwrap();
        assert_eq!(again.value_of(name, &encrypter), Some(value));
    }
    let _ = Recaller::parse(input);
    opened
}

/// A payload of Laravel's, as each store keeps it: what is read without its serialization is what is
/// read with one. How many readers find a login in it.
pub fn laravel_payloads(input: &[u8]) -> usize {
    let guard: Guard = "web".parse().unwrap();
    let cookie = from_cookie(input).map(|(payload, _)| payload);
    let row = from_row(input);
    let mut logins = 0;
    for payload in [Ok(row), from_redis(input), cookie].into_iter().flatten() {
        logins += login(&payload, &guard);
    }
    logins + login(input, &guard)
}

fn login(payload: &[u8], guard: &Guard) -> usize {
    let one = [Serialization::Php, Serialization::Json];
    let one = one.map(|it| laravel::read(payload, guard, Some(it)));
    let found = laravel::read(payload, guard, None);
    assert!(found.is_err() || one.contains(&found));
    usize::from(found.is_ok_and(|found| found.user.is_some()))
}

/// A signed cookie of Flask's, or a signed id of Flask-Session's: what one key signed, no other did.
/// Whether either is signed.
pub fn flask_cookies(input: &[u8]) -> bool {
    let (first, other) = (
        CookieKeys::new([&b"first"[..]]),
        CookieKeys::new([&b"other"[..]]),
    );
    let both = CookieKeys::new([&b"other"[..], b"first"]);
    let opened = first.open(input);
    assert_eq!(
        both.open(input).is_ok(),
        opened.is_ok() || other.open(input).is_ok()
    );
    if let Ok(opened) = &opened {
        assert!(other.open(input).is_err());
        let path = "_user_id".parse().unwrap();
        assert_eq!(
            read_cookie(&opened.payload, &path),
            read_cookie(&opened.payload, &path)
        );
    }
    let id = SidKey::new(b"first").unsign(input);
    if let Ok(id) = id {
        assert!(input.starts_with(id) && SidKey::new(b"other").unsign(input).is_err());
    }
    let remembered = RememberKey::new(b"first").open(input);
    if let Ok(id) = remembered {
        assert!(input.starts_with(id.as_bytes()));
        assert!(RememberKey::new(b"other").open(input).is_err());
    }
    opened.is_ok() || id.is_ok() || remembered.is_ok()
}

/// A cookie of express-session: what is signed stays so when it is percent-encoded. Whether it is.
pub fn express_cookies(input: &[u8]) -> bool {
    let secrets = Secrets::new([&b"other"[..], b"first"]);
    let Ok(id) = secrets.unsign(input) else {
        return false;
    };
    assert!(Secrets::new([&b"another"[..]]).unsign(input).is_err());
    if !input.contains(&b'%') {
        let encoded: String = input.iter().map(|byte| format!("%{byte:02X}")).collect();
        let longest = input.len() * 3 > 4096;
        assert!(longest || secrets.unsign(encoded.as_bytes()).unwrap() == id);
    }
    true
}

/// A path, a line feed, and a session as a store keeps it: what Express finds in JSON, Flask finds,
/// too. Whether anything is found.
pub fn member_paths(input: &[u8]) -> bool {
    let Some(end) = input.iter().position(|byte| *byte == b'\n') else {
        return false;
    };
    let (path, session) = (&input[..end], &input[end + 1..]);
    let Ok(path) = String::from_utf8_lossy(path).parse::<MemberPath>() else {
        return false;
    };
    let stored = read_stored(session, &path);
    assert_eq!(read_stored(session, &path), stored);
    let found = express::read(session, &path);
    if let Ok(Member::Text(text)) = &found {
        let same = Ok(Member::Text(text.clone()));
        assert!(stored == same && read_cookie(session, &path) == same);
    }
    let is_found = |member| matches!(member, Ok(Member::Text(_) | Member::Integer(_)));
    is_found(stored) || is_found(found)
}

/// A cookie of Rails', percent-encoding undone, under the rules of every release: what one of them
/// opens with a key, none opens with another. How many open it.
pub fn rails_cookies(input: &[u8]) -> usize {
    let Ok(cookie) = std::str::from_utf8(input) else {
        return 0;
    };
    let opens = |[own, other]: &&[rails::Keyring; 2]| {
        let opened = own.open("_app_session", cookie);
        assert!(other.open("_app_session", cookie).is_err());
        if let Ok(opened) = &opened {
            rails_sessions(&opened.payload);
        }
        let signed = |keys: &rails::Keyring| {
            keys.open_signed("remember_user_token", cookie, rails::SignedDigest::Sha1)
        };
        let remembered = signed(own);
        assert!(signed(other).is_err());
        if let Ok((payload, _)) = &remembered {
            let either = DeviseRecaller::read(payload, Serializer::Either);
            let json = DeviseRecaller::read(payload, Serializer::Json);
            assert!(json.is_err() || json == either);
        }
        opened.is_ok() || remembered.is_ok()
    };
    RAILS_KEYS.iter().filter(opens).count()
}

/// Of each release, the keys that the corpus was sealed with (`tests/vectors/rails_cookies.rb`), and
/// others.
static RAILS_KEYS: LazyLock<Vec<[rails::Keyring; 2]>> = LazyLock::new(|| {
    let own = "5ad1c0ffee".repeat(12);
    let versions = [(5, 2), (6, 1), (7, 0), (8, 1)];
    let versions = versions.map(|(major, minor)| rails::Version(major, minor));
    let keys = |version, secret: &str| {
        let digest = rails::KeyDigest::of(version);
        rails::Keyring::new(secret.as_bytes(), [], version, digest)
    };
    let both = |version| [keys(version, &own), keys(version, "another")];
    versions.map(both).into()
});

/// A session of Rails', JSON or Marshal, bare or as stores keep it: what is read as JSON alone is
/// read the same where Marshal is read, too. Whether there is a login.
pub fn rails_sessions(input: &[u8]) -> bool {
    let payload = rails::stored(input);
    let payload = payload.as_ref().map_or(input, |payload| payload.as_slice());
    let either = rails::devise(payload, Serializer::Either, "user");
    let json = rails::devise(payload, Serializer::Json, "user");
    if !payload.starts_with(b"\x04\x08") {
        assert_eq!(json, either);
    } else {
        assert!(json.is_err());
    }
    let redmine = rails::redmine(payload, Serializer::Either);
    matches!(either, Ok(Some(_))) || matches!(redmine, Ok(Some(_)))
}

#[cfg(test)]
#[path = "../../../tests/fuzz/replay.rs"]
mod replay;

#[test]
fn properties_hold_for_the_corpora_and_most_are_sessions() {
    let logins = replay::replay("django_pickles", django_pickles);
    assert!(logins.len() > 50 && logins.iter().filter(|found| **found).count() > 30);
    let opened = replay::replay("django_containers", django_containers);
    assert!(opened.len() > 50 && opened.iter().sum::<usize>() > 100);
    let logins = replay::replay("django_cache_values", django_cache_values);
    assert!(logins.len() > 40 && logins.iter().sum::<usize>() > 30);
    let opened = replay::replay("laravel_cookies", laravel_cookies);
    assert!(opened.len() > 15 && opened.iter().filter(|found| **found).count() > 10);
    let logins = replay::replay("laravel_payloads", laravel_payloads);
    assert!(logins.len() > 15 && logins.iter().sum::<usize>() > 10);
    let signed = replay::replay("flask_cookies", flask_cookies);
    assert!(signed.len() > 10 && signed.iter().filter(|signed| **signed).count() > 5);
    let signed = replay::replay("express_cookies", express_cookies);
    assert!(signed.len() > 10 && signed.iter().filter(|signed| **signed).count() > 3);
    let found = replay::replay("member_paths", member_paths);
    assert!(found.len() > 25 && found.iter().filter(|found| **found).count() > 10);
    let found = replay::replay("php_sessions", php_sessions);
    assert!(found.len() > 50 && found.iter().filter(|found| **found).count() > 30);
    let found = replay::replay("wordpress_rows", wordpress_rows);
    assert!(found.len() > 8 && found.iter().sum::<usize>() > 12);
    let read = replay::replay("php_drupal", php_drupal);
    assert!(read.len() >= 8 && read.iter().filter(|read| **read).count() >= 5);
    let opened = replay::replay("rails_cookies", rails_cookies);
    assert!(opened.len() > 20 && opened.iter().sum::<usize>() > 10);
    let logins = replay::replay("rails_sessions", rails_sessions);
    assert!(logins.len() > 30 && logins.iter().filter(|found| **found).count() > 20);
}
