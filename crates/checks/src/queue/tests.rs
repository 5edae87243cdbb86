use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Weak};
use std::thread;

use hallpass_core::{
    Authenticator, ClaimedName, Configuration, Credential, Progress, Request, Secret, Shared,
};
use tempfile::TempDir;

use super::*;

/// A site with the accounts `alice` and `bob`, and checks that only the test computes.
struct World {
    checks: Checks,
    authenticator: Authenticator,
    _directory: TempDir,
}

impl World {
    fn new(most: usize, failures: u32) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("site.db");
        let tables = "
            CREATE TABLE people (id INTEGER, username TEXT, password TEXT);
            INSERT INTO people VALUES (1, 'alice', 'pbkdf2_sha256$1000$a$AAAA'),
                (2, 'bob', 'pbkdf2_sha256$1000$b$BBBB')";
        rusqlite::Connection::open(path)
            .unwrap()
            .execute_batch(tables)
            .unwrap();
        let text = format!(
            "framework = \"custom\"\ndatabase = \"sqlite:site.db\"\n\
             passwords.dummy = \"pbkdf2_sha256$1000\"\nlimits.failures = {failures}\n\
             [custom]\nuser = \"SELECT * FROM people WHERE username = :username\""
        );
        let configuration =
            Configuration::parse(&directory.path().join("site.toml"), &text).unwrap();
        let shared = Arc::new(Shared::remembering(&configuration));
        let pace = Pace::measure(1);
        Self {
            checks: Checks::new(1, most, 100, pace),
            authenticator: Authenticator::new(&configuration).sharing(shared),
            _directory: directory,
        }
    }

    /// Puts in a password, and returns where its verdict comes.
    fn put(&mut self, name: &str, password: &str, client: &str, deadline: Deadline) -> Wanted {
        let name = ClaimedName::Named(name.to_owned());
        let mut request = Request::new(name, Credential::Password(Secret::new(password)));
        request.client.address = Some(client.parse().unwrap());
        let now = SystemTime::now();
        let Progress::Pending(check) = self.authenticator.begin(&request, now, deadline) else {
            panic!("it is answered already");
        };
        let (sender, verdict) = mpsc::channel();
        let wanted = Arc::new(());
        let answer = ToTest {
            sender,
            wanted: Arc::downgrade(&wanted),
        };
        self.checks.put(*check, deadline, Box::new(answer));
        Wanted { verdict, wanted }
    }

    /// Takes the next, and finds the password wrong.
    fn find_wrong(&self) {
        let job = self.checks.take(0).unwrap();
        self.checks.finish(job.number, &Ok(Outcome::Mismatch));
    }
}

/// A verdict that is wanted until this is dropped.
struct Wanted {
    verdict: Receiver<Verdict>,
    #[expect(dead_code, reason = "dropping it tells that the verdict is not wanted")]
    wanted: Arc<()>,
}

struct ToTest {
    sender: mpsc::Sender<Verdict>,
    wanted: Weak<()>,
}

impl Answer for ToTest {
    fn send(self: Box<Self>, verdict: Verdict) {
        drop(self.sender.send(verdict));
    }

    fn is_closed(&self) -> bool {
        self.wanted.strong_count() == 0
    }
}

const HOME: &str = "192.0.2.1";
const ELSEWHERE: &str = "198.51.100.1";

fn later() -> Deadline {
    Deadline::after(Duration::from_secs(600))
}

fn said(wanted: &Wanted) -> Option<String> {
    match wanted.verdict.try_recv().ok()? {
        Verdict::Granted(identity) => Some(identity.name),
        Verdict::Denied(reason) => Some(reason.word().to_owned()),
        Verdict::Unavailable(cause) => Some(cause.to_string()),
    }
}

#[test]
fn each_of_those_who_ask_the_same_has_their_own_deadline() {
    let mut world = World::new(10, 0);
    let soon = Deadline::after(Duration::from_secs(1));
    let later = later();
    let first = world.put("alice", "wrong", HOME, soon);
    let second = world.put("alice", "wrong", ELSEWHERE, later);
    assert_eq!(world.checks.waiting(), 1, "it is computed once");
    thread::sleep(soon.remaining());
    let job = world.checks.take(0).unwrap();
    assert_eq!(job.deadline, later);
    let late = said(&first).unwrap();
    assert!(late.contains("too late"), "{late}");
    world.checks.finish(job.number, &Ok(Outcome::Mismatch));
    assert_eq!(said(&second).unwrap(), "wrong-password");
}

#[test]
fn those_who_join_a_check_that_is_under_way_prolong_it() {
    let mut world = World::new(10, 0);
    let soon = Deadline::after(Duration::from_secs(60));
    let _first = world.put("alice", "wrong", HOME, soon);
    let job = world.checks.take(0).unwrap();
    assert_eq!(world.checks.deadline(job.number), Some(soon));
    let later = later();
    let _second = world.put("alice", "wrong", HOME, later);
    assert_eq!(world.checks.deadline(job.number), Some(later));
}

#[test]
fn the_throttle_is_asked_again_when_it_is_their_turn() {
    let mut world = World::new(10, 2);
    let guesses: Vec<_> = (0..5)
        .map(|number| world.put("alice", &format!("guess {number}"), ELSEWHERE, later()))
        .collect();
    world.find_wrong();
    world.find_wrong();
    let _bob = world.put("bob", "wrong", HOME, later());
    let _job = world.checks.take(0).unwrap();
    assert!(world.checks.take(1).is_none(), "nothing else is computed");
    let told: Vec<_> = guesses.iter().filter_map(said).collect();
    assert_eq!(told[..2], ["wrong-password", "wrong-password"]);
    assert_eq!(told[2..], ["throttled"; 3]);
}

#[test]
fn a_full_queue_makes_room_for_those_who_have_asked_for_less() {
    let mut world = World::new(3, 0);
    let burst: Vec<_> = (0..4)
        .map(|number| world.put("alice", &format!("guess {number}"), ELSEWHERE, later()))
        .collect();
    assert_eq!(said(&burst[3]).unwrap(), FULL);
    let bob = world.put("bob", "wrong", HOME, later());
    assert_eq!(said(&burst[2]).unwrap(), FULL);
    world.find_wrong();
    world.find_wrong();
    assert_eq!(said(&bob).unwrap(), "wrong-password");
    assert!(said(&burst[1]).is_none());
}

#[test]
fn an_abandoned_check_delays_no_other() {
    let mut world = World::new(10, 0);
    let turn = Turn::default();
    let alice = world.put("alice", "guess", ELSEWHERE, later());
    let bob = world.put("bob", "guess", HOME, later());
    let _job = world.checks.take(0).unwrap();
    assert_eq!(world.checks.lock().before(turn).count, 2);
    drop(alice);
    assert_eq!(world.checks.lock().before(turn).count, 1);
    drop(bob);
    assert_eq!(world.checks.lock().before(turn).count, 0);
}
