//! A recorded phpBB 3.3.10, and each of its sessions and accounts with something wrong.
#![allow(clippy::unwrap_used)]

mod recorded;

use std::time::{Duration, UNIX_EPOCH};

use hallpass_core::{Authenticator, ClaimedName, Credential, Deadline, Request, Secret};

use self::recorded::{
    Site, ask, explained, from, identity, in_group, password, session, session_of, vouched,
};

const DUMP: &str = include_str!("data/phpbb-3.3.10.sql");
const CONFIGURATION: &str = r"<?php
// phpBB 3.3.x auto-generated configuration file
$dbms = 'phpbb\\db\\driver\\sqlite3';
$dbhost = 'db.sqlite3';
$dbport = '';
$dbname = '';
$dbuser = '';
$dbpasswd = '';
$table_prefix = 'phpbb_';
$phpbb_adm_relative_path = 'adm/';
$acm_type = 'phpbb\\cache\\driver\\file';

@define('PHPBB_INSTALLED', true);
";

/// What the browsers held, and what phpBB wrote beside.
const ALICE: &str = "c4d605fdc47da2e95572818c37c41c93";
const ALICE_KEY: &str = "zsw3gq8030r5qxtc";
const ALICE_TIME: u64 = 1_795_296_488;
const ZOE: &str = "7f114e1da471c2d44d08673d4fb4f2ec";
const ZOE_NAME: &str = "Zoë Ünïcode";
const ZOE_TIME: u64 = 1_795_296_489;
const NOBODY: &str = "bb3d5c626d200f324fca4b3bdc176e57";
const BROWSER: &str = "rig/1.0 (weblogin)";
const PASSWORD: &str = "pässw0rd-ä";

fn site() -> Site {
    let site = Site::load(DUMP);
    site.write("config.php", CONFIGURATION);
    site
}

fn authenticator(site: &Site, more: &str) -> Authenticator {
    site.authenticator(&format!(
        "framework = \"phpbb\"\npasswords.dummy = \"pbkdf2_sha256$1\"\n[phpbb]\n\
         configuration = \"config.php\"\n{more}"
    ))
}

fn cookies(header: &str) -> Request {
    Request::new(
        ClaimedName::Nameless,
        Credential::Cookies(Secret::new(header)),
    )
}

fn alices_cookies() -> String {
    format!("phpbb3_57hpu_u=58; phpbb3_57hpu_k={ALICE_KEY}; phpbb3_57hpu_sid={ALICE}")
}

/// Whether passwords are checked elsewhere is read of `config`, also where the board itself is asked
/// for sessions.
#[test]
fn the_rights_that_are_wanted_are_those_that_are_used() {
    let site = site();
    let http = "[http]\nurl = \"http://127.0.0.1/\"\ncookie = \"c\"\nusername = \"/u\"";
    let asked = site.authenticator(&format!(
        "framework = \"phpbb\"\nsession_source = \"http\"\ndatabase = \"mysql://h@127.0.0.1/forum\"\n\
         [phpbb]\nconfiguration = \"config.php\"\n{http}"
    ));
    let grants = asked.grants();
    assert!(grants.contains("phpbb_users"), "{grants}");
    assert!(grants.contains("phpbb_config"), "{grants}");
}

#[test]
fn passwords_are_right_or_wrong_as_phpbb_said() {
    let site = site();
    site.run(
        "UPDATE phpbb_users SET user_type = 1 WHERE username = 'bob';
         UPDATE phpbb_users SET user_type = 2 WHERE username = 'carol'",
    );
    let mut phpbb = authenticator(&site, "");
    for (name, typed, expected) in [
        ("alice", PASSWORD, "alice"),
        ("ALICE ", PASSWORD, "alice"),
        ("zoë ünïcode", PASSWORD, ZOE_NAME),
        ("alice", "wrong", "wrong-password"),
        ("bob", PASSWORD, "inactive"),
        ("carol", PASSWORD, "inactive"),
        ("nobody", PASSWORD, "unknown-user"),
        ("Anonymous", "", "unusable-password"),
        ("Yahoo [Bot]", "", "unusable-password"),
        ("newbie", "", "unusable-password"),
    ] {
        let request = password(name, typed);
        assert_eq!(ask(&mut phpbb, &request, ALICE_TIME), expected, "{name}");
    }
}

