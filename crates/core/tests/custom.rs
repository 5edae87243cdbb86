//! Sites of `[custom]`: any tables, by the site's own SQL.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail so")]

mod shared;

use std::time::Duration;

use hallpass_core::{
    Authenticator, ClaimedName, Credential, Deadline, Request, Requirement, Secret, Verdict,
};
use shared::{Site, ask, ask_at, granted, password, session, vouched};

/// Alice's hash is what `password_hash("secret", PASSWORD_BCRYPT, ["cost" => 4])` of PHP 8.2 gave.
const TABLES: &str = "
    CREATE TABLE people (nr INTEGER PRIMARY KEY, login TEXT, hash TEXT, mail TEXT, live INTEGER);
    CREATE TABLE clubs (person INTEGER, club TEXT);
    CREATE TABLE rights (person INTEGER, rights TEXT);
    CREATE TABLE logins (token TEXT, person INTEGER, until INTEGER);
    INSERT INTO people VALUES
        (1, 'alice', '$2y$04$4xtdyTmFH9cAh1SBRITfCOrHTvOcVqcXnZo1aiBiUx5Am.8rBTcly',
         'alice@example.org', 1),
        (2, 'bob', '5f4dcc3b5aa765d61d8327deb882cf99', NULL, 1),
        (3, 'carol', NULL, '', 0),
        (4, 'Dave', 'nonsense', '', 1),
        (5, 'dave', '', '', 1);
    INSERT INTO clubs VALUES (1, 'staff'), (1, 'chess'), (1, 'chess'), (2, 'go'), (3, 'staff');
    INSERT INTO rights VALUES (1, 'wiki.edit'), (3, 'wiki.edit');
    INSERT INTO logins VALUES ('token-of-alice', 1, 1000), ('token-of-bob', 2, 1000),
        ('token-of-carol', 3, 1000), ('token-of-nobody', NULL, 1000), ('token-of-a-ghost', 9, 1000),
        ('token-of-two', 1, 1000), ('token-of-two', 2, 1000);
";

const CUSTOM: &str = r#"
    framework = "custom"
    database = "sqlite:site.db"
    [custom]
    user = "SELECT nr AS id, login AS username, hash AS password, live AS is_active, mail AS email FROM people WHERE login = :username"
    user_by_id = "SELECT mail AS email, live AS is_active, hash AS password, login AS username, nr AS id FROM people WHERE nr = :id"
    groups = "SELECT club FROM clubs WHERE person = :id"
    permissions = "SELECT rights AS name, person FROM rights WHERE person = :id"
    session = "SELECT person AS user_id, until FROM logins WHERE token = :session AND until > :now"
    cookie = "login"
    [passwords]
    dummy = "pbkdf2_sha256$1"
"#;

fn site() -> Site {
    let site = Site::new(CUSTOM);
    site.database("site.db").execute_batch(TABLES).unwrap();
    site
}

fn authenticator(site: &Site) -> Authenticator {
    site.authenticator("")
}

#[test]
fn hashes_of_any_software_are_checked() {
    let site = site();
    let mut asked = authenticator(&site);
    assert_eq!(ask(&mut asked, &password("alice", "secret")), "alice");
    // MD5, as old sites have it and Django knows it.
    assert_eq!(ask(&mut asked, &password("bob", "password")), "bob");
    for (name, typed, reason) in [
        ("alice", "Secret", "wrong-password"),
        ("alice", "", "wrong-password"),
        ("bob", "passwort", "wrong-password"),
        ("nobody", "password", "unknown-user"),
        ("Alice", "secret", "unknown-user"),
        ("alice'--", "secret", "unknown-user"),
        ("' OR '1'='1", "secret", "unknown-user"),
        ("carol", "", "unusable-password"),
        ("Dave", "nonsense", "unsupported-hash"),
        ("dave", "", "unusable-password"),
        ("", "secret", "malformed"),
        ("a\0", "secret", "malformed"),
    ] {
        assert_eq!(ask(&mut asked, &password(name, typed)), reason, "{name:?}");
    }
}

#[test]
fn columns_are_read_by_name() {
    let site = site();
    let mut asked = authenticator(&site);
    let request = Request {
        wants_groups: true,
        ..vouched("alice")
    };
    let identity = granted(&mut asked, &request);
    assert_eq!(
        (&*identity.id, &*identity.email),
        ("1", "alice@example.org")
    );
    assert_eq!(identity.groups, ["chess", "staff"]);
    let bob = granted(&mut asked, &vouched("bob"));
    assert_eq!((&*bob.id, &*bob.email), ("2", ""));
    assert_eq!(ask(&mut asked, &vouched("carol")), "inactive");
}

