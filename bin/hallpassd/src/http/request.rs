//! Reads the client of a request from its headers.

use std::net::IpAddr;

use hallpass_core::Client;
use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue, USER_AGENT};

use crate::sockets::Peer;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The client of a request that `peer` passed on. Its address, for the log and for counting wrong
/// passwords, is what a trusted proxy added last to `X-Forwarded-For`, else the peer. `X-Real-IP`
/// is ignored: a proxy that does not set it passes on what the client wrote there.
///
/// The browser and all of `X-Forwarded-For` are as a PHP site would read them: never absent, so
/// that a client gains nothing by leaving them out.
pub fn client(headers: &HeaderMap, peer: Peer, trusted: bool) -> Client {
    let client = host_client(headers, trusted);
    Client {
        address: client.address.or(peer.address()),
        ..client
    }
}

/// The client of a request that a host makes for it, so that the peer is not the client.
pub fn host_client(headers: &HeaderMap, trusted: bool) -> Client {
    let said = || -> Option<IpAddr> {
        let last = headers.get_all(&X_FORWARDED_FOR).iter().next_back()?;
        last.to_str().ok()?.rsplit(',').next()?.trim().parse().ok()
    };
    let address = if trusted { said() } else { None };
    Client {
        address,
        browser: Some(text(headers, &USER_AGENT)),
        forwarded_for: Some(text(headers, &X_FORWARDED_FOR)),
    }
}

/// The lines of a header as one (RFC 9110, section 5.2), as web servers pass it to PHP; empty where
/// they are not UTF-8, which PHP escapes to nothing.
fn text(headers: &HeaderMap, name: &HeaderName) -> String {
    let lines: Vec<&[u8]> = headers
        .get_all(name)
        .iter()
        .map(HeaderValue::as_bytes)
        .collect();
    String::from_utf8(lines.join(&b", "[..])).unwrap_or_default()
}

#[cfg(test)]
mod tests {
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

    #[test]
    fn browsers_and_proxies_are_what_php_would_find() {
        for (lines, browser, forwarded_for) in [
            (&[][..], "", ""),
            (&[("user-agent", &b""[..])], "", ""),
            (&[("user-agent", b"rig/1.0 \"x\"")], "rig/1.0 \"x\"", ""),
            (&[("user-agent", "Zoë".as_bytes())], "Zoë", ""),
            (&[("user-agent", b"Zo\xeb")], "", ""),
            (&[("user-agent", b"a"), ("user-agent", b"b")], "a, b", ""),
            (&[("x-forwarded-for", b"192.0.2.1")], "", "192.0.2.1"),
            (
                &[("x-forwarded-for", b"::1, x"), ("x-forwarded-for", b"::2")],
                "",
                "::1, x, ::2",
            ),
        ] {
            let mut headers = HeaderMap::new();
            for (name, value) in lines {
                headers.append(*name, HeaderValue::from_bytes(value).unwrap());
            }
            for trusted in [true, false] {
                let client = client(&headers, Peer::Unix, trusted);
                assert_eq!(client.browser.as_deref(), Some(browser), "{lines:?}");
                let hops = client.forwarded_for.as_deref();
                assert_eq!(hops, Some(forwarded_for), "{lines:?}");
            }
        }
    }
}
