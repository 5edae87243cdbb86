use std::time::Duration;

use hallpass_stores::sql::Value;

use super::*;

fn throttle(failures: u32) -> Throttle {
    Throttle::new(&Limits {
        deadline: Duration::from_secs(4),
        failures,
        failure_window: Duration::from_secs(60),
        max_password: 4096,
    })
}

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 + seconds)
}

fn id(number: i64) -> Id {
    Id {
        value: Value::Integer(number),
        text: number.to_string(),
    }
}

fn address(text: &str) -> Option<IpAddr> {
    Some(text.parse().unwrap())
}

/// A name that means no account.
fn unknown(throttle: &Throttle, name: &str, client: Option<IpAddr>) -> Attempt {
    throttle.attempt(name, client)
}

/// A name that means the account of this number.
fn known(throttle: &Throttle, name: &str, number: i64, client: Option<IpAddr>) -> Attempt {
    throttle.of_account(throttle.attempt(name, client), &id(number))
}

fn admits(throttle: &Throttle, attempt: &Attempt, second: u64) -> bool {
    throttle.admits(attempt, at(second)) && throttle.admits_account(attempt, at(second))
}

#[test]
fn a_name_is_refused_after_so_many_failures_until_the_window_ends() {
    let throttle = throttle(3);
    let [alice, capitals, bob] =
        ["alice", "ALICE", "bob"].map(|name| unknown(&throttle, name, None));
    for second in [0, 10, 20] {
        assert!(throttle.admits(&alice, at(second)));
        assert!(throttle.settle(&alice, false, at(second)));
    }
    assert!(!throttle.admits(&alice, at(20)));
    assert!(!throttle.admits(&capitals, at(59)));
    assert!(throttle.admits(&bob, at(59)));
    assert!(throttle.admits(&alice, at(60)));
    assert!(throttle.settle(&alice, false, at(60)));
    assert!(throttle.admits(&alice, at(61)));
}

#[test]
fn spellings_of_one_account_have_one_count() {
    let throttle = throttle(3);
    for spelling in ["alice", "alice ", "àlice"] {
        let attempt = known(&throttle, spelling, 7, None);
        assert!(throttle.settle(&attempt, false, at(0)));
    }
    let email = known(&throttle, "alice@example.org", 7, None);
    // What can be told before the look-up does not say so; what is told after it does.
    assert!(throttle.admits(&email, at(1)));
    assert!(!throttle.admits_account(&email, at(1)));
    assert!(!throttle.settle(&email, true, at(1)));
    let other = known(&throttle, "bob", 8, None);
    assert!(admits(&throttle, &other, 1));
    assert!(admits(&throttle, &email, 60));
}

#[test]
fn spellings_that_nfkc_folds_are_one_name_whether_there_is_an_account_or_not() {
    let throttle = throttle(2);
    for spelling in ["ａlice", "𝐚lice"] {
        assert!(throttle.settle(&unknown(&throttle, spelling, None), false, at(0)));
    }
    for spelling in ["alice", "ⓐlice", "ALICE"] {
        assert!(!throttle.admits(&unknown(&throttle, spelling, None), at(0)));
    }
    // A letter with an accent is another letter to NFKC.
    assert!(throttle.admits(&unknown(&throttle, "àlice", None), at(0)));
}

#[test]
fn a_client_is_refused_whatever_names_it_tries() {
    let throttle = throttle(2);
    let [client, neighbour, other] =
        ["2001:db8::1", "2001:db8::ffff", "2001:db8:0:1::1"].map(address);
    assert!(throttle.settle(&unknown(&throttle, "a", client), false, at(0)));
    assert!(throttle.settle(&unknown(&throttle, "b", neighbour), false, at(1)));
    assert!(!throttle.admits(&unknown(&throttle, "c", client), at(2)));
    assert!(throttle.admits(&unknown(&throttle, "c", other), at(2)));
    assert!(throttle.admits(&unknown(&throttle, "c", None), at(2)));
    let [plain, mapped] = ["192.0.2.1", "::ffff:192.0.2.1"].map(address);
    assert!(throttle.settle(&unknown(&throttle, "d", plain), false, at(3)));
    assert!(throttle.settle(&unknown(&throttle, "e", mapped), false, at(3)));
    assert!(!throttle.admits(&unknown(&throttle, "f", plain), at(3)));
    // Nor is the right password told.
    assert!(!throttle.settle(&known(&throttle, "f", 7, plain), true, at(3)));
}

