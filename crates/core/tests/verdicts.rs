//! Verdicts of the authenticator on a small site. What real Djangos say of the same questions is
//! compared in `tests/end_to_end`.
#![allow(clippy::unwrap_used)]

mod site;

use std::time::{Duration, SystemTime};

use hallpass_core::{
    Change, ClaimedName, Conditions, Credential, Deadline, Progress, Reason, Request, Requirement,
    Secret, Verdict,
};
use site::{Site, ask, ask_at, encoded, password, session, vouched};

const SESSION: &str = "abcdefghijklmnopqrstuvwxyz012345";

fn people() -> Site {
    let site = Site::new();
    site.add(1, "alice", &encoded("secret", 1), true);
    site.add(2, "Bob", &encoded("pa:ss wörd", 1), true);
    site.add(3, "carol", &encoded("secret", 1), false);
    site.add(4, "dave", "!unusable", true);
    site.add(5, "Zoë", &encoded("secret", 1), true);
    site.log_in(SESSION, 1);
    site
}

#[test]
fn passwords_are_checked_before_anything_is_told() {
    let mut site = people().authenticator_of();
    for (name, typed, verdict) in [
        ("alice", "secret", "alice"),
        ("Bob", "pa:ss wörd", "Bob"),
        ("alice", "Secret", "wrong-password"),
        ("alice", "secret ", "wrong-password"),
        ("alice", "", "wrong-password"),
        ("carol", "secret", "inactive"),
        ("carol", "wrong", "wrong-password"),
        ("dave", "unusable", "unusable-password"),
        ("dave", "", "unusable-password"),
        ("bob", "pa:ss wörd", "unknown-user"),
        ("alice ", "secret", "unknown-user"),
        ("ａｌｉｃｅ", "secret", "unknown-user"),
        ("' OR 1=1 --", "secret", "unknown-user"),
        ("%", "secret", "unknown-user"),
        ("", "secret", "malformed"),
        ("al\nice", "secret", "malformed"),
        ("alice\0", "secret", "malformed"),
        ("alice", "secret\0", "malformed"),
    ] {
        assert_eq!(
            site.ask(&password(name, typed)),
            verdict,
            "{name:?} {typed:?}"
        );
    }
    let long = "x".repeat(4097);
    assert_eq!(site.ask(&password("alice", &long)), "malformed");
    assert_eq!(site.ask(&password(&long, "secret")), "malformed");
}

/// Without a look at the password, the verdict is at most what the right one would give.
#[test]
fn a_right_password_is_worth_what_the_account_is() {
    let people = people();
    people.add(6, "erin", &encoded("secret", 5_000), true);
    people.add(
        7,
        "frank",
        "sha1$salt$da39a3ee5e6b4b0d3255bfef95601890afd80709",
        true,
    );
    people.add(8, "grace", "", true);
    people.add(9, "heidi", "no hash", true);
    let toml =
        "django.password_hashers = [\"pbkdf2_sha256\"]\n[passwords]\nmax_iterations = 1000\n";
    let mut site = people.authenticator(toml);
    for (name, verdict) in [
        ("alice", "alice"),
        ("Zoë", "Zoë"),
        ("carol", "inactive"),
        ("dave", "unusable-password"),
        ("erin", "unsupported-hash"),
        ("frank", "unsupported-hash"),
        ("grace", "unusable-password"),
        ("heidi", "unsupported-hash"),
        ("nobody", "unknown-user"),
        ("", "malformed"),
    ] {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_999_999_999);
        let deadline = Deadline::after(Duration::from_secs(60));
        let found = match site.begin(&password(name, "not looked at"), now, deadline) {
            Progress::Answered(verdict) => verdict,
            Progress::Pending(pending) => pending.verdict_if_right(now),
        };
        let word = match &found {
            Verdict::Granted(identity) => identity.name.as_str(),
            found => found.reason().unwrap_or_default(),
        };
        assert_eq!(word, verdict, "{name:?}");
    }
}

