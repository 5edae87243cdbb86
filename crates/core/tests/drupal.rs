//! Recorded sites of Drupal 7.105 and 10.3.10, each in every state in which it was asked, and each
//! of their sessions and accounts with something wrong.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod recorded;
mod tampered;

use hallpass_core::{
    Authenticator, ClaimedName, Conditions, Configuration, Credential, Request, Requirement, Secret,
};
use serde_json::Value;

use self::recorded::{
    Site, ask, explained, identity, in_group, password, session, session_of, vouched,
};
use self::tampered::{Good, refuse_what_is_made_of};

const OLD: &str = "7.105";
const NEW: &str = "10.3.10";
const NOW: u64 = 1_795_981_940;

fn recorded(version: &str) -> Value {
    let all: Value = serde_json::from_str(include_str!("data/drupal.json")).unwrap();
    all["versions"][version].clone()
}

fn site(version: &str) -> Site {
    Site::load(match version {
        OLD => include_str!("data/drupal-7.105.sql"),
        _ => include_str!("data/drupal-10.3.10.sql"),
    })
}

fn settings(version: &str) -> String {
    let host = recorded(version)["host"].as_str().unwrap().to_owned();
    format!(
        "framework = \"drupal\"\ndatabase = \"sqlite:db.sqlite3\"\npasswords.dummy = \
         \"pbkdf2_sha256$1\"\n[drupal]\nversion = \"{version}\"\nbase_url = \"http://{host}\"\n"
    )
}

fn authenticator(site: &Site, version: &str) -> Authenticator {
    site.authenticator(&settings(version))
}

/// The rows of a recorded state in place of those that are there.
fn set_up(site: &Site, version: &str, state: &Value) {
    let tables = match version {
        OLD => [
            ("users", "users"),
            ("sessions", "sessions"),
            ("roles", "users_roles"),
        ],
        _ => [
            ("users", "users_field_data"),
            ("sessions", "sessions"),
            ("roles", "user__roles"),
        ],
    };
    for (key, table) in tables {
        site.run(&format!("DELETE FROM {table}"));
        for row in state[key].as_array().unwrap() {
            let row = row.as_object().unwrap();
            let of_another = |name: &&String| key == "roles" && version == OLD && *name == "name";
            let columns: Vec<&String> = row.keys().filter(|name| !of_another(name)).collect();
            let quoted = |name: &&String| match row[*name].as_str() {
                Some(text) => format!("'{}'", text.replace('\'', "''")),
                None => "NULL".to_owned(),
            };
            let names: Vec<String> = columns.iter().map(|name| format!("\"{name}\"")).collect();
            let values: Vec<String> = columns.iter().map(quoted).collect();
            site.run(&format!(
                "INSERT INTO {table} ({}) VALUES ({})",
                names.join(", "),
                values.join(", ")
            ));
        }
    }
}

fn state<'a>(recorded: &'a Value, name: &str) -> &'a Value {
    let states = recorded["states"].as_array().unwrap();
    states.iter().find(|state| state["name"] == name).unwrap()
}

/// The verdict on a whole header `Cookie`.
fn ask_header(site: &Site, version: &str, drupal: &mut Authenticator, header: &str) -> String {
    let configuration = site.configuration(&settings(version)).unwrap();
    ask_by(&configuration, drupal, header)
}

fn ask_by(configuration: &Configuration, drupal: &mut Authenticator, header: &str) -> String {
    match configuration.session_in([header.as_bytes()]) {
        Some(credential) => ask(
            drupal,
            &Request::new(ClaimedName::Nameless, credential),
            NOW,
        ),
        None => "no-session".to_owned(),
    }
}

#[test]
fn recorded_cookies_have_drupals_verdict_in_each_state() {
    let mut seen = 0;
    for version in [OLD, NEW] {
        let recorded = recorded(version);
        for vector in recorded["vectors"].as_array().unwrap() {
            let site = site(version);
            let name = vector["state"].as_str().unwrap();
            set_up(&site, version, state(&recorded, name));
            let mut drupal = authenticator(&site, version);
            let header = vector["cookie"].as_str().unwrap();
            let verdict = ask_header(&site, version, &mut drupal, header);
            let expected = vector["verdict"].as_str().unwrap_or("no-session");
            assert_eq!(verdict, expected, "{version} {name}: {}", vector["name"]);
            seen += 1;
        }
    }
    assert_eq!(seen, 22);
}

