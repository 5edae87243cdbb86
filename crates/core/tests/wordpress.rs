//! A recorded WordPress 6.9.1, alone and as a network, with what it said itself of cookies, names,
//! passwords, roles and capabilities; and each of them with something wrong.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod recorded;
mod tampered;

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use hallpass_core::{
    Authenticator, ClaimedName, Conditions, Credential, Deadline, Request, Requirement, Secret,
    Shared, Verdict,
};
use serde_json::Value;

use self::recorded::{
    Site, ask, explained, identity, in_group, password, session, session_of, vouched,
};
use self::tampered::{Good, refuse_what_is_made_of};

const DUMP: &str = include_str!("data/wordpress-6.9.1.sql");
const VECTORS: &str = include_str!("data/wordpress-6.9.1.json");
const COOKIE: &str = "wordpress_logged_in_5ff3353fa1e44d6334a5c2e09370f205";
/// When the vectors were made.
const NOW: u64 = 1_780_315_260;

fn vectors() -> Value {
    serde_json::from_str(VECTORS).unwrap()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap()
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// The site as it was recorded, with the rows of `state` where one is given.
fn site(state: Option<&Value>) -> Site {
    let site = Site::load(DUMP);
    if let Some(state) = state {
        put(&site, state);
    }
    site
}

/// Puts the accounts of `state` in place of those that are there.
fn put(site: &Site, state: &Value) {
    let mut statements = String::from("DELETE FROM wp_users; DELETE FROM wp_usermeta;");
    for (table, rows) in [
        ("wp_users", &state["users"]),
        ("wp_usermeta", &state["usermeta"]),
    ] {
        for row in rows.as_array().unwrap() {
            let row = row.as_object().unwrap();
            let names: Vec<&str> = row.keys().map(String::as_str).collect();
            let values: Vec<String> = row
                .values()
                .map(|value| literal(value.as_str().unwrap()))
                .collect();
            write!(
                statements,
                "INSERT INTO {table} ({}) VALUES ({});",
                names.join(", "),
                values.join(", ")
            )
            .unwrap();
        }
    }
    site.run(&statements);
}

fn state<'a>(vectors: &'a Value, name: &str) -> &'a Value {
    let mut states = vectors["states"].as_array().unwrap().iter();
    states.find(|state| state["name"] == name).unwrap()
}

/// `wp-config.php` with these keys, and more at its end.
fn config(keys: &[(String, String)], more: &str) -> String {
    let mut text = String::from(
        "<?php\ndefine( 'DB_NAME', 'wp' );\ndefine( 'DB_USER', 'wp' );\n\
         define( 'DB_PASSWORD', 'geheim' );\ndefine( 'DB_HOST', 'localhost' );\n\
         $table_prefix = 'wp_';\n",
    );
    for (name, key) in keys {
        writeln!(text, "define( '{name}', '{key}' );").unwrap();
    }
    text + more
        + "\nif ( ! defined( 'ABSPATH' ) ) {\n\tdefine( 'ABSPATH', __DIR__ . '/' );\n}\n\
           require_once ABSPATH . 'wp-settings.php';\n"
}

fn keys(vectors: &Value) -> Vec<(String, String)> {
    let keys = vectors["site"]["keys"].as_object().unwrap();
    let pair = |(name, key): (&String, &Value)| (name.clone(), key.as_str().unwrap().to_owned());
    keys.iter().map(pair).collect()
}

/// The site by its own file, with `more` in `[wordpress]`.
fn authenticator(site: &Site, more: &str) -> Authenticator {
    let vectors = vectors();
    site.write("wp-config.php", &config(&keys(&vectors), ""));
    by_file(site, more)
}

fn by_file(site: &Site, more: &str) -> Authenticator {
    site.authenticator(&format!(
        "framework = \"wordpress\"\ndatabase = \"sqlite:db.sqlite3\"\n\
         passwords.dummy = \"pbkdf2_sha256$1\"\nlimits.failures = 0\n[wordpress]\n\
         configuration = \"wp-config.php\"\n{more}"
    ))
}

fn cookies(header: &str) -> Request {
    Request::new(
        ClaimedName::Nameless,
        Credential::Cookies(Secret::new(header)),
    )
}

fn can(site: &mut Authenticator, name: &str, permission: &str) -> bool {
    let request = Request {
        conditions: Conditions {
            any: Vec::new(),
            all: vec![Requirement::Permission(permission.to_owned())],
        },
        ..vouched(name)
    };
    match ask(site, &request, NOW).as_str() {
        "not-permitted" => false,
        granted if granted == name => true,
        other => panic!("{name} {permission}: {other}"),
    }
}

fn is_superuser(site: &mut Authenticator, name: &str) -> bool {
    let request = Request {
        conditions: Conditions {
            any: Vec::new(),
            all: vec![Requirement::Superuser],
        },
        ..vouched(name)
    };
    ask(site, &request, NOW) == name
}

#[test]
fn cookies_are_good_or_not_as_wordpress_said() {
    let vectors = vectors();
    let site = site(None);
    let mut wordpress = authenticator(&site, "");
    let mut at = "";
    let mut seen = [0, 0];
    for vector in vectors["vectors"].as_array().unwrap() {
        // Other schemes are never read, and there is no grace here.
        if text(vector, "scheme") != "logged_in" {
            continue;
        }
        if text(vector, "state") != at {
            at = text(vector, "state");
            put(&site, state(&vectors, at));
        }
        let now = vector["now"].as_u64().unwrap();
        let graced = vector["method"] == "POST" && vector["valid"] == true;
        let valid = vector["valid"] == true && !graced;
        let (cookie, note) = (text(vector, "cookie"), text(vector, "name"));
        for request in [session(cookie), cookies(text(vector, "cookie_header"))] {
            let answer = ask(&mut wordpress, &request, now);
            match valid {
                true => assert_eq!(answer, text(vector, "user_login"), "{note}"),
                false => assert!(
                    [
                        "expired-session",
                        "invalid-session",
                        "no-session",
                        "unknown-user"
                    ]
                    .contains(&answer.as_str()),
                    "{note}: {answer}"
                ),
            }
        }
        seen[usize::from(valid)] += 1;
    }
    assert!(seen[0] > 10 && seen[1] > 8, "{seen:?}");
}

