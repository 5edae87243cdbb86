//! Every verdict that real software gave, given again.
//!
//! `tests/data/README.md` says where each file comes from.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test may fail so"
)]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hallpass_passwords::Context;
use hallpass_passwords::Encoded;
use hallpass_passwords::Limits;
use hallpass_passwords::Outcome;
use hallpass_passwords::Rules;
use serde_json::Value;

fn replay(file: &str) {
    let path = format!("{}/tests/data/{file}", env!("CARGO_MANIFEST_DIR"));
    let rows: Vec<Value> = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    assert!(!rows.is_empty());
    let mut wrong = Vec::new();
    for row in &rows {
        let text = |key: &str| row[key].as_str();
        let rules = Rules::from_name(text("rules").unwrap()).unwrap();
        let password = match text("password_b64") {
            Some(encoded) => STANDARD.decode(encoded).unwrap(),
            None => text("password").unwrap().as_bytes().to_vec(),
        };
        let context = Context {
            login_name: row["context"]["login_name"].as_str(),
            salt: row["context"]["user_passwd_salt"].as_str(),
        };
        let encoded = text("encoded").unwrap();
        let outcome = match Encoded::parse(rules, encoded) {
            Ok(encoded) => encoded.verify(&password, &context, &Limits::default()),
            Err(error) => error.into(),
        };
        let refused = row["refused"] == Value::Bool(true);
        let expected = row["verdict"] == Value::Bool(true) && !refused;
        if (outcome == Outcome::Match) != expected {
            wrong.push(format!("{outcome:?} for {row}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        rows.len(),
        wrong.join("\n")
    );
}

#[test]
fn django() {
    replay("django.json");
}

#[test]
fn drupal() {
    replay("drupal.json");
}

#[test]
fn drupal7() {
    replay("drupal7.json");
}

#[test]
fn joomla3() {
    replay("joomla3.json");
}

#[test]
fn php() {
    replay("php.json");
}

#[test]
fn php_blowfish() {
    replay("php_blowfish.json");
}

#[test]
fn phpbb() {
    replay("phpbb.json");
}

#[test]
fn recorded() {
    replay("recorded.json");
}

#[test]
fn wordpress() {
    replay("wordpress.json");
}

#[test]
fn passlib() {
    replay("passlib.json");
}

#[test]
fn werkzeug() {
    replay("werkzeug.json");
}

#[test]
fn spring() {
    replay("spring.json");
}

#[test]
fn ldap() {
    replay("ldap.json");
}