#[test]
fn recorded_hashes_that_were_typed_have_phpbbs_verdict() {
    let vectors = include_str!("data/php_site_hashes.json");
    let vectors: Vec<serde_json::Value> = serde_json::from_str(vectors).unwrap();
    let site = site();
    let mut phpbb = authenticator(&site, "");
    let mut seen = 0;
    for vector in vectors {
        let note = vector["note"].as_str().unwrap();
        if !vector["system"].as_str().unwrap().starts_with("phpbb")
            || !note.contains("through the real login page")
        {
            continue;
        }
        seen += 1;
        let encoded = vector["encoded"].as_str().unwrap();
        let typed = vector["plaintext"].as_str().unwrap();
        site.run(&format!(
            "UPDATE phpbb_users SET user_password = '{encoded}' WHERE username = 'bob'"
        ));
        let right = vector["should_verify"].as_bool().unwrap();
        let expected = if right { "bob" } else { "wrong-password" };
        assert_eq!(
            ask(&mut phpbb, &password("bob", typed), ALICE_TIME),
            expected,
            "{note}"
        );
        let wrong = password("bob", &format!("{typed}x"));
        assert_eq!(
            ask(&mut phpbb, &wrong, ALICE_TIME),
            "wrong-password",
            "{note}"
        );
    }
    assert_eq!(seen, 4);
}

#[test]
fn names_are_found_by_their_clean_form() {
    let site = site();
    let mut phpbb = authenticator(&site, "");
    for (name, expected) in [
        ("ALICE", "alice"),
        (" alice ", "alice"),
        ("\u{430}lice", "alice"),
        ("ａｌｉｃｅ", "alice"),
        ("GRÖSSE", "Größe"),
        ("größe", "Größe"),
        ("zoe unicode", "unknown-user"),
        ("al ice", "unknown-user"),
        ("a&b", "a&amp;b"),
        ("A&AMP;B", "a&amp;b"),
        ("a&amp;b", "a&amp;b"),
        ("a&b;", "unknown-user"),
        ("' OR 1=1 --", "unknown-user"),
        ("%", "unknown-user"),
        ("\u{200b}", "unknown-user"),
    ] {
        assert_eq!(
            ask(&mut phpbb, &vouched(name), ALICE_TIME),
            expected,
            "{name}"
        );
    }
    // Letters that phpBB takes for others, and this does not know: by the name itself.
    site.run(
        "UPDATE phpbb_users SET username = 'Иван', username_clean = 'what phpBB makes of it'
         WHERE username = 'erin'",
    );
    assert_eq!(ask(&mut phpbb, &vouched("иван"), ALICE_TIME), "Иван");
    assert_eq!(
        ask(&mut phpbb, &vouched("иванн"), ALICE_TIME),
        "unknown-user"
    );
}

#[test]
fn recorded_sessions_have_phpbbs_verdict() {
    let site = site();
    let mut phpbb = authenticator(&site, "");
    let found = identity(&mut phpbb, session(ALICE), ALICE_TIME);
    assert_eq!((&*found.name, &*found.id), ("alice", "58"));
    assert_eq!(found.email, "u29921@example.org");
    assert!(
        found.groups.contains(&"REGISTERED".to_owned()),
        "{:?}",
        found.groups
    );
    for (token, expected) in [
        (ZOE, ZOE_NAME),
        (NOBODY, "anonymous-session"),
        ("dd4d165bc5f5006758508222adab4ed0", "no-session"),
        ("", "no-session"),
        ("C4D605FDC47DA2E95572818C37C41C93", "no-session"),
        ("c4d605fdc47da2e95572818c37c41c9", "no-session"),
        ("c4d605fdc47da2e95572818c37c41c93 ", "no-session"),
        ("c4d605fdc47da2e95572818c37c41c9%", "no-session"),
    ] {
        assert_eq!(
            ask(&mut phpbb, &session(token), ZOE_TIME),
            expected,
            "{token}"
        );
    }
}

