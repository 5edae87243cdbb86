//! Session checks per second, in one process on one connection, beside the store's bare look-ups.
//!
//!     session_checks hallpass.toml STORE ACCOUNTS < tokens
//!
//! `STORE` is where the sessions are: `sqlite:PATH`, `written:PATH` for the same where something is
//! committed before each turn, `postgres:KEY=VALUE …` (libpq's words), `mysql:URL`,
//! `redis:HOST:PORT/DATABASE/PREFIX` or `memcached:HOST:PORT/PREFIX`; the prefix leads the keys.
//! `ACCOUNTS` is the SQLite file of the accounts whose sessions are in a cache. The tokens, a line
//! each, are all live, and each is the number of its account. All candidates ask for all of them in
//! each round, by turns. `tests/benchmarks/sessions.py` starts the stores.
//!
//! Prints the checks per second; then those of a bare look-up of the session, and what share of that
//! the checks are, which is the median of the rounds' shares; then the same of a bare look-up of the
//! session and its account.
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a measurement that fails is none"
)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant, SystemTime};

use hallpass_core::{
    Authenticator, ClaimedName, Configuration, Credential, Request, Secret, Verdict,
};
use hallpass_stores::Deadline;
use mysql_async::prelude::Queryable;
use rusqlite::config::DbConfig;
use tokio::runtime::Runtime;

const ROUNDS: usize = 31;
const SESSION: &str = "SELECT session_data, expire_date FROM django_session WHERE session_key =";
// The columns that a check reads.
const ACCOUNT: &str = "SELECT username, email, password, is_active, is_superuser, id, is_staff, first_name, \
                       last_name FROM auth_user WHERE id =";
const BOTH: &str = "SELECT session_data, expire_date, username, email, password, is_active, is_superuser, \
                    id, is_staff, first_name, last_name FROM auth_user JOIN django_session ON session_key =";

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [config, store, accounts] = arguments.as_slice() else {
        panic!("usage: session_checks hallpass.toml STORE ACCOUNTS < tokens");
    };
    let tokens: Vec<String> = std::io::stdin().lines().map(Result::unwrap).collect();
    let configuration = Configuration::load(config.as_ref()).unwrap();
    let mut authenticator = Authenticator::new(&configuration);
    let mut bare = Bare::open(store, accounts);
    let (mut checks, mut alone, mut both) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..=ROUNDS {
        bare.before_a_turn(&tokens);
        checks.push(time(&tokens, |token| check(&mut authenticator, token)));
        bare.before_a_turn(&tokens);
        alone.push(time(&tokens, |token| bare.session(token)));
        bare.before_a_turn(&tokens);
        both.push(time(&tokens, |token| bare.session_and_account(token)));
    }
    // The first round connects and prepares.
    let [checks, alone, both] = [&checks[1..], &alone[1..], &both[1..]];
    let per_second = |times: &[f64]| tokens.len() as f64 / median(times.iter().copied());
    let share = |of: &[f64]| {
        let rounds = of.iter().zip(checks);
        median(rounds.map(|(lookups, checks)| lookups / checks))
    };
    println!(
        "{:.0} {:.0} {:.3} {:.0} {:.3}",
        per_second(checks),
        per_second(alone),
        share(alone),
        per_second(both),
        share(both)
    );
}

/// In seconds.
fn time(tokens: &[String], mut ask: impl FnMut(&str) -> bool) -> f64 {
    let start = Instant::now();
    let found = tokens.iter().filter(|token| ask(token)).count();
    let time = start.elapsed().as_secs_f64();
    assert_eq!(found, tokens.len(), "every token is live");
    time
}

fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap()
}

fn check(authenticator: &mut Authenticator, token: &str) -> bool {
    let token = Secret::new(token.as_bytes());
    let request = Request::new(ClaimedName::Nameless, Credential::Session(token));
    let deadline = Deadline::after(Duration::from_secs(10));
    let verdict = authenticator.answer(&request, SystemTime::now(), deadline);
    matches!(verdict, Verdict::Granted(_))
}

/// The store itself, asked by the keys alone through the same libraries.
enum Bare {
    /// And the connection that writes.
    Sqlite(rusqlite::Connection, Option<rusqlite::Connection>),
    Postgres(
        Runtime,
        tokio_postgres::Client,
        [tokio_postgres::Statement; 2],
    ),
    Mysql(Runtime, mysql_async::Conn, [mysql_async::Statement; 2]),
    Redis(BufReader<TcpStream>, String, rusqlite::Connection),
    Memcached(BufReader<TcpStream>, String, rusqlite::Connection),
}

