//! Session checks per second of any site on SQLite, in one process, beside bare look-ups of the rows
//! that a check reads.
//!
//!     site_checks hallpass.toml DATABASE < lines
//!
//! The first line is a list of statements as JSON, each with one parameter. Each further line is a
//! list of a live token and a value for each statement. Checks and look-ups ask for all of the tokens
//! in each round, by turns, and something is committed before each turn, so that nothing is
//! remembered of the turn before. `tests/benchmarks/sites.py` makes the sites.
//!
//! Prints the checks per second, those of the look-ups, and the share of them that the checks are,
//! which is the median of the rounds' shares.
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a measurement that fails is none"
)]

use std::time::{Duration, Instant, SystemTime};

use hallpass_core::{
    Authenticator, ClaimedName, Configuration, Credential, Request, Secret, Verdict,
};
use hallpass_stores::Deadline;
use rusqlite::Connection;

const ROUNDS: usize = 31;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [config, database] = arguments.as_slice() else {
        panic!("usage: site_checks hallpass.toml DATABASE < lines");
    };
    let mut lines = std::io::stdin().lines().map(|line| {
        let line = line.unwrap();
        serde_json::from_str::<Vec<String>>(&line).unwrap()
    });
    let statements = lines.next().unwrap();
    let sessions: Vec<Vec<String>> = lines.collect();
    let configuration = Configuration::load(config.as_ref()).unwrap();
    let mut authenticator = Authenticator::new(&configuration);
    let reader = Connection::open(database).unwrap();
    let writer = Connection::open(database).unwrap();
    let create = "CREATE TABLE IF NOT EXISTS written (at INTEGER); INSERT INTO written VALUES (0)";
    writer.execute_batch(create).unwrap();
    let write = || {
        let changed = writer.execute("UPDATE written SET at = at + 1", []);
        assert_ne!(changed.unwrap(), 0);
    };
    let (mut checks, mut lookups) = (Vec::new(), Vec::new());
    for _ in 0..=ROUNDS {
        write();
        checks.push(time(|| {
            for session in &sessions {
                check(&mut authenticator, &session[0]);
            }
        }));
        write();
        lookups.push(time(|| {
            for session in &sessions {
                for (statement, key) in statements.iter().zip(&session[1..]) {
                    look_up(&reader, statement, key);
                }
            }
        }));
    }
    // The first round opens the database and prepares.
    let (checks, lookups) = (&checks[1..], &lookups[1..]);
    let per_second = |times: &[f64]| sessions.len() as f64 / median(times.iter().copied());
    let shares = lookups
        .iter()
        .zip(checks)
        .map(|(lookup, check)| lookup / check);
    println!(
        "{:.0} {:.0} {:.3}",
        per_second(checks),
        per_second(lookups),
        median(shares)
    );
}

/// In seconds.
fn time(all: impl FnOnce()) -> f64 {
    let start = Instant::now();
    all();
    start.elapsed().as_secs_f64()
}

fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

fn check(authenticator: &mut Authenticator, token: &str) {
    let token = Secret::new(token.as_bytes());
    let request = Request::new(ClaimedName::Nameless, Credential::Session(token));
    let deadline = Deadline::after(Duration::from_secs(10));
    let verdict = authenticator.answer(&request, SystemTime::now(), deadline);
    assert!(matches!(verdict, Verdict::Granted(_)), "{verdict:?}");
}

fn look_up(connection: &Connection, statement: &str, key: &str) {
    let mut statement = connection.prepare_cached(statement).unwrap();
    let columns = statement.column_count();
    let mut rows = statement.query([key]).unwrap();
    while let Some(row) = rows.next().unwrap() {
        for column in 0..columns {
            row.get_ref(column).unwrap();
        }
    }
}