#[test]
fn absent_columns_mean_active_and_without_address() {
    let site = site();
    let mut asked = site.authenticator_of(
        "framework = \"custom\"\ndatabase = \"sqlite:site.db\"\n\
         passwords.dummy = \"pbkdf2_sha256$1\"\n[custom]\nuser = \"SELECT nr AS ID, login AS UserName FROM people WHERE login=:username\"",
    );
    let carol = granted(&mut asked, &vouched("carol"));
    assert_eq!((&*carol.id, &*carol.email), ("3", ""));
    assert_eq!(
        ask(&mut asked, &password("carol", "x")),
        "unusable-password"
    );
    let verdict = ask(&mut asked, &session("token-of-alice", None));
    assert!(verdict.contains("[custom] session"), "{verdict}");
}

#[test]
fn statements_that_do_not_say_enough_say_so() {
    for (columns, word) in [
        ("login AS username", "called id"),
        ("nr AS id", "called username"),
        (
            "nr AS id, login AS username, mail AS username",
            "two columns",
        ),
        (
            "nr AS id, login AS username, hash AS password, mail AS Password",
            "two columns",
        ),
    ] {
        let site = site();
        let mut asked = site.authenticator_of(&format!(
            "framework = \"custom\"\ndatabase = \"sqlite:site.db\"\n\
             passwords.dummy = \"pbkdf2_sha256$1\"\n[custom]\nuser = \"SELECT {columns} FROM people WHERE login = :username\""
        ));
        let verdict = ask(&mut asked, &vouched("alice"));
        assert!(verdict.starts_with("unavailable"), "{columns}: {verdict}");
        assert!(verdict.contains(word), "{columns}: {verdict}");
    }
}

#[test]
fn of_namesakes_none_counts_even_the_exact_one() {
    let site = site();
    let mut asked = site.authenticator_of(
        "framework = \"custom\"\ndatabase = \"sqlite:site.db\"\n\
         passwords.dummy = \"pbkdf2_sha256$1\"\n[custom]\nuser = \"SELECT nr AS id, login AS username FROM people WHERE lower(login) = \
         lower(:username)\"",
    );
    assert_eq!(ask(&mut asked, &vouched("ALICE")), "alice");
    for name in ["Dave", "dave", "DAVE"] {
        assert_eq!(ask(&mut asked, &vouched(name)), "unknown-user", "{name}");
    }
}

/// A join gives one account several times.
#[test]
fn an_account_in_several_rows_is_one_if_they_agree() {
    let site = site();
    let user = |active: &str| {
        format!(
            "framework = \"custom\"\ndatabase = \"sqlite:site.db\"\n\
             passwords.dummy = \"pbkdf2_sha256$1\"\n[custom]\nuser = \"SELECT nr AS \
             id, login AS username, hash AS password, {active} AS is_active FROM people JOIN clubs \
             ON person = nr WHERE login = :username\""
        )
    };
    let mut asked = site.authenticator_of(&user("live"));
    assert_eq!(ask(&mut asked, &password("alice", "secret")), "alice");
    let mut asked = site.authenticator_of(&user("club = 'staff'"));
    assert_eq!(ask(&mut asked, &vouched("alice")), "unknown-user");
}

#[test]
fn statements_are_asked_for_those_that_meet_the_condition() {
    for (end, condition) in [
        ("", "live = 1"),
        (";", "account.is_active"),
        (" -- all of them", "account.username <> 'carol'"),
    ] {
        let site = site();
        let mut asked = site.authenticator_of(
            &CUSTOM
                .replace(", live AS is_active", ", 1 AS is_active, live")
                .replace(":username\"", &format!(":username{end}\""))
                .replace(
                    "[passwords]",
                    &format!("[access]\nwhere = \"{condition}\"\n[passwords]"),
                )
                .replace("account.is_active", "account.live"),
        );
        assert_eq!(ask(&mut asked, &password("alice", "secret")), "alice");
        assert_eq!(ask(&mut asked, &vouched("carol")), "inactive");
        let token = session("token-of-carol", None);
        assert_eq!(ask_at(&mut asked, &token, 999), "inactive");
        let token = session("token-of-alice", None);
        assert_eq!(ask_at(&mut asked, &token, 999), "alice");
    }
}