#[test]
fn a_session_lives_to_its_last_second_and_belongs_to_one_account() {
    let vectors = vectors();
    let site = site(Some(state(&vectors, "s0")));
    let mut wordpress = authenticator(&site, "");
    let find = |name: &str| {
        let all = vectors["vectors"].as_array().unwrap().iter();
        let mut named = all.filter(|vector| vector["name"] == name);
        text(named.next().unwrap(), "cookie").to_owned()
    };
    let admin = find("valid admin");
    let end = 1_780_488_000;
    for (now, expected) in [(NOW, "admin"), (end, "admin"), (end + 1, "expired-session")] {
        assert_eq!(
            ask(&mut wordpress, &session(&admin), now),
            expected,
            "{now}"
        );
    }
    let identity = identity(&mut wordpress, session(&admin), NOW);
    assert_eq!(
        (identity.id.as_str(), identity.email.as_str()),
        ("1", "admin@example.org")
    );
    assert_eq!(identity.groups, ["administrator"]);
    for name in ["bob", "alice", "adm", "nobody", "1"] {
        assert_eq!(
            ask(&mut wordpress, &session_of(&admin, name), NOW),
            "wrong-user",
            "{name}"
        );
    }
    for name in [
        "admin",
        "ADMIN",
        " admin ",
        "admin@example.org",
        "<b>admin</b>",
    ] {
        assert_eq!(
            ask(&mut wordpress, &session_of(&admin, name), NOW),
            "admin",
            "{name}"
        );
    }
    // The token has an end of its own.
    site.run(&format!(
        "UPDATE wp_usermeta SET meta_value = REPLACE(meta_value, 'i:{end};', 'i:{NOW};') WHERE \
         user_id = 1 AND meta_key = 'session_tokens'"
    ));
    assert_eq!(ask(&mut wordpress, &session(&admin), NOW), "admin");
    assert_eq!(
        ask(&mut wordpress, &session(&admin), NOW + 1),
        "expired-session"
    );
}

#[test]
fn a_cookie_with_anything_changed_is_refused() {
    let vectors = vectors();
    let site = site(Some(state(&vectors, "s0")));
    let mut wordpress = authenticator(&site, "");
    let admin = text(&vectors["vectors"][0], "cookie").to_owned();
    assert_eq!(ask(&mut wordpress, &session(&admin), NOW), "admin");
    for place in 0..admin.len() {
        for letter in ['0', 'b', '|', '%', 'Z', ' ', '\'', 'é'] {
            let mut changed: Vec<char> = admin.chars().collect();
            if changed[place] == letter {
                continue;
            }
            changed[place] = letter;
            let changed: String = changed.into_iter().collect();
            let answer = ask(&mut wordpress, &session(&changed), NOW);
            assert!(
                answer.ends_with("-session") || answer == "unknown-user",
                "{changed}: {answer}"
            );
        }
        let cut = admin.get(..place).unwrap();
        assert_ne!(ask(&mut wordpress, &session(cut), NOW), "admin", "{cut}");
    }
    let parts: Vec<&str> = admin.split('|').collect();
    for changed in [
        format!("{admin}|"),
        format!("|{admin}"),
        format!("{admin}{admin}"),
        [parts[0], parts[1], parts[3], parts[2]].join("|"),
        [parts[0], parts[1], parts[2], ""].join("|"),
        ["bob", parts[1], parts[2], parts[3]].join("|"),
        ["1", parts[1], parts[2], parts[3]].join("|"),
        [parts[0], parts[1], "", parts[3]].join("|"),
        [parts[0], parts[1], parts[3]].join("|"),
        "admin|1780488000||".to_owned(),
        "|||".to_owned(),
    ] {
        assert_ne!(
            ask(&mut wordpress, &session(&changed), NOW),
            "admin",
            "{changed}"
        );
    }
    let escaped = admin.replace('|', "%7C");
    for (header, expected) in [
        (format!("{COOKIE}={escaped}"), "admin"),
        (format!("a=b; {COOKIE}={escaped}; c=d"), "admin"),
        (format!("{COOKIE}={admin}"), "admin"),
        (
            format!("{COOKIE}={}", escaped.replace('%', "%25")),
            "no-session",
        ),
        (format!("{COOKIE}=x; {COOKIE}={escaped}"), "no-session"),
        (
            format!("wordpress_5ff3353fa1e44d6334a5c2e09370f205={escaped}"),
            "no-session",
        ),
        (
            format!("wordpress_sec_5ff3353fa1e44d6334a5c2e09370f205={escaped}"),
            "no-session",
        ),
        (format!("wordpress_logged_in={escaped}"), "no-session"),
        (
            format!("wordpress_logged_in_00000000000000000000000000000000={escaped}"),
            "no-session",
        ),
        (format!("{}={escaped}", COOKIE.to_uppercase()), "no-session"),
        (String::new(), "no-session"),
    ] {
        assert_eq!(
            ask(&mut wordpress, &cookies(&header), NOW),
            expected,
            "{header}"
        );
    }
}