#[test]
fn a_session_ends_a_minute_after_its_length() {
    let site = site();
    let mut phpbb = authenticator(&site, "");
    assert_eq!(ask(&mut phpbb, &session(ZOE), ZOE_TIME + 3660), ZOE_NAME);
    assert_eq!(
        ask(&mut phpbb, &session(ZOE), ZOE_TIME + 3661),
        "expired-session"
    );
    let length =
        "UPDATE phpbb_config SET config_value = '600' WHERE config_name = 'session_length'";
    site.run(length);
    assert_eq!(ask(&mut phpbb, &session(ZOE), ZOE_TIME + 660), ZOE_NAME);
    assert_eq!(
        ask(&mut phpbb, &session(ZOE), ZOE_TIME + 661),
        "expired-session"
    );
    // Alice stays logged in until the board says otherwise.
    let year = ALICE_TIME + 365 * 86_400;
    assert_eq!(ask(&mut phpbb, &session(ALICE), year), "alice");
    set(&site, "max_autologin_time", "2");
    let end = ALICE_TIME + 2 * 86_400 - 60;
    assert_eq!(ask(&mut phpbb, &session(ALICE), end), "alice");
    assert_eq!(ask(&mut phpbb, &session(ALICE), end + 1), "expired-session");
    set(&site, "allow_autologin", "0");
    assert_eq!(
        ask(&mut phpbb, &session(ALICE), ALICE_TIME),
        "expired-session"
    );
}

fn set(site: &Site, name: &str, value: &str) {
    site.run(&format!(
        "UPDATE phpbb_config SET config_value = '{value}' WHERE config_name = '{name}'"
    ));
}

#[test]
fn a_session_is_bound_to_where_it_was_made() {
    let site = site();
    let mut phpbb = authenticator(&site, "");
    for (address, browser, expected) in [
        ("127.0.0.1", Some(BROWSER), ZOE_NAME),
        ("127.0.0.99", Some("RIG/1.0 (WebLogin)"), ZOE_NAME),
        ("127.0.0.1", None, ZOE_NAME),
        ("127.0.1.1", Some(BROWSER), "invalid-session"),
        ("::1", Some(BROWSER), "invalid-session"),
        ("127.0.0.1", Some("rig/1.0"), "invalid-session"),
        ("127.0.0.1", Some(""), "invalid-session"),
    ] {
        let request = from(session(ZOE), address, browser);
        assert_eq!(
            ask(&mut phpbb, &request, ZOE_TIME),
            expected,
            "{address} {browser:?}"
        );
    }
    let elsewhere = || from(session(ZOE), "192.0.2.1", Some("another"));
    let mut lenient = authenticator(&site, "ip_check = 0\nbrowser_check = false");
    assert_eq!(ask(&mut lenient, &elsewhere(), ZOE_TIME), ZOE_NAME);
    set(&site, "ip_check", "0");
    set(&site, "browser_check", "0");
    assert_eq!(ask(&mut phpbb, &elsewhere(), ZOE_TIME), ZOE_NAME);
    set(&site, "ip_check", "4");
    let near = from(session(ZOE), "127.0.0.2", Some(BROWSER));
    assert_eq!(ask(&mut phpbb, &near, ZOE_TIME), "invalid-session");
    // What proxies say counts where the board wants it to, and the host passes it.
    set(&site, "forwarded_for_check", "1");
    let mut through = from(session(ZOE), "127.0.0.1", Some(BROWSER));
    assert_eq!(ask(&mut phpbb, &through, ZOE_TIME), ZOE_NAME);
    through.client.forwarded_for = Some("192.0.2.1".to_owned());
    assert_eq!(ask(&mut phpbb, &through, ZOE_TIME), "invalid-session");
    site.run("UPDATE phpbb_sessions SET session_forwarded_for = '192.0.2.1'");
    assert_eq!(ask(&mut phpbb, &through, ZOE_TIME), ZOE_NAME);
}