/// Each cookie that was recorded, in each state: whoever's row is there, and is active, is in.
#[test]
fn each_recorded_cookie_is_its_owners_in_each_state() {
    for version in [OLD, NEW] {
        let recorded = recorded(version);
        let mut cookies: Vec<&str> = Vec::new();
        for vector in recorded["vectors"].as_array().unwrap() {
            let (_, value) = vector["cookie"].as_str().unwrap().split_once('=').unwrap();
            if vector["name"].as_str().unwrap().starts_with("valid") {
                cookies.push(value);
            }
        }
        for state in recorded["states"].as_array().unwrap() {
            let site = site(version);
            set_up(&site, version, state);
            let mut drupal = authenticator(&site, version);
            let users = state["users"].as_array().unwrap();
            for (value, owner) in cookies
                .iter()
                .zip(["admin", "bob", "carl@example.org", "erin"])
            {
                let user = users.iter().find(|user| user["name"] == owner).unwrap();
                let rows = state["sessions"].as_array().unwrap();
                let expected = match rows.iter().any(|row| row["uid"] == user["uid"]) {
                    true if user["status"] == "1" => owner,
                    true => "inactive",
                    false => "no-session",
                };
                let verdict = ask(&mut drupal, &session(value), NOW);
                assert_eq!(verdict, expected, "{version} {}", state["name"]);
                let others = ask(&mut drupal, &session_of(value, "dana"), NOW);
                assert!(others == "wrong-user" || others == expected && expected != owner);
            }
        }
    }
}

#[test]
fn recorded_hashes_have_drupals_verdict() {
    for version in [OLD, NEW] {
        let recorded = recorded(version);
        let site = site(version);
        set_up(&site, version, state(&recorded, "s0"));
        let mut drupal = authenticator(&site, version);
        let table = if version == OLD {
            "users"
        } else {
            "users_field_data"
        };
        for vector in recorded["passwords"].as_array().unwrap() {
            let hash = vector["hash"].as_str().unwrap();
            site.run(&format!(
                "UPDATE {table} SET pass = '{hash}' WHERE name = 'bob'"
            ));
            let typed = vector["typed"].as_str().unwrap();
            let verdict = ask(&mut drupal, &password("bob", typed), NOW);
            let let_in = vector["lets_in"].as_bool().unwrap();
            assert_eq!(
                verdict == "bob",
                let_in,
                "{version} {}: {verdict}",
                vector["kind"]
            );
            for wrong in [&*format!("{typed}x"), "", &typed.to_uppercase()] {
                let verdict = ask(&mut drupal, &password("bob", wrong), NOW);
                assert_ne!(verdict, "bob", "{version} {}", vector["kind"]);
            }
        }
        for vector in recorded["names"].as_array().unwrap() {
            let typed = vector["typed"].as_str().unwrap();
            // MySQL's collation finds it, and SQLite's does not.
            if version == OLD && typed == "ALICE" {
                continue;
            }
            let state = state(&recorded, "s4 alice's password changed by an administrator");
            set_up(&site, version, state);
            let typed_password = vector["password"].as_str().unwrap();
            let verdict = ask(&mut drupal, &password(typed, typed_password), NOW);
            let expected = vector["lets_in"].as_str().unwrap_or("unknown-user");
            assert_eq!(verdict, expected, "{version} {typed}");
        }
    }
}

