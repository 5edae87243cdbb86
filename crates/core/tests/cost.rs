//! Every denial costs the same work.
#![allow(clippy::unwrap_used)]

mod site;

use rustix::time::{ClockId, clock_gettime};
use site::{Site, ask, encoded, password};

/// Enough work that everything else is nothing beside it.
const ITERATIONS: u32 = 200_000;

/// The processor time that this thread has used, in nanoseconds.
fn used() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

/// Foreign CVE-2025-13473: Django's `check_password` for mod_wsgi answered at once for accounts
/// that were missing or inactive, and so told which accounts there are.
#[test]
fn cve_2025_13473_no_denial_is_cheaper_than_a_wrong_password() {
    let site = Site::new();
    site.add(1, "alice", &encoded("secret", ITERATIONS), true);
    site.add(2, "inactive", &encoded("secret", ITERATIONS), false);
    site.add(3, "unusable", "!unusable", true);
    site.add(4, "cheap", &encoded("secret", 1), true);
    site.add(5, "empty", "", true);
    site.add(6, "unknown-algorithm", "whirlpool$1$salt$x", true);
    site.add(7, "costly", "pbkdf2_sha256$4000000000$salt$x", true);
    let cost = |name: &str, typed: &str, verdict: &str| -> f64 {
        // The least of several, each by a program that has just started.
        let once = || {
            let mut authenticator = site.authenticator("");
            let before = used();
            assert_eq!(ask(&mut authenticator, &password(name, typed)), verdict);
            used() - before
        };
        (0..5).map(|_| once()).fold(f64::INFINITY, f64::min)
    };
    let wrong = cost("alice", "wrong", "wrong-password");
    for (name, typed, verdict) in [
        ("nobody", "wrong", "unknown-user"),
        ("nobody", "secret", "unknown-user"),
        ("inactive", "secret", "inactive"),
        ("inactive", "wrong", "wrong-password"),
        ("unusable", "wrong", "unusable-password"),
        ("cheap", "wrong", "wrong-password"),
        ("empty", "wrong", "unusable-password"),
        ("unknown-algorithm", "wrong", "unsupported-hash"),
        ("costly", "wrong", "unsupported-hash"),
    ] {
        let ratio = cost(name, typed, verdict) / wrong;
        assert!(
            (0.6..1.7).contains(&ratio),
            "{name} costs {ratio} of a wrong password"
        );
    }
}

#[test]
fn the_cost_can_be_said() {
    let site = Site::new();
    site.add(1, "alice", &encoded("secret", 1), true);
    let cost = |more: &str| -> f64 {
        let once = || {
            let mut authenticator = site.authenticator(more);
            let before = used();
            assert_eq!(
                ask(&mut authenticator, &password("nobody", "x")),
                "unknown-user"
            );
            used() - before
        };
        (0..5).map(|_| once()).fold(f64::INFINITY, f64::min)
    };
    let dummy = format!("[passwords]\ndummy = \"pbkdf2_sha256${ITERATIONS}\"");
    assert!(cost(&dummy) > 5.0 * cost(""));
}
