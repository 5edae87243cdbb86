//! The SQL layer before servers that are none, or that stop halfway. Real ones are asked in
//! `tests/end_to_end`.
#![allow(clippy::indexing_slicing, clippy::unwrap_used)]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use hallpass_stores::sql::{Database, Location, Servers, Settings};
use hallpass_stores::{Address, Deadline, Secret, TlsMode};

/// Longer than anything here may take, on a machine that is busy with other things.
const FOREVER: Duration = Duration::from_secs(30);

const PASSWORD: &str = "correct horse";

#[derive(Clone, Copy, Debug)]
enum Kind {
    Postgres,
    Mysql,
}

const KINDS: [Kind; 2] = [Kind::Postgres, Kind::Mysql];

/// A listener, and what came of it.
struct Peer {
    port: u16,
    connections: Arc<AtomicUsize>,
    received: Arc<Mutex<Vec<u8>>>,
}

impl Peer {
    /// Does `serve` with every connection, after the first bytes where the client begins.
    fn new(serve: impl Fn(&mut Client) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let peer = Self {
            port: listener.local_addr().unwrap().port(),
            connections: Arc::default(),
            received: Arc::default(),
        };
        let (connections, received) = (peer.connections.clone(), peer.received.clone());
        let serve = Arc::new(serve);
        thread::spawn(move || {
            for stream in listener.incoming() {
                connections.fetch_add(1, Ordering::SeqCst);
                let (serve, received) = (serve.clone(), received.clone());
                let stream = stream.unwrap();
                thread::spawn(move || serve(&mut Client { stream, received }));
            }
        });
        peer
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

struct Client {
    stream: TcpStream,
    received: Arc<Mutex<Vec<u8>>>,
}

impl Client {
    fn send(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    /// What arrives at once; nothing at the end.
    fn receive(&mut self) -> Vec<u8> {
        let mut buffer = [0; 4096];
        let count = self.stream.read(&mut buffer).unwrap_or(0);
        self.received.lock().unwrap().extend(&buffer[..count]);
        buffer[..count].to_vec()
    }

    fn wait_for_the_end(&mut self) {
        while !self.receive().is_empty() {}
    }
}

fn settings(kind: Kind, ports: &[u16]) -> Settings {
    let address = |port: &u16| Address::Tcp {
        host: "127.0.0.1".to_owned(),
        port: *port,
    };
    let servers = Servers {
        addresses: ports.iter().map(address).collect(),
        database: "shop".to_owned(),
        search_path: Vec::new(),
        user: Some("hallpass".to_owned()),
        password: Some(Secret::new(PASSWORD).into()),
    };
    let mut settings = Settings::new(match kind {
        Kind::Postgres => Location::Postgres(servers),
        Kind::Mysql => Location::Mysql(servers),
    });
    settings.tls.mode = TlsMode::Disable;
    settings
}

/// Asks for something within `deadline`. The answer must be that there is none, in time, and
/// without the password in it.
fn ask(database: &mut Database, deadline: Duration) -> String {
    let begun = Instant::now();
    let answer = database.ask(Deadline::after(deadline), |queries| {
        queries.rows("SELECT 1", &[], 9)
    });
    let error = answer.unwrap_err().to_string();
    assert!(begun.elapsed() < deadline + FOREVER, "{error}");
    assert!(!error.contains(PASSWORD), "{error}");
    error
}

fn soon() -> Duration {
    Duration::from_millis(400)
}

/// What PostgreSQL says to let somebody in, and that it is ready.
const POSTGRES_WELCOME: &[u8] = b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I";

/// As MariaDB greets, with the capabilities `CLIENT_PROTOCOL_41` and `CLIENT_PLUGIN_AUTH`, and
/// without `CLIENT_SSL`.
fn mysql_greeting() -> Vec<u8> {
    let mut greeting = b"\x0a10.11.6-MariaDB\0\x01\0\0\0abcdefgh\0".to_vec();
    greeting.extend(0x8200_u16.to_le_bytes());
    greeting.extend(b"\x2d\x02\0");
    greeting.extend(0x0008_u16.to_le_bytes());
    greeting.extend(b"\x15\0\0\0\0\0\0\0\0\0\0abcdefghijkl\0mysql_native_password\0");
    packet(0, &greeting)
}

fn packet(number: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = u32::try_from(payload.len()).unwrap().to_le_bytes()[..3].to_vec();
    packet.push(number);
    packet.extend(payload);
    packet
}

#[test]
fn where_nobody_listens_it_is_said_where_that_is() {
    for kind in KINDS {
        let port = {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            listener.local_addr().unwrap().port()
        };
        let error = ask(&mut Database::new(&settings(kind, &[port])), FOREVER);
        let place = format!("database shop at 127.0.0.1:{port}: connecting failed");
        assert!(error.contains(&place), "{error}");
    }
}

#[test]
fn silence_is_waited_for_no_longer_than_the_deadline() {
    for kind in KINDS {
        let peer = Peer::new(Client::wait_for_the_end);
        let error = ask(&mut Database::new(&settings(kind, &[peer.port])), soon());
        assert!(error.contains("no answer in time"), "{error}");
        assert_eq!(peer.connections(), 1);
    }
}

#[test]
fn a_byte_now_and_then_is_no_answer() {
    let postgres = |client: &mut Client| {
        client.receive();
        for byte in b"R\0\0\x10\0".iter().chain(std::iter::repeat(&0)) {
            if client.stream.write_all(&[*byte]).is_err() {
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
    };
    let mysql = |client: &mut Client| {
        for byte in [0, 0, 0x10, 0, 0x0a].iter().chain(std::iter::repeat(&b'1')) {
            if client.stream.write_all(&[*byte]).is_err() {
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
    };
    for (kind, peer) in [
        (Kind::Postgres, Peer::new(postgres)),
        (Kind::Mysql, Peer::new(mysql)),
    ] {
        let error = ask(&mut Database::new(&settings(kind, &[peer.port])), soon());
        assert!(error.contains("no answer in time"), "{error}");
    }
}

#[test]
fn garbage_is_no_answer() {
    let mut noise = Vec::new();
    let mut state = 1_u64;
    for _ in 0..100_000 {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        noise.push((state >> 56) as u8);
    }
    let mut garbage: Vec<Vec<u8>> = vec![
        b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(),
        b"SSH-2.0-OpenSSH_9.2p1\r\n".to_vec(),
        vec![0; 100_000],
        vec![0xff; 100_000],
        b"R\xff\xff\xff\xff\0\0\0\0".to_vec(),
        b"R\0\0\0\0".to_vec(),
        b"E\0\0\0\x05\0".to_vec(),
        b"R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0".to_vec(),
        packet(0, b""),
        packet(0, b"\x0a"),
        packet(0, b"\xff\x10\x04Too many"),
        packet(9, b"\x0a8.0.0\0"),
    ];
    garbage.extend(noise.chunks(997).map(<[u8]>::to_vec));
    // What the servers say in earnest, with one byte that is not right.
    for whole in [POSTGRES_WELCOME.to_vec(), mysql_greeting()] {
        for place in 0..whole.len() {
            let mut wrong = whole.clone();
            wrong[place] ^= 0x55;
            garbage.push(wrong);
        }
    }
    for kind in KINDS {
        for bytes in garbage.clone() {
            let peer = Peer::new(move |client| {
                if matches!(kind, Kind::Postgres) {
                    client.receive();
                }
                client.send(&bytes);
            });
            ask(&mut Database::new(&settings(kind, &[peer.port])), FOREVER);
        }
    }
}

#[test]
fn half_a_handshake_is_no_answer() {
    for (kind, whole) in [
        (Kind::Postgres, POSTGRES_WELCOME.to_vec()),
        (Kind::Mysql, mysql_greeting()),
    ] {
        for length in [1, 4, 5, whole.len() - 1] {
            let half = whole[..length].to_vec();
            let peer = Peer::new(move |client| {
                if matches!(kind, Kind::Postgres) {
                    client.receive();
                }
                client.send(&half);
                client.wait_for_the_end();
            });
            let error = ask(&mut Database::new(&settings(kind, &[peer.port])), soon());
            assert!(error.contains("no answer in time"), "{kind:?} {error}");
        }
    }
}

#[test]
fn a_connection_that_is_cut_is_made_again_once() {
    let postgres = Peer::new(|client| {
        client.receive();
        client.send(POSTGRES_WELCOME);
        // The statement; then the connection ends.
        client.receive();
    });
    let mysql = Peer::new(|client| {
        client.send(&mysql_greeting());
        client.receive();
        client.send(&packet(2, b"\0\0\0\x02\0\0\0"));
        // The session's settings, which are two statements.
        client.receive();
        client.send(&packet(1, b"\0\0\0\x0a\0\0\0"));
        client.send(&packet(2, b"\0\0\0\x02\0\0\0"));
        client.receive();
    });
    for (kind, peer) in [(Kind::Postgres, postgres), (Kind::Mysql, mysql)] {
        let mut database = Database::new(&settings(kind, &[peer.port]));
        let error = ask(&mut database, FOREVER);
        assert!(error.contains("reading failed"), "{kind:?} {error}");
        assert_eq!(peer.connections(), 2, "{kind:?}");
    }
}

/// The answer of MySQL to `SHOW SESSION VARIABLES`, of these.
fn mysql_variables(variables: &[(&str, &str)]) -> Vec<u8> {
    let text = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    let column = |name: &str| {
        let mut column = [text("def"), text(""), text(""), text("")].concat();
        column.extend([text(name), text(name)].concat());
        column.extend(b"\x0c\x2d\0\xff\0\0\0\xfd\0\0\0\0\0");
        column
    };
    let end = b"\xfe\0\0\x02\0".to_vec();
    let mut payloads = vec![
        vec![2],
        column("Variable_name"),
        column("Value"),
        end.clone(),
    ];
    payloads.extend(
        variables
            .iter()
            .map(|(name, value)| [text(name), text(value)].concat()),
    );
    payloads.push(end);
    let numbered = (1..).zip(payloads);
    numbered
        .flat_map(|(number, payload)| packet(number, &payload))
        .collect()
}

#[test]
fn a_session_that_is_not_shown_is_not_asked() {
    let (mode, writes) = (("sql_mode", "ANSI_QUOTES"), ("tx_read_only", "OFF"));
    let (reads, new_reads) = (("tx_read_only", "ON"), ("transaction_read_only", "ON"));
    for (shown, told) in [
        (vec![], "does not show"),
        (vec![mode], "does not show"),
        (vec![reads], "does not show"),
        (vec![mode, writes], "tx_read_only is \"OFF\""),
        // And these are asked, and hang up.
        (vec![mode, reads], "reading failed"),
        (vec![new_reads, mode], "reading failed"),
    ] {
        let answer = mysql_variables(&shown);
        let peer = Peer::new(move |client| {
            client.send(&mysql_greeting());
            client.receive();
            client.send(&packet(2, b"\0\0\0\x02\0\0\0"));
            client.receive();
            client.send(&packet(1, b"\0\0\0\x0a\0\0\0"));
            client.send(&packet(2, b"\0\0\0\x02\0\0\0"));
            client.receive();
            client.send(&answer);
            client.receive();
        });
        let error = ask(
            &mut Database::new(&settings(Kind::Mysql, &[peer.port])),
            FOREVER,
        );
        assert!(error.contains(told), "{shown:?} {error}");
        let asked = told == "reading failed";
        assert_eq!(peer.connections(), if asked { 2 } else { 1 }, "{shown:?}");
    }
}

#[test]
fn an_answer_that_stops_halfway_is_left_there() {
    let postgres = Peer::new(|client| {
        client.receive();
        client.send(POSTGRES_WELCOME);
        client.receive();
        // The statement is prepared, and has a column.
        client.send(b"1\0\0\0\x04t\0\0\0\x06\0\0");
        client.send(b"T\0\0\0\x1b\0\x01a\0\0\0\0\0\0\0\0\0");
        client.wait_for_the_end();
    });
    let mysql = Peer::new(|client| {
        client.send(&mysql_greeting());
        client.receive();
        client.send(&packet(2, b"\0\0\0\x02\0\0\0"));
        client.receive();
        client.send(&packet(1, b"\0\0\0\x0a\0\0\0"));
        client.send(&packet(2, b"\0\0\0\x02\0\0\0"));
        client.receive();
        client.send(&packet(1, b"\0\x01\0\0\0\x01\0\0")[..9]);
        client.wait_for_the_end();
    });
    for (kind, peer) in [(Kind::Postgres, postgres), (Kind::Mysql, mysql)] {
        let mut settings = settings(kind, &[peer.port]);
        settings.query_timeout = Duration::from_millis(200);
        let error = ask(&mut Database::new(&settings), FOREVER);
        assert!(error.contains("`query_timeout`"), "{kind:?} {error}");
        assert_eq!(peer.connections(), 1, "{kind:?}");
    }
}

#[test]
fn the_next_server_is_asked_within_the_same_deadline() {
    for kind in KINDS {
        let silent = Peer::new(Client::wait_for_the_end);
        let closing = Peer::new(|_| {});
        let mut database = Database::new(&settings(kind, &[silent.port, closing.port]));
        let error = ask(&mut database, Duration::from_secs(2));
        assert_eq!((silent.connections(), closing.connections()), (1, 1));
        for peer in [silent, closing] {
            assert!(
                error.contains(&format!("127.0.0.1:{}", peer.port)),
                "{error}"
            );
        }
    }
}

/// PostgreSQL's error for whatever it is asked while it starts or recovers. It hangs up then.
const POSTGRES_STARTING: &[u8] =
    b"E\0\0\0\x3eSFATAL\0VFATAL\0C57P03\0Mthe database system is starting up\0\0";

/// A node of a Galera cluster that has lost the others: it lets everybody in, and sets what is to be
/// set; all else it refuses.
fn galera_without_quorum() -> Peer {
    Peer::new(|client| {
        client.send(&mysql_greeting());
        client.receive();
        client.send(&packet(2, b"\0\0\0\x02\0\0\0"));
        client.receive();
        client.send(&packet(1, b"\0\0\0\x0a\0\0\0"));
        client.send(&packet(2, b"\0\0\0\x02\0\0\0"));
        while !client.receive().is_empty() {
            let mut refusal = b"\xff\x17\x04#08S01".to_vec();
            refusal.extend(b"WSREP has not yet prepared node for application use");
            client.send(&packet(1, &refusal));
        }
    })
}

#[test]
fn a_server_that_takes_no_statements_does_not_answer_and_the_next_is_asked() {
    let starting = Peer::new(|client| {
        client.receive();
        client.send(POSTGRES_STARTING);
    });
    // A pooler lets clients in whose server is starting.
    let pooler = Peer::new(|client| {
        client.receive();
        client.send(POSTGRES_WELCOME);
        client.receive();
        client.send(POSTGRES_STARTING);
    });
    for (kind, away, told) in [
        (Kind::Postgres, starting, "starting up"),
        (Kind::Postgres, pooler, "starting up"),
        (Kind::Mysql, galera_without_quorum(), "WSREP"),
    ] {
        let other = Peer::new(|_| {});
        let mut database = Database::new(&settings(kind, &[away.port, other.port]));
        let error = ask(&mut database, FOREVER);
        assert_eq!((away.connections(), other.connections()), (1, 1), "{error}");
        // And where there is no other, it is said why.
        let error = ask(&mut Database::new(&settings(kind, &[away.port])), FOREVER);
        assert!(error.contains(told), "{error}");
    }
}

#[test]
fn servers_that_take_no_statements_are_asked_once_each() {
    let nodes = [galera_without_quorum(), galera_without_quorum()];
    let ports: Vec<u16> = nodes.iter().map(|node| node.port).collect();
    let error = ask(&mut Database::new(&settings(Kind::Mysql, &ports)), FOREVER);
    assert!(error.contains("WSREP"), "{error}");
    for node in nodes {
        assert_eq!(node.connections(), 1);
    }
}

#[test]
fn rows_that_are_too_long_are_not_received() {
    // A row of a gigabyte, of which no more than a beginning ever comes.
    let postgres = Peer::new(|client| {
        client.receive();
        client.send(POSTGRES_WELCOME);
        client.receive();
        client.send(b"1\0\0\0\x04D\x40\0\0\0\0\x01\x3f\xff\xff\xf6");
        let kilobyte = [0; 1024];
        while client.stream.write_all(&kilobyte).is_ok() {}
    });
    let error = ask(
        &mut Database::new(&settings(Kind::Postgres, &[postgres.port])),
        FOREVER,
    );
    assert!(error.contains("longer than"), "{error}");
}

#[test]
fn a_server_that_failed_is_left_alone_for_a_moment() {
    for kind in KINDS {
        let peer = Peer::new(|_| {});
        let mut database = Database::new(&settings(kind, &[peer.port]));
        let questions = 2_000;
        let begun = Instant::now();
        for _ in 0..questions {
            ask(&mut database, FOREVER);
        }
        // The first pause is 50 ms, and none is shorter.
        let most = 1 + begun.elapsed().as_millis() / 50;
        let connections = peer.connections();
        assert!(connections as u128 <= most, "{kind:?} {connections}");
        assert!(connections < questions, "{kind:?} {connections}");
        thread::sleep(Duration::from_millis(600));
        ask(&mut database, FOREVER);
        assert!(peer.connections() > connections, "{kind:?}");
    }
}

#[test]
fn nothing_is_told_to_a_server_without_the_tls_that_is_asked_for() {
    for mode in [TlsMode::Require, TlsMode::VerifyFull] {
        let postgres = Peer::new(|client| {
            client.receive();
            client.send(b"N");
            client.wait_for_the_end();
        });
        let mysql = Peer::new(|client| {
            client.send(&mysql_greeting());
            client.wait_for_the_end();
        });
        for (kind, peer) in [(Kind::Postgres, postgres), (Kind::Mysql, mysql)] {
            let mut settings = settings(kind, &[peer.port]);
            settings.tls.mode = mode;
            let error = ask(&mut Database::new(&settings), FOREVER);
            assert!(error.contains("`tls`"), "{kind:?} {error}");
            let received = peer.received.lock().unwrap().clone();
            let received = String::from_utf8_lossy(&received);
            assert!(!received.contains("hallpass"), "{kind:?} {received}");
        }
    }
}

#[test]
fn certificates_that_cannot_be_read_are_named() {
    for kind in KINDS {
        let peer = Peer::new(Client::wait_for_the_end);
        let mut settings = settings(kind, &[peer.port]);
        settings.tls.mode = TlsMode::VerifyFull;
        settings.tls.ca = Some("/nonexistent/ca.pem".into());
        let error = ask(&mut Database::new(&settings), soon());
        assert!(error.contains("/nonexistent/ca.pem"), "{error}");
    }
}

#[test]
fn a_thread_that_must_not_wait_is_told_so() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    for kind in KINDS {
        let mut database = Database::new(&settings(kind, &[1]));
        let error = runtime.block_on(async { ask(&mut database, soon()) });
        assert!(error.contains("must not wait"), "{error}");
        runtime.block_on(async { drop(database) });
    }
}

#[test]
fn passwords_are_not_shown() {
    for kind in KINDS {
        let settings = settings(kind, &[1]);
        let shown = format!("{settings:?} {:?}", Database::new(&settings));
        assert!(!shown.contains(PASSWORD), "{shown}");
    }
}