#[test]
fn groups_and_permissions_are_conditions() {
    let site = site();
    let mut asked = authenticator(&site);
    let mut with = |name: &str, requirement: Requirement| {
        let mut request = vouched(name);
        request.conditions.any.push(requirement);
        ask(&mut asked, &request)
    };
    let group = |name: &str| Requirement::Group(name.to_owned());
    let right = |name: &str| Requirement::Permission(name.to_owned());
    assert_eq!(with("alice", group("staff")), "alice");
    assert_eq!(with("alice", right("wiki.edit")), "alice");
    for (name, requirement) in [
        ("alice", group("Staff")),
        ("alice", group("go")),
        ("bob", group("staff")),
        ("bob", right("wiki.edit")),
        ("alice", right("wiki")),
        ("alice", right("edit")),
        ("alice", Requirement::Staff),
        ("alice", Requirement::Superuser),
    ] {
        assert_eq!(
            with(name, requirement.clone()),
            "not-permitted",
            "{requirement:?}"
        );
    }
    assert_eq!(with("carol", group("staff")), "inactive");
}

#[test]
fn sessions_are_rows() {
    let site = site();
    let mut asked = authenticator(&site);
    let mut at = |token: &str, owner, now| ask_at(&mut asked, &session(token, owner), now);
    assert_eq!(at("token-of-alice", None, 999), "alice");
    assert_eq!(at("token-of-bob", None, 999), "bob");
    for (token, reason) in [
        ("token-of-carol", "inactive"),
        ("token-of-nobody", "anonymous-session"),
        ("token-of-a-ghost", "unknown-user"),
        ("token-of-two", "invalid-session"),
        ("token-of-alic", "no-session"),
        ("TOKEN-OF-ALICE", "no-session"),
        ("", "no-session"),
        ("token-of-alice\0", "no-session"),
        ("x' OR '1'='1", "no-session"),
        ("%", "no-session"),
    ] {
        assert_eq!(at(token, None, 999), reason, "{token:?}");
    }
    // The statement says until when.
    assert_eq!(at("token-of-alice", None, 1000), "no-session");
}

#[test]
fn a_session_lets_in_its_owner_alone() {
    let site = site();
    let mut asked = authenticator(&site);
    let names = [
        "alice", "bob", "carol", "Dave", "dave", "nobody", "", "Alice",
    ];
    for (token, owner) in [("token-of-alice", "alice"), ("token-of-bob", "bob")] {
        for name in names {
            let verdict = ask_at(&mut asked, &session(token, Some(name)), 999);
            let expected = if name == owner { owner } else { "wrong-user" };
            assert_eq!(verdict, expected, "{token} of {name:?}");
        }
    }
}

#[test]
fn the_cookie_is_found_by_its_name() {
    let site = site();
    let mut asked = authenticator(&site);
    let mut of = |header: &str| {
        let request = Request::new(
            ClaimedName::Nameless,
            Credential::Cookies(Secret::new(header)),
        );
        ask_at(&mut asked, &request, 999)
    };
    assert_eq!(of("a=1; login=token-of-alice"), "alice");
    assert_eq!(of("Login=token-of-alice"), "no-session");
    assert_eq!(of("logins=token-of-alice"), "no-session");
    assert_eq!(of(""), "no-session");
}

/// Mallory has a page on a subdomain, and tosses a cookie of his own session beside alice's.
#[test]
fn of_two_cookies_the_one_counts_that_the_site_reads() {
    let site = site();
    let header = "login=token-of-alice; login=token-of-bob";
    for (rule, expected) in [
        ("", "bob"),
        ("cookie_rule = \"django\"", "bob"),
        ("cookie_rule = \"last\"", "bob"),
        ("cookie_rule = \"first\"", "alice"),
        ("cookie_rule = \"php\"", "alice"),
    ] {
        let text = CUSTOM.replace("cookie = \"login\"", &format!("cookie = \"login\"\n{rule}"));
        let mut asked = site.authenticator_of(&text);
        let cookies = Credential::Cookies(Secret::new(header));
        let request = Request::new(ClaimedName::Nameless, cookies);
        assert_eq!(ask_at(&mut asked, &request, 999), expected, "{rule}");
    }
}

