//! Cookies and payloads of a real application of Laravel 11.22, and what is not one.
#![allow(clippy::indexing_slicing, clippy::unwrap_used)]

use std::path::Path;

use hallpass_sessions::Invalid;
use hallpass_sessions::laravel::{
    Cipher, Cookie, Encrypter, Facts, Guard, LONGEST_COOKIE, Recaller, Serialization, app_key,
    decrypt, from_cookie, from_redis, from_row, is_of_password, read, seal_cookie, session_id,
};
use serde_json::Value;

fn recorded() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/laravel-11.22.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn encrypter(recorded: &Value, driver: &str) -> Encrypter {
    let cipher = recorded["drivers"][driver]["env"]["APP_CIPHER"].as_str();
    let cipher = Cipher::from_name(cipher.unwrap_or("AES-256-CBC")).unwrap();
    let key = app_key(recorded["app_key"].as_str().unwrap().as_bytes());
    Encrypter::new(cipher, vec![key]).unwrap()
}

fn web() -> Guard {
    "web".parse().unwrap()
}

const DRIVERS: [&str; 6] = [
    "database",
    "file",
    "redis",
    "cookie",
    "database+encrypt",
    "database+gcm",
];

fn valid(recorded: &Value, driver: &str) -> String {
    let vectors = recorded["drivers"][driver]["vectors"].as_array().unwrap();
    assert_eq!(vectors[0]["name"], "valid");
    let cookie = vectors[0]["cookies"]["laravel_session"].as_str();
    cookie.unwrap().to_owned()
}

#[test]
fn cookies_hold_the_session_of_their_own_name_alone() {
    let recorded = recorded();
    for driver in DRIVERS {
        let encrypter = encrypter(&recorded, driver);
        let cookie = Cookie::open(valid(&recorded, driver).as_bytes(), &encrypter).unwrap();
        let id = cookie.value_of("laravel_session", &encrypter);
        let id = id.and_then(session_id);
        assert_eq!(id, recorded["drivers"][driver]["session_id"].as_str());
        for other in ["XSRF-TOKEN", "laravel_sessio", "Laravel_session", ""] {
            assert_eq!(cookie.value_of(other, &encrypter), None, "{driver} {other}");
        }
    }
}

#[test]
fn a_cookie_that_is_changed_anywhere_is_refused() {
    let recorded = recorded();
    for driver in ["database", "database+gcm"] {
        let encrypter = encrypter(&recorded, driver);
        let value = valid(&recorded, driver).replace("%3D", "=");
        let whole = Cookie::open(value.as_bytes(), &encrypter).unwrap();
        let id = whole.value_of("laravel_session", &encrypter).unwrap();
        let mut refused = 0;
        for at in 0..value.len() {
            let mut changed = value.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            // A few bits of the last digits mean nothing: then it is the same session.
            match Cookie::open(&changed, &encrypter) {
                Ok(cookie) => assert_eq!(cookie.value_of("laravel_session", &encrypter), Some(id)),
                Err(_) => refused += 1,
            }
        }
        assert!(refused > value.len() - 8, "{driver}: {refused}");
    }
}

#[test]
fn other_keys_and_ciphers_open_nothing() {
    let recorded = recorded();
    let key = app_key(recorded["app_key"].as_str().unwrap().as_bytes());
    let other = app_key(&[b'k'; 32]);
    for driver in ["database", "database+gcm"] {
        let value = valid(&recorded, driver);
        let opens = |cipher, keys| {
            let encrypter = Encrypter::new(cipher, keys).unwrap();
            let cookie = Cookie::open(value.as_bytes(), &encrypter);
            cookie.is_ok_and(|it| it.value_of("laravel_session", &encrypter).is_some())
        };
        let (ours, another) = match driver {
            "database" => (Cipher::Aes256Cbc, Cipher::Aes256Gcm),
            _ => (Cipher::Aes256Gcm, Cipher::Aes256Cbc),
        };
        assert!(opens(ours, vec![key.clone()]));
        assert!(opens(ours, vec![other.clone(), key.clone()]));
        assert!(!opens(ours, vec![other.clone()]));
        assert!(!opens(another, vec![key.clone()]));
    }
    let short = app_key(&[b'k'; 16]);
    for (cipher, keys) in [
        (Cipher::Aes256Cbc, vec![]),
        (Cipher::Aes256Cbc, vec![short.clone()]),
        (Cipher::Aes256Gcm, vec![key.clone(), short.clone()]),
        (Cipher::Aes128Cbc, vec![key.clone()]),
        (Cipher::Aes128Gcm, vec![short.clone(), key]),
    ] {
        assert!(Encrypter::new(cipher, keys).is_none());
    }
}

