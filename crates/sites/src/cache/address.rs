//! Reads the parts of a cache's URL.

use std::net::Ipv6Addr;
use std::path::PathBuf;

use hallpass_settings::percent_decode;
use hallpass_stores::Address;

/// What is wrong with a URL, as words that follow its key.
pub(crate) type Wrong = &'static str;

pub(crate) fn socket(path: &str) -> Result<Address, Wrong> {
    if path.is_empty() || path.contains('\0') {
        return Err("names no socket, as in \"unix:/run/redis.sock\"");
    }
    Ok(Address::Unix(PathBuf::from(path)))
}

/// `host`, `host:port`, `[address]` or `[address]:port`.
pub(crate) fn tcp(text: &str, default_port: u16) -> Result<Address, Wrong> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']').ok_or("has a `[` without a `]`")?;
            if host.parse::<Ipv6Addr>().is_err() {
                return Err("has something in brackets that is not an IPv6 address");
            }
            (host.to_owned(), port)
        }
        None => {
            let (host, port) = text.split_at(text.find(':').unwrap_or(text.len()));
            if port.get(1..).is_some_and(|port| port.contains(':')) {
                return Err(
                    "has too many colons: an IPv6 address is put in brackets, and a colon \
                            in a password is written %3A",
                );
            }
            let host = decode(host)?;
            let known = |letter: char| letter.is_alphanumeric() || "-._".contains(letter);
            if host.is_empty() || !host.chars().all(known) {
                return Err(
                    "names no host where one should be; in a password, `/`, `?`, `@`, `,` \
                            and `;` are written %2F, %3F, %40, %2C and %3B",
                );
            }
            (host, port)
        }
    };
    let port = match port.strip_prefix(':') {
        None if port.is_empty() => Some(default_port),
        Some(port) => number(port).and_then(|port| u16::try_from(port).ok()),
        None => None,
    };
    let port = port
        .filter(|port| *port != 0)
        .ok_or("has no number from 1 to 65535 as the port")?;
    Ok(Address::Tcp { host, port })
}

pub(crate) fn number(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

/// `text` with `%XX` replaced by the byte that it stands for.
pub(crate) fn decode(text: &str) -> Result<String, Wrong> {
    const WRONG: Wrong =
        "has a `%` without two hexadecimal digits after it; write the sign itself as %25";
    let bytes = percent_decode(text).ok_or(WRONG)?;
    String::from_utf8(bytes).map_err(|_| WRONG)
}
