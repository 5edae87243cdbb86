//! Security tokens of real Symfonys, in sessions of real PHP: `tests/data/README.md` says where
//! they come from.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test may fail so"
)]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hallpass_sessions::Invalid;
use hallpass_sessions::php::{Handler, Scalar, find};
use serde_json::Value;

const SYMFONY: &str = include_str!("data/symfony.json");
const TOKEN: &str = "_sf2_attributes._security_main";

fn at(session: &[u8], path: &str) -> Result<Option<Scalar>, Invalid> {
    find(session, None, &path.parse().unwrap())
}

fn text(value: &Value) -> Option<Scalar> {
    value.as_str().map(|text| Scalar::Text(text.into()))
}

#[test]
fn a_token_stands_for_who_is_logged_in() {
    let rows: Vec<Value> = serde_json::from_str(SYMFONY).unwrap();
    let (mut somebody, mut nobody, mut unclear) = (0, 0, 0);
    for row in &rows {
        for handler in Handler::ALL {
            let Some(session) = row[handler.name()].as_str() else {
                continue;
            };
            let shown = format!("{} {} {}", row["symfony"], row["case"], handler.name());
            let session = STANDARD.decode(session).unwrap();
            let found = at(&session, TOKEN);
            match row["case"].as_str().unwrap() {
                "two names"
                | "an entity that writes itself"
                | "an entity of its own form"
                | "a second factor" => {
                    assert!(found.is_err(), "{shown}: {found:?}");
                    unclear += 1;
                }
                _ => {
                    assert_eq!(found, Ok(text(&row["identifier"])), "{shown}");
                    if row["identifier"].is_null() {
                        nobody += 1
                    } else {
                        somebody += 1
                    }
                }
            }
            let second_factor = row["case"] == "a second factor";
            let authenticated = Scalar::Boolean(row["identifier"].is_string());
            let found = at(&session, &format!("{TOKEN}.authenticated"));
            assert!(
                second_factor || found == Ok(Some(authenticated)),
                "{shown}: {found:?}"
            );
            for path in [format!("{TOKEN}.email"), format!("{TOKEN}.user.email")] {
                if row["case"] != "an entity of its own form" {
                    assert_eq!(at(&session, &path), Ok(text(&row["email"])), "{shown}");
                }
            }
            let typed = Scalar::Text(b"typed".into());
            let last_username = at(&session, r"_sf2_attributes._security\.last_username");
            assert_eq!(last_username, Ok(Some(typed)), "{shown}");
        }
    }
    assert!(
        somebody > 60 && nobody >= 20 && unclear > 20,
        "{somebody} {nobody} {unclear}"
    );
}

#[test]
fn a_path_may_name_what_the_token_does_not_tell() {
    let rows: Vec<Value> = serde_json::from_str(SYMFONY).unwrap();
    for row in &rows {
        let session = STANDARD.decode(row["php"].as_str().unwrap()).unwrap();
        let paths: &[&str] = match row["case"].as_str().unwrap() {
            "two names" => &["username", "user.username", "2.0.username"],
            "an entity that writes itself" | "an entity of its own form" => &["user.1", "2.0.1"],
            "a name" => &["username", "user", "user.userIdentifier", "2.0"],
            "remembered" => &["2.0.email"],
            "a guard" | "an authenticator" | "of the site" => &["1.0.email"],
            "an entity" | "authenticated before" | "with attributes" => &["2.0.email"],
            _ => continue,
        };
        for path in paths {
            let found = at(&session, &format!("{TOKEN}.{path}"));
            let shown = format!("{} {} {path}", row["symfony"], row["case"]);
            assert_eq!(found, Ok(text(&row["identifier"])), "{shown}");
        }
    }
}

#[test]
fn nothing_is_found_in_the_token_of_nobody() {
    let rows: Vec<Value> = serde_json::from_str(SYMFONY).unwrap();
    let mut tried = 0;
    for row in rows.iter().filter(|row| row["identifier"].is_null()) {
        let session = STANDARD.decode(row["php"].as_str().unwrap()).unwrap();
        for path in [
            "user",
            "email",
            "user.email",
            "1.0",
            "2.0",
            "2.0.email",
            "1.0.email",
            "2.0.id",
        ] {
            let found = at(&session, &format!("{TOKEN}.{path}"));
            assert!(
                matches!(found, Ok(None)),
                "{} {} {path}: {found:?}",
                row["symfony"],
                row["case"]
            );
            tried += 1;
        }
    }
    assert!(tried > 100, "{tried}");
}

#[test]
fn a_login_name_is_never_taken_for_a_token() {
    // Whoever may choose a login name must not become somebody by it.
    let name = r#"O:6:"AToken":2:{i:0;i:0;i:1;a:4:{i:0;s:5:"admin";i:1;b:1;i:2;a:0:{}i:3;a:0:{}}}"#;
    for key in ["user", "_security", "_security."] {
        let session = format!("{key}|s:{}:\"{name}\";", name.len());
        let found = at(session.as_bytes(), &key.replace('.', r"\."));
        assert_eq!(found, Ok(Some(Scalar::Text(name.into()))), "{key}");
    }
    let session = format!("_security_main|s:{}:\"{name}\";", name.len());
    let found = at(session.as_bytes(), "_security_main");
    assert_eq!(found, Ok(Some(Scalar::Text(b"admin".into()))));
}