/// A name beyond ASCII stands percent-encoded in the cookie, and is signed as it stands there.
#[test]
fn names_beyond_ascii_have_sessions() {
    let vectors = vectors();
    let site = site(None);
    let mut wordpress = authenticator(&site, "");
    // Signed by `wp_generate_auth_cookie` of 6.9 with this password and token.
    site.run(&format!(
        "UPDATE wp_users SET user_pass = '$wp$2y$10$xxxx' WHERE user_login = 'Jörg'; \
         DELETE FROM wp_usermeta WHERE meta_key = 'session_tokens'; INSERT INTO wp_usermeta SELECT \
         9000, ID, 'session_tokens', '{}' FROM wp_users WHERE user_login = 'Jörg'",
        "a:1:{s:64:\"3c469e9d6c5875d37a43f353d4f88e61fcf812c66eee3457465a40b0da4153e0\";\
         a:1:{s:10:\"expiration\";i:1780488000;}}"
    ));
    let hmac = "c93144797c49a8dc8f2dc980a1816500f9e11255d7aac46ea15b5f365024a7fe";
    let cookie = format!("Jörg|1780488000|token|{hmac}");
    let escaped = cookie.replace('ö', "%C3%B6").replace('|', "%7C");
    for request in [session(&cookie), cookies(&format!("{COOKIE}={escaped}"))] {
        // SQLite folds case alone: the name without its accent is nobody's there, as it would be in a
        // table whose collation tells accents apart.
        assert_eq!(ask(&mut wordpress, &request, NOW), "unknown-user");
    }
    site.run("UPDATE wp_users SET user_login = 'Jorg' WHERE user_login = 'Jörg'");
    for request in [session(&cookie), cookies(&format!("{COOKIE}={escaped}"))] {
        assert_eq!(ask(&mut wordpress, &request, NOW), "Jorg");
    }
    drop(vectors);
}

#[test]
fn keys_come_from_where_wordpress_takes_them() {
    let vectors = vectors();
    for case in vectors["keys"].as_array().unwrap() {
        let name = text(case, "name");
        let site = site(None);
        let token = text(case, "token");
        site.run(&format!(
            "UPDATE wp_users SET user_pass = {} WHERE ID = 1; DELETE FROM wp_usermeta WHERE user_id = 1 \
             AND meta_key = 'session_tokens'; INSERT INTO wp_usermeta VALUES (9000, 1, \
             'session_tokens', {})",
            literal(text(&case["rows"], "user_pass")),
            literal(&format!("a:1:{{s:64:\"{}\";i:1780488000;}}", sha256(token))),
        ));
        for (option, value) in case["options"].as_object().into_iter().flatten() {
            let value = literal(value.as_str().unwrap());
            site.run(&format!(
                "INSERT INTO wp_options VALUES (9000, '{option}', {value}, 'on')"
            ));
        }
        let given = case["wp_config_keys"].as_array().unwrap().iter();
        let given = given.map(|pair| (pair[0].as_str().unwrap(), pair[1].as_str().unwrap()));
        let given: Vec<(String, String)> = given
            .map(|(name, key)| (name.to_owned(), key.to_owned()))
            .collect();
        site.write("wp-config.php", &config(&given, ""));
        let cookie = session(text(case, "cookie"));
        let now = case["valid_now"].as_u64().unwrap();
        assert_eq!(
            ask(&mut by_file(&site, ""), &cookie, now),
            "admin",
            "{name}"
        );
        // The same keys in the configuration, and no file of the site's.
        let mut tables = String::from("table_prefix = \"wp_\"\n");
        for (name, key) in given.iter().filter(|(_, key)| !key.is_empty()) {
            writeln!(tables, "{} = '{key}'", name.to_lowercase()).unwrap();
        }
        let mut by_keys = site.authenticator(&format!(
            "framework = \"wordpress\"\ndatabase = \"sqlite:db.sqlite3\"\n[wordpress]\n{tables}"
        ));
        assert_eq!(ask(&mut by_keys, &cookie, now), "admin", "{name}");
        for other in [
            "logged_in_key = \"another\"",
            "logged_in_salt = \"another\"",
        ] {
            let answer = ask(&mut by_file(&site, other), &cookie, now);
            assert_eq!(answer, "invalid-session", "{name}: {other}");
        }
        // Without the key that it fell back to, WordPress would make one up.
        if case["options"]
            .as_object()
            .is_some_and(|options| !options.is_empty())
        {
            site.run("DELETE FROM wp_options WHERE option_name LIKE 'logged_in_%'");
            assert_eq!(
                ask(&mut by_file(&site, ""), &cookie, now),
                "invalid-session",
                "{name}"
            );
        }
    }
}

