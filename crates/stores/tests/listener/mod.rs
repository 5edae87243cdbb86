//! A server of the test's own: what it does with each connection, the test says.
#![allow(dead_code)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use hallpass_stores::{Address, Deadline};

/// Longer than anything takes, even on a machine that is busy.
pub const LONG: Duration = Duration::from_secs(20);

/// How long is waited for what never comes.
pub const SHORT: Duration = Duration::from_millis(200);

pub fn soon() -> Deadline {
    Deadline::after(LONG)
}

pub struct Listener {
    pub port: u16,
    accepted: Arc<AtomicUsize>,
}

impl Listener {
    /// Does `serve` with each connection, which is told how many came before it.
    pub fn new(serve: impl Fn(usize, Peer) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let accepted = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&accepted);
        let serve = Arc::new(serve);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let index = count.fetch_add(1, Ordering::SeqCst);
                let serve = Arc::clone(&serve);
                let peer = Peer(BufReader::new(stream.unwrap()));
                thread::spawn(move || serve(index, peer));
            }
        });
        Self { port, accepted }
    }

    /// Answers each question with the next of `answers`, and with the last from then on, on
    /// every connection.
    pub fn answering(length: usize, answers: &'static [&'static [u8]]) -> Self {
        Self::new(move |_, mut peer| {
            let mut answers = answers.iter().copied();
            let mut answer = answers.next().unwrap_or_default();
            while peer.lines(length).is_some() {
                peer.send(answer);
                answer = answers.next().unwrap_or(answer);
            }
        })
    }

    pub fn address(&self) -> Address {
        tcp(self.port)
    }

    /// How many connections have come.
    pub fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }
}

pub fn tcp(port: u16) -> Address {
    Address::Tcp {
        host: "127.0.0.1".to_owned(),
        port,
    }
}

/// A port that nobody listens at.
pub fn nobody() -> Address {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    tcp(listener.local_addr().unwrap().port())
}

/// The other end of a connection. Failures of it are the client's to notice.
pub struct Peer(BufReader<TcpStream>);

impl Peer {
    /// Reads a question of `count` lines; `None` at the end.
    pub fn lines(&mut self, count: usize) -> Option<Vec<u8>> {
        let mut question = Vec::new();
        for _ in 0..count {
            if self.0.read_until(b'\n', &mut question).ok()? == 0 {
                return None;
            }
        }
        Some(question)
    }

    /// Reads up to and with an empty line; `None` at the end.
    pub fn head(&mut self) -> Option<String> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.extend(self.lines(1)?);
        }
        String::from_utf8(head).ok()
    }

    pub fn send(&mut self, bytes: &[u8]) {
        let _ = self.0.get_mut().write_all(bytes);
    }

    /// Sends `bytes` one by one, slowly, again and again.
    pub fn drip(&mut self, bytes: &[u8]) {
        for byte in bytes.iter().cycle() {
            if self.0.get_mut().write_all(&[*byte]).is_err() {
                return;
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Sends `bytes` again and again. How often it could, it says.
    pub fn flood(&mut self, bytes: &[u8]) -> usize {
        let mut count = 0;
        while self.0.get_mut().write_all(bytes).is_ok() {
            count += 1;
        }
        count
    }

    /// The port of the listener itself.
    pub fn port(&self) -> u16 {
        self.0.get_ref().local_addr().unwrap().port()
    }

    /// Ends the connection in order.
    pub fn close(self) {
        let _ = self.0.get_ref().shutdown(Shutdown::Both);
    }

    /// Says nothing until the client leaves.
    pub fn wait(mut self) {
        let _ = self.0.read_to_end(&mut Vec::new());
    }
}