#[test]
fn proxies_are_compared_where_the_board_compares_them() {
    let site = site();
    set(&site, "forwarded_for_check", "1");
    let mut phpbb = authenticator(&site, "");
    let mut anywhere = authenticator(&site, "ip_check = 0");
    // The board may be behind the proxy that adds the client's address, or beside Hallpass.
    for (stored, header, expected, without_address) in [
        ("", "", true, true),
        ("", "127.0.0.1", true, false),
        ("192.0.2.1", "192.0.2.1, 127.0.0.1", true, false),
        ("192.0.2.1 127.0.0.1", "192.0.2.1, 127.0.0.1", true, true),
        ("192.0.2.1", "192.0.2.1", true, true),
        ("192.0.2.1", "", false, false),
        ("192.0.2.1", "127.0.0.1", false, false),
        ("192.0.2.1", "192.0.2.2, 127.0.0.1", false, false),
        ("192.0.2.1", "192.0.2.1, 127.0.0.2", false, false),
        ("192.0.2.1", "192.0.2.1, 127.0.0.1, 127.0.0.1", false, false),
        ("192.0.2.1", "192.0.2.1, unknown", false, false),
        ("", "unknown", true, true),
        ("", "192.0.2.1", false, false),
    ] {
        site.run(&format!(
            "UPDATE phpbb_sessions SET session_forwarded_for = '{stored}'"
        ));
        let mut request = from(session(ZOE), "127.0.0.1", Some(BROWSER));
        request.client.forwarded_for = Some(header.to_owned());
        for (site, expected) in [(&mut phpbb, expected), (&mut anywhere, without_address)] {
            let expected = if expected {
                ZOE_NAME
            } else {
                "invalid-session"
            };
            assert_eq!(ask(site, &request, ZOE_TIME), expected, "{stored} {header}");
        }
    }
    // Those who are banned are banned behind a proxy as well.
    site.run("UPDATE phpbb_sessions SET session_forwarded_for = '192.0.2.1'");
    let mut request = from(session(ZOE), "127.0.0.1", Some(BROWSER));
    request.client.forwarded_for = Some("192.0.2.1, 127.0.0.1".to_owned());
    site.run(
        "INSERT INTO phpbb_banlist (ban_userid, ban_ip, ban_email, ban_end, ban_exclude)
              VALUES (0, '192.0.2.*', '', 0, 0)",
    );
    assert_eq!(ask(&mut phpbb, &request, ZOE_TIME), "inactive");
    set(&site, "forwarded_for_check", "0");
    assert_eq!(ask(&mut phpbb, &request, ZOE_TIME), ZOE_NAME);
}

#[test]
fn the_account_of_the_banned_is_inactive() {
    let site = site();
    let mut phpbb = authenticator(&site, "");
    let mut account = |at: u64| {
        let now = UNIX_EPOCH + Duration::from_secs(at);
        let deadline = Deadline::after(Duration::from_secs(60));
        let (account, groups) = phpbb.account(ZOE_NAME, now, deadline).unwrap().unwrap();
        (account.active, groups.is_empty())
    };
    assert_eq!(account(ZOE_TIME), (true, false));
    site.run(&format!(
        "INSERT INTO phpbb_banlist (ban_userid, ban_ip, ban_email, ban_end, ban_exclude)
         VALUES (62, '', '', {ZOE_TIME}, 0), (0, '*', '', 0, 0)"
    ));
    assert_eq!(account(ZOE_TIME), (false, true));
    assert_eq!(account(ZOE_TIME + 1), (true, false));
}

