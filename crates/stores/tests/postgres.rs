//! PostgreSQL's protocol with a server of the test's own, that does what real ones do but rarely:
//! columns that change, answers to nothing that was asked, transactions that end otherwise. Real
//! servers are asked in `tests/end_to_end`.
#![allow(clippy::indexing_slicing, clippy::unwrap_used)]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use hallpass_stores::sql::{Database, Location, Row, Servers, Settings, change};
use hallpass_stores::{Address, Deadline, Secret, TlsMode, Unavailable};

/// Longer than anything here may take, on a machine that is busy with other things.
const FOREVER: Duration = Duration::from_secs(30);

const TEXT: u32 = 25;
const INET: u32 = 869;

/// What the server has under the one statement that is asked.
#[derive(Clone, Debug, Default)]
struct Table {
    columns: Vec<(&'static str, u32)>,
    rows: Vec<Vec<&'static str>>,
    /// Sent after the answers to the statement.
    more: Vec<u8>,
}

/// What tells a statement of the test's from Hallpass's own.
const MARK: &str = "people";

struct Server {
    port: u16,
    connections: Arc<AtomicUsize>,
    table: Arc<Mutex<Table>>,
    /// Every statement that was run.
    run: Arc<Mutex<Vec<String>>>,
}

/// How the server behaves.
#[derive(Clone, Copy, Debug, Default)]
struct Manners {
    /// A pooler: another process answers each time.
    pools: bool,
    /// How it answers the last `COMMIT` of a change.
    commit: Option<&'static str>,
    /// What it says the transaction's status is after `ROLLBACK`.
    after_rollback: Option<u8>,
    /// Fails each of the test's statements by this message.
    error: Option<&'static str>,
    /// The code by which it refuses a login with the parameter `options`.
    no_options: Option<&'static str>,
}

fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    let mut message = vec![tag];
    message.extend(u32::try_from(body.len() + 4).unwrap().to_be_bytes());
    message.extend(body);
    message
}

fn error(code: &str, told: &str) -> Vec<u8> {
    let body = format!("SERROR\0VERROR\0C{code}\0M{told}\0\0");
    message(b'E', body.as_bytes())
}

const ZERO: &[u8] = b"\0";

fn columns(columns: &[(&str, u32)]) -> Vec<u8> {
    if columns.is_empty() {
        return message(b'n', b"");
    }
    let mut body = u16::try_from(columns.len()).unwrap().to_be_bytes().to_vec();
    for (name, kind) in columns {
        body.extend([name.as_bytes(), b"\0\0\0\0\0\0\0"].concat());
        body.extend(kind.to_be_bytes());
        body.extend(b"\xff\xff\xff\xff\xff\xff\0\x01");
    }
    message(b'T', &body)
}

fn values(values: &[&[u8]]) -> Vec<u8> {
    let mut body = u16::try_from(values.len()).unwrap().to_be_bytes().to_vec();
    for value in values {
        body.extend(u32::try_from(value.len()).unwrap().to_be_bytes());
        body.extend(*value);
    }
    message(b'D', &body)
}

impl Server {
    fn new(manners: Manners, table: Table) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Self {
            port: listener.local_addr().unwrap().port(),
            connections: Arc::default(),
            table: Arc::new(Mutex::new(table)),
            run: Arc::default(),
        };
        let (table, run) = (server.table.clone(), server.run.clone());
        let connections = server.connections.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                connections.fetch_add(1, Ordering::SeqCst);
                let (table, run) = (table.clone(), run.clone());
                let stream = stream.unwrap();
                thread::spawn(move || serve(stream, manners, &table, &run));
            }
        });
        server
    }

    fn settings(&self) -> Settings {
        let mut settings = Settings::new(Location::Postgres(Servers {
            addresses: vec![Address::Tcp {
                host: "127.0.0.1".to_owned(),
                port: self.port,
            }],
            database: "shop".to_owned(),
            search_path: Vec::new(),
            user: Some("hallpass".to_owned()),
            password: Some(Secret::new("secret").into()),
        }));
        settings.tls.mode = TlsMode::Disable;
        settings
    }

    fn database(&self) -> Database {
        Database::new(&self.settings())
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    fn becomes(&self, change: impl FnOnce(&mut Table)) {
        change(&mut self.table.lock().unwrap());
    }
}

