//! Guesses are counted for what they mean, however they are spelt, and tell nothing by how long
//! they take.
#![allow(clippy::unwrap_used)]

mod site;

use std::sync::Arc;

use hallpass_core::{Authenticator, Configuration, Request, Shared};
use rustix::time::{ClockId, clock_gettime};
use site::{Site, ask, encoded, password};

const ITERATIONS: u32 = 200_000;

const THREE: &str = "[limits]\nfailures = 3\n";

fn sharing(configuration: &Configuration, shared: &Arc<Shared>) -> Authenticator {
    Authenticator::new(configuration).sharing(Arc::clone(shared))
}

fn from(mut request: Request, address: &str) -> Request {
    request.client.address = Some(address.parse().unwrap());
    request
}

/// A site where `alice` has one account, and guesses at the doors of a program that runs long.
struct Guesses {
    _site: Site,
    authenticator: Authenticator,
}

impl Guesses {
    fn at(more: &str, iterations: u32) -> Self {
        let site = Site::new();
        site.add(1, "alice", &encoded("secret", iterations), true);
        site.add(2, "bob", &encoded("secret", iterations), true);
        let configuration = site.configuration(&format!("{more}\n{THREE}"));
        let shared = Arc::new(Shared::remembering(&configuration));
        Self {
            authenticator: sharing(&configuration, &shared),
            _site: site,
        }
    }

    fn ask(&mut self, name: &str, typed: &str) -> String {
        ask(&mut self.authenticator, &password(name, typed))
    }
}

#[test]
fn every_spelling_of_an_account_counts_for_it() {
    let nfkc = "django.normalize = \"nfkc\"";
    let email = "[access]\nlogin = [\"username\", \"email\"]";
    let case = "[access]\nignore_case = true";
    for (more, spellings) in [
        (nfkc, ["alice", "ａlice", "ⓐlice"]),
        (email, ["alice", "alice@example.com", "alice"]),
        (case, ["alice", "ALICE", "aLice"]),
    ] {
        let mut guesses = Guesses::at(more, 1);
        for spelling in spellings {
            assert_eq!(guesses.ask(spelling, "wrong"), "wrong-password", "{more}");
        }
        for spelling in spellings {
            assert_eq!(guesses.ask(spelling, "secret"), "throttled", "{more}");
        }
        assert_eq!(guesses.ask("bob", "secret"), "bob");
    }
}

#[test]
fn an_address_that_has_logged_in_is_not_locked_out_by_others() {
    let mut guesses = Guesses::at("[access]\nlogin = [\"username\", \"email\"]", 1);
    let mut ask_from = |name: &str, typed: &str, address: &str| {
        ask(
            &mut guesses.authenticator,
            &from(password(name, typed), address),
        )
    };
    assert_eq!(ask_from("alice", "secret", "192.0.2.1"), "alice");
    for number in 1..=3 {
        let address = format!("198.51.100.{number}");
        assert_eq!(ask_from("alice", "wrong", &address), "wrong-password");
    }
    assert_eq!(ask_from("alice", "secret", "192.0.2.2"), "throttled");
    // The password that is remembered, and another name of the account.
    for _ in 0..5 {
        assert_eq!(ask_from("alice", "secret", "192.0.2.1"), "alice");
        assert_eq!(
            ask_from("alice@example.com", "secret", "192.0.2.1"),
            "alice"
        );
    }
    // Guesses at that address hold whoever has not logged in there.
    for name in ["alice", "bob", "alice"] {
        assert_eq!(ask_from(name, "wrong", "192.0.2.1"), "wrong-password");
    }
    assert_eq!(ask_from("bob", "secret", "192.0.2.1"), "throttled");
    assert_eq!(ask_from("alice", "secret", "192.0.2.1"), "alice");
    // It has no more of them than any other, whoever logs in meanwhile.
    assert_eq!(ask_from("alice", "wrong", "192.0.2.1"), "wrong-password");
    assert_eq!(ask_from("alice", "secret", "192.0.2.1"), "throttled");
}

#[test]
fn a_remembered_password_passes_no_throttle() {
    let mut guesses = Guesses::at("", 1);
    let mut ask_from = |name: &str, typed: &str, address: &str| {
        ask(
            &mut guesses.authenticator,
            &from(password(name, typed), address),
        )
    };
    assert_eq!(ask_from("alice", "secret", "192.0.2.1"), "alice");
    for name in ["x", "y", "z"] {
        assert_eq!(ask_from(name, "wrong", "192.0.2.7"), "unknown-user");
    }
    assert_eq!(ask_from("alice", "secret", "192.0.2.7"), "throttled");
    assert_eq!(ask_from("alice", "secret", "192.0.2.1"), "alice");
}

/// The processor time that this thread has used, in nanoseconds.
fn used() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

#[test]
fn a_refused_spelling_costs_as_much_as_an_unknown_name() {
    let mut guesses = Guesses::at("[access]\nlogin = [\"username\", \"email\"]", ITERATIONS);
    for _ in 0..3 {
        assert_eq!(guesses.ask("alice", "wrong"), "wrong-password");
    }
    let mut cost = |name: &str, typed: &str, verdict: &str| {
        let before = used();
        assert_eq!(guesses.ask(name, typed), verdict);
        used() - before
    };
    let unknown = cost("nobody", "wrong", "unknown-user");
    for typed in ["wrong", "secret"] {
        let ratio = cost("alice@example.com", typed, "throttled") / unknown;
        assert!((0.6..1.7).contains(&ratio), "{typed} costs {ratio}");
    }
}

#[test]
fn the_costliest_hash_is_known_to_all_threads_once_one_has_seen_it() {
    let site = Site::new();
    site.add(1, "old", &encoded("secret", ITERATIONS), true);
    // So many that the costliest is not among those that are looked at.
    for id in 2..200 {
        site.add(id, &format!("user{id}"), &encoded("x", 1), true);
    }
    let configuration = site.configuration("[limits]\nfailures = 0\n");
    let shared = Arc::new(Shared::remembering(&configuration));
    let cost = |name: &str, typed: &str| {
        let mut another = sharing(&configuration, &shared);
        let before = used();
        let _ = ask(&mut another, &password(name, typed));
        used() - before
    };
    let cheap = cost("nobody", "wrong");
    let dear = cost("old", "wrong");
    assert!(dear > 5.0 * cheap, "{dear} {cheap}");
    for (name, typed) in [("nobody", "wrong"), ("user7", "wrong")] {
        let ratio = cost(name, typed) / dear;
        assert!((0.6..1.7).contains(&ratio), "{name} costs {ratio}");
    }
}