/// `ModelBackend.authenticate(username="", …)` of Django 5.2 finds the account that is called so.
#[test]
fn an_empty_login_name_is_one_where_an_account_has_it() {
    let people = people();
    people.add(6, "", &encoded("secret", 1), true);
    for toml in [
        "",
        "[access]\nlogin = [\"username\", \"email\"]\nignore_case = true",
    ] {
        let mut site = people.authenticator(toml);
        for (name, typed, verdict) in [
            ("", "secret", ""),
            ("", "Secret", "wrong-password"),
            ("", "", "wrong-password"),
            (" ", "secret", "unknown-user"),
            ("alice", "secret", "alice"),
        ] {
            let found = ask(&mut site, &password(name, typed));
            assert_eq!(found, verdict, "{name:?} {typed:?}");
        }
        // Nobody vouches for a name that says nothing.
        assert_eq!(ask(&mut site, &vouched("")), "malformed");
    }
}

#[test]
fn sessions_live_until_they_end() {
    let people = people();
    let mut authenticator = people.authenticator("");
    let mut at = |token, seconds| ask_at(&mut authenticator, &session(token, None), seconds);
    assert_eq!(at(SESSION, 1_999_999_999), "alice");
    assert_eq!(at(SESSION, 2_000_000_000), "expired-session");
    assert_eq!(at(SESSION, 2_000_000_001), "expired-session");
    for token in [
        "",
        "abc",
        &SESSION[1..],
        &SESSION.to_uppercase(),
        "' OR 1=1 --",
        "a\0bcdefgh",
    ] {
        assert_eq!(at(token, 1_999_999_999), "no-session", "{token}");
    }
}

#[test]
fn a_session_is_its_owners_alone() {
    let people = people();
    let mut authenticator = people.authenticator("[access]\nignore_case = true");
    for (owner, verdict) in [
        ("alice", "alice"),
        ("ALICE", "alice"),
        ("Bob", "wrong-user"),
        ("carol", "wrong-user"),
        ("nobody", "wrong-user"),
        ("", "wrong-user"),
    ] {
        assert_eq!(
            ask(&mut authenticator, &session(SESSION, Some(owner))),
            verdict,
            "{owner}"
        );
    }
}

#[test]
fn what_happens_on_the_site_counts_at_once() {
    for (statement, by_session, by_password) in [
        ("DELETE FROM django_session", "no-session", "alice"),
        ("UPDATE auth_user SET is_active = 0", "inactive", "inactive"),
        (
            "UPDATE auth_user SET password = '!'",
            "stale-session",
            "unusable-password",
        ),
        (
            "UPDATE auth_user SET password = ''",
            "stale-session",
            "unusable-password",
        ),
        ("DELETE FROM auth_user", "unknown-user", "unknown-user"),
        (
            "UPDATE auth_user SET username = 'eve' WHERE id = 1",
            "eve",
            "unknown-user",
        ),
        (
            "UPDATE django_session SET session_data = 'x'",
            "invalid-session",
            "alice",
        ),
        (
            "UPDATE django_session SET expire_date = 'x'",
            "invalid-session",
            "alice",
        ),
        (
            "UPDATE django_session SET expire_date = '2026-01-01 00:00:00'",
            "expired-session",
            "alice",
        ),
    ] {
        let people = people();
        let mut authenticator = people.authenticator("");
        assert_eq!(ask(&mut authenticator, &session(SESSION, None)), "alice");
        assert_eq!(
            ask(&mut authenticator, &password("alice", "secret")),
            "alice"
        );
        people.database().execute(statement, []).unwrap();
        assert_eq!(
            ask(&mut authenticator, &session(SESSION, None)),
            by_session,
            "{statement}"
        );
        let verdict = ask(&mut authenticator, &password("alice", "secret"));
        assert_eq!(verdict, by_password, "{statement}");
    }
}