/// phpass is one that 10.1 took out: which hashes count depends on the version and the module.
#[test]
fn hashes_count_by_version_and_module() {
    let (old, new) = (recorded(OLD), recorded(NEW));
    let hash = |recorded: &Value, kind: &str| {
        let all = recorded["passwords"].as_array().unwrap();
        let one = all.iter().find(|vector| vector["kind"] == kind).unwrap();
        one["hash"].as_str().unwrap().to_owned()
    };
    let site = site(NEW);
    let hashes = [
        hash(&old, "$H$"),
        hash(&old, "U$S$ (of md5)"),
        hash(&new, "bcrypt"),
    ];
    for (version, phpass, expected) in [
        ("8", false, [true, true, false]),
        ("9.5", false, [true, true, false]),
        ("10.0", false, [true, true, false]),
        ("10.1", false, [false, false, true]),
        ("10", false, [false, false, true]),
        ("10", true, [true, true, true]),
        ("11.2", true, [true, true, true]),
        ("11", false, [false, false, true]),
    ] {
        let settings = format!("{}phpass = {phpass}\n", settings(NEW)).replace(NEW, version);
        let mut drupal = site.authenticator(&settings);
        for (hash, expected) in hashes.iter().zip(expected) {
            site.run(&format!(
                "UPDATE users_field_data SET pass = '{hash}' WHERE name = 'bob'"
            ));
            let verdict = ask(&mut drupal, &password("bob", "Pw-bob"), NOW);
            let refused = "unsupported-hash";
            assert_eq!(
                verdict,
                if expected { "bob" } else { refused },
                "{version} {hash}"
            );
        }
        let md5_of_bcrypt = format!("U{}", hashes[2]);
        site.run(&format!(
            "UPDATE users_field_data SET pass = '{md5_of_bcrypt}' WHERE name = 'bob'"
        ));
        assert_ne!(
            ask(&mut drupal, &password("bob", "Pw-bob"), NOW),
            "bob",
            "{version}"
        );
    }
}

#[test]
fn a_session_lets_in_nobody_but_its_owner() {
    for version in [OLD, NEW] {
        let recorded = recorded(version);
        let site = site(version);
        set_up(&site, version, state(&recorded, "s0"));
        let mut drupal = authenticator(&site, version);
        let header = recorded["vectors"][0]["cookie"].as_str().unwrap();
        let (name, value) = header.split_once('=').unwrap();
        assert_eq!(ask(&mut drupal, &session(value), NOW), "admin");
        for (wrong, expected) in [
            (String::new(), "no-session"),
            ("0".to_owned(), "no-session"),
            (value.to_lowercase(), "no-session"),
            (format!("{value}%00"), "no-session"),
            (format!("{value} "), "no-session"),
            (format!("{value}="), "no-session"),
            (value[1..].to_owned(), "no-session"),
            ("%".to_owned(), "no-session"),
            ("%ff%fe".to_owned(), "no-session"),
            ("' OR 1 = 1 --".to_owned(), "no-session"),
            ("a".repeat(5_000), "no-session"),
            (
                "HAESecrUtc9wfLUlSweWidBH1NnfroIypV_MJMQVB3w".to_owned(),
                "no-session",
            ),
            (
                "6gLZVYTo8CKQVBi6zGCZxbfnLy0xfElQ_CuZdMpV4_Q".to_owned(),
                "no-session",
            ),
        ] {
            let verdict = ask(&mut drupal, &session(&wrong), NOW);
            assert_eq!(verdict, expected, "{version} {wrong}");
        }
        let first = value.as_bytes()[0];
        let encoded = format!("%{first:02x}{}", &value[1..]);
        assert_eq!(ask(&mut drupal, &session(&encoded), NOW), "admin");
        for (header, expected) in [
            (format!("{name}={value}; {name}=other"), "admin"),
            (format!("{name}=other; {name}={value}"), "no-session"),
            (format!("{}={value}", name.to_lowercase()), "no-session"),
            (format!("S{name}={value}"), "no-session"),
            (
                format!("SESSdeadbeefdeadbeefdeadbeefdeadbeef={value}"),
                "no-session",
            ),
        ] {
            let verdict = ask_header(&site, version, &mut drupal, &header);
            assert_eq!(verdict, expected, "{version} {header}");
        }
        for owner in ["alice", "bob", "erin", "nobody", "ADMIN ", "admin\0", ""] {
            let verdict = ask(&mut drupal, &session_of(value, owner), NOW);
            assert_eq!(verdict, "wrong-user", "{version} {owner}");
        }
        assert_eq!(ask(&mut drupal, &session_of(value, "admin"), NOW), "admin");
    }
}