impl Bare {
    fn open(store: &str, accounts: &str) -> Self {
        let (kind, location) = store.split_once(':').unwrap();
        match kind {
            "sqlite" => Self::Sqlite(sqlite(location), None),
            "written" => {
                let writer = rusqlite::Connection::open(location).unwrap();
                Self::Sqlite(sqlite(location), Some(writer))
            }
            "postgres" => {
                let runtime = runtime();
                let (client, statements) = runtime.block_on(async {
                    let connected = tokio_postgres::connect(location, tokio_postgres::NoTls).await;
                    let (client, connection) = connected.unwrap();
                    tokio::spawn(connection);
                    let alone = client.prepare(&format!("{SESSION} $1")).await.unwrap();
                    let both = format!("{BOTH} $1 WHERE id = $2::bigint");
                    let both = client.prepare(&both).await.unwrap();
                    (client, [alone, both])
                });
                Self::Postgres(runtime, client, statements)
            }
            "mysql" => {
                let runtime = runtime();
                let (connection, statements) = runtime.block_on(async {
                    let mut connection = mysql_async::Conn::from_url(location).await.unwrap();
                    let alone = connection.prep(format!("{SESSION} ?")).await.unwrap();
                    let both = connection
                        .prep(format!("{BOTH} ? WHERE id = ?"))
                        .await
                        .unwrap();
                    (connection, [alone, both])
                });
                Self::Mysql(runtime, connection, statements)
            }
            "redis" => {
                let mut parts = location.splitn(3, '/');
                let mut connection = connect(parts.next().unwrap());
                let database = parts.next().unwrap();
                write!(connection.get_mut(), "SELECT {database}\r\n").unwrap();
                assert_eq!(line(&mut connection), "+OK");
                let prefix = parts.next().unwrap().to_owned();
                Self::Redis(connection, prefix, sqlite(accounts))
            }
            "memcached" => {
                let (address, prefix) = location.split_once('/').unwrap();
                Self::Memcached(connect(address), prefix.to_owned(), sqlite(accounts))
            }
            _ => panic!("no such store"),
        }
    }

    fn before_a_turn(&mut self, tokens: &[String]) {
        if let Self::Sqlite(_, Some(writer)) = self {
            let change =
                "UPDATE django_session SET expire_date = expire_date WHERE session_key = ?";
            assert_eq!(writer.execute(change, [&tokens[0]]).unwrap(), 1);
        }
    }

    fn session(&mut self, token: &str) -> bool {
        match self {
            Self::Sqlite(connection, _) => {
                let mut statement = connection.prepare_cached(&format!("{SESSION} ?")).unwrap();
                has_texts(&mut statement, [token], 2)
            }
            Self::Postgres(runtime, client, [alone, _]) => {
                let row = runtime
                    .block_on(client.query_one(alone, &[&token]))
                    .unwrap();
                !row.get::<_, String>(0).is_empty()
            }
            Self::Mysql(runtime, connection, [alone, _]) => {
                let row = connection.exec_first(&*alone, (token,));
                let row: Option<mysql_async::Row> = runtime.block_on(row).unwrap();
                row.is_some()
            }
            Self::Redis(connection, prefix, _) => {
                let key = format!("{prefix}{token}");
                let length = key.len();
                let request = format!("*2\r\n$3\r\nGET\r\n${length}\r\n{key}\r\n");
                connection.get_mut().write_all(request.as_bytes()).unwrap();
                let head = line(connection);
                bytes(connection, head.strip_prefix('$').unwrap())
            }
            Self::Memcached(connection, prefix, _) => {
                let request = format!("get {prefix}{token}\r\n");
                connection.get_mut().write_all(request.as_bytes()).unwrap();
                let head = line(connection);
                let there = bytes(connection, head.rsplit(' ').next().unwrap());
                there && line(connection) == "END"
            }
        }
    }

    fn session_and_account(&mut self, token: &str) -> bool {
        let account: i64 = token.parse().unwrap();
        match self {
            Self::Sqlite(connection, _) => {
                let statement = format!("{BOTH} ? WHERE id = ?");
                let mut statement = connection.prepare_cached(&statement).unwrap();
                has_texts(&mut statement, (token, account), 5)
            }
            Self::Postgres(runtime, client, [_, both]) => {
                let row = runtime
                    .block_on(client.query_one(both, &[&token, &account]))
                    .unwrap();
                (0..5).all(|index| index == 1 || row.try_get::<_, String>(index).is_ok())
            }
            Self::Mysql(runtime, connection, [_, both]) => {
                let row = connection.exec_first(&*both, (token, account));
                let row: Option<mysql_async::Row> = runtime.block_on(row).unwrap();
                row.is_some()
            }
            Self::Redis(_, _, accounts) | Self::Memcached(_, _, accounts) => {
                let there = {
                    let mut statement = accounts.prepare_cached(&format!("{ACCOUNT} ?")).unwrap();
                    has_texts(&mut statement, [account], 3)
                };
                there && self.session(token)
            }
        }
    }
}

fn sqlite(path: &str) -> rusqlite::Connection {
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    let connection = rusqlite::Connection::open_with_flags(path, flags).unwrap();
    // Or the statement would be planned anew for each value that is bound.
    let stable = DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG;
    connection.set_db_config(stable, true).unwrap();
    connection
}

/// Whether there is a row, whose first columns are texts.
fn has_texts(
    statement: &mut rusqlite::Statement<'_>,
    parameters: impl rusqlite::Params,
    texts: usize,
) -> bool {
    let row = statement.query_row(parameters, |row| {
        (0..texts)
            .map(|index| row.get::<_, String>(index))
            .collect::<Result<Vec<_>, _>>()
    });
    row.is_ok()
}

fn runtime() -> Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().unwrap()
}

fn connect(address: &str) -> BufReader<TcpStream> {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    BufReader::new(stream)
}

fn line(connection: &mut BufReader<TcpStream>) -> String {
    let mut line = String::new();
    connection.read_line(&mut line).unwrap();
    line.trim_end().to_owned()
}

/// Reads as many bytes as `length` says, and the end of their line.
fn bytes(connection: &mut BufReader<TcpStream>, length: &str) -> bool {
    let length: usize = length.parse().unwrap();
    let mut bytes = vec![0; length + 2];
    connection.read_exact(&mut bytes).unwrap();
    length > 0
}