#[test]
fn a_missing_table_is_not_a_wrong_password() {
    let site = Site::new(CUSTOM);
    site.database("site.db")
        .execute_batch("CREATE TABLE x (y)")
        .unwrap();
    let mut asked = authenticator(&site);
    for request in [
        password("alice", "x"),
        session("token-of-alice", None),
        vouched("alice"),
    ] {
        let verdict = ask(&mut asked, &request);
        assert!(verdict.starts_with("unavailable"), "{verdict}");
        assert!(!verdict.contains("token-of-alice"), "{verdict}");
    }
}

#[test]
fn a_changed_table_is_read_as_it_is_now() {
    let site = site();
    let mut asked = site.authenticator_of(
        "framework = \"custom\"\ndatabase = \"sqlite:site.db\"\n\
         passwords.dummy = \"pbkdf2_sha256$1\"\n[custom]\nuser = \"SELECT * FROM v WHERE username = :username\"",
    );
    let database = site.database("site.db");
    let one = "CREATE VIEW v AS SELECT nr AS id, login AS username, mail AS email FROM people";
    let other = "DROP VIEW v; CREATE VIEW v AS SELECT mail AS email, live AS is_active, \
                 login AS username, nr AS id FROM people";
    database.execute_batch(one).unwrap();
    assert_eq!(
        granted(&mut asked, &vouched("alice")).email,
        "alice@example.org"
    );
    database.execute_batch(other).unwrap();
    assert_eq!(
        granted(&mut asked, &vouched("alice")).email,
        "alice@example.org"
    );
    assert_eq!(ask(&mut asked, &vouched("carol")), "inactive");
}

#[test]
fn only_statements_that_read_by_what_is_known_are_taken() {
    let site = site();
    for (line, word) in [
        (
            "user = \"DELETE FROM people WHERE login = :username\"",
            "SELECT",
        ),
        ("user = \"\"", "SELECT"),
        ("user = \"SELECT 1 FROM people\"", ":username"),
        (
            "user = \"SELECT 1 FROM people WHERE login = ':username'\"",
            ":username",
        ),
        (
            "user = \"SELECT 1 FROM people WHERE login = :name\"",
            ":name",
        ),
        (
            "user = \"SELECT 1 WHERE login = :username AND hash = :password\"",
            ":password",
        ),
        (
            "user = \"SELECT 1 WHERE login = :username AND x = 'open\"",
            "does not end",
        ),
        ("user_by_id = \"SELECT 1\"", ":id"),
        ("groups = \"SELECT 1\"", ":id"),
        ("session = \"SELECT 1 WHERE :now > 1\"", ":session"),
        (
            "session = \"SELECT 1 WHERE token = :session\"",
            "user_by_id",
        ),
        ("cookie = \"a b\"", "cookie"),
        ("usr = \"\"", "user"),
        ("", "custom.user"),
    ] {
        let text = format!("framework = \"custom\"\ndatabase = \"sqlite:x\"\n[custom]\n{line}\n");
        let error = site.parse(&text).unwrap_err().to_string();
        assert!(error.contains(word), "{line}: {error}");
    }
    for text in [
        "framework = \"custom\"\n[custom]\nuser = \"SELECT 1 WHERE 1 = :username\"",
        "framework = \"django\"\ndatabase = \"sqlite:x\"\n[custom]\nuser = \"SELECT :username\"",
        "framework = \"custom\"\ndatabase = \"sqlite:x\"\nsession_source = \"htp\"",
        "framework = \"custom\"\ndatabase = \"sqlite:x\"\nsession_source = \"http\"",
    ] {
        assert!(site.parse(text).is_err(), "{text}");
    }
}

#[test]
fn nothing_shows_a_hash() {
    let site = site();
    let mut asked = authenticator(&site);
    let verdict = format!(
        "{:?}",
        Verdict::Granted(Box::new(granted(&mut asked, &vouched("bob"))))
    );
    assert!(!verdict.contains("5f4dcc3b"), "{verdict}");
    assert!(!format!("{asked:?}").contains("5f4dcc3b"));
}