/// Between two commits a session is read twice at most, however often it is asked about.
#[test]
fn what_is_known_of_a_session_is_known_until_something_is_committed() {
    for journal in ["delete", "truncate", "persist", "wal"] {
        let people = people();
        let database = people.database();
        let set = |_: &rusqlite::Row<'_>| Ok(());
        let journal_mode = format!("PRAGMA journal_mode = {journal}");
        database.query_row(&journal_mode, [], set).unwrap();
        let mut authenticator = people.authenticator("");
        let mut asked = || ask(&mut authenticator, &session(SESSION, None));
        for _ in 0..3 {
            assert_eq!(asked(), "alice");
        }
        let write = |statements| database.execute_batch(statements).unwrap();
        write("BEGIN IMMEDIATE; DELETE FROM django_session");
        assert_eq!(asked(), "alice", "{journal}: nothing is committed yet");
        write("ROLLBACK");
        assert_eq!(asked(), "alice", "{journal}");
        write("UPDATE auth_user SET is_active = 0 WHERE id = 1");
        assert_eq!(asked(), "inactive", "{journal}");
        write("UPDATE auth_user SET is_active = 1 WHERE id = 1");
        assert_eq!(asked(), "alice", "{journal}");
        assert_eq!(asked(), "alice", "{journal}");
        write("BEGIN IMMEDIATE; DELETE FROM django_session; COMMIT");
        for _ in 0..2 {
            assert_eq!(asked(), "no-session", "{journal}");
        }
        people.log_in(SESSION, 2);
        assert_eq!(asked(), "Bob", "{journal}");
    }
}

#[test]
fn nobody_is_known_by_a_database_that_cannot_be_read() {
    let people = people();
    let mut authenticator = people.authenticator("");
    let mut asked = || ask(&mut authenticator, &session(SESSION, None));
    assert_eq!(asked(), "alice");
    let writer = people.database();
    writer.execute_batch("BEGIN EXCLUSIVE").unwrap();
    assert!(asked().starts_with("unavailable: "));
    writer.execute_batch("COMMIT").unwrap();
    assert_eq!(asked(), "alice");
    let path = |name| people.directory.path().join(name);
    std::fs::rename(path("db.sqlite3"), path("away")).unwrap();
    assert!(asked().starts_with("unavailable: "));
    // Another file, in which just as much has been committed.
    std::fs::copy(path("away"), path("copy")).unwrap();
    let copy = rusqlite::Connection::open(path("copy")).unwrap();
    let change = "UPDATE auth_user SET username = 'mallory' WHERE id = 1";
    copy.execute(change, []).unwrap();
    std::fs::rename(path("copy"), path("db.sqlite3")).unwrap();
    assert_eq!(asked(), "mallory");
    std::fs::rename(path("away"), path("db.sqlite3")).unwrap();
    assert_eq!(asked(), "alice");
    std::fs::write(path("db.sqlite3"), "no database").unwrap();
    assert!(asked().starts_with("unavailable: "));
}

#[test]
fn a_session_that_is_known_ends_when_its_time_has_come() {
    let people = people();
    let zones = [
        ("", 2_000_000_000),
        // What the clock on the wall shows counts where `USE_TZ` is off.
        ("django.time_zone = \"Europe/Warsaw\"", 1_999_992_800),
    ];
    for (zone, end) in zones {
        let mut authenticator = people.authenticator(zone);
        let mut at = |seconds| ask_at(&mut authenticator, &session(SESSION, None), seconds);
        for (seconds, verdict) in [
            (end - 2, "alice"),
            (end - 1, "alice"),
            (end, "expired-session"),
            (end + 1, "expired-session"),
            (end - 1, "alice"),
            (end, "expired-session"),
        ] {
            assert_eq!(at(seconds), verdict, "{seconds} {zone}");
        }
    }
}

/// Clocks in Warsaw went from 02:00 to 03:00 on 2026-03-29 at 01:00 UTC, and Django compares what
/// they show.
#[test]
fn a_session_that_is_known_ends_when_clocks_are_set_forward_over_its_end() {
    let people = people();
    let change = "UPDATE django_session SET expire_date = '2026-03-29 02:30:00'";
    people.database().execute(change, []).unwrap();
    let mut authenticator = people.authenticator("django.time_zone = \"Europe/Warsaw\"");
    let mut at = |seconds| ask_at(&mut authenticator, &session(SESSION, None), seconds);
    let forward = 1_774_746_000;
    for _ in 0..2 {
        assert_eq!(at(forward - 1), "alice");
        assert_eq!(at(forward), "expired-session");
        assert_eq!(at(forward + 1_799), "expired-session");
        assert_eq!(at(forward + 1_800), "expired-session");
    }
}

