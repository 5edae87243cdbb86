//! Tokens that a site signs, as a credential of its accounts. The tokens are PyJWT's
//! (`tests/vectors/jwt.py`).
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod site;

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, SystemTime};

use hallpass_core::{
    Authenticator, ClaimedName, Conditions, Configuration, Credential, Deadline, Request,
    Requirement, Secret, Verdict,
};
use serde_json::Value;
use site::{Site, ask_at, encoded};

fn vectors() -> Value {
    serde_json::from_str(include_str!("data/jwt.json")).unwrap()
}

fn token(note: &str) -> String {
    let vectors = vectors();
    let cases = vectors["cases"].as_array().unwrap();
    let case = cases.iter().find(|case| case["note"] == note).unwrap();
    case["token"].as_str().unwrap().to_owned()
}

const NOW: u64 = 1_800_000_000;

fn people() -> Site {
    let site = Site::new();
    site.add(7, "alice", &encoded("secret", 1), true);
    site.add(8, "bob", &encoded("secret", 1), true);
    let vectors = vectors();
    for (name, pem) in vectors["public"].as_object().unwrap() {
        let path = site.directory.path().join(format!("{name}.pem"));
        std::fs::write(path, pem.as_str().unwrap()).unwrap();
    }
    for (name, set) in vectors["sets"].as_object().unwrap() {
        let path = site.directory.path().join(format!("{name}.json"));
        std::fs::write(path, set.to_string()).unwrap();
    }
    site
}

const RSA: &str = "[jwt]\npublic_key = { file = \"rsa.pem\" }\n";

fn authenticator(site: &Site, more: &str) -> Authenticator {
    site.authenticator(&format!("{RSA}leeway = \"0s\"\n{more}"))
}

fn signed(token: &str, owner: Option<&str>) -> Request {
    let name = owner.map_or(ClaimedName::Nameless, |name| {
        ClaimedName::Named(name.to_owned())
    });
    Request::new(name, Credential::Jwt(Secret::new(token)))
}

/// A secret that everybody may read is warned of, and a file that everybody may write.
#[test]
fn everybody_may_read_a_public_key_and_nobody_else_write_it() {
    let site = people();
    let path = site.directory.path().join("hallpass.toml");
    let text = format!(
        "framework = \"django\"\ndatabase = \"sqlite:db.sqlite3\"\ndjango.secret_key = {{ file = \
         \"key\" }}\n{RSA}user = \"user\"\n"
    );
    let write = |name: &str, text: &str, mode: u32| {
        let path = site.directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
    };
    let pem = vectors()["public"]["rsa"].as_str().unwrap().to_owned();
    write("hallpass.toml", &text, 0o600);
    for (key, public, expected) in [
        (0o600, 0o644, 0),
        (0o644, 0o644, 1),
        (0o600, 0o666, 1),
        (0o600, 0o664, 1),
    ] {
        write("key", "a key", key);
        write("rsa.pem", &pem, public);
        let warnings = Configuration::load(&path).unwrap().warnings;
        assert_eq!(warnings.len(), expected, "{warnings:?}");
    }
}

#[test]
fn the_account_is_looked_up_at_every_question() {
    let site = people();
    let by_name = &mut authenticator(&site, "user = \"user\"");
    let by_key = &mut authenticator(&site, "user_id = \"sub\"");
    let token = token("signed by rsa");
    for asked in [&mut *by_name, &mut *by_key] {
        assert_eq!(ask_at(asked, &signed(&token, None), NOW), "alice");
        assert_eq!(ask_at(asked, &signed(&token, Some("alice")), NOW), "alice");
        for other in ["bob", "Alice", "alice ", "nobody", "", "7"] {
            let verdict = ask_at(asked, &signed(&token, Some(other)), NOW);
            assert_eq!(verdict, "wrong-user", "{other}");
        }
        assert_eq!(ask_at(asked, &signed(&token, None), NOW + 59), "alice");
        assert_eq!(
            ask_at(asked, &signed(&token, None), NOW + 60),
            "expired-session"
        );
    }
    for (change, name, key) in [
        (
            "UPDATE auth_user SET is_active = 0 WHERE id = 7",
            "inactive",
            "inactive",
        ),
        (
            "UPDATE auth_user SET is_active = 1 WHERE id = 7",
            "alice",
            "alice",
        ),
        (
            "UPDATE auth_user SET username = 'alicia' WHERE id = 7",
            "unknown-user",
            "alicia",
        ),
        (
            "DELETE FROM auth_user WHERE id = 7",
            "unknown-user",
            "unknown-user",
        ),
    ] {
        site.database().execute(change, []).unwrap();
        assert_eq!(
            ask_at(by_name, &signed(&token, None), NOW),
            name,
            "{change}"
        );
        assert_eq!(ask_at(by_key, &signed(&token, None), NOW), key, "{change}");
    }
}