#[test]
fn rows_that_drupal_never_writes_let_nobody_in() {
    let site = site(NEW);
    let recorded = recorded(NEW);
    set_up(&site, NEW, state(&recorded, "s0"));
    let mut drupal = authenticator(&site, NEW);
    let (_, value) = recorded["vectors"][1]["cookie"]
        .as_str()
        .unwrap()
        .split_once('=')
        .unwrap();
    let deep = format!(
        "_sf2_attributes|{}{}",
        "a:1:{i:0;".repeat(5_000),
        "}".repeat(5_000)
    );
    for (data, expected) in [
        ("_sf2_attributes|a:1:{s:3:\"uid\";s:1:\"3\";}", "bob"),
        ("", "anonymous-session"),
        ("_sf2_attributes|a:0:{}", "anonymous-session"),
        (
            "_sf2_attributes|a:1:{s:3:\"uid\";i:0;}",
            "anonymous-session",
        ),
        (
            "_sf2_attributes|a:1:{s:3:\"uid\";s:2:\"99\";}",
            "unknown-user",
        ),
        (
            "_sf2_attributes|a:1:{s:3:\"uid\";s:1:\"3\";",
            "invalid-session",
        ),
        (
            "_sf2_attributes|a:1:{s:3:\"uid\";s:3:\"3 x\";}",
            "invalid-session",
        ),
        ("_sf2_attributes|a:1:{s:3:\"uid\";i:-3;}", "invalid-session"),
        ("uid|s:1:\"3\";", "anonymous-session"),
        (&deep, "invalid-session"),
    ] {
        let data = data.replace('\'', "''");
        site.run(&format!(
            "UPDATE sessions SET session = '{data}' WHERE uid = 3"
        ));
        let verdict = ask(&mut drupal, &session(value), NOW);
        assert_eq!(verdict, expected, "{}", &data[..data.len().min(60)]);
    }
    site.run("UPDATE sessions SET session = NULL WHERE uid = 3");
    assert_eq!(ask(&mut drupal, &session(value), NOW), "anonymous-session");
    // The payload says who it is, whatever the column says.
    site.run("UPDATE sessions SET session = '_sf2_attributes|a:1:{s:3:\"uid\";s:1:\"2\";}' WHERE uid = 3");
    assert_eq!(ask(&mut drupal, &session(value), NOW), "alice");
}

#[test]
fn a_session_of_7_by_https_is_found_by_its_own_column() {
    let site = site(OLD);
    set_up(&site, OLD, state(&recorded(OLD), "s0"));
    let recorded = recorded(OLD);
    let (_, value) = recorded["vectors"][1]["cookie"]
        .as_str()
        .unwrap()
        .split_once('=')
        .unwrap();
    let https = settings(OLD).replace("http://", "https://");
    let mut drupal = site.authenticator(&https);
    assert_eq!(ask(&mut drupal, &session(value), NOW), "no-session");
    site.run("UPDATE sessions SET ssid = sid, sid = 'x' WHERE uid = 3");
    assert_eq!(ask(&mut drupal, &session(value), NOW), "bob");
    let mut by_http = authenticator(&site, OLD);
    assert_eq!(ask(&mut by_http, &session(value), NOW), "no-session");
    // An empty column is the rows' that were made by HTTP.
    assert_eq!(ask(&mut drupal, &session(""), NOW), "no-session");
}