#[test]
fn who_is_known_is_asked_for_every_condition() {
    let people = people();
    let mut authenticator = people.authenticator("");
    let mut asked = |any: &[Requirement], owner| {
        let any = any.to_vec();
        let conditions = Conditions {
            any,
            ..Conditions::default()
        };
        let request = Request {
            conditions,
            ..session(SESSION, owner)
        };
        ask(&mut authenticator, &request)
    };
    let writers = [Requirement::Group("writers".into())];
    assert_eq!(asked(&[], None), "alice");
    assert_eq!(asked(&writers, None), "not-permitted");
    assert_eq!(asked(&[Requirement::Staff], None), "not-permitted");
    assert_eq!(asked(&[], Some("Bob")), "wrong-user");
    assert_eq!(asked(&[], Some("alice")), "alice");
    people
        .database()
        .execute_batch(
            "INSERT INTO auth_group VALUES (9, 'writers');
             INSERT INTO auth_user_groups VALUES (9, 1, 9);",
        )
        .unwrap();
    assert_eq!(asked(&writers, None), "alice");
    assert_eq!(asked(&writers, None), "alice");
    let leave = "DELETE FROM auth_user_groups";
    people.database().execute(leave, []).unwrap();
    assert_eq!(asked(&writers, None), "not-permitted");
}

#[test]
fn backends_that_are_not_listed_are_refused() {
    let people = people();
    let listed = |list| format!("django.authentication_backends = {list}");
    for (list, verdict) in [
        ("[\"a.Backend\"]", "alice"),
        ("[\"b.Backend\", \"a.Backend\"]", "alice"),
        ("[\"b.Backend\"]", "invalid-session"),
        ("[]", "invalid-session"),
    ] {
        let mut authenticator = people.authenticator(&listed(list));
        assert_eq!(
            ask(&mut authenticator, &session(SESSION, None)),
            verdict,
            "{list}"
        );
    }
}

#[test]
fn names_may_differ_in_case_where_that_is_said() {
    let people = people();
    let mut authenticator = people.authenticator("[access]\nignore_case = true");
    let mut at = |name| ask(&mut authenticator, &password(name, "secret"));
    assert_eq!(at("ALICE"), "alice");
    assert_eq!(at("zOË"), "Zoë");
    assert_eq!(at("zoe"), "unknown-user");
    people.add(6, "Alice", &encoded("other", 1), true);
    // A name that could be either is neither, exact or not.
    assert_eq!(at("alice"), "unknown-user");
    assert_eq!(at("Alice"), "unknown-user");
    assert_eq!(at("ALICE"), "unknown-user");
}

#[test]
fn e_mail_addresses_are_names_where_that_is_said() {
    let people = people();
    let mut only_names = people.authenticator("");
    let address = password("alice@example.com", "secret");
    assert_eq!(ask(&mut only_names, &address), "unknown-user");
    let mut authenticator = people.authenticator("[access]\nlogin = [\"username\", \"email\"]");
    assert_eq!(ask(&mut authenticator, &address), "alice");
    assert_eq!(
        ask(&mut authenticator, &password("alice", "secret")),
        "alice"
    );
    // A name that is somebody else's address is neither's.
    people.add(7, "alice@example.com", &encoded("other", 1), true);
    assert_eq!(ask(&mut authenticator, &address), "unknown-user");
    let twice = "UPDATE auth_user SET email = 'shared@example.com'";
    people.database().execute(twice, []).unwrap();
    let shared = password("shared@example.com", "secret");
    assert_eq!(ask(&mut authenticator, &shared), "unknown-user");
}

