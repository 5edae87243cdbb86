//! Reads requests and writes answers of saslauthd's protocol (Cyrus SASL 2.1.28, lib/checkpw.c,
//! `saslauthd_verify_password`, and saslauthd/ipc_unix.c): strings, each after its length in two
//! bytes, big-endian: name, password, service and realm; in later versions the client's address,
//! too.

use std::net::IpAddr;

use zeroize::{Zeroize, ZeroizeOnDrop};

/// The longest field that is read. saslauthd itself reads 256 bytes; a ticket is longer.
const LONGEST: usize = 8192;

/// A request.
#[derive(PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Request {
    pub name: Vec<u8>,
    pub password: Vec<u8>,
    #[zeroize(skip)]
    pub service: Vec<u8>,
    pub realm: Vec<u8>,
    /// The client's address, if the host sends it.
    #[zeroize(skip)]
    pub client: Option<IpAddr>,
}

/// The bytes are not a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a field is longer than {LONGEST} bytes")]
pub struct TooLong;

/// The request at the beginning of `bytes`; `None` while some of it is missing. Nothing tells a
/// request of four fields from one whose fifth is still on its way; clients send all at once.
pub fn parse(bytes: &[u8]) -> Result<Option<Request>, TooLong> {
    let mut rest = bytes;
    let mut fields = [&[][..]; 4];
    for field in &mut fields {
        match take(rest)? {
            Some((taken, after)) => (*field, rest) = (taken, after),
            None => return Ok(None),
        }
    }
    let client = if rest.is_empty() {
        None
    } else {
        match take(rest)? {
            Some((client, _)) => address(client),
            None => return Ok(None),
        }
    };
    let [name, password, service, realm] = fields.map(<[u8]>::to_vec);
    Ok(Some(Request {
        name,
        password,
        service,
        realm,
        client,
    }))
}

/// An answer.
pub fn answer(granted: bool) -> &'static [u8] {
    if granted { b"\0\x02OK" } else { b"\0\x02NO" }
}

/// A counted text and what comes after it; `None` where some of it is still to come.
type Taken<'a> = Option<(&'a [u8], &'a [u8])>;

fn take(bytes: &[u8]) -> Result<Taken<'_>, TooLong> {
    let Some((length, rest)) = bytes.split_first_chunk::<2>() else {
        return Ok(None);
    };
    let length = usize::from(u16::from_be_bytes(*length));
    if length > LONGEST {
        return Err(TooLong);
    }
    Ok(rest.split_at_checked(length))
}

/// `ADDRESS;PORT`, as `sasl_server_new` takes it.
fn address(client: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(client).ok()?;
    text.split_once(';')
        .map_or(text, |(address, _)| address)
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(request: &Request) -> [&[u8]; 4] {
        [
            &request.name,
            &request.password,
            &request.service,
            &request.realm,
        ]
    }

    #[test]
    fn requests_are_read() {
        let bytes = b"\0\x03bob\0\x02pw\0\x04imap\0\0";
        for length in 0..bytes.len() {
            assert!(matches!(parse(&bytes[..length]), Ok(None)), "{length}");
        }
        let request = parse(bytes).unwrap().unwrap();
        assert_eq!(parts(&request), [&b"bob"[..], b"pw", b"imap", b""]);
        assert_eq!(request.client, None);
    }

    #[test]
    fn the_clients_address_may_follow() {
        let four = b"\0\x03bob\0\x02pw\0\x04imap\0\x01r";
        let with = |client: &[u8]| {
            let length = u16::try_from(client.len()).unwrap().to_be_bytes();
            [&four[..], &length, client].concat()
        };
        let address = |client: &[u8]| parse(&with(client)).unwrap().unwrap().client;
        assert_eq!(address(b"192.0.2.7;993"), "192.0.2.7".parse().ok());
        assert_eq!(address(b"2001:db8::7;993"), "2001:db8::7".parse().ok());
        assert_eq!(address(b""), None);
        assert_eq!(address(b"\xff;"), None);
        let whole = with(b"192.0.2.7;993");
        for length in four.len() + 1..whole.len() {
            assert!(matches!(parse(&whole[..length]), Ok(None)), "{length}");
        }
    }

    #[test]
    fn no_field_is_longer_than_any_could_be() {
        for before in [
            &b""[..],
            b"\0\0",
            b"\0\0\0\0",
            b"\0\0\0\0\0\0",
            b"\0\0\0\0\0\0\0\0",
        ] {
            assert!(parse(&[before, b"\xff\xff"].concat()).is_err());
            assert!(parse(&[before, b"\x20\x01"].concat()).is_err());
        }
    }
}