/// Before 7.70, and until update.php has run, rows have the ids themselves.
#[test]
fn ids_of_7_are_hashed_unless_its_variables_say_otherwise() {
    let site = site(OLD);
    let recorded = recorded(OLD);
    set_up(&site, OLD, state(&recorded, "s0"));
    let (_, value) = recorded["vectors"][1]["cookie"]
        .as_str()
        .unwrap()
        .split_once('=')
        .unwrap();
    let stored = "1jPqGjFD-yrL8_4FJFEiGMWWfQUemYpXfnRljCOFUa4";
    for (variables, settings_php, hashed) in [
        (None, "", true),
        (Some(""), "", false),
        (Some("('hashed_session_ids_supported', 'b:1;')"), "", true),
        (Some("('hashed_session_ids_supported', 'b:0;')"), "", false),
        (
            Some("('hashed_session_ids_supported', 'b:1;'), ('do_not_hash_session_ids', 'b:1;')"),
            "",
            false,
        ),
        (
            Some("('hashed_session_ids_supported', 'b:1;')"),
            "do_not_hash_session_ids = true\n",
            false,
        ),
    ] {
        site.run("DROP TABLE IF EXISTS variable");
        if let Some(variables) = variables {
            site.run("CREATE TABLE variable (name TEXT, value BLOB)");
            if !variables.is_empty() {
                site.run(&format!("INSERT INTO variable VALUES {variables}"));
            }
        }
        let mut drupal = site.authenticator(&format!("{}{settings_php}", settings(OLD)));
        let (by_cookie, by_row) = match hashed {
            true => ("bob", "no-session"),
            false => ("no-session", "bob"),
        };
        assert_eq!(
            ask(&mut drupal, &session(value), NOW),
            by_cookie,
            "{variables:?}"
        );
        assert_eq!(
            ask(&mut drupal, &session(stored), NOW),
            by_row,
            "{variables:?}"
        );
    }
}

fn with_permission(request: Request, permission: &str) -> Request {
    Request {
        conditions: Conditions {
            any: Vec::new(),
            all: vec![Requirement::Permission(permission.to_owned())],
        },
        ..request
    }
}

#[test]
fn roles_are_groups() {
    for (version, everyone) in [(OLD, "authenticated user"), (NEW, "authenticated")] {
        let site = site(version);
        set_up(&site, version, state(&recorded(version), "s0"));
        let mut drupal = authenticator(&site, version);
        for (name, group, expected) in [
            ("alice", "editor", "alice"),
            ("alice", everyone, "alice"),
            ("bob", everyone, "bob"),
            ("bob", "editor", "not-permitted"),
            ("admin", "editor", "not-permitted"),
            ("alice", "Editor", "not-permitted"),
            ("alice", "", "not-permitted"),
            ("alice", "anonymous", "not-permitted"),
            ("alice", "anonymous user", "not-permitted"),
            ("alice", "authenticate", "not-permitted"),
        ] {
            let request = in_group(vouched(name), group);
            assert_eq!(
                ask(&mut drupal, &request, NOW),
                expected,
                "{version} {name} {group}"
            );
        }
        assert_eq!(
            identity(&mut drupal, vouched("alice"), NOW).groups,
            ["editor"]
        );
        assert!(identity(&mut drupal, vouched("bob"), NOW).groups.is_empty());
        site.run(match version {
            OLD => "DELETE FROM users_roles",
            _ => "UPDATE user__roles SET deleted = 1",
        });
        assert!(
            identity(&mut drupal, vouched("alice"), NOW)
                .groups
                .is_empty()
        );
        let request = in_group(vouched("alice"), "editor");
        assert_eq!(ask(&mut drupal, &request, NOW), "not-permitted");
    }
}