fn sha256(text: &str) -> String {
    use sha2::{Digest as _, Sha256};

    let digest = Sha256::digest(text);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_cookie_is_called_as_wordpress_calls_it() {
    let vectors = vectors();
    for case in vectors["cookie_names"].as_array().unwrap() {
        let name = text(case, "name");
        let site = site(Some(state(&vectors, "s0")));
        let mut more = String::new();
        if let Some(siteurl) = case.get("siteurl_option").and_then(Value::as_str) {
            site.run(&format!(
                "UPDATE wp_options SET option_value = {} WHERE option_name = 'siteurl'",
                literal(siteurl)
            ));
        }
        if let Some(siteurl) = case.get("WP_SITEURL").and_then(Value::as_str) {
            more = format!("define('WP_SITEURL', '{siteurl}');");
        }
        site.write("wp-config.php", &config(&keys(&vectors), &more));
        let admin = text(&vectors["vectors"][0], "cookie").replace('|', "%7C");
        let header = format!("{}={admin}", text(case, "LOGGED_IN_COOKIE"));
        assert_eq!(
            ask(&mut by_file(&site, ""), &cookies(&header), NOW),
            "admin",
            "{name}"
        );
        let of_default = format!("{COOKIE}={admin}");
        let expected = if name == "root" {
            "admin"
        } else {
            "no-session"
        };
        assert_eq!(
            ask(&mut by_file(&site, ""), &cookies(&of_default), NOW),
            expected,
            "{name}"
        );
        let hash = format!("wordpress_logged_in_mine={admin}");
        let mut given = by_file(&site, "cookiehash = \"mine\"");
        assert_eq!(ask(&mut given, &cookies(&hash), NOW), "admin", "{name}");
        assert_eq!(
            ask(&mut given, &cookies(&header), NOW),
            "no-session",
            "{name}"
        );
        let mut given = by_file(&site, "logged_in_cookie = \"mine\"");
        assert_eq!(
            ask(&mut given, &cookies(&format!("mine={admin}")), NOW),
            "admin",
            "{name}"
        );
    }
    // A slash at the end of the option does not count on a single site.
    let site = site(Some(state(&vectors, "s0")));
    site.run(
        "UPDATE wp_options SET option_value = option_value || '/' WHERE option_name = 'siteurl'",
    );
    let header = text(&vectors["vectors"][0], "cookie_header");
    assert_eq!(
        ask(&mut authenticator(&site, ""), &cookies(header), NOW),
        "admin"
    );
}

#[test]
fn passwords_are_right_or_wrong_as_the_form_said() {
    let vectors = vectors();
    let site = site(None);
    let mut wordpress = authenticator(&site, "");
    let mut seen = 0;
    for case in vectors["passwords"].as_array().unwrap() {
        let encoded = text(case, "hash");
        let typed = match text(case, "typed") {
            "x*4097" => "x".repeat(4097),
            typed => typed.to_owned(),
        };
        if !encoded.starts_with('$') && encoded != "*" && encoded.len() > 5 {
            continue;
        }
        site.run(&format!(
            "UPDATE wp_users SET user_pass = {} WHERE ID = 15",
            literal(encoded)
        ));
        let expected = case["form_lets_in"] == true;
        let answer = ask(&mut wordpress, &password("frank", &typed), NOW);
        assert_eq!(answer == "frank", expected, "{encoded}: {answer}");
        let answer = ask(
            &mut wordpress,
            &password("frank", &format!("{typed}x")),
            NOW,
        );
        assert_ne!(answer, "frank", "{encoded}");
        seen += 1;
    }
    assert!(seen > 12, "{seen}");
    // Before 6.8 WordPress knows less.
    let mut old = authenticator(&site, "version = \"6.1\"");
    for (encoded, typed, expected) in [
        ("$P$BsH7DchFkc.hsNBZSm71Xq3tpzydLm0", "Pw-alice", "frank"),
        ("f0299188d21251962693eafdba287501", "Pw-bob", "frank"),
        (
            "$2y$10$5FwBPAaIjYMDqCnu0JK4RuUJg47vWz0EGPIe4T59Yrbq27KMBOHV2",
            "Pw-carl",
            "frank",
        ),
        (
            "$wp$2y$10$PogFNHvVm6OldHsZ0V9ZLOhG7d07.mSzutQDjGoWJWHoyc14cJipe",
            "Pw-admin",
            "unsupported-hash",
        ),
        ("", "", "unusable-password"),
    ] {
        site.run(&format!(
            "UPDATE wp_users SET user_pass = {} WHERE ID = 15",
            literal(encoded)
        ));
        assert_eq!(
            ask(&mut old, &password("frank", typed), NOW),
            expected,
            "{encoded}"
        );
    }
}

#[test]
fn names_are_found_as_the_form_finds_them() {
    let vectors = vectors();
    let site = site(None);
    let encoded = state(&vectors, "s0")["users"][1]["user_pass"]
        .as_str()
        .unwrap();
    site.run(&format!(
        "UPDATE wp_users SET user_pass = {}",
        literal(encoded)
    ));
    let mut wordpress = authenticator(&site, "");
    for case in vectors["names_typed_at_the_form"].as_array().unwrap() {
        let typed = text(case, "typed");
        let expected = case["cookie_user"].as_str().unwrap_or("unknown-user");
        let request = password(typed, "Pw-alice");
        assert_eq!(ask(&mut wordpress, &request, NOW), expected, "{typed:?}");
    }
    for (typed, expected) in [
        ("FRANK", "frank"),
        ("frank@EXAMPLE.org", "frank"),
        (" frank@example.org ", "frank"),
        ("fr%61nk", "unknown-user"),
        ("fra%61nk", "frank"),
        ("<i>frank</i>", "frank"),
        ("frank&amp;", "frank"),
        ("15", "unknown-user"),
        ("frank|x", "unknown-user"),
        ("fran_", "unknown-user"),
        ("fran%", "unknown-user"),
        ("frank@example.com", "unknown-user"),
    ] {
        assert_eq!(
            ask(&mut wordpress, &password(typed, "Pw-alice"), NOW),
            expected,
            "{typed:?}"
        );
    }
    // By its name alone, where the configuration says so, and before 4.5.
    for more in ["[access]\nlogin = [\"username\"]", "version = \"4.4\""] {
        let mut names = by_file(&site, more);
        let request = password("frank@example.org", "Pw-alice");
        assert_eq!(ask(&mut names, &request, NOW), "unknown-user", "{more}");
    }
    // A name that means two accounts means none.
    for twin in [
        "INSERT INTO wp_users (ID, user_login, user_pass, user_email, user_status, display_name) SELECT \
         99, 'FRANK', user_pass, 'other@example.org', 0, 'x' FROM wp_users WHERE ID = 15",
        "UPDATE wp_users SET user_login = 'x', user_email = 'frank@example.org' WHERE ID = 99",
    ] {
        site.run(twin);
        let name = if twin.starts_with("INSERT") {
            "frank"
        } else {
            "frank@example.org"
        };
        let answer = ask(&mut wordpress, &password(name, "Pw-alice"), NOW);
        assert_eq!(answer, "unknown-user", "{twin}");
    }
}

#[test]
fn the_session_of_a_twin_is_the_first_accounts_as_in_wordpress() {
    let vectors = vectors();
    let site = site(Some(state(&vectors, "s0")));
    site.run(
        "INSERT INTO wp_users (ID, user_login, user_pass, user_email, user_status, display_name) \
         VALUES (99, 'ADMIN', '$P$Bxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx', 'a@example.org', 0, 'x')",
    );
    let mut wordpress = authenticator(&site, "");
    let admin = text(&vectors["vectors"][0], "cookie");
    assert_eq!(identity(&mut wordpress, session(admin), NOW).id, "1");
    // A host that goes on with the name cannot tell whose it is.
    assert_eq!(
        ask(&mut wordpress, &session_of(admin, "admin"), NOW),
        "wrong-user"
    );
    assert_eq!(
        ask(&mut wordpress, &session_of(admin, "ADMIN"), NOW),
        "wrong-user"
    );
}

#[test]
fn roles_are_groups_and_capabilities_permissions() {
    let vectors = vectors();
    let site = site(Some(state(&vectors, "s0")));
    let mut wordpress = authenticator(&site, "");
    for (name, said) in vectors["roles"].as_object().unwrap() {
        let name = match name.as_str() {
            // Its accent is dropped before it is looked up, and SQLite's collation keeps accents.
            name if !name.is_ascii() => continue,
            name => name,
        };
        let mut roles: Vec<&str> = said["roles"]
            .as_array()
            .unwrap()
            .iter()
            .map(|role| role.as_str().unwrap())
            .collect();
        roles.sort_unstable();
        assert_eq!(
            identity(&mut wordpress, vouched(name), NOW).groups,
            roles,
            "{name}"
        );
        for (capability, holds) in said["can"].as_object().unwrap() {
            assert_eq!(
                can(&mut wordpress, name, capability),
                *holds,
                "{name} {capability}"
            );
        }
        let editors = in_group(vouched(name), "editor");
        let expected = if roles.contains(&"editor") {
            name
        } else {
            "not-permitted"
        };
        assert_eq!(ask(&mut wordpress, &editors, NOW), expected, "{name}");
    }
    // What WordPress asks for in place of a capability.
    for (capability, holds) in [
        ("exist", true),
        ("do_not_allow", false),
        ("edit_post", false),
        ("customize", true),
        ("manage_links", false),
        ("delete_site", false),
        ("setup_network", true),
        ("upload_plugins", true),
        ("edit_blocks", true),
        ("edit_categories", true),
        ("unfiltered_upload", false),
        ("manage_privacy_options", true),
        ("level_10", true),
        ("level_11", false),
        ("", false),
    ] {
        if !capability.is_empty() {
            assert_eq!(
                can(&mut wordpress, "admin", capability),
                holds,
                "{capability}"
            );
        }
    }
    let mut forbidden = by_file(
        &site,
        "disallow_file_mods = true\nallow_unfiltered_uploads = true",
    );
    for (capability, holds) in [
        ("update_core", false),
        ("edit_plugins", false),
        ("activate_plugins", true),
        ("unfiltered_upload", true),
    ] {
        assert_eq!(
            can(&mut forbidden, "admin", capability),
            holds,
            "{capability}"
        );
    }
    // A role that is taken away is gone at once.
    site.run("UPDATE wp_usermeta SET meta_value = 'a:0:{}' WHERE user_id = 9 AND meta_key = 'wp_capabilities'");
    assert!(
        identity(&mut wordpress, vouched("alice"), NOW)
            .groups
            .is_empty()
    );
    assert!(!can(&mut wordpress, "alice", "read"));
}

fn network() -> (Site, Value) {
    let vectors = vectors();
    let site = site(None);
    let mut statements = String::from(
        "ALTER TABLE wp_users ADD COLUMN spam INTEGER; ALTER TABLE wp_users ADD COLUMN deleted INTEGER;
         CREATE TABLE wp_sitemeta (meta_id INTEGER, site_id INTEGER, meta_key TEXT, meta_value TEXT);
         CREATE TABLE wp_blogs (blog_id INTEGER, site_id INTEGER, deleted TEXT, archived TEXT, spam TEXT);
         INSERT INTO wp_blogs VALUES (1, 1, '0', '0', '0'), (2, 1, '0', '0', '0');
         INSERT INTO wp_sitemeta VALUES (1, 2, 'site_admins', 'a:1:{i:0;s:3:\"bob\";}');
         CREATE TABLE wp_2_options AS SELECT option_id, REPLACE(option_name, 'wp_user_roles', \
         'wp_2_user_roles') option_name, option_value, autoload FROM wp_options;",
    );
    let multisite = vectors["multisite"].clone();
    for row in multisite["siteurl_of_network_in_sitemeta"]
        .as_array()
        .unwrap()
    {
        write!(
            statements,
            "INSERT INTO wp_sitemeta VALUES (2, 1, {}, {});",
            literal(text(row, "meta_key")),
            literal(text(row, "meta_value"))
        )
        .unwrap();
    }
    site.run(&statements);
    put(&site, &multisite["states"][0]);
    let more = "define('MULTISITE', true);";
    site.write("wp-config.php", &config(&keys(&vectors), more));
    (site, multisite)
}

#[test]
fn a_network_is_read_as_wordpress_reads_it() {
    let (site, multisite) = network();
    let name = text(&multisite["constants"], "LOGGED_IN_COOKIE");
    for vector in multisite["vectors"].as_array().unwrap() {
        let states = multisite["states"].as_array().unwrap();
        put(
            &site,
            states
                .iter()
                .find(|state| state["name"] == vector["state"])
                .unwrap(),
        );
        let mut wordpress = by_file(&site, "");
        let (cookie, note) = (text(vector, "cookie"), text(vector, "name"));
        let now = vector["now"].as_u64().unwrap();
        let header = format!("{name}={}", cookie.replace('|', "%7C"));
        let valid = vector["valid"] == true;
        for request in [session(cookie), cookies(&header)] {
            let answer = ask(&mut wordpress, &request, now);
            match valid {
                true => assert_eq!(answer, text(vector, "user_login"), "{note}"),
                false => assert!(answer.ends_with("-session"), "{note}: {answer}"),
            }
        }
    }
    // Where no file says so, the table tells.
    let vectors = vectors();
    let mut tables = String::from("table_prefix = \"wp_\"\n");
    for (name, key) in keys(&vectors) {
        writeln!(tables, "{} = '{key}'", name.to_lowercase()).unwrap();
    }
    let mut by_table = site.authenticator(&format!(
        "framework = \"wordpress\"\ndatabase = \"sqlite:db.sqlite3\"\n[wordpress]\n{tables}"
    ));
    let header = format!("{name}={}", text(&multisite["vectors"][0], "cookie"));
    assert_eq!(ask(&mut by_table, &cookies(&header), NOW), "admin");
}

#[test]
fn spam_accounts_keep_their_sessions_and_lose_their_passwords() {
    let (site, multisite) = network();
    put(&site, &multisite["states"][1]);
    let hash = state(&vectors(), "s0")["users"][1]["user_pass"]
        .as_str()
        .unwrap()
        .to_owned();
    site.run(&format!(
        "UPDATE wp_users SET user_pass = {}",
        literal(&hash)
    ));
    let mut wordpress = by_file(&site, "");
    for (name, said) in multisite["signon"].as_object().unwrap() {
        let expected = said["user"].as_str().unwrap_or("inactive banned");
        let answer = explained(&mut wordpress, &password(name, "Pw-alice"), NOW);
        assert_eq!(answer, expected, "{name}");
        assert_eq!(ask(&mut wordpress, &vouched(name), NOW), *name);
    }
}

#[test]
fn roles_and_capabilities_are_those_of_the_blog() {
    let (site, multisite) = network();
    for blog in ["1", "2"] {
        let mut wordpress = by_file(&site, &format!("blog = {blog}"));
        for (name, said) in multisite["roles"].as_object().unwrap() {
            let said = &said[blog];
            let identity = identity(&mut wordpress, vouched(name), NOW);
            let roles: Vec<&str> = said["roles"]
                .as_array()
                .unwrap()
                .iter()
                .map(|role| role.as_str().unwrap())
                .collect();
            assert_eq!(identity.groups, roles, "{name} {blog}");
            let is_super = is_superuser(&mut wordpress, name);
            assert_eq!(is_super, said["super"] == true, "{name} {blog}");
            for (capability, holds) in said["can"].as_object().unwrap() {
                let held = can(&mut wordpress, name, capability);
                assert_eq!(held, *holds, "{name} {capability} {blog}");
            }
        }
        for (capability, holds) in [
            ("do_not_allow", false),
            ("edit_post", false),
            ("anything", true),
        ] {
            assert_eq!(
                can(&mut wordpress, "admin", capability),
                holds,
                "{capability}"
            );
        }
    }
    // The network's `menu_items` hands plug-ins over to the administrators of its sites.
    site.run(
        "UPDATE wp_usermeta SET meta_value = 'a:1:{s:13:\"administrator\";b:1;}' WHERE meta_key = \
         'wp_capabilities' AND user_id = (SELECT ID FROM wp_users WHERE user_login = 'alice')",
    );
    let mut wordpress = by_file(&site, "");
    for (menus, holds) in [
        ("", false),
        ("a:1:{s:7:\"plugins\";s:1:\"1\";}", true),
        ("a:1:{s:7:\"plugins\";i:1;}", true),
        ("a:1:{s:7:\"plugins\";s:1:\"0\";}", false),
        ("a:1:{s:7:\"plugins\";s:0:\"\";}", false),
        ("a:2:{s:7:\"plugins\";i:1;s:7:\"plugins\";i:0;}", false),
        ("a:1:{s:6:\"themes\";i:1;}", false),
        ("a:1:{i:0;s:7:\"plugins\";}", false),
        ("a:0:{}", false),
        ("plugins", false),
    ] {
        site.run(&format!(
            "DELETE FROM wp_sitemeta WHERE meta_key = 'menu_items'; INSERT INTO wp_sitemeta VALUES (99, 1, \
             'menu_items', '{menus}'), (98, 2, 'menu_items', 'a:1:{{s:7:\"plugins\";i:1;}}')"
        ));
        for capability in ["activate_plugins", "deactivate_plugin"] {
            let held = can(&mut wordpress, "alice", capability);
            assert_eq!(held, holds, "{menus} {capability}");
            assert!(!can(&mut wordpress, "bob", capability), "{menus}");
        }
        assert!(can(&mut wordpress, "admin", "activate_plugins"));
    }
    // A blog that is closed shows its pages to super administrators alone.
    for closed in [
        "deleted = '1'",
        "deleted = '2'",
        "archived = '1'",
        "spam = '1'",
    ] {
        site.run("UPDATE wp_blogs SET deleted = '0', archived = '0', spam = '0'");
        site.run(&format!("UPDATE wp_blogs SET {closed} WHERE blog_id = 2"));
        let mut wordpress = by_file(&site, "blog = 2");
        assert_eq!(
            explained(&mut wordpress, &vouched("alice"), NOW),
            "inactive banned",
            "{closed}"
        );
        assert_eq!(
            ask(&mut wordpress, &vouched("admin"), NOW),
            "admin",
            "{closed}"
        );
        assert_eq!(
            ask(&mut by_file(&site, ""), &vouched("alice"), NOW),
            "alice",
            "{closed}"
        );
    }
    // The file may name the super administrators itself.
    let mut text = config(
        &keys(&vectors()),
        "define('MULTISITE', true); $super_admins = ['alice'];",
    );
    site.write("wp-config.php", &text);
    assert!(is_superuser(&mut by_file(&site, ""), "alice"));
    assert!(!is_superuser(&mut by_file(&site, ""), "admin"));
    text = config(
        &keys(&vectors()),
        "define('MULTISITE', true); $super_admins = f();",
    );
    site.write("wp-config.php", &text);
    assert!(!is_superuser(&mut by_file(&site, ""), "admin"));
}

#[test]
fn application_passwords_count_where_they_are_switched_on() {
    let vectors = vectors();
    let site = site(None);
    let said = &vectors["application_passwords"];
    let stored = text(&said["usermeta"][0], "meta_value");
    site.run(&format!(
        "DELETE FROM wp_usermeta WHERE meta_key = '_application_passwords'; INSERT INTO wp_usermeta \
         VALUES (9000, 15, '_application_passwords', {})",
        literal(stored)
    ));
    let plain = text(said, "plain");
    let spaced = "WPOj qsJS io0U VQnc u3LD PAel";
    let mut on = authenticator(&site, "application_passwords = true");
    let token =
        |token: &str| Request::new(ClaimedName::Nameless, Credential::Token(Secret::new(token)));
    for (request, expected) in [
        (password("frank", plain), "frank"),
        (password("frank", spaced), "frank"),
        (password("frank@example.org", plain), "frank"),
        (password("alice", plain), "wrong-password"),
        (password("nobody", plain), "unknown-user"),
        (password("frank", &plain.to_lowercase()), "wrong-password"),
        (password("frank", &format!("{plain}x")), "wrong-password"),
        (password("frank", &plain[..23]), "wrong-password"),
        (token(plain), "frank"),
        (token(&format!("frank:{plain}")), "frank"),
        (token(&format!("alice:{plain}")), "no-session"),
        (token(&plain.to_lowercase()), "no-session"),
        (token("frank:"), "no-session"),
        (token(":"), "no-session"),
    ] {
        assert_eq!(ask(&mut on, &request, NOW), expected, "{request:?}");
    }
    let mut off = by_file(&site, "");
    for request in [
        password("frank", plain),
        token(plain),
        token(&format!("frank:{plain}")),
    ] {
        assert_ne!(ask(&mut off, &request, NOW), "frank", "{request:?}");
    }
    // One that was made before 6.8 is found by the name of its account alone.
    let old = "$P$BPuXShBjCsObJVONESQmSQ2Edn.1Ts0";
    let stored = stored.replace(
        "s:49:\"$generic$16iK-SMtKh_QKkE-iCUbATc---NH5VcNx65BrZLT\"",
        &format!("s:34:\"{old}\""),
    );
    site.run(&format!(
        "UPDATE wp_usermeta SET meta_value = {} WHERE umeta_id = 9000",
        literal(&stored)
    ));
    for (request, expected) in [
        (password("frank", spaced), "frank"),
        (token(&format!("frank:{plain}")), "frank"),
        (token(plain), "no-session"),
    ] {
        assert_eq!(ask(&mut on, &request, NOW), expected, "{request:?}");
    }
    // A site of a network that marks the account as spam lets no program in either.
    site.run(
        "ALTER TABLE wp_users ADD COLUMN spam INTEGER; CREATE TABLE wp_blogs (blog_id, site_id, deleted, \
         archived, spam); CREATE TABLE wp_sitemeta (site_id, meta_key, meta_value); UPDATE wp_users SET \
         spam = 1 WHERE ID = 15",
    );
    let mut network = by_file(&site, "application_passwords = true\nmultisite = true");
    assert_eq!(
        explained(&mut network, &password("frank", plain), NOW),
        "inactive banned"
    );
}

/// The processor time that this thread has used, in nanoseconds.
fn used() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

#[test]
fn no_denial_tells_who_has_application_passwords() {
    let site = site(Some(state(&vectors(), "s0")));
    // Made before 6.8: sixteen slow hashes of alice's, two of bob's, none of the others.
    let item = |position: usize| {
        format!(
            "i:{position};a:1:{{s:8:\"password\";s:34:\"$P$BPuXShBjCsObJVONESQmSQ2Edn.1Ts0\";}}"
        )
    };
    for (name, count) in [("alice", 40), ("bob", 2)] {
        let items: String = (0..count).map(item).collect();
        site.run(&format!(
            "INSERT INTO wp_usermeta SELECT 9000 + ID, ID, '_application_passwords', \
             'a:{count}:{{{items}}}' FROM wp_users WHERE user_login = '{name}'"
        ));
    }
    site.run("UPDATE wp_users SET user_pass = '$P$5abcdefghsfgAvzQzTFx2n4aMUJpLF0'");
    let cost = |name: &str, typed: &str| -> f64 {
        let once = || {
            let mut wordpress = authenticator(&site, "application_passwords = true");
            let before = used();
            assert!(["wrong-password", "unknown-user"].contains(&&*ask(
                &mut wordpress,
                &password(name, typed),
                NOW
            )));
            used() - before
        };
        (0..4).map(|_| once()).fold(f64::INFINITY, f64::min)
    };
    let typed = "AAAAAAAAAAAAAAAAAAAAAAAA";
    let most = cost("alice", typed);
    for name in ["bob", "admin", "nobody", "nobody@example.org"] {
        let ratio = cost(name, typed) / most;
        assert!((0.6..1.7).contains(&ratio), "{name} costs {ratio} of alice");
    }
    // What cannot be one costs nothing of it.
    assert!(cost("nobody", "wrong") < 0.5 * most);
    // The deadline holds in between.
    let mut wordpress = authenticator(&site, "application_passwords = true");
    let deadline = Deadline::after(Duration::from_millis(2));
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(NOW);
    let started = std::time::Instant::now();
    let verdict = wordpress.answer(&password("alice", typed), now, deadline);
    assert!(matches!(verdict, Verdict::Unavailable(_)), "{verdict:?}");
    assert!(started.elapsed() < Duration::from_secs(2));
}

#[test]
fn hostile_rows_let_nobody_in() {
    let vectors = vectors();
    let site = site(Some(state(&vectors, "s0")));
    let mut wordpress = authenticator(&site, "");
    let admin = text(&vectors["vectors"][0], "cookie");
    let deep = format!("{}i:1;{}", "a:1:{i:0;".repeat(5000), "}".repeat(5000));
    for tokens in [
        "",
        "a:0:{}",
        "x",
        "a:1:{i:0;R:1;}",
        "a:99999999:{}",
        "C:1:\"a\":0:{}",
        "O:8:\"stdClass\":0:{}",
        &deep,
        &"a".repeat(2 << 20),
    ] {
        for (key, name) in [("session_tokens", "no-session"), ("wp_capabilities", "")] {
            site.run(&format!(
                "UPDATE wp_usermeta SET meta_value = {} WHERE user_id = 1 AND meta_key = '{key}'",
                literal(tokens)
            ));
            if key == "session_tokens" {
                let answer = ask(&mut wordpress, &session(admin), NOW);
                assert!(answer == name || answer == "invalid-session", "{answer}");
            } else if tokens.len() < 1 << 20 {
                assert!(!can(&mut wordpress, "admin", "read"));
            }
        }
    }
}

#[test]
fn each_part_of_each_recorded_cookie_counts() {
    let vectors = vectors();
    let site = site(Some(state(&vectors, "s0")));
    let mut wordpress = authenticator(&site, "");
    let all = vectors["vectors"].as_array().unwrap();
    let good: Vec<(&str, &str)> = all
        .iter()
        .filter(|vector| vector["state"] == "s0" && vector["valid"] == true)
        .map(|vector| (text(vector, "cookie_header"), text(vector, "user_login")))
        .filter(|(header, owner)| ask(&mut wordpress, &cookies(header), NOW) == *owner)
        .collect();
    assert!(good.len() > 3, "{}", good.len());
    for (at, (header, owner)) in good.iter().enumerate() {
        let another = good[(at + 1) % good.len()].0;
        let good = Good {
            header,
            owner,
            another,
        };
        refuse_what_is_made_of(&good, 0, |header| {
            ask(&mut wordpress, &cookies(header), NOW)
        });
    }
}

#[test]
fn a_cookie_of_another_scheme_is_refused_under_the_name_of_this_one() {
    let vectors = vectors();
    let site = site(Some(state(&vectors, "s0")));
    let cookie = text(&vectors["vectors"][0], "cookie");
    site.write("wp-config.php", &config(&keys(&vectors), ""));
    assert_eq!(ask(&mut by_file(&site, ""), &session(cookie), NOW), "admin");
    for scheme in ["AUTH", "SECURE_AUTH", "NONCE"] {
        // The cookie is then the one that this scheme's key and salt signed.
        let exchange = |(name, value): (String, String)| {
            let (before, part) = name.rsplit_once('_').unwrap();
            let name = match before {
                "LOGGED_IN" => format!("{scheme}_{part}"),
                _ if before == scheme => format!("LOGGED_IN_{part}"),
                _ => name,
            };
            (name, value)
        };
        let exchanged: Vec<_> = keys(&vectors).into_iter().map(exchange).collect();
        site.write("wp-config.php", &config(&exchanged, ""));
        let answer = ask(&mut by_file(&site, ""), &session(cookie), NOW);
        assert_eq!(answer, "invalid-session", "{scheme}");
    }
}

#[test]
fn guesses_of_a_name_and_an_application_password_are_counted() {
    let site = site(Some(state(&vectors(), "s0")));
    site.run(
        "INSERT INTO wp_usermeta SELECT 9000, ID, '_application_passwords', 'a:1:{i:0;a:1:{s:8:\"password\";\
         s:49:\"$generic$16iK-SMtKh_QKkE-iCUbATc---NH5VcNx65BrZLT\";}}' FROM wp_users WHERE user_login = 'alice'",
    );
    site.write("wp-config.php", &config(&keys(&vectors()), ""));
    let text = "framework = \"wordpress\"\ndatabase = \"sqlite:db.sqlite3\"\n\
                passwords.dummy = \"pbkdf2_sha256$1\"\nlimits.failures = 3\n[wordpress]\n\
                configuration = \"wp-config.php\"\napplication_passwords = true";
    let configuration = site.configuration(text).unwrap();
    let shared = Arc::new(Shared::remembering(&configuration));
    let mut wordpress = Authenticator::new(&configuration).sharing(shared);
    let right = "WPOjqsJSio0UVQncu3LDPAel";
    let token =
        |token: &str| Request::new(ClaimedName::Nameless, Credential::Token(Secret::new(token)));
    // What cannot be an application password, or has no name, is not one that is guessed.
    for other in [
        "alice:short",
        "AAAAAAAAAAAAAAAAAAAAAAAA",
        ":AAAAAAAAAAAAAAAAAAAAAAAA",
    ] {
        for _ in 0..5 {
            assert_eq!(
                ask(&mut wordpress, &token(other), NOW),
                "no-session",
                "{other}"
            );
        }
    }
    assert_eq!(
        ask(&mut wordpress, &token(&format!("alice:{right}")), NOW),
        "alice"
    );
    let wrong = token("alice:AAAAAAAAAAAAAAAAAAAAAAAA");
    for _ in 0..3 {
        assert_eq!(ask(&mut wordpress, &wrong, NOW), "no-session");
    }
    for throttled in [
        wrong,
        token(&format!("alice:{right}")),
        password("alice", "anything"),
    ] {
        assert_eq!(ask(&mut wordpress, &throttled, NOW), "throttled");
    }
    assert_eq!(
        ask(&mut wordpress, &token("bob:AAAAAAAAAAAAAAAAAAAAAAAA"), NOW),
        "no-session"
    );
    // The window is over.
    assert_eq!(
        ask(&mut wordpress, &token(&format!("alice:{right}")), NOW + 61),
        "alice"
    );
}