#[test]
fn the_owners_address_keeps_a_budget_of_its_own() {
    let throttle = throttle(5);
    let [home, elsewhere] = ["192.0.2.1", "192.0.2.2"].map(address);
    let owner = known(&throttle, "alice", 7, home);
    assert!(throttle.settle(&owner, true, at(0)));
    for _ in 0..5 {
        assert!(throttle.settle(&known(&throttle, "alice", 7, None), false, at(1)));
    }
    assert!(!admits(
        &throttle,
        &known(&throttle, "alice", 7, elsewhere),
        1
    ));
    assert!(!admits(&throttle, &known(&throttle, "alice", 7, None), 1));
    // Again and again, and by another name of the account.
    for second in [1, 2, 3] {
        assert!(admits(&throttle, &owner, second));
        assert!(throttle.settle(&owner, true, at(second)));
        assert!(admits(
            &throttle,
            &known(&throttle, "a@example.org", 7, home),
            second
        ));
    }
    // Another account has no part in it.
    for _ in 0..5 {
        assert!(throttle.settle(&known(&throttle, "bob", 8, None), false, at(1)));
    }
    assert!(!admits(&throttle, &known(&throttle, "bob", 8, home), 1));
}

#[test]
fn the_budget_is_small_and_no_login_makes_it_whole_within_the_window() {
    let throttle = throttle(10);
    let home = address("192.0.2.1");
    let owner = known(&throttle, "alice", 7, home);
    assert!(throttle.settle(&owner, true, at(0)));
    for _ in 0..10 {
        assert!(throttle.settle(&known(&throttle, "alice", 7, None), false, at(1)));
    }
    for _ in 0..2 {
        assert!(throttle.settle(&owner, false, at(2)));
    }
    assert!(throttle.settle(&owner, true, at(2)));
    assert!(throttle.settle(&owner, false, at(3)));
    assert!(!throttle.settle(&owner, true, at(3)));
    assert!(throttle.settle(&owner, true, at(70)));
}

#[test]
fn a_guesser_at_the_same_address_does_not_lock_out_those_who_log_in_there() {
    let throttle = throttle(5);
    let webmail = address("127.0.0.1");
    let owner = known(&throttle, "alice", 7, webmail);
    assert!(throttle.settle(&owner, true, at(0)));
    for name in ["a", "b", "c", "d", "e"] {
        assert!(throttle.settle(&unknown(&throttle, name, webmail), false, at(1)));
    }
    for second in [1, 2, 3] {
        assert!(admits(&throttle, &owner, second));
        assert!(throttle.settle(&owner, true, at(second)));
    }
    // Who has not logged in from there is held by its count, and so are names without an account.
    assert!(!throttle.admits(&known(&throttle, "bob", 8, webmail), at(3)));
    assert!(!throttle.admits(&unknown(&throttle, "f", webmail), at(3)));
    // The owner's logins give the guesser no more than the budget.
    let mut looked_at = 0;
    for second in 4..30 {
        looked_at += usize::from(throttle.settle(&owner, false, at(second)));
        let _ = throttle.settle(&owner, true, at(second));
    }
    assert_eq!(looked_at, 3);
}

#[test]
fn the_owners_logins_give_a_guesser_no_more_guesses() {
    let throttle = throttle(3);
    let home = address("192.0.2.1");
    let mut looked_at = 0;
    for second in 0..30 {
        for client in [home, None] {
            let _ = throttle.settle(&known(&throttle, "alice", 7, client), true, at(second));
        }
        let guess = known(&throttle, "alice", 7, address("192.0.2.2"));
        looked_at += usize::from(throttle.settle(&guess, false, at(second)));
    }
    assert_eq!(looked_at, 3);
}