#[test]
fn permissions_are_those_of_the_roles() {
    let old = site(OLD);
    old.run(
        "CREATE TABLE role_permission (rid INTEGER, permission TEXT, module TEXT);
         INSERT INTO role_permission VALUES (1, 'be nobody', 'x'), (2, 'access content', 'node'),
         (3, 'administer nodes', 'node'), (4, 'be a ghost', 'x');
         INSERT INTO users_roles VALUES (2, 4)",
    );
    let new = site(NEW);
    let role = |name: &str, admin: &str, permission: &str| {
        format!(
            "('', 'user.role.{name}', 'a:2:{{s:8:\"is_admin\";{admin}s:11:\"permissions\";a:1:{{i:0;\
             s:{}:\"{permission}\";}}}}')",
            permission.len()
        )
    };
    new.run(&format!(
        "CREATE TABLE config (collection TEXT, name TEXT, data BLOB);
         INSERT INTO config VALUES {}, {}, {}, {},
         ('', 'core.extension', 'a:1:{{s:6:\"module\";a:0:{{}}}}'),
         ('language.de', 'user.role.editor', 'a:1:{{s:8:\"is_admin\";b:1;}}');
         INSERT INTO user__roles (entity_id, roles_target_id, deleted) VALUES (2, 'gone', 0)",
        role("anonymous", "N;", "be nobody"),
        role("authenticated", "b:0;", "access content"),
        role("editor", "N;", "administer nodes"),
        role("administrator", "b:1;", "nothing at all"),
    ));
    for (version, site) in [(OLD, &old), (NEW, &new)] {
        let mut drupal = authenticator(site, version);
        for (name, permission, expected) in [
            ("bob", "access content", "bob"),
            ("bob", "administer nodes", "not-permitted"),
            ("alice", "access content", "alice"),
            ("alice", "administer nodes", "alice"),
            ("alice", "Administer nodes", "not-permitted"),
            ("alice", "administer node", "not-permitted"),
            ("alice", "be nobody", "not-permitted"),
            ("alice", "be a ghost", "not-permitted"),
            ("alice", "nothing at all", "not-permitted"),
            // User 1 holds every permission.
            ("admin", "administer nodes", "admin"),
            ("admin", "whatever", "admin"),
            ("erin", "access content", "inactive"),
        ] {
            let request = with_permission(vouched(name), permission);
            let verdict = ask(&mut drupal, &request, NOW);
            assert_eq!(verdict, expected, "{version} {name} {permission}");
        }
        let text = format!("{}enable_super_user = false\n", settings(version));
        let mut lesser = site.authenticator(&text);
        let request = with_permission(vouched("admin"), "administer nodes");
        assert_eq!(ask(&mut lesser, &request, NOW), "not-permitted");
    }
    new.run("INSERT INTO user__roles (entity_id, roles_target_id, deleted) VALUES (3, 'administrator', 0)");
    let mut drupal = authenticator(&new, NEW);
    let request = with_permission(vouched("bob"), "whatever");
    assert_eq!(ask(&mut drupal, &request, NOW), "bob");
    new.run("UPDATE config SET data = 'a:1:{' WHERE name = 'user.role.authenticated'");
    let request = with_permission(vouched("dana"), "access content");
    assert!(ask(&mut drupal, &request, NOW).starts_with("unavailable"));
}

#[test]
fn a_password_alone_is_not_enough_where_a_module_asks_for_more() {
    for (module, expected) in [
        ("node", "bob"),
        ("tfa", "unusable-password"),
        ("email_tfa", "unusable-password"),
        ("ldap_authentication", "unusable-password"),
    ] {
        for version in [OLD, NEW] {
            let site = site(version);
            set_up(&site, version, state(&recorded(version), "s0"));
            site.run(&match version {
                OLD => format!(
                    "CREATE TABLE system (name TEXT, type TEXT, status INTEGER);
                     INSERT INTO system VALUES ('{module}', 'module', 1), ('tfa', 'module', 0),
                     ('tfa', 'theme', 1)"
                ),
                _ => format!(
                    "CREATE TABLE config (collection TEXT, name TEXT, data BLOB);
                     INSERT INTO config VALUES ('', 'core.extension',
                     'a:2:{{s:6:\"module\";a:1:{{s:{}:\"{module}\";i:0;}}s:5:\"theme\";\
                     a:1:{{s:3:\"tfa\";i:0;}}}}')",
                    module.len()
                ),
            });
            let mut drupal = authenticator(&site, version);
            let verdict = ask(&mut drupal, &password("bob", "Pw-bob"), NOW);
            assert_eq!(verdict, expected, "{version} {module}");
            let wrong = ask(&mut drupal, &password("bob", "wrong"), NOW);
            assert_ne!(wrong, "bob");
            let recorded = recorded(version);
            let header = recorded["vectors"][1]["cookie"].as_str().unwrap();
            let (_, value) = header.split_once('=').unwrap();
            assert_eq!(
                ask(&mut drupal, &session(value), NOW),
                "bob",
                "{version} {module}"
            );
            let text = format!("{}allow_missing_second_factor = true\n", settings(version));
            let mut lenient = site.authenticator(&text);
            let verdict = ask(&mut lenient, &password("bob", "Pw-bob"), NOW);
            assert_eq!(
                verdict == "bob",
                module != "ldap_authentication",
                "{version} {module}"
            );
        }
    }
    let site = site(NEW);
    set_up(&site, NEW, state(&recorded(NEW), "s0"));
    site.run(
        "CREATE TABLE config (collection TEXT, name TEXT, data BLOB);
         INSERT INTO config VALUES ('', 'core.extension', 'a:1:{')",
    );
    let mut drupal = authenticator(&site, NEW);
    let verdict = explained(&mut drupal, &password("bob", "Pw-bob"), NOW);
    assert!(verdict.starts_with("unavailable"), "{verdict}");
}