/// The site had a new key then, and the one of the recording was listed as a previous one, or not.
#[test]
fn previous_keys_count_where_they_are_listed() {
    let recorded = recorded();
    let old = app_key(recorded["app_key"].as_str().unwrap().as_bytes());
    let new = app_key(&[b'n'; 32]);
    for row in recorded["rotated_key"].as_array().unwrap() {
        let listed = !row["verdict"]["user"].is_null();
        let mut keys = vec![new.clone()];
        if listed {
            keys.push(old.clone());
        }
        let encrypter = Encrypter::new(Cipher::Aes256Cbc, keys).unwrap();
        let value = row["cookies"]["laravel_session"].as_str().unwrap();
        let cookie = Cookie::open(value.as_bytes(), &encrypter);
        let found = cookie.is_ok_and(|it| it.value_of("laravel_session", &encrypter).is_some());
        assert_eq!(found, listed, "{}", row["name"]);
    }
}

#[test]
fn payloads_say_who_is_logged_in() {
    let recorded = recorded();
    for driver in DRIVERS {
        let encrypter = encrypter(&recorded, driver);
        let store = &recorded["drivers"][driver]["store"];
        let payload = match driver {
            "file" => store["bytes"].as_str().unwrap().as_bytes().to_vec().into(),
            "redis" => {
                let raw = store["raw"].as_str().unwrap();
                let (_, value) = raw.split_once("\r\n").unwrap();
                from_redis(value.trim_end().as_bytes()).unwrap()
            }
            "cookie" => {
                let id = recorded["drivers"][driver]["session_id"].as_str().unwrap();
                let cookies = &recorded["drivers"][driver]["vectors"][0]["cookies"];
                let value = cookies[id].as_str().unwrap();
                let cookie = Cookie::open(value.as_bytes(), &encrypter).unwrap();
                let value = cookie.value_of(id, &encrypter).unwrap();
                let (payload, expires) = from_cookie(value).unwrap();
                assert_eq!(expires, 1_795_989_445);
                payload
            }
            _ => from_row(store[0]["payload"].as_str().unwrap().as_bytes()),
        };
        let expected = Facts {
            user: Some("1".to_owned()),
            password: None,
            serialization: Serialization::Php,
        };
        if driver == "database+encrypt" {
            assert!(read(&payload, &web(), None).is_err());
            let plain = decrypt(&payload, &encrypter).unwrap();
            assert_eq!(read(&plain, &web(), None), Ok(expected));
            continue;
        }
        assert_eq!(
            read(&payload, &web(), None),
            Ok(expected.clone()),
            "{driver}"
        );
        assert_eq!(
            read(&payload, &web(), Some(Serialization::Php)),
            Ok(expected)
        );
        assert!(read(&payload, &web(), Some(Serialization::Json)).is_err());
        assert!(decrypt(&payload, &encrypter).is_err());
        let admin: Guard = "admin".parse().unwrap();
        assert_eq!(read(&payload, &admin, None).unwrap().user, None);
    }
}

/// Not recorded: as `json_encode` and `serialize` of PHP 8.2 write these arrays.
#[test]
fn users_are_numbers_or_text() {
    let key = "login_web_59ba36addc2b2f9401580f014c7f58ea4e30989d";
    let php = |value: &str| format!("a:1:{{s:50:\"{key}\";{value}}}");
    let json = |value: &str| format!("{{\"_token\":\"x\",\"{key}\":{value}}}");
    for (payload, user) in [
        (php("i:7;"), Some("7")),
        (php("s:3:\"7-a\";"), Some("7-a")),
        (php("N;"), None),
        (json("7"), Some("7")),
        (json("\"7-a\""), Some("7-a")),
        (json("null"), None),
        ("a:0:{}".to_owned(), None),
        ("[]".to_owned(), None),
        ("{}".to_owned(), None),
    ] {
        let facts = read(payload.as_bytes(), &web(), None);
        assert_eq!(
            facts.map(|it| it.user),
            Ok(user.map(str::to_owned)),
            "{payload}"
        );
    }
    for payload in [
        php("b:1;"),
        php("d:1;"),
        php("a:0:{}"),
        php("O:8:\"stdClass\":0:{}"),
        php("i:7;") + "x",
        php("s:2:\"\u{fffd}\";"),
        json("true"),
        json("[7]"),
        json("7.5"),
        json("7") + "x",
        "i:7;".to_owned() + "x",
        String::new() + "{",
        "b:0;x".to_owned(),
    ] {
        let facts = read(payload.as_bytes(), &web(), None);
        assert!(facts.is_err(), "{payload}: {facts:?}");
    }
    let long = "x".repeat((1 << 20) + 1);
    assert!(matches!(
        read(long.as_bytes(), &web(), None),
        Err(Invalid::TooLarge(_))
    ));
}