/// Verdicts of phpBB's own password manager, and the rows that it was given.
#[test]
fn converted_hashes_are_of_what_stands_beside_them() {
    let vectors = include_str!("../../passwords/tests/data/phpbb.json");
    let vectors: Vec<serde_json::Value> = serde_json::from_str(vectors).unwrap();
    let vectors = vectors.iter().filter(|vector| {
        let note = vector["note"].as_str().unwrap();
        vector["context"].is_object() && (note.contains(": plain") || !note.contains(':'))
    });
    let site = site();
    let mut phpbb = authenticator(&site, "");
    let mut verdict = |vector: &serde_json::Value| {
        let (encoded, typed) = (&vector["encoded"], &vector["password"]);
        site.run(&format!(
            "UPDATE phpbb_users SET user_password = '{}' WHERE username = 'bob'",
            encoded.as_str().unwrap()
        ));
        let request = password("bob", typed.as_str().unwrap());
        ask(&mut phpbb, &request, ALICE_TIME)
    };
    // A board that was never converted has no such columns.
    let mut right = 0;
    for vector in vectors.clone() {
        assert_ne!(verdict(vector), "bob", "{vector}");
        right += usize::from(vector["verdict"] == true);
    }
    assert!(right > 6, "{right}");
    site.run(
        "ALTER TABLE phpbb_users ADD login_name TEXT;
         ALTER TABLE phpbb_users ADD user_passwd_salt TEXT",
    );
    for vector in vectors {
        for name in ["login_name", "user_passwd_salt"] {
            let value = match vector["context"][name].as_str() {
                Some(text) => format!("'{text}'"),
                None => "NULL".to_owned(),
            };
            site.run(&format!("UPDATE phpbb_users SET {name} = {value}"));
        }
        let found = verdict(vector);
        assert_eq!(
            found == "bob",
            vector["verdict"] == true,
            "{vector}: {found}"
        );
        // Beside another's name and salt, it is nobody's password.
        site.run("UPDATE phpbb_users SET login_name = 'x', user_passwd_salt = 'y'");
        assert_ne!(verdict(vector), "bob", "{vector}");
    }
}

#[test]
fn cookies_are_the_boards() {
    let site = site();
    let mut phpbb = authenticator(&site, "");
    let sid = |sid: &str| format!("phpbb3_57hpu_u=62; phpbb3_57hpu_k=; phpbb3_57hpu_sid={sid}");
    for (header, expected) in [
        (alices_cookies(), "alice"),
        (sid(ZOE), ZOE_NAME),
        (sid(NOBODY), "anonymous-session"),
        (sid(""), "no-session"),
        (String::new(), "no-session"),
        (format!("phpbb3_other_sid={ZOE}"), "no-session"),
        (format!("_sid={ZOE}; sid={ZOE}"), "no-session"),
        // Without a session id, the rest counts for nothing.
        (
            format!("phpbb3_57hpu_u=58; phpbb3_57hpu_k={ALICE_KEY}"),
            "no-session",
        ),
    ] {
        assert_eq!(
            ask(&mut phpbb, &cookies(&header), ZOE_TIME),
            expected,
            "{header}"
        );
    }
    let mut named = authenticator(&site, "cookie_name = \"mine\"");
    let header = format!("mine_sid={ZOE}");
    assert_eq!(ask(&mut named, &cookies(&header), ZOE_TIME), ZOE_NAME);
    assert_eq!(
        ask(&mut named, &cookies(&alices_cookies()), ZOE_TIME),
        "no-session"
    );
}

