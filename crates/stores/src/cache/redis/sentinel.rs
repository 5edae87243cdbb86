//! Asks Sentinels which server is the master:
//! <https://redis.io/docs/latest/develop/reference/sentinel-clients/>.

use std::sync::Arc;

use super::conversation::{greet, open, refused, short_reply};
use super::resp::{self, Reply};
use crate::cache::connection::{Failure, Malformed};
use crate::cache::settings::Login;
use crate::{Address, Deadline, Tls};

/// Sentinels that watch the same master.
#[derive(Debug)]
pub(crate) struct Sentinels {
    addresses: Vec<Address>,
    service: String,
    login: Option<Arc<Login>>,
    tls: Tls,
}

impl Sentinels {
    pub(crate) fn new(
        addresses: &[Address],
        service: &str,
        login: Option<&Arc<Login>>,
        tls: &Tls,
    ) -> Self {
        Self {
            addresses: addresses.to_vec(),
            service: service.to_owned(),
            login: login.cloned(),
            tls: tls.clone(),
        }
    }

    /// The address of the master, queried before every connection: the last one may have ended
    /// because of a failover. The Sentinel that answers is queried first the next time.
    ///
    /// The server's own role (`ROLE`) is not queried: that is a right of administrators, and a
    /// former master has the same keys.
    pub(super) fn master(&mut self, deadline: Deadline) -> Result<Address, Failure> {
        let mut first = None;
        let count = self.addresses.len();
        for (index, address) in self.addresses.iter().enumerate() {
            let left = u32::try_from(count - index + 1).unwrap_or(u32::MAX);
            let share = deadline.at_most(deadline.remaining() / left);
            match self.ask(address, share) {
                Ok(master) => {
                    self.addresses.swap(0, index);
                    return Ok(master);
                }
                Err(failure) => {
                    first.get_or_insert(failure);
                }
            }
        }
        Err(first.unwrap_or_else(|| Failure::Down("the cache has no Sentinels".to_owned())))
    }

    fn ask(&self, address: &Address, deadline: Deadline) -> Result<Address, Failure> {
        let mut connection = open("Sentinel", address, &self.tls, deadline)?;
        greet(&mut connection, self.login.as_deref(), 0, deadline)?;
        let words: [&[u8]; 3] = [
            b"SENTINEL",
            b"get-master-addr-by-name",
            self.service.as_bytes(),
        ];
        connection.send(&resp::command(&words), deadline)?;
        match short_reply(&mut connection, deadline)? {
            Reply::Array(Some(master)) => {
                address_of(&master).ok_or_else(|| connection.malformed(Malformed::Garbage))
            }
            Reply::Array(None) => Err(connection.down(&format!(
                "knows no master called \"{}\"",
                self.service.escape_default()
            ))),
            Reply::Error(error) => Err(refused(&connection, &error)),
            _ => Err(connection.malformed(Malformed::Garbage)),
        }
    }
}

fn address_of(master: &[Reply]) -> Option<Address> {
    let [Reply::Bulk(Some(host)), Reply::Bulk(Some(port))] = master else {
        return None;
    };
    let host = str::from_utf8(host).ok()?;
    let port = str::from_utf8(port).ok()?;
    if host.is_empty() || !host.bytes().all(|byte| byte.is_ascii_graphic()) {
        return None;
    }
    Some(Address::Tcp {
        host: host.to_owned(),
        port: port.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_master_is_a_host_and_a_port() {
        let named = |words: &[&str]| {
            let bulk = |word: &&str| Reply::Bulk(Some(word.as_bytes().to_vec().into()));
            address_of(&words.iter().map(bulk).collect::<Vec<_>>())
        };
        let master = named(&["10.0.0.1", "6379"]).unwrap();
        assert_eq!(master.to_string(), "10.0.0.1:6379");
        for words in [
            &["10.0.0.1"][..],
            &["10.0.0.1", "6379", ""],
            &["", "6379"],
            &[
                "a
b", "6379",
            ],
            &["10.0.0.1", "65536"],
            &["10.0.0.1", ""],
        ] {
            assert!(named(words).is_none(), "{words:?}");
        }
        assert!(address_of(&[Reply::Bulk(None), Reply::Integer(6379)]).is_none());
    }
}