#[test]
fn passwords_are_checked_only_where_the_cost_of_a_denial_is_known() {
    let without = CUSTOM.replace("[passwords]\n    dummy = \"pbkdf2_sha256$1\"", "");
    let site = site();
    let error = site.parse(&without).unwrap_err().to_string();
    let at = format!("{}:5: custom.user: ", site.path("hallpass.toml").display());
    assert!(error.starts_with(&at), "{error}");
    for word in ["`accounts`", "[passwords] dummy", "passwords = false"] {
        assert!(error.contains(word), "{error}");
    }
    let accounts = without.replace(
        "groups =",
        "accounts = \"SELECT nr AS id, login AS username FROM people WHERE nr > :id\"\ngroups =",
    );
    for good in [
        accounts,
        format!("{without}\n[access]\npasswords = false"),
        format!("{without}\n[daemon]\naccept = [\"session\"]"),
        format!("via = \"unix:/x\"\nvia_only = true\n{without}"),
    ] {
        assert!(site.parse(&good).is_ok(), "{good}");
    }
    let by_ejabberd = format!("{without}\n[daemon]\naccept = [\"session\"]\n[ejabberd]\n");
    assert!(site.parse(&by_ejabberd).is_err());
    // Programs that take passwords whatever hosts send: none is told from another.
    let sessions = format!("{without}\n[daemon]\naccept = [\"session\"]");
    let mut asked = site.authenticator_of(&sessions);
    for (name, typed) in [("alice", "secret"), ("alice", "wrong"), ("nobody", "x")] {
        let verdict = ask(&mut asked, &password(name, typed));
        assert!(
            verdict.starts_with("unavailable: passwords are not checked"),
            "{verdict}"
        );
    }
    assert_eq!(
        ask_at(&mut asked, &session("token-of-alice", None), 999),
        "alice"
    );
    assert_eq!(ask(&mut asked, &vouched("alice")), "alice");
}

#[test]
fn a_list_that_begins_anew_is_an_error_and_not_endless() {
    let anew = CUSTOM.replace(
        "groups =",
        "accounts = \"SELECT nr AS id, login AS username FROM people WHERE :id IS NOT NULL ORDER BY nr\"\n\
         groups =",
    );
    let site = site();
    let mut asked = site.authenticator_of(&anew);
    let deadline = Deadline::after(Duration::from_secs(60));
    let page = asked.accounts_after(None, deadline).unwrap();
    assert!(page.len() > 1);
    let last = page.last().map(|it| it.id.clone());
    let error = asked.accounts_after(last.as_ref(), deadline).unwrap_err();
    assert!(
        error.to_string().contains("WHERE id > :id ORDER BY id"),
        "{error}"
    );
}

/// What MyBB 1.8, vBulletin 4, XenForo 1.0, SMF 1.1 and 2.1 and WordPress 6.8 store for `secret`, by
/// their formulas in PHP 8.2, and Werkzeug 3.1 by itself.
const SALTED: &str = r#"
    CREATE TABLE members (id INTEGER PRIMARY KEY, name TEXT, hash TEXT, salt TEXT);
    INSERT INTO members VALUES
        (1, 'mybb', 'de33c5fa42a568ad797a8a38692dcced', 'xQ3bT7aa'),
        (2, 'vbulletin', 'd02f09de70ad18da42b7a6763528c7e5', 'a"b'),
        (3, 'xenforo', '9fec7d587f80c72b05ffc4f4ebd62cedb2491d0ed66d74335e329133ddfc789a', 's4lt'),
        (4, 'Smf', 'bf9e2c2ef0d2ef74e6c32dba372fe6377d9baabc', '4f2a'),
        (5, 'Smf21', '$2y$04$9FjRJxAFWMZD468wGcKKTu.zb4nXac41DN6gOZu0BdZxeig4FopHu', '4f2a'),
        (6, 'plain', '5ebe2294ecd0e0f08eab7690d2a6ee69', NULL),
        (7, 'sha1', 'e5e9fa1ba31ecd1ae84f75caaa474f3a663f05f4', NULL),
        (8, 'flask', 'pbkdf2:sha256:3$21qsD1lPN4LnHn0m$52d68bb9d6e0900361571fbc4cee36e5bc9127a7160b202024fcbfb5ad386c80', NULL),
        (9, 'wordpress', '$wp$2y$04$zj0M1FGlQNCbkVflX156hOypHuOyKVpyxjDF1rvuddcwGcvINliZi', NULL),
        (10, 'other', 'de33c5fa42a568ad797a8a38692dcced', 'xQ3bT7ab'),
        (11, 'without', 'de33c5fa42a568ad797a8a38692dcced', NULL),
        (12, 'digest', 'de33c5fa42a568ad797a8a38692dcced', '');
    CREATE TABLE joined (id INTEGER, salt TEXT);
    INSERT INTO joined VALUES (1, 'xQ3bT7aa'), (1, 'xQ3bT7aa'), (2, 'a"b'), (2, 'another');