#[test]
fn a_persistent_login_outlives_its_session() {
    let site = site();
    let mut phpbb = authenticator(&site, "");
    site.run("DELETE FROM phpbb_sessions");
    let with = |user: &str, key: &str| {
        cookies(&format!(
            "phpbb3_57hpu_u={user}; phpbb3_57hpu_k={key}; phpbb3_57hpu_sid={ALICE}"
        ))
    };
    assert_eq!(ask(&mut phpbb, &with("58", ALICE_KEY), ALICE_TIME), "alice");
    for (user, key) in [
        ("62", ALICE_KEY),
        ("1", ALICE_KEY),
        ("0", ALICE_KEY),
        ("-58", ALICE_KEY),
        ("58", "zsw3gq8030r5qxtd"),
        ("58", ""),
        // What is stored is no key.
        ("58", "c8a4bdba78cc08f3e532d195242494e0"),
    ] {
        assert_eq!(
            ask(&mut phpbb, &with(user, key), ALICE_TIME),
            "no-session",
            "{user} {key}"
        );
    }
    assert_eq!(ask(&mut phpbb, &session(ALICE), ALICE_TIME), "no-session");
    set(&site, "max_autologin_time", "1");
    let end = ALICE_TIME + 86_400;
    assert_eq!(ask(&mut phpbb, &with("58", ALICE_KEY), end), "alice");
    assert_eq!(
        ask(&mut phpbb, &with("58", ALICE_KEY), end + 1),
        "no-session"
    );
    site.run("UPDATE phpbb_users SET user_type = 1 WHERE user_id = 58");
    assert_eq!(
        ask(&mut phpbb, &with("58", ALICE_KEY), ALICE_TIME),
        "inactive"
    );
    set(&site, "allow_autologin", "0");
    assert_eq!(
        ask(&mut phpbb, &with("58", ALICE_KEY), ALICE_TIME),
        "no-session"
    );
}

#[test]
fn a_session_lets_in_nobody_but_its_owner() {
    let site = site();
    let mut phpbb = authenticator(&site, "");
    for (token, owner) in [(ALICE, "alice"), (ZOE, ZOE_NAME)] {
        for name in [
            "alice",
            ZOE_NAME,
            "bob",
            "nobody",
            "58",
            "62",
            "",
            "Anonymous",
        ] {
            let expected = if name == owner { owner } else { "wrong-user" };
            let request = session_of(token, name);
            assert_eq!(
                ask(&mut phpbb, &request, ZOE_TIME),
                expected,
                "{owner} {name}"
            );
        }
    }
    assert_eq!(
        ask(&mut phpbb, &session_of(ALICE, "Alice"), ZOE_TIME),
        "alice"
    );
}

#[test]
fn whatever_is_wrong_with_a_row_lets_nobody_in() {
    for (change, expected) in [
        ("DELETE FROM phpbb_sessions", "no-session"),
        (
            "UPDATE phpbb_sessions SET session_user_id = 1",
            "anonymous-session",
        ),
        (
            "UPDATE phpbb_sessions SET session_user_id = 0",
            "anonymous-session",
        ),
        (
            "UPDATE phpbb_sessions SET session_user_id = 9999",
            "unknown-user",
        ),
        // A bot's.
        ("UPDATE phpbb_sessions SET session_user_id = 55", "inactive"),
        (
            "UPDATE phpbb_sessions SET session_time = NULL",
            "no-session",
        ),
        ("UPDATE phpbb_users SET user_type = 1", "inactive"),
        ("UPDATE phpbb_users SET user_type = 2", "inactive"),
        ("UPDATE phpbb_users SET user_type = NULL", "inactive"),
        ("UPDATE phpbb_users SET user_type = 3", ZOE_NAME),
        ("DELETE FROM phpbb_users", "unknown-user"),
    ] {
        let site = site();
        site.run(change);
        let mut phpbb = authenticator(&site, "");
        assert_eq!(
            ask(&mut phpbb, &session(ZOE), ZOE_TIME),
            expected,
            "{change}"
        );
    }
}

