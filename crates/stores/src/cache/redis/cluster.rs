//! Reads the redirections of a Redis Cluster, and computes the slot of a key.
//! <https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/>
//!
//! Each node has some of the 16,384 slots that keys fall into. Asked for a key of another slot, it
//! answers `MOVED slot host:port`, and `ASK slot host:port` for a key that has already gone to the
//! node that takes the slot over. These two answers suffice to find a key, so that no right but that
//! to the keys is needed. The map of the cluster is queried only to look for keys of a kind.

use super::conversation::LONGEST_HOST;
use crate::Address;

/// How many slots a cluster has.
pub(super) const SLOTS: u16 = 16_384;

/// Which node to ask in place of the one that answered this.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Redirection {
    pub(super) address: Address,
    /// Whether the slot is migrating there: the node answers only after `ASKING`.
    pub(super) asking: bool,
}

/// The redirection for the keys of `slot` in the error of a node at `here`; `None` for other
/// errors. An impossible address, or another slot, is an error, too.
pub(super) fn redirection(
    error: &str,
    slot: u16,
    here: &Address,
) -> Option<Result<Redirection, &'static str>> {
    let mut words = error.split(' ');
    let asking = match words.next() {
        Some("MOVED") => false,
        Some("ASK") => true,
        _ => return None,
    };
    let (number, place) = (words.next(), words.next());
    if words.next().is_some() || number.and_then(slot_number) != Some(slot) {
        return Some(Err("which names another slot than that of the key"));
    }
    let address = place.and_then(|place| node_address(place, here));
    let address = address.ok_or("which names no node that can be asked");
    Some(address.map(|address| Redirection { address, asking }))
}

fn slot_number(text: &str) -> Option<u16> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|_| digits);
    number.filter(|number| *number < SLOTS)
}

/// `host:port`, where an IPv6 address has no brackets. An empty host means that of the node itself
/// (`cluster-preferred-endpoint-type unknown-endpoint`), and `?` means unknown.
pub(super) fn node_address(place: &str, here: &Address) -> Option<Address> {
    let (host, port) = place.rsplit_once(':')?;
    let digits = port.bytes().all(|byte| byte.is_ascii_digit());
    let port = port.parse().ok().filter(|port| digits && *port != 0)?;
    let host = match (host, here) {
        ("", Address::Tcp { host, .. }) => host.as_str(),
        ("" | "?", _) => return None,
        (host, _) => host
            .strip_prefix('[')
            .map_or(host, |host| host.strip_suffix(']').unwrap_or(host)),
    };
    let known = |letter: char| letter.is_ascii_alphanumeric() || "-._:%".contains(letter);
    let possible = !host.is_empty() && host.len() <= LONGEST_HOST && host.chars().all(known);
    possible.then(|| Address::Tcp {
        host: host.to_owned(),
        port,
    })
}

/// The slot of a key: CRC-16 (XMODEM) of the text in its first braces, or of the whole key.
pub(super) fn slot_of(key: &[u8]) -> u16 {
    let tag = || {
        let start = key.iter().position(|byte| *byte == b'{')? + 1;
        let rest = key.get(start..)?;
        let end = rest.iter().position(|byte| *byte == b'}')?;
        rest.get(..end).filter(|tag| !tag.is_empty())
    };
    let crc = tag().unwrap_or(key).iter().fold(0_u16, |crc, byte| {
        let mut crc = crc ^ (u16::from(*byte) << 8);
        for _ in 0..8 {
            let high = crc & 0x8000 != 0;
            crc = (crc << 1) ^ if high { 0x1021 } else { 0 };
        }
        crc
    });
    crc % SLOTS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn here() -> Address {
        Address::Tcp {
            host: "10.0.0.1".to_owned(),
            port: 7000,
        }
    }

    /// The slots are those that `CLUSTER KEYSLOT` of Redis 7.0.15 says; the first is the check
    /// value of CRC-16/XMODEM.
    #[test]
    fn slots_are_those_of_redis() {
        for (key, slot) in [
            (&b"123456789"[..], 12_739),
            (b"", 0),
            (b"foo", 12_182),
            (b"{user1000}.following", 3_443),
            (b"{user1000}.followers", 3_443),
            (b"foo{}{bar}", 8_363),
            (b"foo{{bar}}zap", 4_015),
            (b"foo{bar}{zap}", 5_061),
            (b"foo{bar", 15_278),
            (b"\xff\x00", 1_023),
        ] {
            assert_eq!(slot_of(key), slot, "{:?}", String::from_utf8_lossy(key));
        }
    }

    #[test]
    fn redirections_are_read() {
        for (error, shown, asking) in [
            ("MOVED 12182 127.0.0.1:7001", "127.0.0.1:7001", false),
            ("ASK 12182 10.0.0.9:6379", "10.0.0.9:6379", true),
            (
                "MOVED 12182 redis-1.example.org:6379",
                "redis-1.example.org:6379",
                false,
            ),
            ("MOVED 12182 ::1:7001", "[::1]:7001", false),
            (
                "MOVED 12182 [fe80::1%eth0]:7001",
                "[fe80::1%eth0]:7001",
                false,
            ),
            ("MOVED 12182 :7001", "10.0.0.1:7001", false),
        ] {
            let read = redirection(error, 12_182, &here()).unwrap().unwrap();
            assert_eq!(
                (read.address.to_string().as_str(), read.asking),
                (shown, asking)
            );
        }
        for error in [
            "",
            "ERR x",
            "MOVEDX 12182 a:1",
            "moved 12182 a:1",
            "CLUSTERDOWN x",
        ] {
            assert_eq!(redirection(error, 12_182, &here()), None, "{error}");
        }
    }

    #[test]
    fn what_names_no_node_is_not_followed() {
        let long = format!("MOVED 12182 {}:1", "a".repeat(256));
        for error in [
            "MOVED",
            "MOVED ",
            "MOVED x",
            "MOVED 12182",
            "MOVED 12182 ",
            "MOVED 12182 x",
            "MOVED 12182 x:",
            "MOVED 12182 x:0",
            "MOVED 12182 x:+1",
            "MOVED 12182 x:65536",
            "MOVED 12182 x:1 y:2",
            "MOVED 12182  x:1",
            "MOVED 12182 ?:7001",
            "MOVED 12182 /run/redis.sock:1",
            "MOVED 12182 unix:/run/redis.sock",
            "MOVED 12182 a@b:1",
            "MOVED 12182 a\tb:1",
            "MOVED 12182 ä:1",
            "MOVED 12183 a:1",
            "MOVED 99999 :0",
            "MOVED 99999 a:1",
            "MOVED -1 a:1",
            "MOVED +12182 a:1",
            "ASK 16384 a:1",
            &long,
        ] {
            let read = redirection(error, 12_182, &here());
            assert!(matches!(read, Some(Err(_))), "{error}: {read:?}");
        }
        // A socket has no host for another node to have as well.
        let here = Address::Unix("/run/redis.sock".into());
        assert!(matches!(
            redirection("MOVED 12182 :7001", 12_182, &here),
            Some(Err(_))
        ));
    }
}