"#;

fn members(site: &Site, hashes: &str) -> Authenticator {
    site.authenticator_of(&format!(
        "framework = \"custom\"\ndatabase = \"sqlite:site.db\"\npasswords.dummy = \"pbkdf2_sha256$1\"\n\
         [custom]\n{hashes}\nuser = \"SELECT id, name AS username, hash AS password, salt FROM members \
         WHERE name = :username\""
    ))
}

#[test]
fn a_hash_may_need_its_salt_or_its_name() {
    let site = Site::new("");
    site.database("site.db").execute_batch(SALTED).unwrap();
    let every = [
        "mybb",
        "vbulletin",
        "xenforo",
        "Smf",
        "Smf21",
        "plain",
        "sha1",
        "flask",
        "wordpress",
        "other",
        "without",
        "digest",
    ];
    for (hashes, right, unsupported) in [
        (
            "",
            &[
                "mybb",
                "vbulletin",
                "xenforo",
                "plain",
                "flask",
                "wordpress",
            ][..],
            &["sha1"][..],
        ),
        (
            "hashes = \"salted\"",
            &["mybb", "vbulletin", "xenforo", "plain"],
            &["Smf21", "sha1", "flask", "wordpress"],
        ),
        (
            "hashes = \"smf\"",
            &["Smf", "Smf21"],
            &[
                "mybb",
                "vbulletin",
                "xenforo",
                "plain",
                "flask",
                "wordpress",
                "other",
                "without",
                "digest",
            ],
        ),
        (
            "hashes = \"werkzeug\"",
            &["flask"],
            &[
                "mybb",
                "vbulletin",
                "xenforo",
                "Smf",
                "Smf21",
                "plain",
                "sha1",
                "wordpress",
                "other",
                "without",
                "digest",
            ],
        ),
        (
            "hashes = \"wordpress\"",
            &["plain", "wordpress"],
            &["xenforo", "sha1", "Smf", "flask"],
        ),
        (
            "hashes = \"nextcloud\"",
            &["sha1"],
            &[
                "mybb",
                "vbulletin",
                "xenforo",
                "plain",
                "flask",
                "wordpress",
                "other",
                "without",
                "digest",
            ],
        ),
    ] {
        let mut asked = members(&site, hashes);
        for name in every {
            let expected = if right.contains(&name) {
                name
            } else if unsupported.contains(&name) {
                "unsupported-hash"
            } else {
                "wrong-password"
            };
            assert_eq!(
                ask(&mut asked, &password(name, "secret")),
                expected,
                "{hashes} {name}"
            );
            for wrong in ["Secret", "secretx", "", "xQ3bT7aa"] {
                let answer = ask(&mut asked, &password(name, wrong));
                assert!(answer.contains('-'), "{hashes} {name} {wrong:?}: {answer}");
            }
        }
    }
}

#[test]
fn rows_of_an_account_with_two_salts_are_none() {
    let site = Site::new("");
    site.database("site.db").execute_batch(SALTED).unwrap();
    let mut asked = site.authenticator_of(
        "framework = \"custom\"\ndatabase = \"sqlite:site.db\"\npasswords.dummy = \"pbkdf2_sha256$1\"\n\
         [custom]\nuser = \"SELECT m.id, m.name AS username, m.hash AS password, j.salt FROM members m \
         JOIN joined j ON j.id = m.id WHERE m.name = :username\"",
    );
    assert_eq!(ask(&mut asked, &password("mybb", "secret")), "mybb");
    assert_eq!(
        ask(&mut asked, &password("vbulletin", "secret")),
        "unknown-user"
    );
}

#[test]
fn rules_of_hashes_that_are_not_known_are_refused() {
    let site = Site::new("");
    for (word, expected) in [
        ("werkzeugs", "did you mean \"werkzeug\"?"),
        ("", "custom.hashes"),
        ("Django", "custom.hashes"),
        ("bcrypt", "custom.hashes"),
    ] {
        let error = site
            .parse(&format!(
                "framework = \"custom\"\ndatabase = \"sqlite:site.db\"\npasswords.dummy = \"pbkdf2_sha256$1\"\n\
                 [custom]\nhashes = {word:?}\nuser = \"SELECT 1 AS id FROM x WHERE y = :username\""
            ))
            .unwrap_err()
            .to_string();
        assert!(error.contains(expected), "{word}: {error}");
    }
}