/// One message of the client's; `None` at the end.
fn read(stream: &mut TcpStream) -> Option<(u8, Vec<u8>)> {
    let mut header = [0; 5];
    stream.read_exact(&mut header).ok()?;
    let length = u32::from_be_bytes(header[1..].try_into().unwrap()) as usize;
    let mut body = vec![0; length - 4];
    stream.read_exact(&mut body).ok()?;
    Some((header[0], body))
}

fn text(body: &[u8]) -> (String, &[u8]) {
    let end = body.iter().position(|byte| *byte == 0).unwrap();
    let text = String::from_utf8(body[..end].to_vec()).unwrap();
    (text, &body[end + 1..])
}

/// The first word of what is run, as the server completes it.
fn tag(statement: &str) -> &str {
    statement.split([' ', ';']).next().unwrap_or_default()
}

fn serve(mut stream: TcpStream, manners: Manners, table: &Mutex<Table>, run: &Mutex<Vec<String>>) {
    let mut length = [0; 4];
    if stream.read_exact(&mut length).is_err() {
        return;
    }
    let mut startup = vec![0; u32::from_be_bytes(length) as usize - 4];
    stream.read_exact(&mut startup).unwrap();
    let startup = String::from_utf8_lossy(&startup).into_owned();
    if let (Some(code), true) = (manners.no_options, startup.contains("\0options\0")) {
        let _ = stream.write_all(&error(code, "no options, please"));
        return;
    }
    let mut welcome = message(b'R', &[0; 4]);
    welcome.extend(message(b'K', &[0, 0, 0, 7, 0, 0, 0, 0]));
    welcome.extend(message(b'Z', b"I"));
    let _ = stream.write_all(&welcome);
    let process = if manners.pools { 8_i32 } else { 7 };
    let mut named = std::collections::BTreeMap::new();
    let (mut bound, mut answer, mut failed) = (String::new(), Vec::new(), false);
    let mut status = b'I';
    while let Some((kind, body)) = read(&mut stream) {
        let of = |statement: &str| {
            let known = table.lock().unwrap().clone();
            // The statement that casts columns names them itself.
            match statement.starts_with("SELECT c0") {
                true => {
                    let names = ["c0", "c1", "c2"];
                    let named = names.into_iter().zip(&known.columns);
                    named.map(|(name, _)| (name, TEXT)).collect()
                }
                false if statement.contains(MARK) => known.columns,
                false => Vec::new(),
            }
        };
        match kind {
            b'Q' => {
                let (statements, _) = text(&body);
                for statement in statements.split("; ") {
                    run.lock().unwrap().push(statement.to_owned());
                    let completed = match tag(statement) {
                        "COMMIT" => manners.commit.unwrap_or("COMMIT"),
                        tag => tag,
                    };
                    answer.extend(message(b'C', &[completed.as_bytes(), ZERO].concat()));
                    status = match tag(statement) {
                        "BEGIN" => b'T',
                        "COMMIT" => b'I',
                        "ROLLBACK" => manners.after_rollback.unwrap_or(b'I'),
                        _ => status,
                    };
                }
                answer.extend(message(b'Z', &[status]));
                let _ = stream.write_all(&std::mem::take(&mut answer));
            }
            b'S' => {
                failed = false;
                answer.extend(message(b'Z', &[status]));
                answer.append(&mut table.lock().unwrap().more);
                let _ = stream.write_all(&std::mem::take(&mut answer));
            }
            _ if failed => {}
            b'P' => {
                let (name, rest) = text(&body);
                named.insert(name, text(rest).0);
                answer.extend(message(b'1', b""));
            }
            b'B' => {
                let (_, rest) = text(&body);
                bound = named[&text(rest).0].clone();
                answer.extend(message(b'2', b""));
            }
            b'D' if body[0] == b'S' => {
                answer.extend(message(b't', b"\0\0"));
                answer.extend(columns(&of(&named[&text(&body[1..]).0])));
            }
            b'D' => answer.extend(columns(&of(&bound))),
            b'E' => {
                run.lock().unwrap().push(bound.clone());
                if let (Some(told), true) = (manners.error, bound.contains(MARK)) {
                    answer.extend(error("42P01", told));
                    failed = true;
                    status = if status == b'T' { b'E' } else { status };
                    continue;
                }
                if bound.contains("pg_backend_pid") {
                    answer.extend(values(&[&process.to_be_bytes(), b"\x01"]));
                } else if bound.contains(MARK) {
                    for row in table.lock().unwrap().rows.clone() {
                        let row: Vec<&[u8]> = row.iter().map(|value| value.as_bytes()).collect();
                        answer.extend(values(&row));
                    }
                }
                status = match tag(&bound) {
                    "BEGIN" => b'T',
                    "COMMIT" => b'I',
                    _ => status,
                };
                answer.extend(message(b'C', &[tag(&bound).as_bytes(), ZERO].concat()));
            }
            b'C' => answer.extend(message(b'3', b"")),
            _ => return,
        }
    }
}