#[test]
fn conditions_and_the_end_hold_for_tokens_too() {
    let site = people();
    let mut people = authenticator(&site, "user = \"user\"");
    let token = token("signed by rsa");
    let request = Request {
        conditions: Conditions {
            any: vec![Requirement::Staff],
            all: Vec::new(),
        },
        ..signed(&token, None)
    };
    assert_eq!(ask_at(&mut people, &request, NOW), "not-permitted");
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(NOW);
    let deadline = Deadline::after(Duration::from_secs(60));
    let Verdict::Granted(identity) = people.answer(&signed(&token, None), now, deadline) else {
        panic!("alice has a token");
    };
    let session = identity.session.unwrap();
    assert_eq!(session.expires, Some(now + Duration::from_secs(60)));
    assert_eq!(
        session.decoded.to_string(),
        "a token that the site signed, JWT, RS256"
    );
    assert!(!token.contains(&session.digest) && session.digest.len() == 32);
}

#[test]
fn two_accounts_of_a_name_are_none() {
    let site = people();
    site.add(9, "Alice", &encoded("secret", 1), true);
    let token = token("signed by rsa");
    let mut exact = authenticator(&site, "user = \"user\"");
    assert_eq!(ask_at(&mut exact, &signed(&token, None), NOW), "alice");
    let more = "user = \"user\"\n[access]\nignore_case = true";
    let mut any_case = authenticator(&site, more);
    assert_eq!(
        ask_at(&mut any_case, &signed(&token, None), NOW),
        "unknown-user"
    );
}

#[test]
fn a_token_is_no_other_credential_and_no_other_is_a_token() {
    let site = people();
    site.log_in("abcdefghijklmnopqrstuvwxyz012345", 7);
    let tickets = "user = \"user\"\n[tickets]\nkey = \"0123456789abcdef0123456789abcdef\"";
    let mut people = authenticator(&site, tickets);
    let token = token("signed by rsa");
    for credential in [
        Credential::Session(Secret::new(&*token)),
        Credential::Ticket(Secret::new(&*token)),
        Credential::Token(Secret::new(&*token)),
        Credential::Cookies(Secret::new(format!("sessionid={token}"))),
        Credential::Jwt(Secret::new("abcdefghijklmnopqrstuvwxyz012345")),
        Credential::Jwt(Secret::new("")),
    ] {
        let shown = format!("{credential:?}");
        let verdict = ask_at(
            &mut people,
            &Request::new(ClaimedName::Nameless, credential),
            NOW,
        );
        assert_ne!(verdict, "alice", "{shown}");
    }
    let password = Credential::Password(Secret::new(&*token));
    let request = Request::new(ClaimedName::Named("alice".to_owned()), password);
    assert_eq!(ask_at(&mut people, &request, NOW), "wrong-password");
    // Without the table no token counts.
    let mut without = site.authenticator("");
    assert_eq!(
        ask_at(&mut without, &signed(&token, None), NOW),
        "invalid-session"
    );
}

#[test]
fn where_a_token_stands_for_a_session_its_form_tells_it() {
    let site = people();
    let kind = |configuration: &Configuration, token: &str| match configuration
        .session_token(Secret::new(token))
    {
        Credential::Jwt(_) => "jwt",
        Credential::Session(_) => "session",
        _ => "other",
    };
    let with = site.configuration(&format!("{RSA}user = \"user\"\ncookie = \"token\""));
    let without = site.configuration("");
    let token = token("signed by rsa");
    assert_eq!(kind(&with, &token), "jwt");
    assert_eq!(kind(&without, &token), "session");
    for other in [
        "",
        "a.b.c",
        "abcdefghijklmnopqrstuvwxyz012345",
        "eyJ1IjoxfQ.aSx6Qw.5aB1TzSx",
    ] {
        assert_eq!(kind(&with, other), "session", "{other}");
    }
    let header = format!("token={token}; token=x");
    assert!(matches!(
        with.session_in([header.as_bytes()]),
        Some(Credential::Jwt(_))
    ));
    assert!(without.session_in([header.as_bytes()]).is_none());
    let both = format!("sessionid=abc; {header}");
    assert!(matches!(
        with.session_in([both.as_bytes()]),
        Some(Credential::Session(_))
    ));
}