#[test]
fn hashes_that_cost_too_much_are_never_run() {
    let site = Site::new();
    let costly = "pbkdf2_sha256$4000000000$salt$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    site.add(1, "alice", costly, true);
    site.add(2, "bob", &encoded("secret", 1000), true);
    let mut authenticator = site.authenticator("");
    assert_eq!(
        ask(&mut authenticator, &password("alice", "secret")),
        "unsupported-hash"
    );
    let mut authenticator = site.authenticator("[passwords]\nmax_iterations = 999");
    assert_eq!(
        ask(&mut authenticator, &password("bob", "secret")),
        "unsupported-hash"
    );
    let mut authenticator = site.authenticator("django.password_hashers = [\"argon2\"]");
    assert_eq!(
        ask(&mut authenticator, &password("bob", "secret")),
        "unsupported-hash"
    );
}

#[test]
fn conditions_and_access_rules_hold_for_every_credential() {
    let site = people();
    let database = site.database();
    database
        .execute(
            "UPDATE auth_user SET is_superuser = 1 WHERE id IN (2, 3)",
            [],
        )
        .unwrap();
    let of = |request: Request, any: &[&str], all: &[&str]| Request {
        conditions: Conditions {
            any: any
                .iter()
                .map(|name| Requirement::Group((*name).to_owned()))
                .collect(),
            all: all
                .iter()
                .map(|name| Requirement::Permission((*name).to_owned()))
                .collect(),
        },
        ..request
    };
    let mut authenticator = site.authenticator("");
    for (any, all, alice, bob) in [
        (&[][..], &[][..], "alice", "Bob"),
        (&["editors"], &[], "alice", "not-permitted"),
        (&["chiefs", "editors"], &[], "alice", "not-permitted"),
        (&["chiefs"], &[], "not-permitted", "not-permitted"),
        (&["Editors"], &[], "not-permitted", "not-permitted"),
        (&[], &["news.add_story"], "alice", "Bob"),
        (
            &[],
            &["news.add_story", "news.delete_story"],
            "not-permitted",
            "Bob",
        ),
        (&[], &["add_story"], "not-permitted", "Bob"),
        (&[], &["news.nothing"], "not-permitted", "Bob"),
        (
            &["editors"],
            &["news.nothing"],
            "not-permitted",
            "not-permitted",
        ),
    ] {
        let mut verdict = |request| ask(&mut authenticator, &of(request, any, all));
        assert_eq!(
            verdict(password("alice", "secret")),
            alice,
            "{any:?} {all:?}"
        );
        assert_eq!(verdict(session(SESSION, None)), alice, "{any:?} {all:?}");
        assert_eq!(verdict(vouched("alice")), alice, "{any:?} {all:?}");
        assert_eq!(verdict(vouched("Bob")), bob, "{any:?} {all:?}");
        assert_eq!(verdict(vouched("carol")), "inactive");
        assert_eq!(verdict(vouched("nobody")), "unknown-user");
        // A wrong password is told no more than that.
        assert_eq!(verdict(password("alice", "wrong")), "wrong-password");
    }
    for (rule, alice) in [
        ("groups = [\"editors\"]", "alice"),
        ("groups = [\"chiefs\"]", "not-permitted"),
        ("permissions = [\"news.add_story\"]", "alice"),
        (
            "permissions = [\"news.add_story\", \"news.nothing\"]",
            "not-permitted",
        ),
    ] {
        let mut authenticator = site.authenticator(&format!("[access]\n{rule}"));
        for request in [
            password("alice", "secret"),
            session(SESSION, None),
            vouched("alice"),
        ] {
            assert_eq!(ask(&mut authenticator, &request), alice, "{rule}");
        }
    }
}