fn ask(database: &mut Database) -> Result<Vec<Row>, Unavailable> {
    database.ask(Deadline::after(FOREVER), |queries| {
        queries.rows("SELECT * FROM people", &[], 9)
    })
}

/// The values of each row, by the names that its columns have where it is read.
fn shown(database: &mut Database) -> Vec<Vec<(String, String)>> {
    let rows = ask(database).unwrap();
    let names = database.ask(Deadline::after(FOREVER), |queries| {
        queries.names("SELECT * FROM people")
    });
    let names = names.unwrap();
    let shown = |mut row: Row| {
        let names = names.iter().enumerate();
        let named = names.map(|(index, name)| (name.clone(), row.text(index).unwrap()));
        named.collect()
    };
    rows.into_iter().map(shown).collect()
}

fn people(kind: u32) -> Table {
    Table {
        columns: vec![("login", kind), ("secret", kind)],
        rows: vec![vec!["alice", "hers"]],
        more: Vec::new(),
    }
}

#[test]
fn columns_that_change_places_are_read_by_their_names() {
    // Of a type that is read as it is, and of one that is cast. Directly, PostgreSQL itself refuses
    // what is prepared of the first (plancache.c, 0A000).
    for (kind, pools) in [(TEXT, true), (INET, false), (INET, true)] {
        let manners = Manners {
            pools,
            ..Manners::default()
        };
        let server = Server::new(manners, people(kind));
        let mut database = server.database();
        let named = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let [login, secret] = [("login", "alice"), ("secret", "hers")].map(named);
        let before = [[login.clone(), secret.clone()]];
        assert_eq!(shown(&mut database), before, "{kind} {pools}");
        server.becomes(|table| {
            table.columns.reverse();
            table.rows = vec![vec!["hers", "alice"]];
        });
        assert_eq!(shown(&mut database), [[secret, login]], "{kind} {pools}");
    }
}

#[test]
fn answers_to_nothing_that_was_asked_are_never_taken_for_those_to_the_next_question() {
    let row = [
        values(&[b"forged", b"forged"]),
        message(b'C', b"SELECT 1\0"),
    ]
    .concat();
    let ready = message(b'Z', b"I");
    for more in [
        ready.clone(),
        [ready.clone(), ready.clone()].concat(),
        [row.clone(), ready.clone()].concat(),
        [message(b'2', b""), row, ready.clone()].concat(),
        [error("22012", "division by zero"), ready.clone()].concat(),
        message(b'1', b""),
        message(b'D', b"")[..3].to_vec(),
    ] {
        for pools in [false, true] {
            let manners = Manners {
                pools,
                ..Manners::default()
            };
            let server = Server::new(manners, people(TEXT));
            let mut database = server.database();
            for name in ["alice", "bob", "carol", "dave"] {
                server.becomes(|table| {
                    table.rows = vec![vec![name, name]];
                    table.more.clone_from(&more);
                });
                if let Ok(mut rows) = ask(&mut database) {
                    let found = rows.first_mut().and_then(|row| row.text(0));
                    assert_eq!(found.as_deref(), Some(name), "{more:?} {pools}");
                }
                server.becomes(|table| table.more.clear());
                // And then all is well again.
                let mut rows = ask(&mut database).unwrap();
                assert_eq!(rows[0].text(0).as_deref(), Some(name), "{more:?} {pools}");
            }
        }
    }
}