#[test]
fn hostile_values_are_refused_within_limits() {
    let recorded = recorded();
    let encrypter = encrypter(&recorded, "database");
    for value in [
        String::new(),
        "laravel_session".to_owned(),
        "bnVsbA==".to_owned(),
        "[".repeat(LONGEST_COOKIE),
        "W10=".repeat(100),
        // {"iv":[],"value":1,"mac":null}
        "eyJpdiI6W10sInZhbHVlIjoxLCJtYWMiOm51bGx9".to_owned(),
        "x".repeat(LONGEST_COOKIE + 1),
        "%00".repeat(1000),
    ] {
        assert!(
            Cookie::open(value.as_bytes(), &encrypter).is_err(),
            "{value:.40}"
        );
    }
    for value in [
        "",
        "null",
        "[]",
        "{\"data\":1,\"expires\":2}",
        "{\"data\":\"\"}",
        "{\"data\":\"\",\"expires\":-1}",
    ] {
        assert!(from_cookie(value.as_bytes()).is_err(), "{value}");
    }
    for value in [
        "",
        "s:",
        "s:1:\"\";",
        "s:1:\"a\"",
        "s:-1:\"\";",
        "s:+1:\"a\";",
        "i:1;",
        "s:99999999999999999999:\"a\";",
    ] {
        assert!(from_redis(value.as_bytes()).is_err(), "{value}");
    }
}

#[test]
fn remembered_logins_are_read() {
    let recorded = recorded();
    let encrypter = encrypter(&recorded, "database+gcm");
    let vectors = recorded["drivers"]["database+gcm"]["vectors"]
        .as_array()
        .unwrap();
    let vector = vectors
        .iter()
        .find(|it| it["name"] == "remember cookie alone")
        .unwrap();
    let guard = web();
    assert_eq!(recorded["remember_cookie"], guard.recaller_name());
    let value = vector["cookies"][guard.recaller_name()].as_str().unwrap();
    let cookie = Cookie::open(value.as_bytes(), &encrypter).unwrap();
    let recaller = cookie.value_of(guard.recaller_name(), &encrypter).unwrap();
    let recaller = Recaller::parse(recaller).unwrap();
    assert_eq!(recaller.user, "3");
    let hash = recorded["users"][2]["password"].as_str().unwrap();
    assert_eq!(recaller.password.as_slice(), hash.as_bytes());
    assert_eq!(cookie.value_of("laravel_session", &encrypter), None);
}

/// As `hash_hmac('sha256', $hash, $key)` of PHP 8.2 gave it.
#[test]
fn passwords_are_told_by_their_hash_or_its_code() {
    let hash = b"$2y$10$y1CdRZKAqEdhg3trU19NZeqkk6psQ6AE2i.Flkkyq2OWHp0AoPYhi";
    let code = b"6edd1bef6009e2d9e3591fde58893fc627c1088d70674beccbf0a21fa18df289";
    let key = b"base64:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    assert!(is_of_password(hash, hash, key));
    assert!(is_of_password(code, hash, key));
    assert!(!is_of_password(code, hash, b"another key"));
    assert!(!is_of_password(code, b"another hash", key));
    assert!(!is_of_password(b"", hash, key));
    assert!(!is_of_password(&hash[1..], hash, key));
}

#[test]
fn what_is_sealed_is_opened_under_every_cipher() {
    for (name, cipher) in Cipher::NAMES {
        assert_eq!(Cipher::from_name(&name.to_uppercase()), Some(cipher));
        let key = app_key(&vec![7; cipher.key_length()]);
        let encrypter = Encrypter::new(cipher, vec![key]).unwrap();
        let value = seal_cookie("shop_session", b"abc", &encrypter).unwrap();
        let cookie = Cookie::open(value.as_bytes(), &encrypter).unwrap();
        assert_eq!(
            cookie.value_of("shop_session", &encrypter),
            Some(&b"abc"[..])
        );
        assert_eq!(seal_cookie("shop_session", b"abc", &encrypter), Some(value));
        assert!(!format!("{encrypter:?} {cookie:?}").contains("abc"));
    }
    assert_eq!(Cipher::from_name("aes-256-ctr"), None);
}