#[test]
fn an_address_is_familiar_for_a_week_and_no_longer() {
    let throttle = throttle(1);
    let owner = known(&throttle, "alice", 7, address("192.0.2.1"));
    assert!(throttle.settle(&owner, true, at(0)));
    let week = 7 * 24 * 3600;
    for (second, familiar) in [(week - 1, true), (week, false)] {
        assert!(
            throttle.settle(&known(&throttle, "alice", 7, None), false, at(second)) == familiar
        );
        assert_eq!(admits(&throttle, &owner, second), familiar, "{second}");
        assert_eq!(throttle.turn(&owner, at(second)).familiar, familiar);
    }
}

#[test]
fn a_lockout_of_an_account_and_of_an_unknown_name_look_alike() {
    // What is told before the look-up, for the same names in the same order.
    let told = |account: Option<i64>| {
        let throttle = throttle(3);
        let spellings = [
            "alice", "alice", "alice ", "alice", "alice", "alice ", "bob",
        ];
        spellings.map(|name| {
            let attempt = match account {
                Some(number) => known(&throttle, name, number, None),
                None => unknown(&throttle, name, None),
            };
            let told = throttle.admits(&attempt, at(0));
            if told {
                let _ = throttle.settle(&attempt, false, at(0));
            }
            told
        })
    };
    let as_unknown = told(None);
    assert_eq!(as_unknown, [true, true, true, true, false, true, true]);
    assert_eq!(told(Some(7)), as_unknown);
}

#[test]
fn turns_go_by_address_else_by_name_and_those_who_have_logged_in_have_their_own() {
    let throttle = throttle(5);
    let [home, elsewhere] = ["192.0.2.1", "192.0.2.2"].map(address);
    let turn = |name: &str, client| throttle.turn(&known(&throttle, name, 7, client), at(0));
    assert_eq!(turn("alice", home), turn("bob", home));
    assert_ne!(turn("alice", home).of, turn("alice", elsewhere).of);
    assert_eq!(turn("alice", None), turn("ALICE", None));
    assert_ne!(turn("alice", None).of, turn("bob", None).of);
    assert!(throttle.settle(&unknown(&throttle, "x", home), false, at(0)));
    assert_eq!(
        (turn("x", home).failures, turn("x", elsewhere).failures),
        (1, 0)
    );
    assert!(throttle.settle(&known(&throttle, "alice", 7, home), true, at(0)));
    assert!(turn("alice", home).familiar && !turn("alice", elsewhere).familiar);
    assert_ne!(
        turn("alice", home).of,
        throttle.turn(&unknown(&throttle, "x", home), at(0)).of
    );
}

#[test]
fn none_is_off() {
    let throttle = throttle(0);
    let alice = known(&throttle, "alice", 7, address("192.0.2.1"));
    for _ in 0..100 {
        assert!(throttle.settle(&alice, false, at(0)));
    }
    assert!(admits(&throttle, &alice, 0));
    assert_eq!(throttle.lock().counts.len(), 0);
}

#[test]
fn a_clock_set_back_locks_nobody_out() {
    let throttle = throttle(1);
    let alice = unknown(&throttle, "alice", None);
    assert!(throttle.settle(&alice, false, at(1000)));
    assert!(!throttle.admits(&alice, at(1000)));
    assert!(throttle.admits(&alice, at(0)));
}

#[test]
fn memory_is_bounded_and_a_flood_of_names_frees_none_that_is_guessed() {
    let throttle = throttle(3);
    let alice = known(&throttle, "alice", 7, None);
    for _ in 0..3 {
        assert!(throttle.settle(&alice, false, at(0)));
    }
    for number in 0..3 * Counts::MOST {
        let junk = unknown(&throttle, &number.to_string(), None);
        assert!(throttle.settle(&junk, false, at(1)));
    }
    assert!(throttle.lock().counts.len() <= Counts::MOST);
    assert!(!throttle.admits(&alice, at(2)));
    assert!(!throttle.admits_account(&alice, at(2)));
    // And what is new is counted all the same.
    let bob = unknown(&throttle, "bob", None);
    for _ in 0..3 {
        assert!(throttle.settle(&bob, false, at(2)));
    }
    assert!(!throttle.admits(&bob, at(2)));
}

