//! Reads values from memcached.
//!
//! Written by hand, because one command is all that is needed, and the crates bring OpenSSL or a
//! runtime of their own.

pub(crate) mod text;

use zeroize::Zeroizing;

use self::text::Line;
use super::connection::{Connection, Failure, LONGEST_VALUE, Malformed};
use super::recorded::Found;
use super::server::{Entry, Protocol};
use crate::{Address, Deadline};

/// The longest key (`KEY_MAX_LENGTH` of memcached).
const LONGEST_KEY: usize = 250;

/// One server.
#[derive(Debug)]
pub(super) struct Memcached {
    address: Address,
}

impl Memcached {
    pub(super) fn new(address: Address) -> Self {
        Self { address }
    }
}

/// Whether there can be a value under `key`: no client can write one under a key that is refused.
pub(super) fn may_be_key(key: &[u8]) -> bool {
    !key.is_empty()
        && key.len() <= LONGEST_KEY
        && key.iter().all(|byte| *byte > b' ' && *byte != 0x7f)
}

impl Protocol for Memcached {
    /// A key.
    type Query = [u8];
    type Answer = Option<Entry>;

    fn connect(&mut self, deadline: Deadline) -> Result<Connection, Failure> {
        let name = format!("the memcached server {}", self.address);
        Connection::open(name.into(), &self.address, None, deadline)
    }

    fn ask(
        &mut self,
        connection: &mut Connection,
        key: &[u8],
        deadline: Deadline,
    ) -> Result<Option<Entry>, Failure> {
        connection.send(&get(key), deadline)?;
        answer(connection, key, deadline)
    }
}

impl Memcached {
    /// Sends a query for each of `keys`, and then receives the answers.
    pub(super) fn ask_all(
        connection: &mut Connection,
        keys: &[&[u8]],
        deadline: Deadline,
        each: &mut dyn FnMut(usize, Found),
    ) -> Result<(), Failure> {
        let queries: Vec<Vec<u8>> = keys.iter().map(|key| get(key)).collect();
        connection.send(&Zeroizing::new(queries.concat()), deadline)?;
        for (index, key) in keys.iter().enumerate() {
            let found = answer(connection, key, deadline)?;
            each(index, found.map_or(Found::Absent, Found::Value));
        }
        Ok(())
    }
}

fn get(key: &[u8]) -> Vec<u8> {
    [b"get ", key, b"\r\n"].concat()
}

/// Receives the answer to the query for `key`.
fn answer(
    connection: &mut Connection,
    key: &[u8],
    deadline: Deadline,
) -> Result<Option<Entry>, Failure> {
    let mut found = None;
    loop {
        let decode = |bytes: &[u8]| text::decode(bytes, key, LONGEST_VALUE);
        match connection.receive(decode, deadline)? {
            Line::End => return Ok(found),
            Line::Value { flags, bytes } if found.is_none() => {
                found = Some(Entry {
                    bytes,
                    flags: Some(flags),
                });
            }
            Line::Value { .. } => return Err(connection.malformed(Malformed::Garbage)),
            Line::Error(error) => {
                return Err(connection.down(&format!("answers {error}")));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_what_memcached_takes() {
        assert!(may_be_key(b":1:django.contrib.sessions.cacheabc"));
        assert!(may_be_key("ключ".as_bytes()));
        assert!(may_be_key(&[b'a'; 250]));
        for key in [
            &b""[..],
            b"a b",
            b"a\r\nget b",
            b"a\n",
            b"a\0",
            b"a\x7f",
            &[b'a'; 251],
        ] {
            assert!(!may_be_key(key), "{key:?}");
        }
    }
}