#[test]
fn the_banned_stay_out_for_as_long_as_they_are_banned() {
    let ban = |columns: &str, values: &str| {
        format!(
            "INSERT INTO phpbb_banlist (ban_userid, ban_ip, ban_email, ban_end, ban_exclude{columns}) \
             VALUES {values}"
        )
    };
    let until = ZOE_TIME + 100;
    for (values, at, expected) in [
        ("(62, '', '', 0, 0)".to_owned(), ZOE_TIME, "inactive"),
        ("(58, '', '', 0, 0)".to_owned(), ZOE_TIME, ZOE_NAME),
        (format!("(62, '', '', {until}, 0)"), until, "inactive"),
        (format!("(62, '', '', {until}, 0)"), until + 1, ZOE_NAME),
        ("(0, '127.0.*', '', 0, 0)".to_owned(), ZOE_TIME, "inactive"),
        ("(0, '127.0.0.2', '', 0, 0)".to_owned(), ZOE_TIME, ZOE_NAME),
        (
            // The board asks for these at registration alone.
            "(0, '', '*@example.org', 0, 0)".to_owned(),
            ZOE_TIME,
            ZOE_NAME,
        ),
        ("(0, '', '*', 0, 0)".to_owned(), ZOE_TIME, ZOE_NAME),
        (
            "(0, '', '*@example.org', 0, 1), (62, '', '', 0, 0)".to_owned(),
            ZOE_TIME,
            "inactive",
        ),
        (
            "(0, '127.0.0.1', '', 0, 1), (62, '', '', 0, 0)".to_owned(),
            ZOE_TIME,
            ZOE_NAME,
        ),
        (
            "(0, '127.*', '', 0, 0), (62, '', '', 0, 1)".to_owned(),
            ZOE_TIME,
            ZOE_NAME,
        ),
        (
            "(62, '', '', 0, 1), (62, '', '', 0, 0)".to_owned(),
            ZOE_TIME,
            ZOE_NAME,
        ),
    ] {
        let site = site();
        site.run(&ban("", &values));
        let mut phpbb = authenticator(&site, "");
        for request in [session(ZOE), vouched(ZOE_NAME)] {
            let request = from(request, "127.0.0.1", None);
            assert_eq!(ask(&mut phpbb, &request, at), expected, "{values}");
        }
        // Founders cannot be banned.
        site.run("UPDATE phpbb_users SET user_type = 3 WHERE user_id = 62");
        assert_eq!(ask(&mut phpbb, &session(ZOE), at), ZOE_NAME, "{values}");
    }
}

/// `get_provider` of phpBB 3.3: `ldap` and `apache` compare nothing with what is stored, `oauth` has
/// the board check passwords, and without a method it is the board.
#[test]
fn no_password_is_good_that_the_board_does_not_check_itself() {
    const ELSEWHERE: &str = "unusable-password password-elsewhere";
    let site = site();
    let mut phpbb = authenticator(&site, "");
    for (method, expected) in [
        ("db", "alice"),
        ("oauth", "alice"),
        ("", "alice"),
        (" db ", "alice"),
        ("ldap", ELSEWHERE),
        (" ldap", ELSEWHERE),
        ("apache", ELSEWHERE),
        ("hallpass", ELSEWHERE),
        ("DB", ELSEWHERE),
        ("x/db", "alice"),
        ("db/ldap", ELSEWHERE),
    ] {
        set(&site, "auth_method", method);
        let typed = password("alice", PASSWORD);
        assert_eq!(
            explained(&mut phpbb, &typed, ZOE_TIME),
            expected,
            "{method}"
        );
        let wrong = password("alice", "wrong");
        let denied = if expected == "alice" {
            "wrong-password"
        } else {
            expected
        };
        assert_eq!(explained(&mut phpbb, &wrong, ZOE_TIME), denied, "{method}");
        // The board may have let her in by whatever it is.
        assert_eq!(
            ask(&mut phpbb, &session(ZOE), ZOE_TIME),
            ZOE_NAME,
            "{method}"
        );
        assert_eq!(ask(&mut phpbb, &vouched("alice"), ZOE_TIME), "alice");
    }
    site.run("DELETE FROM phpbb_config WHERE config_name = 'auth_method'");
    let typed = password("alice", PASSWORD);
    assert_eq!(ask(&mut phpbb, &typed, ZOE_TIME), "alice");
}

