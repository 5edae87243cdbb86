//! Counts in Redis or Valkey, for several machines that share one count.
//!
//! The only thing that is written to a cache. All keys of a [`Counters`] fall into one slot of a Redis
//! Cluster, so that one script reads and counts all that is wanted at a time.

use std::time::Duration;

use super::connection::{Connection, Failure, Malformed};
use super::redis::{Location, Redirected, Redis, Sentinels, reply_to_script};
use super::server::Protocol;
use super::settings::{RedisServers, Settings, Store};
use crate::{Address, Deadline, Unavailable};

/// The most redirections of a Redis Cluster that are followed for one query.
const MOST_REDIRECTIONS: usize = 3;

/// The most counts of one query.
pub const MOST_COUNTS: usize = 1024;

/// Adds to each key what is to be added, and gives the count and the milliseconds that it lives on.
/// A count begins to live when it begins, or anew where the third argument says so. The count of a
/// key that holds something else is -1.
const SCRIPT: &[u8] = b"local out = {}
for i = 1, #KEYS do
  local key, add, life, anew = KEYS[i], tonumber(ARGV[3*i-2]), ARGV[3*i-1], ARGV[3*i]
  local count
  if add > 0 then
    count = redis.pcall('INCRBY', key, add)
  else
    count = redis.pcall('GET', key)
  end
  if type(count) == 'table' and count['err'] then
    local err = count['err']
    if string.find(err, 'WRONGTYPE') or string.find(err, 'not an integer') then
      count = -1
    else
      return redis.error_reply(err)
    end
  elseif add > 0 and (anew == '1' or redis.call('PTTL', key) < 0) then
    redis.call('PEXPIRE', key, life)
  end
  out[2*i-1] = tonumber(count or 0) or -1
  out[2*i] = redis.call('PTTL', key)
end
return out";

/// A count under a key of Redis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counter {
    /// The key.
    pub key: Vec<u8>,
    /// What is added; 0 only reads it.
    pub add: u32,
    /// How long the count lives.
    pub lifetime: Duration,
    /// Whether it lives that long from now on, and not from when it began.
    pub renewed: bool,
}

/// What a count has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    /// The count.
    pub count: u32,
    /// How long it lives on.
    pub left: Duration,
}

/// Counts in one server: the first of several that takes them, the master that Sentinels name, or
/// the node of a cluster that has the keys.
#[derive(Debug)]
pub struct Counters {
    servers: Vec<Redis>,
    connect_timeout: Duration,
    connection: Option<Connection>,
}

impl Counters {
    /// Counts where `settings` say. It connects at the first query. `None` for memcached, which
    /// cannot count for as long as is wanted.
    #[must_use]
    pub fn new(settings: &Settings) -> Option<Self> {
        let Store::Redis {
            servers,
            login,
            database,
            tls,
        } = &settings.store
        else {
            return None;
        };
        let redis = |location| Redis::new(location, login.clone(), *database, tls.clone());
        let servers = match servers {
            RedisServers::Replicated(addresses) | RedisServers::Sharded(addresses) => {
                let addresses = addresses.iter().cloned();
                addresses.map(|it| redis(Location::Address(it))).collect()
            }
            RedisServers::Sentinel {
                sentinels,
                service,
                login,
            } => {
                let sentinels = Sentinels::new(sentinels, service, login.as_ref(), tls);
                vec![redis(Location::Sentinels(sentinels))]
            }
        };
        Some(Self {
            servers,
            connect_timeout: settings.connect_timeout,
            connection: None,
        })
    }

    /// Connects to the first server that lets it, where there is no connection.
    ///
    /// # Errors
    /// [`Unavailable`] when none does by `deadline`.
    pub fn connect(&mut self, deadline: Deadline) -> Result<(), Unavailable> {
        if self.connection.is_none() {
            self.connection = Some(self.reach(0, deadline)?.0);
        }
        Ok(())
    }

    /// Adds to `counters`, and reads them; at most [`MOST_COUNTS`]. A count whose key holds something
    /// else is `None`.
    ///
    /// # Errors
    /// [`Unavailable`] when no server does so by `deadline`. It may have counted all the same.
    pub fn count(
        &mut self,
        counters: &[Counter],
        deadline: Deadline,
    ) -> Result<Vec<Option<Counted>>, Unavailable> {
        let script = script(counters);
        // An idle connection may have been closed for long.
        if let Some(connection) = self.connection.take() {
            match self.run(connection, &script, counters, deadline) {
                Err(Failure::Closed(_)) => {}
                Err(failure) if is_readonly(&failure) => {}
                answer => return answer.map_err(Unavailable::from),
            }
        }
        let mut from = 0;
        loop {
            let (connection, next) = self.reach(from, deadline)?;
            match self.run(connection, &script, counters, deadline) {
                // A replica: the master may be another of them.
                Err(failure) if is_readonly(&failure) && next < self.servers.len() => from = next,
                answer => return answer.map_err(Unavailable::from),
            }
        }
    }

