//! A name means one account or none: hosts go on with the name as typed, so that whoever registers
//! a twin of a name must receive nothing of its owner's. And `[access] where`, which says which
//! accounts count at all.
#![allow(clippy::unwrap_used)]

mod site;

use std::time::Duration;

use hallpass_core::{Authenticator, Deadline, Requirement};
use site::{Site, ask, encoded, password, session, vouched};

const SESSION: &str = "abcdefghijklmnopqrstuvwxyz012345";
const BOTH: &str = "[access]\nlogin = [\"username\", \"email\"]";
const ANY_CASE: &str = "[access]\nignore_case = true";

/// `Victim`, who was there first, and `mallory`.
fn site() -> Site {
    let site = Site::new();
    site.add(1, "Victim", &encoded("victim's", 1), true);
    site.add(2, "mallory", &encoded("mallory's", 1), true);
    site.log_in(SESSION, 1);
    site
}

fn rename(site: &Site, id: i64, name: &str, email: &str) {
    let statement = "UPDATE auth_user SET username = ?2, email = ?3 WHERE id = ?1";
    let database = site.database();
    database.execute(statement, (id, name, email)).unwrap();
}

/// Every kind of question that a name is a part of, and the verdict on each.
fn verdicts(authenticator: &mut Authenticator, name: &str) -> [String; 4] {
    [
        password(name, "victim's"),
        password(name, "mallory's"),
        vouched(name),
        session(SESSION, Some(name)),
    ]
    .map(|request| ask(authenticator, &request))
}

const NOBODY: [&str; 4] = ["unknown-user", "unknown-user", "unknown-user", "wrong-user"];
const VICTIM: [&str; 4] = ["Victim", "wrong-password", "Victim", "Victim"];

#[test]
fn who_registers_a_name_in_another_case_is_not_its_owner() {
    let site = site();
    let mut folding = site.authenticator(ANY_CASE);
    let mut exact = site.authenticator("");
    assert_eq!(verdicts(&mut folding, "victim"), VICTIM);
    rename(&site, 2, "victim", "");
    for name in ["victim", "Victim", "VICTIM"] {
        assert_eq!(verdicts(&mut folding, name), NOBODY, "{name}");
    }
    // Where case counts, they are two names.
    assert_eq!(verdicts(&mut exact, "Victim"), VICTIM);
    assert_eq!(verdicts(&mut exact, "VICTIM"), NOBODY);
    let mut host = Authenticator::ignoring_case(&site.configuration(""));
    assert_eq!(verdicts(&mut host, "victim"), NOBODY);
}

#[test]
fn who_registers_an_address_as_a_name_is_not_its_owner() {
    let site = site();
    let mut both = site.authenticator(BOTH);
    let address = "Victim@example.com";
    assert_eq!(verdicts(&mut both, address), VICTIM);
    rename(&site, 2, address, "mallory@example.com");
    assert_eq!(verdicts(&mut both, address), NOBODY);
    // Either is still found by what is theirs alone.
    assert_eq!(verdicts(&mut both, "Victim"), VICTIM);
    assert_eq!(ask(&mut both, &vouched("mallory@example.com")), address);
    for order in ["[\"email\", \"username\"]", "[\"email\"]"] {
        let mut other = site.authenticator(&format!("[access]\nlogin = {order}"));
        let expected = if order.contains("name") {
            NOBODY
        } else {
            VICTIM
        };
        assert_eq!(verdicts(&mut other, address), expected, "{order}");
    }
    let mut any_case = site.authenticator(&format!("{BOTH}\nignore_case = true"));
    assert_eq!(verdicts(&mut any_case, "victim@EXAMPLE.com"), NOBODY);
}

#[test]
fn who_gives_a_name_as_their_address_is_not_its_owner() {
    let site = site();
    let mut both = site.authenticator(BOTH);
    rename(&site, 2, "mallory", "Victim");
    assert_eq!(verdicts(&mut both, "Victim"), NOBODY);
    // Their own sessions stay their own, by whatever name the site knows them.
    assert_eq!(ask(&mut both, &session(SESSION, None)), "Victim");
}

#[test]
fn an_account_that_a_name_fits_twice_is_one_account() {
    let site = site();
    let address = "victim@example.com";
    rename(&site, 1, address, address);
    for more in [
        BOTH,
        "[access]\nlogin = [\"email\", \"username\"]\nignore_case = true",
    ] {
        let mut both = site.authenticator(more);
        assert_eq!(ask(&mut both, &password(address, "victim's")), address);
        assert_eq!(ask(&mut both, &session(SESSION, Some(address))), address);
    }
}