#[test]
fn staff_superusers_and_condition_words_can_be_asked_of_every_account() {
    let people = people();
    let flags = "UPDATE auth_user SET is_staff = id = 1, is_superuser = id = 2";
    people.database().execute(flags, []).unwrap();
    people.log_in("abcdefghijklmnopqrstuvwxyz543210", 2);
    for (access, alice, bob) in [
        ("staff = true", true, false),
        ("superuser = true", false, true),
        ("staff = true\nsuperuser = true", false, false),
        ("staff = false\nsuperuser = false", true, true),
        ("groups = [\"is:staff\"]", true, false),
        ("groups = [\"is:staff\", \"is:superuser\"]", true, true),
        ("groups = [\"nobody's\", \"perm:a.b\"]", false, true),
    ] {
        let mut site = people.authenticator(&format!("[access]\n{access}"));
        for (name, password_, token, permitted) in [
            ("alice", "secret", SESSION, alice),
            ("Bob", "pa:ss wörd", "abcdefghijklmnopqrstuvwxyz543210", bob),
        ] {
            let verdict = if permitted { name } else { "not-permitted" };
            for request in [
                password(name, password_),
                session(token, None),
                session(token, Some(name)),
                vouched(name),
            ] {
                assert_eq!(ask(&mut site, &request), verdict, "{access}: {request:?}");
            }
        }
    }
}

#[test]
fn where_passwords_are_off_sessions_alone_let_anybody_in() {
    let people = people();
    let mut site = people.authenticator("[access]\npasswords = false");
    for (name, typed) in [
        ("alice", "secret"),
        ("alice", "wrong"),
        ("carol", "secret"),
        ("nobody", "secret"),
    ] {
        assert_eq!(ask(&mut site, &password(name, typed)), "unusable-password");
    }
    assert_eq!(ask(&mut site, &session(SESSION, None)), "alice");
    assert_eq!(ask(&mut site, &session(SESSION, Some("alice"))), "alice");
    assert_eq!(ask(&mut site, &vouched("alice")), "alice");
}

const DEVICES: &str = "CREATE TABLE otp_totp_totpdevice (id integer PRIMARY KEY, user_id integer, \
                       confirmed bool); INSERT INTO otp_totp_totpdevice VALUES (1, 1, 1)";
const SECOND_FACTOR: &str = "django.second_factor = [\"otp_totp_totpdevice\"]";

#[test]
fn no_password_is_written_where_none_lets_anybody_in() {
    let people = people();
    people.database().execute_batch(DEVICES).unwrap();
    let stored = || -> Vec<(String, String)> {
        let database = people.database();
        let mut statement = database
            .prepare("SELECT username, password FROM auth_user ORDER BY id")
            .unwrap();
        let rows = statement
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap();
        rows.map(Result::unwrap).collect()
    };
    let before = stored();
    let set = |name: &str| Change::SetPassword {
        name: name.to_owned(),
        password: Secret::new("new"),
    };
    let register = Change::Register {
        name: "erin".to_owned(),
        password: Secret::new("new"),
    };
    for (toml, change, refused) in [
        ("[access]\npasswords = false", set("alice"), true),
        ("[access]\npasswords = false", set("nobody"), true),
        ("[access]\npasswords = false", register, true),
        // Of alice a second factor is asked, and of Bob none.
        (SECOND_FACTOR, set("alice"), true),
        (SECOND_FACTOR, set("Bob"), false),
    ] {
        let mut site = people.authenticator(toml);
        let deadline = Deadline::after(Duration::from_secs(60));
        match (site.change(&change, SystemTime::now(), deadline), refused) {
            (Verdict::Denied(Reason::NotPermitted), true) => assert_eq!(stored(), before),
            (Verdict::Granted(_), false) => assert_ne!(stored(), before),
            (verdict, _) => panic!("{toml}: {change:?}: {verdict:?}"),
        }
    }
}

/// With rights to other columns alone, a database shows as many.
#[test]
fn devices_are_not_read_without_what_says_which_count() {
    let people = people();
    people.database().execute_batch(DEVICES).unwrap();
    let mut site = people.authenticator(SECOND_FACTOR);
    assert_eq!(ask(&mut site, &session(SESSION, None)), "invalid-session");
    let request = password("alice", "secret");
    assert_eq!(ask(&mut site, &request), "unusable-password");
    people
        .database()
        .execute_batch("ALTER TABLE otp_totp_totpdevice DROP COLUMN confirmed")
        .unwrap();
    let mut site = people.authenticator(SECOND_FACTOR);
    for request in [session(SESSION, None), password("alice", "secret")] {
        let verdict = ask(&mut site, &request);
        assert!(verdict.starts_with("unavailable"), "{verdict}");
        assert!(verdict.contains("confirmed"), "{verdict}");
    }
}