#[test]
fn groups_are_those_one_is_admitted_to() {
    let site = site();
    let mut phpbb = authenticator(&site, "");
    let groups = identity(&mut phpbb, vouched("admin"), ZOE_TIME).groups;
    assert_eq!(
        groups,
        ["ADMINISTRATORS", "GLOBAL_MODERATORS", "REGISTERED"]
    );
    for (name, group, expected) in [
        ("admin", "ADMINISTRATORS", "Admin"),
        ("alice", "ADMINISTRATORS", "not-permitted"),
        ("alice", "registered", "not-permitted"),
        ("alice", "REGISTERED", "alice"),
        ("alice", "2", "not-permitted"),
    ] {
        let request = in_group(vouched(name), group);
        assert_eq!(
            ask(&mut phpbb, &request, ZOE_TIME),
            expected,
            "{name} {group}"
        );
    }
    site.run(
        "INSERT INTO phpbb_user_group (group_id, user_id, group_leader, user_pending)
         VALUES (5, 58, 0, 1)",
    );
    let request = in_group(vouched("alice"), "ADMINISTRATORS");
    assert_eq!(ask(&mut phpbb, &request, ZOE_TIME), "not-permitted");
}

#[test]
fn another_prefix_is_another_board() {
    let site = site();
    let mut phpbb = authenticator(&site, "table_prefix = \"other_\"");
    for request in [session(ALICE), vouched("alice"), cookies(&alices_cookies())] {
        let verdict = ask(&mut phpbb, &request, ZOE_TIME);
        assert!(verdict.starts_with("unavailable"), "{verdict}");
    }
}

#[test]
fn a_name_that_two_users_could_mean_is_neithers() {
    let site = site();
    let both = "[access]\nlogin = [\"username\", \"email\"]";
    let mut phpbb = authenticator(&site, both);
    let (name, address) = ("u29921@example.org", "U29921@Example.org");
    assert_eq!(ask(&mut phpbb, &vouched(name), ALICE_TIME), "alice");
    site.run(&format!(
        "UPDATE phpbb_users SET username = '{address}', username_clean = '{name}'
         WHERE username = 'erin'"
    ));
    for typed in [name, address] {
        let verdict = ask(&mut phpbb, &vouched(typed), ALICE_TIME);
        assert_eq!(verdict, "unknown-user", "{typed}");
    }
    assert_eq!(ask(&mut phpbb, &vouched("Alice"), ALICE_TIME), "alice");
    let mut names = authenticator(&site, "");
    assert_eq!(ask(&mut names, &vouched(name), ALICE_TIME), address);
    // A name as it is stored is another's as it is typed.
    assert_eq!(ask(&mut names, &vouched("a&amp;b"), ALICE_TIME), "a&amp;b");
    site.run(
        "UPDATE phpbb_users SET username = 'a&amp;amp;b', username_clean = 'a&amp;amp;b'
         WHERE username = 'bob'",
    );
    let verdict = ask(&mut names, &vouched("a&amp;b"), ALICE_TIME);
    assert_eq!(verdict, "unknown-user");
    assert_eq!(ask(&mut names, &vouched("a&b"), ALICE_TIME), "a&amp;b");
}

#[test]
fn users_that_do_not_meet_the_condition_are_inactive() {
    let site = site();
    let mut phpbb = authenticator(&site, "[access]\nwhere = \"user_posts < 7\"");
    assert_eq!(ask(&mut phpbb, &session(ALICE), ALICE_TIME), "alice");
    site.run("UPDATE phpbb_users SET user_posts = 7 WHERE username = 'alice'");
    assert_eq!(ask(&mut phpbb, &session(ALICE), ALICE_TIME), "inactive");
    let request = password("alice", PASSWORD);
    assert_eq!(ask(&mut phpbb, &request, ALICE_TIME), "inactive");
}