#[test]
fn a_name_that_is_normalized_is_not_that_of_a_twin_as_it_stands() {
    let site = site();
    rename(&site, 1, "wide", "");
    rename(&site, 2, "ｗｉｄｅ", "");
    let mut forms = site.authenticator("django.normalize = \"nfkc\"");
    let wide = ["wide", "wrong-password", "wide", "wide"];
    assert_eq!(verdicts(&mut forms, "ｗｉｄｅ"), NOBODY);
    assert_eq!(verdicts(&mut forms, "wide"), wide);
    rename(&site, 2, "mallory", "");
    assert_eq!(verdicts(&mut forms, "ｗｉｄｅ"), wide);
    // What the site's own form would not find is not found by its letters either.
    rename(&site, 1, "ｗｉｄｅ", "");
    assert_eq!(verdicts(&mut forms, "ｗｉｄｅ"), NOBODY);
}

#[test]
fn accounts_that_do_not_meet_the_condition_are_inactive() {
    let site = site();
    let database = site.database();
    database
        .execute_batch(
            "ALTER TABLE auth_user ADD date_deleted TEXT;
             CREATE TABLE approved (user_id INTEGER);
             INSERT INTO approved VALUES (1), (2);",
        )
        .unwrap();
    let condition = "[access]\nwhere = \"date_deleted IS NULL AND EXISTS (SELECT 1 FROM approved \
                     WHERE user_id = account.id)\"";
    let mut asked = site.authenticator(condition);
    let in_and_out = [
        (
            "UPDATE auth_user SET date_deleted = '2026-01-01'",
            "inactive",
        ),
        ("UPDATE auth_user SET date_deleted = NULL", "Victim"),
        ("DELETE FROM approved", "inactive"),
        ("INSERT INTO approved VALUES (1)", "Victim"),
    ];
    for (statement, expected) in in_and_out {
        database.execute(statement, []).unwrap();
        // Twice, since the second time more is known.
        for _ in 0..2 {
            let request = password("Victim", "victim's");
            assert_eq!(ask(&mut asked, &request), expected, "{statement}");
            let request = session(SESSION, None);
            assert_eq!(ask(&mut asked, &request), expected, "{statement}");
            let mut request = vouched("Victim");
            request.conditions.all.push(Requirement::Superuser);
            let expected = expected.replace("Victim", "not-permitted");
            assert_eq!(ask(&mut asked, &request), expected, "{statement}");
        }
    }
    assert_eq!(
        ask(&mut asked, &password("Victim", "mallory's")),
        "wrong-password"
    );
    let deadline = Deadline::after(Duration::from_secs(60));
    let all = asked.accounts_after(None, deadline).unwrap();
    let active = all.iter().map(|account| account.active);
    assert_eq!(active.collect::<Vec<_>>(), [true, false]);
}

/// What is known of a session rests on the state of the database, which does not know the time.
#[test]
fn a_condition_may_ask_for_the_time() {
    let site = site();
    let mut asked = site.authenticator("[access]\nwhere = \"random() % 2 = 0\"");
    let verdicts: Vec<String> = (0..64)
        .map(|_| ask(&mut asked, &session(SESSION, None)))
        .collect();
    for verdict in ["Victim", "inactive"] {
        assert!(verdicts.iter().any(|it| it == verdict), "{verdicts:?}");
    }
}

#[test]
fn a_condition_that_the_database_does_not_understand_lets_nobody_in() {
    let site = site();
    for condition in [
        "nothing IS NULL",
        "account.nothing = 1",
        "1 = = 1",
        "expire_date > ''",
    ] {
        let mut asked = site.authenticator(&format!("[access]\nwhere = \"{condition}\""));
        for request in [password("Victim", "victim's"), session(SESSION, None)] {
            let verdict = ask(&mut asked, &request);
            assert!(
                verdict.starts_with("unavailable: "),
                "{condition}: {verdict}"
            );
        }
    }
    for condition in ["NULL", "0", "is_active AND NULL"] {
        let mut asked = site.authenticator(&format!("[access]\nwhere = \"{condition}\""));
        assert_eq!(ask(&mut asked, &session(SESSION, None)), "inactive");
    }
}
