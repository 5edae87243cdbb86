//! Who sent a request.

use std::net::IpAddr;

use hallpass_core::Client;
use hyper::HeaderMap;
use hyper::header::USER_AGENT;

use crate::sockets::Peer;

/// The client of a request that `peer` passed on. Its address, for the log and for counting wrong
/// passwords, is what a trusted proxy added last to `X-Forwarded-For`, else the peer. `X-Real-IP`
/// is not believed: a proxy that does not set it passes on whatever the client wrote there.
pub fn client(headers: &HeaderMap, peer: Peer, trusted: bool) -> Client {
    let said = || -> Option<IpAddr> {
        let last = headers.get_all("x-forwarded-for").iter().next_back()?;
        last.to_str().ok()?.rsplit(',').next()?.trim().parse().ok()
    };
    let address = if trusted { said() } else { None };
    let browser = headers.get(USER_AGENT).and_then(|name| name.to_str().ok());
    Client {
        browser: browser.map(str::to_owned),
        ..Client::at(address.or(peer.address()))
    }
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    #[test]
    fn a_client_cannot_say_where_it_is() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("x-real-ip", "192.0.2.1"),
            ("forwarded", "for=192.0.2.1"),
            ("x-forwarded-for", "192.0.2.1, 192.0.2.2"),
            ("x-forwarded-for", "192.0.2.3, 203.0.113.7"),
        ] {
            headers.append(name, HeaderValue::from_static(value));
        }
        let of = |headers: &HeaderMap, peer, trusted| client(headers, peer, trusted).address;
        let address = |text: &str| text.parse().ok();
        assert_eq!(of(&headers, Peer::Unix, true), address("203.0.113.7"));
        assert_eq!(of(&headers, Peer::Unix, false), None);
        let peer = Peer::Address([198, 51, 100, 1].into());
        assert_eq!(of(&headers, peer, false), address("198.51.100.1"));
        headers.remove("x-forwarded-for");
        assert_eq!(of(&headers, peer, true), address("198.51.100.1"));
        assert_eq!(of(&headers, Peer::Unix, true), None);
    }
}