#[test]
fn what_the_server_says_of_itself_between_questions_is_no_answer() {
    let server = Server::new(Manners::default(), people(TEXT));
    let mut database = server.database();
    ask(&mut database).unwrap();
    for more in [
        message(b'N', b"SNOTICE\0VNOTICE\0C00000\0Mhello\0\0"),
        message(b'S', b"application_name\0hallpass\0"),
        message(b'A', b"\0\0\0\x01channel\0payload\0"),
    ] {
        server.becomes(|table| table.more = more);
        for _ in 0..2 {
            assert_eq!(ask(&mut database).unwrap().len(), 1);
        }
    }
    assert_eq!(server.connections(), 1);
}

#[test]
fn a_change_that_is_rolled_back_is_not_made() {
    for (commit, made) in [
        (None, true),
        (Some("ROLLBACK"), false),
        (Some("SET"), false),
    ] {
        let manners = Manners {
            commit,
            ..Manners::default()
        };
        let server = Server::new(manners, Table::default());
        let change = change(&server.settings(), Deadline::after(FOREVER), |changes| {
            let changed = changes.execute("UPDATE people SET secret = ''", &[])?;
            Ok(Ok::<_, ()>(changed))
        });
        assert_eq!(change.is_ok(), made, "{commit:?} {change:?}");
    }
}

#[test]
fn a_transaction_that_does_not_end_ends_with_its_connection() {
    for (after_rollback, connections) in [(b'I', 1), (b'T', 2), (b'E', 2)] {
        let manners = Manners {
            pools: true,
            after_rollback: Some(after_rollback),
            error: Some("no such table"),
            ..Manners::default()
        };
        let server = Server::new(manners, people(TEXT));
        let error = ask(&mut server.database()).unwrap_err().to_string();
        assert!(error.contains("no such table"), "{error}");
        assert_eq!(server.connections(), connections, "{after_rollback}");
    }
}

#[test]
fn more_rows_than_were_asked_for_are_no_answer() {
    let server = Server::new(Manners::default(), people(TEXT));
    server.becomes(|table| table.rows = vec![vec!["alice", "hers"]; 10]);
    assert!(ask(&mut server.database()).is_err());
}

#[test]
fn no_row_is_asked_for_without_asking() {
    let server = Server::new(Manners::default(), people(TEXT));
    let rows = server.database().ask(Deadline::after(FOREVER), |queries| {
        queries.rows("SELECT * FROM people", &[], 0)
    });
    assert_eq!(rows.unwrap().len(), 0);
    assert_eq!(server.connections(), 0);
}

#[test]
fn a_login_that_is_refused_for_its_options_is_made_without() {
    for code in ["08P01", "0A000"] {
        let manners = Manners {
            no_options: Some(code),
            ..Manners::default()
        };
        let server = Server::new(manners, people(TEXT));
        let rows = ask(&mut server.database()).unwrap();
        assert_eq!((rows.len(), server.connections()), (1, 2), "{code}");
    }
}

#[test]
fn long_messages_of_the_server_are_cut() {
    let manners = Manners {
        error: Some(Box::leak("é".repeat(100_000).into_boxed_str())),
        ..Manners::default()
    };
    let error = ask(&mut Server::new(manners, people(TEXT)).database());
    let error = error.unwrap_err().to_string();
    assert!(
        error.contains("éé") && error.len() < 2_048,
        "{}",
        error.len()
    );
}