/// A row without a name is nobody's, and hides no other.
#[test]
fn an_address_of_two_accounts_is_nobodys_beside_a_row_without_a_name() {
    let people = people();
    people
        .database()
        .execute_batch(
            "ALTER TABLE auth_user RENAME TO named;
             CREATE TABLE auth_user AS SELECT * FROM named;
             INSERT INTO auth_user SELECT -1, password, last_login, is_superuser, NULL, last_name,
             email, is_staff, is_active, date_joined, first_name FROM named WHERE id = 1",
        )
        .unwrap();
    for ignore_case in [false, true] {
        let toml = format!("[access]\nlogin = [\"email\"]\nignore_case = {ignore_case}");
        let request = password("alice@example.com", "secret");
        people
            .database()
            .execute_batch("UPDATE auth_user SET email = 'zoe@example.com' WHERE id = 5")
            .unwrap();
        assert_eq!(ask(&mut people.authenticator(&toml), &request), "alice");
        people
            .database()
            .execute_batch("UPDATE auth_user SET email = 'alice@example.com' WHERE id = 5")
            .unwrap();
        let verdict = ask(&mut people.authenticator(&toml), &request);
        assert_eq!(verdict, "unknown-user", "{ignore_case}");
    }
}

#[test]
fn a_password_without_a_name_is_nothing() {
    let people = people();
    let mut site = people.authenticator("");
    let secret = Credential::Password(Secret::new("secret"));
    let nameless = |credential| Request::new(ClaimedName::Nameless, credential);
    assert_eq!(ask(&mut site, &nameless(secret)), "malformed");
    assert_eq!(ask(&mut site, &nameless(Credential::Vouched)), "malformed");
}

#[test]
fn a_misspelt_column_lets_nobody_in() {
    let site = people();
    for key in [
        "username_column",
        "password_column",
        "active_column",
        "user_id_column",
    ] {
        let mut authenticator = site.authenticator(&format!("django.{key} = \"nothing\""));
        for name in ["alice", "nothing"] {
            let verdict = ask(&mut authenticator, &password(name, "secret"));
            assert!(verdict.starts_with("unavailable: "), "{key}: {verdict}");
        }
    }
}

#[test]
fn sessions_need_the_secret_key() {
    let site = people();
    let text = "framework = \"django\"\ndatabase = \"sqlite:db.sqlite3\"\n";
    let path = site.directory.path().join("hallpass.toml");
    let without = hallpass_core::Configuration::parse(&path, text).unwrap();
    let mut authenticator = hallpass_core::Authenticator::new(&without);
    let verdict = ask(&mut authenticator, &session(SESSION, None));
    assert!(verdict.contains("secret_key"), "{verdict}");
    let trusting = format!("{text}django.trust_session_store = true\n");
    let trusting = hallpass_core::Configuration::parse(&path, &trusting).unwrap();
    let mut authenticator = hallpass_core::Authenticator::new(&trusting);
    assert_eq!(ask(&mut authenticator, &session(SESSION, None)), "alice");
    let mut other = site.authenticator("django.secret_key_fallbacks = []");
    assert_eq!(ask(&mut other, &session(SESSION, None)), "alice");
}

/// A site with its authenticator, for tests that need no more.
struct Asked {
    authenticator: hallpass_core::Authenticator,
    _site: Site,
}

impl Site {
    fn authenticator_of(self) -> Asked {
        let authenticator = self.authenticator("");
        Asked {
            authenticator,
            _site: self,
        }
    }
}

impl Asked {
    fn ask(&mut self, request: &Request) -> String {
        ask(&mut self.authenticator, request)
    }
}
