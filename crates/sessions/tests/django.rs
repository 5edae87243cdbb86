//! Containers made and judged by real Djangos: `tests/vectors/sessions_django.py` says how.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use hallpass_sessions::django::{
    Expiry, Login, PrimaryKey, SESSION_SALT, SigningKey, auth_hash, auth_hash_is_by, open,
    read_json, seal,
};
use serde_json::Value;

const VECTORS: [&str; 2] = [
    include_str!("data/django-4.2.json"),
    include_str!("data/django-5.2.json"),
];

fn vectors() -> impl Iterator<Item = Value> {
    VECTORS
        .into_iter()
        .map(|text| serde_json::from_str(text).unwrap())
}

fn keys(case: &Value) -> Vec<SigningKey> {
    let secrets = case["secret_keys"].as_array().unwrap().iter();
    secrets
        .map(|key| SigningKey::new(key.as_str().unwrap().as_bytes(), SESSION_SALT))
        .collect()
}

/// Who is logged in, if the container is good and holds a login.
fn login(container: &str, keys: &[SigningKey]) -> Option<Login> {
    read_json(&open(container.as_bytes(), keys).ok()?).ok()?
}

/// What Django read, as a login if it is one: an empty session and one that Django does not
/// believe are both nobody's.
fn expected(case: &Value) -> Option<Login> {
    let login = case["login"].as_object()?;
    let text = |key: &str| login[key].as_str().map(str::to_owned);
    Some(Login {
        user: match &login["_auth_user_id"] {
            Value::Number(number) => PrimaryKey::Integer(number.as_i64().unwrap()),
            Value::String(text) => PrimaryKey::Text(text.clone()),
            _ => return None,
        },
        backend: text("_auth_user_backend")?,
        hash: text("_auth_user_hash"),
        expiry: Expiry::Default,
        otp_device: None,
    })
}

#[test]
fn every_container_is_read_as_django_reads_it() {
    let (mut positive, mut negative) = (0, 0);
    for vectors in vectors() {
        let django = vectors["django"].as_str().unwrap();
        for case in vectors["cases"].as_array().unwrap() {
            let container = case["container"].as_str().unwrap();
            let found = login(container, &keys(case));
            assert_eq!(found, expected(case), "Django {django}: {}", case["note"]);
            if found.is_some() {
                positive += 1
            } else {
                negative += 1
            }
        }
    }
    assert!(
        positive >= 16 && negative >= 100,
        "{positive} positive, {negative} negative"
    );
}

#[test]
fn auth_hashes_are_djangos() {
    for vectors in vectors() {
        for case in vectors["auth_hashes"].as_array().unwrap() {
            let text = |key: &str| case[key].as_str().unwrap();
            let secret_key = text("secret_key").as_bytes();
            assert_eq!(auth_hash(secret_key, text("password")), text("hash"));
            assert!(auth_hash_is_by(secret_key, text("password"), text("hash")));
            assert!(!auth_hash_is_by(b"another", text("password"), text("hash")));
            assert!(!auth_hash_is_by(secret_key, "another", text("hash")));
            assert!(!auth_hash_is_by(secret_key, text("password"), ""));
            assert!(!auth_hash_is_by(
                secret_key,
                text("password"),
                &text("hash").to_uppercase()
            ));
        }
    }
}

#[test]
fn what_is_sealed_opens() {
    let key = SigningKey::new(b"secret", SESSION_SALT);
    let container = seal(b"{\"a\":1}", &key, 1_795_219_200);
    assert_eq!(
        open(container.as_bytes(), std::slice::from_ref(&key)).unwrap(),
        b"{\"a\":1}"
    );
    let other = SigningKey::new(b"other", SESSION_SALT);
    assert!(open(container.as_bytes(), &[other]).is_err());
    assert!(open(container.as_bytes(), &[]).is_err());
}

#[test]
fn what_swells_is_refused() {
    // A megabyte and four of zeros, deflated: bombs that fit into a column.
    let key = SigningKey::new(b"secret", SESSION_SALT);
    for (megabytes, fits) in [(1, true), (4, true), (5, false), (64, false)] {
        let zeros = vec![0; megabytes << 20];
        let stream = miniz_oxide::deflate::compress_to_vec_zlib(&zeros, 9);
        let sealed = seal(&stream, &key, 0);
        // What `seal` makes is not compressed; sign it again with the mark that says it is.
        let (signed, _) = sealed.rsplit_once(':').unwrap();
        let container = resign(&format!(".{signed}"), b"secret");
        assert_eq!(
            open(container.as_bytes(), std::slice::from_ref(&key)).is_ok(),
            fits
        );
    }
}

fn resign(signed: &str, secret_key: &[u8]) -> String {
    use base64::Engine;
    use hmac::{Hmac, KeyInit, Mac};
    use sha2::{Digest, Sha256};
    let key = Sha256::new()
        .chain_update(SESSION_SALT)
        .chain_update("signer")
        .chain_update(secret_key)
        .finalize();
    let mac = Hmac::<Sha256>::new_from_slice(&key)
        .unwrap()
        .chain_update(signed)
        .finalize();
    let signature = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(mac.into_bytes());
    format!("{signed}:{signature}")
}
