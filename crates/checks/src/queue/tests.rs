use hallpass_core::{
    Authenticator, ClaimedName, Configuration, Credential, Progress, Request, Secret, Shared,
};
use tempfile::TempDir;

use super::*;

/// A site with the accounts `alice` and `bob`, and checks that nobody does but the test.
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
        let state = State {
            waiting: Turns::new(most, 100),
            open: HashMap::new(),
            numbers: HashMap::new(),
            at_work: 0,
            next: 0,
            idle: 0,
        };
        Self {
            checks: Checks {
                state: Mutex::new(state),
                filled: Condvar::new(),
                most,
                threads: 1,
                pace,
            },
            authenticator: Authenticator::new(&configuration).sharing(shared),
            _directory: directory,
        }
    }

    /// Puts in a password, and gives what will tell the verdict.
    fn put(
        &mut self,
        name: &str,
        password: &str,
        client: &str,
        deadline: Deadline,
    ) -> oneshot::Receiver<Verdict> {
        let name = ClaimedName::Named(name.to_owned());
        let mut request = Request::new(name, Credential::Password(Secret::new(password)));
        request.client.address = Some(client.parse().unwrap());
        let now = SystemTime::now();
        let Progress::Pending(check) = self.authenticator.begin(&request, now, deadline) else {
            panic!("it is answered already");
        };
        let (answer, verdict) = oneshot::channel();
        self.checks.put(*check, deadline, answer);
        verdict
    }

    /// Takes the next, and finds the password wrong.
    fn find_wrong(&self) {
        let job = self.checks.take(0).unwrap();
        self.checks.finish(job.number, &Ok(Outcome::Mismatch));
    }
}

const HOME: &str = "192.0.2.1";
const ELSEWHERE: &str = "198.51.100.1";

fn later() -> Deadline {
    Deadline::after(Duration::from_secs(600))
}

fn said(verdict: &mut oneshot::Receiver<Verdict>) -> Option<String> {
    match verdict.try_recv().ok()? {
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
    let mut first = world.put("alice", "wrong", HOME, soon);
    let mut second = world.put("alice", "wrong", ELSEWHERE, later);
    assert_eq!(world.checks.waiting(), 1, "it is computed once");
    thread::sleep(soon.remaining());
    let job = world.checks.take(0).unwrap();
    assert_eq!(job.deadline, later);
    let late = said(&mut first).unwrap();
    assert!(late.contains("too late"), "{late}");
    world.checks.finish(job.number, &Ok(Outcome::Mismatch));
    assert_eq!(said(&mut second).unwrap(), "wrong-password");
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
    let mut guesses: Vec<_> = (0..5)
        .map(|number| world.put("alice", &format!("guess {number}"), ELSEWHERE, later()))
        .collect();
    world.find_wrong();
    world.find_wrong();
    let _bob = world.put("bob", "wrong", HOME, later());
    let _job = world.checks.take(0).unwrap();
    assert!(world.checks.take(1).is_none(), "nothing else is computed");
    let told: Vec<_> = guesses.iter_mut().filter_map(said).collect();
    assert_eq!(told[..2], ["wrong-password", "wrong-password"]);
    assert_eq!(told[2..], ["throttled"; 3]);
}

#[test]
fn a_full_queue_makes_room_for_those_who_have_asked_for_less() {
    let mut world = World::new(3, 0);
    let mut burst: Vec<_> = (0..4)
        .map(|number| world.put("alice", &format!("guess {number}"), ELSEWHERE, later()))
        .collect();
    assert_eq!(said(&mut burst[3]).unwrap(), FULL);
    let mut bob = world.put("bob", "wrong", HOME, later());
    assert_eq!(said(&mut burst[2]).unwrap(), FULL);
    world.find_wrong();
    world.find_wrong();
    assert_eq!(said(&mut bob).unwrap(), "wrong-password");
    assert!(said(&mut burst[1]).is_none());
}

#[test]
fn what_nobody_waits_for_makes_nobody_late() {
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