#[test]
fn what_cannot_verify_anything_is_refused_at_the_start() {
    let site = people();
    let error = |table: &str| {
        let text = format!(
            "framework = \"django\"\ndatabase = \"sqlite:db.sqlite3\"\ndjango.secret_key = \
             \"x\"\n[jwt]\n{table}"
        );
        let path = site.directory.path().join("hallpass.toml");
        Configuration::parse(&path, &text).map_or_else(|error| error.to_string(), |_| String::new())
    };
    let pem = "public_key = { file = \"rsa.pem\" }\nuser = \"user\"\n";
    let secret = "key = \"0123456789abcdef0123456789abcdef\"\nuser = \"user\"\n";
    for (table, expected) in [
        (pem, ""),
        (&*format!("{secret}algorithms = [\"HS256\"]"), ""),
        (
            &format!("{pem}algorithms = [\"RS256\", \"ES256\"]"),
            "algorithms",
        ),
        (&format!("{pem}algorithms = [\"HS256\"]"), "algorithms"),
        (&format!("{pem}algorithms = []"), "algorithms"),
        (&format!("{pem}algorithms = [\"none\"]"), "algorithms"),
        (&format!("{pem}algorithms = [\"rs256\"]"), "algorithms"),
        (secret, "algorithms"),
        (
            "jwks = { file = \"several.json\" }\nuser = \"user\"\nalgorithms = [\"RS256\", \"EdDSA\"]",
            "",
        ),
        (
            "jwks = { file = \"secret.json\" }\nuser = \"user\"\nalgorithms = [\"HS256\"]",
            "jwks",
        ),
        ("jwks = { file = \"twice.json\" }\nuser = \"user\"", "jwks"),
        (
            "jwks = { file = \"missing.json\" }\nuser = \"user\"",
            "jwks",
        ),
        (
            "public_key = { file = \"short_rsa.pem\" }\nuser = \"user\"",
            "public_key",
        ),
        (
            "public_key = { file = \"p384.pem\" }\nuser = \"user\"\nalgorithms = [\"ES256\"]",
            "public_key",
        ),
        (
            "key = \"short\"\nuser = \"user\"\nalgorithms = [\"HS256\"]",
            "key",
        ),
        (
            "key = { file = \"rsa.pem\" }\nuser = \"user\"\nalgorithms = [\"HS256\"]",
            "key",
        ),
        (
            &format!("{pem}{}", secret.lines().next().unwrap()),
            "public_key",
        ),
        ("user = \"user\"", "key"),
        ("public_key = { file = \"rsa.pem\" }", "user"),
        (&format!("{pem}user_id = \"sub\""), "user_id"),
        ("public_key = { file = \"rsa.pem\" }\nuser = \"\"", "user"),
        (&format!("{pem}issuer = \"\""), "issuer"),
        (&format!("{pem}audience = \"\""), "audience"),
        (&format!("{pem}leeway = \"11m\""), "leeway"),
        (&format!("{pem}cookie = \"a b\""), "cookie"),
        (&format!("{pem}isuer = \"x\""), "isuer"),
    ] {
        let error = error(table);
        match expected {
            "" => assert_eq!(error, "", "{table}"),
            key => assert!(
                error.contains(&format!("jwt.{key}: ")),
                "{key}: {error}\n{table}"
            ),
        }
        assert!(!error.contains("0123456789"), "{error}");
    }
    let php = "framework = \"php\"\nphp.save_handler = \"files\"\nphp.save_path = \"/x\"\nphp.user = \"u\"\n";
    let path = site.directory.path().join("hallpass.toml");
    let error = Configuration::parse(&path, &format!("{php}[jwt]\n{pem}")).unwrap_err();
    assert!(error.to_string().contains("jwt: has no effect"), "{error}");
}
