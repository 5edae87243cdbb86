//! Session checks per second, in one process on one connection, beside the store's bare look-ups.
//!
//!     session_checks hallpass.toml STORE < tokens
//!
//! `STORE` is where the sessions are: `sqlite:PATH`, `postgres:KEY=VALUE …` (libpq's words),
//! `mysql:URL`, `redis:HOST:PORT/DATABASE/PREFIX` or `memcached:HOST:PORT/PREFIX`; the prefix leads
//! the keys. The tokens, a line each, are all live. Both candidates ask for all of them in each
//! round, by turns. `tests/benchmarks/sessions.py` starts the stores.
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a measurement that fails is none"
)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant, SystemTime};

use hallpass_core::{Authenticator, Configuration, Credential, Question, Secret, Verdict};
use hallpass_stores::Deadline;
use mysql_async::prelude::Queryable;
use tokio::runtime::Runtime;

const ROUNDS: usize = 15;
const COLUMNS: &str = "SELECT session_data, expire_date FROM django_session WHERE session_key =";

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [config, store] = arguments.as_slice() else {
        panic!("usage: session_checks hallpass.toml STORE < tokens");
    };
    let tokens: Vec<String> = std::io::stdin().lines().map(Result::unwrap).collect();
    let configuration = Configuration::load(config.as_ref()).unwrap();
    let mut authenticator = Authenticator::new(&configuration);
    let mut bare = Bare::open(store);
    let (mut checks, mut lookups) = (Vec::new(), Vec::new());
    for _ in 0..=ROUNDS {
        checks.push(time(&tokens, |token| check(&mut authenticator, token)));
        lookups.push(time(&tokens, |token| bare.has(token)));
    }
    // The first round connects and prepares.
    let (checks, lookups) = (median(&mut checks[1..]), median(&mut lookups[1..]));
    let per_second = |time: Duration| tokens.len() as f64 / time.as_secs_f64();
    println!(
        "{:.0} {:.0} {:.3}",
        per_second(checks),
        per_second(lookups),
        lookups.as_secs_f64() / checks.as_secs_f64()
    );
}

fn time(tokens: &[String], mut ask: impl FnMut(&str) -> bool) -> Duration {
    let start = Instant::now();
    let found = tokens.iter().filter(|token| ask(token)).count();
    let time = start.elapsed();
    assert_eq!(found, tokens.len(), "every token is live");
    time
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap()
}

fn check(authenticator: &mut Authenticator, token: &str) -> bool {
    let token = Secret::new(token.as_bytes());
    let question = Question::new(Credential::Session { token, owner: None });
    let deadline = Deadline::after(Duration::from_secs(10));
    let verdict = authenticator.answer(&question, SystemTime::now(), deadline);
    matches!(verdict, Verdict::Granted(_))
}

/// The store itself, asked for a session by its key through the same libraries.
enum Bare {
    Sqlite(rusqlite::Connection),
    Postgres(Runtime, tokio_postgres::Client, tokio_postgres::Statement),
    Mysql(Runtime, mysql_async::Conn, mysql_async::Statement),
    Redis(BufReader<TcpStream>, String),
    Memcached(BufReader<TcpStream>, String),
}

impl Bare {
    fn open(store: &str) -> Self {
        let (kind, location) = store.split_once(':').unwrap();
        match kind {
            "sqlite" => {
                let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
                Self::Sqlite(rusqlite::Connection::open_with_flags(location, flags).unwrap())
            }
            "postgres" => {
                let runtime = runtime();
                let (client, statement) = runtime.block_on(async {
                    let connected = tokio_postgres::connect(location, tokio_postgres::NoTls).await;
                    let (client, connection) = connected.unwrap();
                    tokio::spawn(connection);
                    let statement = client.prepare(&format!("{COLUMNS} $1")).await.unwrap();
                    (client, statement)
                });
                Self::Postgres(runtime, client, statement)
            }
            "mysql" => {
                let runtime = runtime();
                let (connection, statement) = runtime.block_on(async {
                    let mut connection = mysql_async::Conn::from_url(location).await.unwrap();
                    let statement = connection.prep(format!("{COLUMNS} ?")).await.unwrap();
                    (connection, statement)
                });
                Self::Mysql(runtime, connection, statement)
            }
            "redis" => {
                let mut parts = location.splitn(3, '/');
                let mut connection = connect(parts.next().unwrap());
                let database = parts.next().unwrap();
                write!(connection.get_mut(), "SELECT {database}\r\n").unwrap();
                assert_eq!(line(&mut connection), "+OK");
                Self::Redis(connection, parts.next().unwrap().to_owned())
            }
            "memcached" => {
                let (address, prefix) = location.split_once('/').unwrap();
                Self::Memcached(connect(address), prefix.to_owned())
            }
            _ => panic!("no such store"),
        }
    }

    fn has(&mut self, token: &str) -> bool {
        match self {
            Self::Sqlite(connection) => {
                let mut statement = connection.prepare_cached(&format!("{COLUMNS} ?")).unwrap();
                let row = statement.query_row([token], |row| {
                    Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
                });
                row.is_ok()
            }
            Self::Postgres(runtime, client, statement) => {
                let row = runtime
                    .block_on(client.query_one(statement, &[&token]))
                    .unwrap();
                !row.get::<_, String>(0).is_empty()
            }
            Self::Mysql(runtime, connection, statement) => {
                let row = connection.exec_first(&*statement, (token,));
                let row: Option<mysql_async::Row> = runtime.block_on(row).unwrap();
                row.is_some()
            }
            Self::Redis(connection, prefix) => {
                let key = format!("{prefix}{token}");
                let length = key.len();
                let request = format!("*2\r\n$3\r\nGET\r\n${length}\r\n{key}\r\n");
                connection.get_mut().write_all(request.as_bytes()).unwrap();
                let head = line(connection);
                bytes(connection, head.strip_prefix('$').unwrap())
            }
            Self::Memcached(connection, prefix) => {
                let request = format!("get {prefix}{token}\r\n");
                connection.get_mut().write_all(request.as_bytes()).unwrap();
                let head = line(connection);
                let there = bytes(connection, head.rsplit(' ').next().unwrap());
                there && line(connection) == "END"
            }
        }
    }
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
