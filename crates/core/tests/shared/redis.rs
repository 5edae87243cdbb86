//! A Redis of the test's own, which knows GET and SELECT.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

type Entries = HashMap<Vec<u8>, Vec<u8>>;

pub struct Redis {
    pub port: u16,
    entries: Arc<Mutex<Entries>>,
}

impl Redis {
    pub fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let entries = Arc::new(Mutex::new(Entries::new()));
        let shared = Arc::clone(&entries);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let shared = Arc::clone(&shared);
                thread::spawn(move || serve(stream.unwrap(), &shared));
            }
        });
        Self { port, entries }
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// Has `entries`, and nothing else.
    pub fn hold(&self, entries: impl IntoIterator<Item = (Vec<u8>, Vec<u8>)>) {
        *self.entries.lock().unwrap() = entries.into_iter().collect();
    }
}

fn serve(stream: TcpStream, entries: &Mutex<Entries>) {
    let mut reader = BufReader::new(stream);
    while let Some(command) = command(&mut reader) {
        let mut answer = b"-ERR unknown command\r\n".to_vec();
        match command.as_slice() {
            [name, key] if name.eq_ignore_ascii_case(b"GET") => {
                let found = entries.lock().unwrap().get(key).cloned();
                answer = b"$-1\r\n".to_vec();
                if let Some(value) = found {
                    answer = format!("${}\r\n", value.len()).into_bytes();
                    answer.extend_from_slice(&value);
                    answer.extend_from_slice(b"\r\n");
                }
            }
            [name, ..] if name.eq_ignore_ascii_case(b"SELECT") => answer = b"+OK\r\n".to_vec(),
            _ => {}
        }
        if reader.get_mut().write_all(&answer).is_err() {
            return;
        }
    }
}

fn command(reader: &mut impl BufRead) -> Option<Vec<Vec<u8>>> {
    let count = number(reader, '*')?;
    (0..count)
        .map(|_| {
            let length = number(reader, '$')?;
            let mut word = vec![0; length + 2];
            reader.read_exact(&mut word).ok()?;
            word.truncate(length);
            Some(word)
        })
        .collect()
}

fn number(reader: &mut impl BufRead, mark: char) -> Option<usize> {
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    line.trim_end().strip_prefix(mark)?.parse().ok()
}