    /// A connection to the first server from `from` on, and the number of the one after it.
    fn reach(&mut self, from: usize, deadline: Deadline) -> Result<(Connection, usize), Failure> {
        let mut first = None;
        let count = self.servers.len();
        for (index, server) in self.servers.iter_mut().enumerate().skip(from) {
            let left = u32::try_from(count - index).unwrap_or(u32::MAX);
            let share = deadline.at_most(self.connect_timeout.min(deadline.remaining() / left));
            match server.connect(share) {
                Ok(connection) => return Ok((connection, index + 1)),
                Err(failure) => {
                    first.get_or_insert(failure);
                }
            }
        }
        Err(first.unwrap_or_else(|| Failure::Down("the cache has no servers".to_owned())))
    }

    /// Runs `script` at the node that has the keys. The connection is kept where it answered.
    fn run(
        &mut self,
        mut connection: Connection,
        script: &[u8],
        counters: &[Counter],
        deadline: Deadline,
    ) -> Result<Vec<Option<Counted>>, Failure> {
        let key = counters.first().map(|counter| counter.key.as_slice());
        let key = key.unwrap_or_default();
        let mut asking = false;
        for _ in 0..=MOST_REDIRECTIONS {
            match reply_to_script(&mut connection, key, script, asking, deadline)? {
                Redirected::Answer(numbers) => {
                    let counted = counted(&numbers, counters.len());
                    let counted =
                        counted.ok_or_else(|| connection.malformed(Malformed::Garbage))?;
                    if !asking {
                        self.connection = Some(connection);
                    }
                    return Ok(counted);
                }
                Redirected::To(address, ask) => {
                    connection = self.node(address, deadline)?;
                    asking = ask;
                }
            }
        }
        Err(connection.down("and other nodes of its cluster redirect a request without end"))
    }

    fn node(&self, address: Address, deadline: Deadline) -> Result<Connection, Failure> {
        let Some(server) = self.servers.first() else {
            return Err(Failure::Down("the cache has no servers".to_owned()));
        };
        let share = deadline.at_most(self.connect_timeout);
        server.at(address).connect(share)
    }
}

/// Whether the server is a replica, which counts nothing.
fn is_readonly(failure: &Failure) -> bool {
    matches!(failure, Failure::Down(message) if message.contains("answers READONLY"))
}

fn script(counters: &[Counter]) -> Vec<u8> {
    let keys = counters.len().to_string();
    let arguments: Vec<String> = counters
        .iter()
        .flat_map(|counter| {
            let life = counter.lifetime.as_millis().clamp(1, LONGEST_LIFE);
            let anew = u8::from(counter.renewed);
            [counter.add.to_string(), life.to_string(), anew.to_string()]
        })
        .collect();
    let words = [&b"EVAL"[..], SCRIPT, keys.as_bytes()];
    let words = words.into_iter();
    let words = words.chain(counters.iter().map(|counter| counter.key.as_slice()));
    let words: Vec<&[u8]> = words
        .chain(arguments.iter().map(String::as_bytes))
        .collect();
    super::redis::resp::command(&words).to_vec()
}

/// The longest life of a count, in milliseconds: a year.
const LONGEST_LIFE: u128 = 366 * 24 * 3600 * 1000;

/// What `numbers` say about as many counts; `None` where they are not that many pairs.
fn counted(numbers: &[i64], counts: usize) -> Option<Vec<Option<Counted>>> {
    if numbers.len() != 2 * counts {
        return None;
    }
    let pairs = numbers.chunks_exact(2);
    let counted = pairs.map(|pair| {
        let [count, left] = pair else { return None };
        let count = u64::try_from(*count).ok()?;
        Some(Counted {
            count: u32::try_from(count).unwrap_or(u32::MAX),
            left: Duration::from_millis(u64::try_from(*left).unwrap_or(0)),
        })
    });
    Some(counted.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_pairs_and_nothing_else() {
        let of = |count, left| {
            Some(Counted {
                count,
                left: Duration::from_millis(left),
            })
        };
        for (numbers, counts, expected) in [
            (&[][..], 0, Some(vec![])),
            (&[3, 59_000], 1, Some(vec![of(3, 59_000)])),
            // No such key, and one that holds something else.
            (&[0, -2, -1, -1], 2, Some(vec![of(0, 0), None])),
            (
                &[i64::MAX, i64::MAX],
                1,
                Some(vec![of(u32::MAX, i64::MAX as u64)]),
            ),
            (&[3], 1, None),
            (&[3, 1, 2], 1, None),
            (&[3, 1], 2, None),
            (&[], 1, None),
        ] {
            assert_eq!(counted(numbers, counts), expected, "{numbers:?}");
        }
    }
}
