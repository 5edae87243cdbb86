//! Cookies and sessions of Rails, as Rails and Ruby themselves read them (`tests/vectors/rails_*.rb`).

use std::time::{Duration, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hallpass_sessions::Invalid;
use hallpass_sessions::rails::{
    Container, DeviseRecaller, KeyDigest, Keyring, LastRequest, Serializer, SignedDigest, Version,
    devise, open_credentials, redmine, stored,
};
use serde_json::Value;

const COOKIES: [(&str, Version); 4] = [
    (include_str!("data/rails_cookies_6.1.json"), Version(6, 1)),
    (include_str!("data/rails_cookies_7.0.json"), Version(7, 0)),
    (include_str!("data/rails_cookies_7.2.json"), Version(7, 2)),
    (include_str!("data/rails_cookies_8.0.json"), Version(8, 0)),
];
/// Between the ends that the recorded cookies have.
const NOW: Duration = Duration::from_secs(1_800_000_000);

/// The key and the salt of Warden's login, as JSON.
fn login(payload: &[u8], serializer: Serializer) -> Option<Value> {
    let login = devise(payload, serializer, "user").ok()??;
    let key = match login.key.parse::<u64>() {
        Ok(number) => number.into(),
        Err(_) => Value::from(login.key),
    };
    Some(serde_json::json!([[key], login.salt]))
}

#[test]
fn recorded_cookies_are_read_as_rails_reads_them() {
    for (recorded, version) in COOKIES {
        let recorded: Value = serde_json::from_str(recorded).unwrap();
        let release = &recorded["rails"];
        let (name, secret) = (&recorded["name"], &recorded["secret"]);
        let mut read = 0;
        for row in recorded["rows"].as_array().unwrap() {
            let older = row["older"].as_array().unwrap().iter();
            let older = older.map(|secret| secret.as_str().unwrap().as_bytes());
            let digest = match row["digest"].as_str().unwrap() {
                "sha1" => KeyDigest::Sha1,
                _ => KeyDigest::Sha256,
            };
            let secret = secret.as_str().unwrap().as_bytes();
            let keyring = Keyring::new(secret, older, version, digest);
            let opened = keyring.open(name.as_str().unwrap(), row["cookie"].as_str().unwrap());
            let opened = opened.ok().filter(|opened| {
                let end = opened.expires;
                end.is_none_or(|end| end > UNIX_EPOCH + NOW)
            });
            let serializer = match row["serializer"].as_str().unwrap() {
                "json" => Serializer::Json,
                _ => Serializer::Either,
            };
            let found = opened.and_then(|opened| login(&opened.payload, serializer));
            let expected = Some(&row["key"]).filter(|key| !key.is_null());
            assert_eq!(found.as_ref(), expected, "{release}: {row}");
            read += usize::from(found.is_some());
        }
        assert!(read > 30, "{release}: {read}");
    }
}

#[test]
fn recorded_remembered_logins_are_read_as_rails_reads_them() {
    let (mut read, mut refused) = (0, 0);
    for (recorded, version) in COOKIES {
        let recorded: Value = serde_json::from_str(recorded).unwrap();
        let secret = recorded["secret"].as_str().unwrap().as_bytes();
        for row in recorded["signed"].as_array().unwrap() {
            let text = |name: &str| row[name].as_str().unwrap();
            let older = row["older"].as_array().unwrap().iter();
            let older = older.map(|secret| secret.as_str().unwrap().as_bytes());
            let digest = match text("digest") {
                "sha1" => KeyDigest::Sha1,
                _ => KeyDigest::Sha256,
            };
            let signs = match text("signs") {
                "SHA1" => SignedDigest::Sha1,
                "SHA256" => SignedDigest::Sha256,
                _ => SignedDigest::Sha512,
            };
            let serializer = match text("serializer") {
                "json" => Serializer::Json,
                _ => Serializer::Either,
            };
            let keyring = Keyring::new(secret, older, version, digest);
            let opened = keyring.open_signed("remember_user_token", text("cookie"), signs);
            let opened = opened
                .ok()
                .filter(|(_, end)| end.is_none_or(|end| end > UNIX_EPOCH + NOW));
            let login = opened.and_then(|(it, _)| DeviseRecaller::read(&it, serializer).ok());
            let found = login.map(|login| {
                let at = login.generated_at.duration_since(UNIX_EPOCH).unwrap();
                let key: u64 = login.key.parse().unwrap();
                serde_json::json!([[key], *login.token, at.as_secs_f64().to_string()])
            });
            let (release, note) = (&recorded["rails"], text("note"));
            assert_eq!(
                found.unwrap_or(Value::Null),
                row["value"],
                "{release} {row} {note}"
            );
            match row["value"].is_null() {
                true => refused += 1,
                false => read += 1,
            }
            assert!(
                keyring.open("remember_user_token", text("cookie")).is_err() || note == "encrypted"
            );
        }
    }
    assert!(read > 30 && refused > 2 * read, "{read} {refused}");
}

#[test]
fn a_cookie_changed_anywhere_is_refused() {
    let (recorded, version) = COOKIES[2];
    let recorded: Value = serde_json::from_str(recorded).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let (name, secret) = (text(&recorded["name"]), text(&recorded["secret"]));
    let keyring = Keyring::new(secret.as_bytes(), [], version, KeyDigest::of(version));
    for (note, container) in [("whole", Container::Gcm), ("AES-CBC", Container::Cbc)] {
        let rows = recorded["rows"].as_array().unwrap();
        let row = rows.iter().find(|row| row["note"] == note).unwrap();
        let cookie = text(&row["cookie"]);
        assert_eq!(keyring.open(&name, &cookie).unwrap().container, container);
        assert!(keyring.open("another", &cookie).is_err());
        for at in 0..cookie.len() {
            let mut changed = cookie.clone().into_bytes();
            changed[at] = if changed[at] == b'x' { b'y' } else { b'x' };
            let changed = String::from_utf8(changed).unwrap();
            assert!(keyring.open(&name, &changed).is_err(), "{note} {at}");
            assert!(keyring.open(&name, &cookie[..at]).is_err(), "{note} {at}");
        }
    }
    let long = "A".repeat((16 << 10) + 1);
    let error = keyring.open(&name, &long).unwrap_err();
    assert_eq!(error, Invalid::TooLarge(16 << 10));
}

#[test]
fn recorded_dumps_are_read_as_ruby_loads_them() {
    let rows: Vec<(String, Value, Value)> =
        serde_json::from_str(include_str!("data/rails_marshal.json")).unwrap();
    assert!(rows.len() > 400);
    for (dump, key, last) in rows {
        let bytes = STANDARD.decode(&dump).unwrap();
        assert_eq!(login(&bytes, Serializer::Either), Some(key), "{dump}");
        let read = devise(&bytes, Serializer::Either, "user").unwrap().unwrap();
        let expected = last.as_i64().map_or(LastRequest::Never, LastRequest::At);
        assert_eq!(read.last_request, expected, "{dump}");
        assert!(devise(&bytes, Serializer::Json, "user").is_err(), "{dump}");
        for end in 0..bytes.len() {
            let cut = devise(&bytes[..end], Serializer::Either, "user");
            assert!(cut.is_err(), "{dump} {end}");
        }
    }
}

#[test]
fn changed_dumps_do_not_panic() {
    let rows: Vec<(String, Value, Value)> =
        serde_json::from_str(include_str!("data/rails_marshal.json")).unwrap();
    for (dump, ..) in rows.iter().step_by(5) {
        let bytes = STANDARD.decode(dump).unwrap();
        for at in 2..bytes.len() {
            for change in [0x01, 0x40, 0x80, 0xff] {
                let mut changed = bytes.clone();
                changed[at] ^= change;
                let _ = devise(&changed, Serializer::Either, "user");
                let _ = redmine(&changed, Serializer::Either);
            }
        }
    }
}

/// A dump of what follows the signature.
fn dump(rest: &[u8]) -> Vec<u8> {
    [b"\x04\x08", rest].concat()
}

#[test]
fn hostile_dumps_are_refused() {
    let nested = |kind: &[u8], depth: usize| dump(&[kind.repeat(depth), b"0".to_vec()].concat());
    for (what, bytes) in [
        ("nothing", dump(b"")),
        ("another version", b"\x04\x09{\0".to_vec()),
        ("not a hash", dump(b"[\0")),
        ("a link to nothing", dump(b"@\x06")),
        ("a link to itself", dump(b"@\0")),
        ("a symbol that is not there", dump(b"{\x06;\x00i\x06")),
        (
            "a hash with too many pairs",
            dump(b"{\x04\xff\xff\xff\x7fi\x06i\x06"),
        ),
        ("a negative count", dump(b"{\xfa")),
        ("a long string", dump(b"{\x06\"\x04\xff\xff\xff\x7fa0")),
        (
            "a bignum past the end",
            dump(b"{\x06l+\x04\xff\xff\xff\x7f"),
        ),
        ("lists in lists", nested(b"[\x06", 200_000)),
        ("hashes in hashes", nested(b"{\x06i\x06", 200_000)),
        ("variables of variables", nested(b"I", 200_000)),
        ("subclasses of subclasses", nested(b"C:\x06A", 200_000)),
        ("more behind", dump(b"{\0i\0")),
        ("an unknown type", dump(b"{\x06i\x06?")),
    ] {
        for wanted in [Serializer::Either, Serializer::Json] {
            assert!(devise(&bytes, wanted, "user").is_err(), "{what}");
            assert!(redmine(&bytes, wanted).is_err(), "{what}");
        }
    }
    let large = dump(&[b"{\x06\"\x03\xff\xff\x1f".to_vec(), vec![b'a'; 2 << 20]].concat());
    let error = devise(&large, Serializer::Either, "user").unwrap_err();
    assert!(matches!(error, Invalid::TooLarge(_)), "{error}");
}

#[test]
fn a_link_that_goes_round_is_not_followed_for_ever() {
    // { "warden.user.user.key" => a list that holds itself }
    let cycle = dump(b"{\x06\"\x19warden.user.user.key[\x07@\x07\"\x06a");
    assert!(devise(&cycle, Serializer::Either, "user").is_err());
    let itself = dump(b"{\x06\"\x19warden.user.user.key@\0");
    assert!(devise(&itself, Serializer::Either, "user").is_err());
}

/// Lists of links to lists of links: as large as a dump can be, and read within a moment.
#[test]
fn links_that_multiply_are_not_followed_for_ever() {
    let large = b"[\x03\x00\x00\x0e".to_vec();
    let large = [large, b"0".repeat(0x0e_0000)].concat();
    // Objects: 0 the hash, 1 a key, 2 the large list, 3 a key, 4 a list, 5 a list of links to it.
    let links = b"[\x09@\x07@\x07@\x07@\x07".to_vec();
    let again = b"[\x09@\x0a@\x0a@\x0a@\x0a".to_vec();
    let session = [
        b"{\x07\"\x06a[\x06".to_vec(),
        large,
        b"\"\x19warden.user.user.key[\x07".to_vec(),
        links,
        again,
    ];
    let session = dump(&session.concat());
    let started = std::time::Instant::now();
    assert!(devise(&session, Serializer::Either, "user").is_err());
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[test]
fn logins_are_of_wardens_scope_and_shape() {
    let read = |text: &str, scope: &str| devise(text.as_bytes(), Serializer::Json, scope);
    let key = |text: &str| read(text, "user").unwrap().map(|login| login.key);
    for (session, expected) in [
        (r#"{"warden.user.user.key":[[1],"s"]}"#, Some("1")),
        (r#"{"warden.user.user.key":[1,"s"]}"#, Some("1")),
        (r#"{"warden.user.user.key":[["a-b"],null]}"#, Some("a-b")),
        (r#"{"warden.user.user.key":[[1,2],"s"]}"#, Some("1")),
        (
            r#"{"warden.user.user.key":[[1],"s"],"warden.user.user.key":[[2],"s"]}"#,
            Some("2"),
        ),
        (r#"{"warden.user.user.key":null}"#, None),
        (r#"{"warden.user.user.key":false}"#, None),
        (r#"{"warden.user.admin.key":[[1],"s"]}"#, None),
        ("{}", None),
    ] {
        assert_eq!(key(session).as_deref(), expected, "{session}");
    }
    for refused in [
        r#"{"warden.user.user.key":1}"#,
        r#"{"warden.user.user.key":true}"#,
        r#"{"warden.user.user.key":[[1]]}"#,
        r#"{"warden.user.user.key":[[1],"s","t"]}"#,
        r#"{"warden.user.user.key":[[],"s"]}"#,
        r#"{"warden.user.user.key":[[null],"s"]}"#,
        r#"{"warden.user.user.key":[[1.5],"s"]}"#,
        r#"{"warden.user.user.key":[[true],"s"]}"#,
        r#"{"warden.user.user.key":[[""],"s"]}"#,
        r#"{"warden.user.user.key":[[[1]],"s"]}"#,
        r#"{"warden.user.user.key":[[1],29]}"#,
        r#"{"warden.user.user.key":[[1],["s"]]}"#,
        r#"{"warden.user.user.key":{"0":[1],"1":"s"}}"#,
        r#"{"warden.user.user.key":[[18446744073709551616],"s"]}"#,
        r#"[["warden.user.user.key",[[1],"s"]]]"#,
        "null",
        "",
        "{",
        "{}{}",
    ] {
        assert!(read(refused, "user").is_err(), "{refused}");
    }
    let admin = r#"{"warden.user.admin.key":[[1],"s"]}"#;
    assert!(read(admin, "admin").unwrap().is_some());
    let deep = format!("{{\"a\":{}", "[".repeat(1 << 19));
    assert!(read(&deep, "user").is_err());
}

#[test]
fn the_last_request_is_a_time_or_unclear() {
    for (session, expected) in [
        ("", LastRequest::Never),
        ("null", LastRequest::Never),
        ("{}", LastRequest::Never),
        (r#"{"last_request_at":null}"#, LastRequest::Never),
        (r#"{"last_request_at":false}"#, LastRequest::Never),
        (r#"{"last_request_at":7}"#, LastRequest::At(7)),
        (
            r#"{"last_request_at":"2026-11-29T21:07:28.000Z"}"#,
            LastRequest::At(1_795_986_448),
        ),
        (
            r#"{"last_request_at":"2026-11-29 21:07:28 UTC"}"#,
            LastRequest::At(1_795_986_448),
        ),
        (r#"{"last_request_at":"soon"}"#, LastRequest::Unclear),
        (r#"{"last_request_at":7.5}"#, LastRequest::Unclear),
        (r#"{"last_request_at":[7]}"#, LastRequest::Unclear),
        ("[]", LastRequest::Unclear),
        ("7", LastRequest::Unclear),
    ] {
        let key = r#""warden.user.user.key":[[1],"s"]"#;
        let text = match session {
            "" => format!("{{{key}}}"),
            session => format!("{{{key},\"warden.user.user.session\":{session}}}"),
        };
        let login = devise(text.as_bytes(), Serializer::Json, "user").unwrap();
        assert_eq!(login.unwrap().last_request, expected, "{session}");
    }
}

#[test]
fn logins_of_redmine_have_a_token() {
    let read = |text: &str| redmine(text.as_bytes(), Serializer::Either);
    let login = read(r#"{"user_id":5,"tk":"ab","pwd":"1"}"#)
        .unwrap()
        .unwrap();
    assert_eq!((&*login.user, &*login.token), ("5", "ab"));
    assert!(login.new_password && !login.second_factor);
    assert!(!format!("{login:?}").contains("ab"));
    for nobody in ["{}", r#"{"tk":"ab"}"#, r#"{"user_id":null,"tk":"ab"}"#] {
        assert_eq!(read(nobody), Ok(None), "{nobody}");
    }
    for refused in [
        r#"{"user_id":5}"#,
        r#"{"user_id":5,"tk":""}"#,
        r#"{"user_id":5,"tk":7}"#,
        r#"{"user_id":5,"tk":["ab"]}"#,
        r#"{"user_id":[5],"tk":"ab"}"#,
        r#"{"user_id":"","tk":"ab"}"#,
    ] {
        assert!(read(refused).is_err(), "{refused}");
    }
}

#[test]
fn stored_sessions_are_marshal_base64_of_it_or_json() {
    let session = dump(b"{\0");
    let plain = |data: &[u8]| stored(data).map(|data| data.to_vec());
    assert_eq!(plain(&session), Ok(session.clone()));
    assert_eq!(plain(b"BAh7AA==\n"), Ok(session.clone()));
    assert_eq!(plain(b"BA\nh7\r\nAA"), Ok(session));
    assert_eq!(plain(br#"{"value":{"a":1}}"#), Ok(br#"{"a":1}"#.to_vec()));
    for whole in [r#"{"value":1}"#, r#"{"value":{"a":1},"b":2}"#, "{}", " {}"] {
        assert_eq!(plain(whole.as_bytes()), Ok(whole.into()), "{whole}");
    }
    for refused in ["", "BAh7AA==!", "AAAA", "null", "[]", "a session"] {
        assert!(plain(refused.as_bytes()).is_err(), "{refused}");
    }
}

/// Written by `ActiveSupport::EncryptedFile` of 6.1.7 and 7.2.2.
#[test]
fn credentials_are_opened_by_their_own_key() {
    let key = "0123456789abcdef0123456789abcdef";
    for sealed in [CREDENTIALS_6_1, CREDENTIALS_7_2] {
        let text = open_credentials(sealed, key).unwrap();
        assert_eq!(*text, b"# a comment\nsecret_key_base: 5ad1c0ffee\n");
        assert!(open_credentials(&format!("{sealed}\n"), &format!("{key}\n")).is_some());
        for wrong in [
            "",
            "0123456789abcdef0123456789abcdee",
            &key[1..],
            &key.repeat(2),
        ] {
            assert!(open_credentials(sealed, wrong).is_none(), "{wrong}");
        }
        for at in 0..sealed.len() {
            let mut changed = sealed.to_owned().into_bytes();
            changed[at] = if changed[at] == b'x' { b'y' } else { b'x' };
            let changed = String::from_utf8(changed).unwrap();
            assert!(open_credentials(&changed, key).is_none(), "{at}");
        }
    }
}

const CREDENTIALS_6_1: &str = "9Vpi/patlyBUsnm6xItN70AeOZUYiKHhoOqm5zXZZ1Q/mQKhTxlrMC/gI9/yzfJzrFE=--pOiia8j+qV1po7ZA--sgWzSSlE1nMNU6q+G8+FOA==";
const CREDENTIALS_7_2: &str = "rICa4hKbX5SyyOkGLeR4DrIulb34q3868dfqWutFGvo4I7HPdsDk6hPipDt2sdqtmjg=--T+p1ClhZddyEf3XL--iaZ7jFhQiqRckCDS/JHvsg==";