#[test]
fn one_account_makes_no_other_forgotten_by_its_logins() {
    let throttle = throttle(3);
    let owner = known(&throttle, "alice", 7, address("192.0.2.1"));
    assert!(throttle.settle(&owner, true, at(0)));
    for number in 0..100_000_u32 {
        let client = Some(IpAddr::V4(number.into()));
        let mallory = known(&throttle, "mallory", 8, client);
        assert!(throttle.settle(&mallory, true, at(1)));
    }
    assert!(throttle.turn(&owner, at(2)).familiar);
    assert!(throttle.lock().familiar.len() <= 2 + 16);
    for number in 0..2 * Familiar::MOST as i64 {
        let client = address("192.0.2.9");
        let attempt = known(&throttle, "x", number, client);
        assert!(throttle.settle(&attempt, true, at(3)));
    }
    assert!(throttle.lock().familiar.len() <= Familiar::MOST);
}

/// Throttles of machines that share a count at a server that nobody listens at, or that is silent.
mod shared {
    use std::io::Read;
    use std::net::TcpListener;
    use std::path::Path;
    use std::sync::mpsc;
    use std::thread;
    use std::time::Instant;

    use super::*;
    use crate::Configuration;
    use crate::throttle::link::Report;

    const LIMITS: &str = "deadline = \"4s\"\nfailures = 3\n";

    fn configuration(limits: &str, more: &str) -> Result<Configuration, String> {
        let text = format!(
            "framework = \"django\"\ndatabase = \"postgres://db/shop\"\n{more}\n[limits]\n{limits}"
        );
        let read = Configuration::parse(Path::new("/etc/hallpass/hallpass.toml"), &text);
        read.map_err(|error| error.to_string())
    }

    fn at_port(port: u16) -> (Throttle, mpsc::Receiver<SharingNews>) {
        let shared = format!("{LIMITS}shared = \"redis://127.0.0.1:{port}\"");
        let configuration = configuration(&shared, "").unwrap();
        let (tell, news) = mpsc::channel();
        let report = Report::to(move |it| drop(tell.send(it)));
        let throttle = Throttle::new(&configuration.limits);
        let settings = configuration.shared_limits.as_ref().unwrap();
        (throttle.sharing(settings, report), news)
    }

    fn guess(throttle: &Throttle, name: &str, second: u64) -> bool {
        let attempt = throttle.attempt(name, address("192.0.2.1"));
        throttle.look(&attempt, at(second));
        let attempt = throttle.of_account(attempt, &id(1));
        throttle.look_for_account(&attempt, at(second));
        throttle.exchange(&attempt, false, at(second));
        throttle.settle(&attempt, false, at(second))
    }

    #[test]
    fn a_machine_counts_by_itself_while_the_server_is_away() {
        let port = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = port.local_addr().unwrap().port();
        let (throttle, news) = at_port(port);
        assert_eq!(throttle.shares(), Some(false));
        let told: Vec<bool> = (0..6)
            .map(|second| guess(&throttle, "alice", second))
            .collect();
        assert_eq!(told, [true, true, true, false, false, false]);
        let news = news.recv_timeout(Duration::from_secs(20)).unwrap();
        assert!(matches!(news, SharingNews::Away(_)), "{news:?}");
        assert_eq!(throttle.shares(), Some(false));
    }