#[test]
fn a_name_means_one_account_or_none() {
    let site = site(NEW);
    set_up(&site, NEW, state(&recorded(NEW), "s0"));
    let mut drupal = authenticator(&site, NEW);
    for (name, expected) in [
        ("bob", "bob"),
        ("BOB", "bob"),
        ("zoë o'neil", "Zoë O'Neil"),
        ("ZOË O'NEIL", "Zoë O'Neil"),
        ("zoe o'neil", "unknown-user"),
        (" bob", "unknown-user"),
        ("bob ", "unknown-user"),
        ("b_b", "unknown-user"),
        ("b%", "unknown-user"),
        (
            "9f9d51bc70ef21ca5c14f307980a29d8@example.org",
            "unknown-user",
        ),
    ] {
        assert_eq!(ask(&mut drupal, &vouched(name), NOW), expected, "{name}");
    }
    // Of an account in two languages the row of its own counts.
    site.run(
        "INSERT INTO users_field_data (uid, langcode, name, pass, status, default_langcode)
         VALUES (3, 'de', 'robert', '', 0, 0)",
    );
    assert_eq!(ask(&mut drupal, &vouched("bob"), NOW), "bob");
    assert_eq!(ask(&mut drupal, &vouched("robert"), NOW), "unknown-user");
    site.run(
        "INSERT INTO users_field_data (uid, langcode, name, pass, status, default_langcode)
         VALUES (9, 'en', 'Bob', '', 1, 1)",
    );
    for name in ["bob", "Bob", "BOB"] {
        assert_eq!(
            ask(&mut drupal, &vouched(name), NOW),
            "unknown-user",
            "{name}"
        );
    }
    let mut by_mail = site.authenticator(&format!(
        "{}[access]\nlogin = [\"username\", \"email\"]\n",
        settings(NEW)
    ));
    let mail = "9F9D51bc70ef21ca5c14f307980a29d8@example.org";
    assert_eq!(ask(&mut by_mail, &vouched(mail), NOW), "bob");
    site.run("UPDATE users_field_data SET mail = '9f9d51bc70ef21ca5c14f307980a29d8@example.org' WHERE uid = 6");
    assert_eq!(ask(&mut by_mail, &vouched(mail), NOW), "unknown-user");
}

