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
            salt: row["context"]["user_passwd_salt"]
                .as_str()
                .or(row["context"]["salt"].as_str()),
            pepper: row["context"]["pepper"].as_str().map(str::as_bytes),
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
fn devise() {
    replay("devise.json");
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

#[test]
fn magento() {
    replay("magento.json");
}

#[test]
fn mediawiki() {
    replay("mediawiki.json");
}

#[test]
fn nextcloud() {
    replay("nextcloud.json");
}

#[test]
fn xenforo() {
    replay("xenforo.json");
}

/// phpBB's converted hashes are those of the boards that it came from, behind `$CP$`.
#[test]
fn salts_and_names_in_columns_of_their_own() {
    let path = format!("{}/tests/data/phpbb.json", env!("CARGO_MANIFEST_DIR"));
    let rows: Vec<Value> = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let mut asked = [0, 0];
    for row in &rows {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let (name, salt) = (
            &row["context"]["login_name"],
            &row["context"]["user_passwd_salt"],
        );
        let (name, salt) = (text(name), text(salt));
        let (Some(password), Some(encoded)) = (text(&row["password"]), text(&row["encoded"]))
        else {
            continue;
        };
        let Some(digest) = encoded.strip_prefix("$CP$") else {
            continue;
        };
        // phpBB trims and escapes what is typed, and takes 0 for nothing; boards before it did not.
        if !password.bytes().all(|byte| byte.is_ascii_alphabetic()) || password.is_empty() {
            continue;
        }
        let check = |rules, context: &Context<'_>| match Encoded::parse(rules, digest) {
            Ok(encoded) => encoded.verify(password.as_bytes(), context, &Limits::default()),
            Err(error) => error.into(),
        };
        let context = Context {
            login_name: name.as_deref(),
            salt: salt.as_deref(),
            pepper: None,
        };
        let right = row["verdict"] == Value::Bool(true);
        // MyBB takes an empty salt for none: the hash is then plain MD5.
        if salt.as_deref() == Some("") {
            continue;
        }
        if salt.is_some() && name.is_none() {
            asked[usize::from(right)] += 1;
            let outcome = check(Rules::Salted, &context);
            assert_eq!(outcome == Outcome::Match, right, "{row}");
            let another = Context {
                salt: Some("another"),
                ..context
            };
            assert_ne!(check(Rules::Salted, &another), Outcome::Match, "{row}");
        } else if name.is_some() && digest.len() == 40 {
            asked[usize::from(right)] += 1;
            let outcome = check(Rules::Smf, &context);
            assert_eq!(outcome == Outcome::Match, right, "{row}");
            assert_ne!(check(Rules::Smf, &Context::default()), Outcome::Match);
        }
    }
    assert!(asked.iter().all(|asked| *asked > 3), "{asked:?}");
}

#[test]
fn aspnet() {
    replay("aspnet.json");
}

#[test]
fn django_wrapped() {
    replay("django_wrapped.json");
}