    #[test]
    fn a_silent_server_delays_a_request_by_a_tenth_of_the_deadline_at_most() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                thread::spawn(move || stream.read_to_end(&mut Vec::new()));
            }
        });
        let (throttle, _news) = at_port(port);
        for second in 0..3 {
            let begun = Instant::now();
            assert!(guess(&throttle, "alice", second));
            let took = begun.elapsed();
            // And what a busy machine takes.
            assert!(took < Duration::from_millis(400 + 300), "{took:?}");
        }
        assert!(!guess(&throttle, "alice", 3));
        let (tell, told) = mpsc::channel();
        let attempt = throttle.attempt("bob", None);
        throttle.exchange_then(
            &attempt,
            false,
            at(9),
            Box::new(move || tell.send(()).unwrap()),
        );
        told.recv_timeout(Duration::from_secs(20)).unwrap();
    }

    #[test]
    fn a_share_is_a_fortieth_of_the_deadline() {
        for (deadline, expected) in [("4s", 100), ("1ms", 1), ("400ms", 10), ("1h", 250)] {
            let limits = format!("deadline = \"{deadline}\"");
            let limits = configuration(&limits, "").unwrap().limits;
            assert_eq!(
                share(&limits),
                Duration::from_millis(expected),
                "{deadline}"
            );
        }
    }

    #[test]
    fn machines_of_one_site_name_counts_alike_and_others_do_not() {
        let prefix = |limits: &str, more: &str| {
            let configuration = configuration(limits, more).unwrap();
            configuration.shared_limits.unwrap().prefix().to_owned()
        };
        let url = "shared = \"redis://:secret@127.0.0.1/0\"";
        let one = prefix(url, "");
        let another_server = "shared = { url = \"rediss://10.0.0.1/5\", password = \"secret\" }";
        assert_eq!(one, prefix(another_server, ""));
        let key = "\n[tickets]\nkey = \"0123456789abcdef0123456789abcdef\"";
        let with_key = prefix(&format!("{url}{key}"), "");
        assert_eq!(
            with_key,
            prefix(&format!("shared = \"redis://:other@h\"{key}"), "")
        );
        for other in [
            prefix("shared = \"redis://:other@127.0.0.1/0\"", ""),
            prefix("shared = \"redis://127.0.0.1/0\"", ""),
            prefix(url, "name = \"shop\""),
            with_key,
        ] {
            assert_ne!(one, other);
        }
        assert!(
            one.starts_with("hallpass:{") && one.ends_with("}:"),
            "{one}"
        );
        assert!(!one.contains("secret"));
    }

    #[test]
    fn what_is_no_redis_is_refused() {
        for (limits, words) in [
            ("shared = \"memcached://h\"", "not a Redis or Valkey"),
            ("shared = \"db:table\"", "not a Redis or Valkey"),
            ("shared = \"h:6379\"", "shared"),
            ("shared = 5", "neither a URL nor a table"),
            ("failures = 0\nshared = \"redis://h\"", "counts none"),
            ("shared = { url = \"redis://h\", uri = 1 }", "uri"),
            (
                "shared = { url = \"redis://a,b\", servers = \"shards\" }",
                "servers: has no effect",
            ),
            (
                "shared = { url = \"redis://h\", query_timeout = \"1s\" }",
                "query_timeout: has no",
            ),
        ] {
            let error = configuration(limits, "").unwrap_err();
            assert!(error.contains(words), "{limits}: {error}");
        }
        let configuration = configuration("shared = \"redis://:hunter2@h\"", "").unwrap();
        assert!(!format!("{configuration:?}").contains("hunter2"));
    }
}

#[test]
fn what_others_have_counted_is_never_less_than_what_was_counted_here() {
    let throttle = throttle(3);
    let alice = unknown(&throttle, "alice", None);
    let window = Duration::from_secs(60);
    let tell = |failures, left| {
        let told = counts::Told {
            failures,
            left: Duration::from_secs(left),
        };
        throttle
            .lock()
            .counts
            .raise(alice.name, told, window, at(10));
    };
    for (failures, left) in [(0, 60), (5, 0)] {
        tell(failures, left);
        assert!(throttle.admits(&alice, at(10)), "{failures}");
    }
    tell(2, 20);
    assert!(throttle.settle(&alice, false, at(10)));
    assert!(!throttle.admits(&alice, at(29)));
    // Less than is counted here changes nothing, and neither does a window that began later.
    tell(1, 60);
    assert!(!throttle.admits(&alice, at(29)));
    // It ends when that of the others ends.
    assert!(throttle.admits(&alice, at(30)));
    // A window cannot last longer than this machine's.
    tell(9, 1_000_000);
    assert!(!throttle.admits(&alice, at(69)));
    assert!(throttle.admits(&alice, at(70)));
}