/// Drupal compares names in SQLite by a collation that it brings along.
#[test]
fn a_collation_that_only_drupal_has_is_not_needed() {
    let site = site(NEW);
    set_up(&site, NEW, state(&recorded(NEW), "s0"));
    site.run(
        "CREATE TABLE copy (uid INTEGER NOT NULL, langcode VARCHAR(12) NOT NULL, name VARCHAR(60) \
         COLLATE NOCASE NOT NULL, pass VARCHAR(255) COLLATE NOCASE NULL, mail VARCHAR(254) \
         COLLATE NOCASE NULL, status INTEGER, default_langcode INTEGER, PRIMARY KEY (uid, langcode));
         CREATE UNIQUE INDEX copy_name ON copy (name, langcode);
         INSERT INTO copy SELECT uid, langcode, name, pass, mail, status, default_langcode FROM \
         users_field_data;
         DROP TABLE users_field_data;
         ALTER TABLE copy RENAME TO users_field_data;
         PRAGMA writable_schema = ON;
         UPDATE sqlite_master SET sql = replace(sql, 'NOCASE', 'NOCASE_UTF8') WHERE type = 'table'",
    );
    let mut drupal = authenticator(&site, NEW);
    for (name, expected) in [
        ("alice", "alice"),
        ("ALICE", "alice"),
        ("zoë O'NEIL", "Zoë O'Neil"),
        ("alic", "unknown-user"),
    ] {
        assert_eq!(ask(&mut drupal, &vouched(name), NOW), expected, "{name}");
    }
}

#[test]
fn tables_may_have_a_prefix_each() {
    let site = site(OLD);
    set_up(&site, OLD, state(&recorded(OLD), "s0"));
    site.write(
        "settings.php",
        "<?php\n$databases['default']['default'] = array('driver' => 'mysql', 'database' => 'd', \
         'host' => 'h', 'prefix' => array('default' => 'main_', 'users' => 'shared_'));\n",
    );
    let text = "framework = \"drupal\"\n[drupal]\nversion = \"7\"\nconfiguration = \"settings.php\"\n\
                base_url = \"http://h\"\n";
    let grants = site.authenticator(text).grants();
    for table in [
        "shared_users",
        "main_users_roles",
        "main_sessions",
        "main_role",
    ] {
        assert!(grants.contains(table), "{table} {grants}");
    }
    // Drupal keeps tables with a prefix in another file there.
    let sqlite = "driver = \"sqlite\"\ndatabase = \"db.sqlite3\"\n";
    let error = site.configuration(&format!("{text}{sqlite}")).unwrap_err();
    assert!(error.contains("drupal.prefix"), "{error}");
}

#[test]
fn credentials_of_other_kinds_are_not_sessions() {
    let site = site(NEW);
    set_up(&site, NEW, state(&recorded(NEW), "s0"));
    let mut drupal = authenticator(&site, NEW);
    let recorded = recorded(NEW);
    let (_, value) = recorded["vectors"][0]["cookie"]
        .as_str()
        .unwrap()
        .split_once('=')
        .unwrap();
    for credential in [
        Credential::Ticket(Secret::new(value)),
        Credential::Token(Secret::new(value)),
    ] {
        let verdict = ask(
            &mut drupal,
            &Request::new(ClaimedName::Nameless, credential),
            NOW,
        );
        assert_ne!(verdict, "admin");
    }
    assert_ne!(ask(&mut drupal, &password("admin", value), NOW), "admin");
}

#[test]
fn each_part_of_each_recorded_cookie_counts() {
    for version in [OLD, NEW] {
        let recorded = recorded(version);
        let site = site(version);
        set_up(&site, version, state(&recorded, "s0"));
        let mut drupal = authenticator(&site, version);
        let configuration = site.configuration(&settings(version)).unwrap();
        let mut good: Vec<(&str, String)> = Vec::new();
        for vector in recorded["vectors"].as_array().unwrap() {
            let header = vector["cookie"].as_str().unwrap();
            let owner = ask_by(&configuration, &mut drupal, header);
            let known = good.iter().any(|(known, _)| *known == header);
            if !owner.ends_with("-session")
                && owner != "unknown-user"
                && owner != "inactive"
                && !known
            {
                good.push((header, owner));
            }
        }
        assert!(good.len() > 1, "{version}: {}", good.len());
        for (at, (header, owner)) in good.iter().enumerate() {
            let another = good[(at + 1) % good.len()].0;
            let good = Good {
                header,
                owner,
                another,
            };
            refuse_what_is_made_of(&good, 0, |header| {
                ask_by(&configuration, &mut drupal, header)
            });
        }
    }
}
