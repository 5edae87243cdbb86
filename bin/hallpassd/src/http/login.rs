//! The way to the login page and back.

use hyper::HeaderMap;

use crate::percent;

/// `template` with the percent-encoded address that the client wanted in the place of `{url}`.
///
/// The address is `wanted`, which came with the question itself (Envoy), else taken from
/// `X-Original-URI` or `X-Original-URL` (nginx, by its configuration), else put together from
/// `X-Forwarded-Proto`, `-Host` and `-Uri` (Caddy, Traefik), and is empty where none of them came,
/// or the peer is not one whose word is `trusted`.
pub fn login_url(
    template: &str,
    headers: &HeaderMap,
    wanted: Option<&str>,
    trusted: bool,
) -> String {
    let address = if trusted {
        original(headers, wanted)
    } else {
        Vec::new()
    };
    template.replace("{url}", &percent::encode(&address, b""))
}

fn original(headers: &HeaderMap, wanted: Option<&str>) -> Vec<u8> {
    let header = |name| headers.get(name).map(|value| value.as_bytes());
    let (uri, host) = if let Some(wanted) = wanted {
        // The question has the Host of what is asked about.
        let host = header("x-forwarded-host").or_else(|| header("host"));
        (wanted.as_bytes(), host)
    } else if let Some(address) = header("x-original-uri").or_else(|| header("x-original-url")) {
        return address.to_vec();
    } else if let Some(uri) = header("x-forwarded-uri") {
        (uri, header("x-forwarded-host"))
    } else {
        return Vec::new();
    };
    match (header("x-forwarded-proto"), host) {
        (Some(scheme), Some(host)) => {
            // Traefik names the scheme of a websocket as the browser's address bar does not.
            let scheme: &[u8] = match scheme {
                b"ws" => b"http",
                b"wss" => b"https",
                other => other,
            };
            [scheme, b"://", host, uri].concat()
        }
        _ => uri.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    fn to(lines: &[(&'static str, &[u8])], trusted: bool) -> String {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_bytes(value).unwrap());
        }
        login_url("/login?next={url}&x=1", &headers, None, trusted)
    }

    #[test]
    fn the_address_comes_with_the_question() {
        let mut headers = HeaderMap::new();
        let to = |headers: &HeaderMap, trusted| {
            login_url("/login?next={url}", headers, Some("/x?y"), trusted)
        };
        headers.insert(
            "x-original-uri",
            HeaderValue::from_static("//evil.example/"),
        );
        headers.insert("host", HeaderValue::from_static("site.example"));
        assert_eq!(to(&headers, true), "/login?next=%2Fx%3Fy");
        headers.insert("x-forwarded-proto", HeaderValue::from_static("https"));
        let whole = "/login?next=https%3A%2F%2Fsite.example%2Fx%3Fy";
        assert_eq!(to(&headers, true), whole);
        assert_eq!(to(&headers, false), "/login?next=");
    }

    #[test]
    fn the_address_comes_whole() {
        let uri = ("x-original-uri", &b"/a%20b/?c=d&e=#f \xc3\xa9"[..]);
        let expected = "/login?next=%2Fa%2520b%2F%3Fc%3Dd%26e%3D%23f%20%C3%A9&x=1";
        assert_eq!(to(&[uri], true), expected);
        assert_eq!(to(&[("x-original-url", uri.1)], true), expected);
        let forwarded = [
            ("x-forwarded-proto", &b"https"[..]),
            ("x-forwarded-host", b"site.example:8443"),
            ("x-forwarded-uri", b"/x?y"),
        ];
        let address = "/login?next=https%3A%2F%2Fsite.example%3A8443%2Fx%3Fy&x=1";
        assert_eq!(to(&forwarded, true), address);
        let mut websocket = forwarded;
        websocket[0].1 = b"wss";
        assert_eq!(to(&websocket, true), address);
        assert_eq!(to(&forwarded[2..], true), "/login?next=%2Fx%3Fy&x=1");
    }

    #[test]
    fn nobody_else_says_where_to_go() {
        assert_eq!(
            to(&[("x-original-uri", b"//evil.example/")], false),
            "/login?next=&x=1"
        );
        assert_eq!(to(&[], true), "/login?next=&x=1");
        assert_eq!(
            to(&[("x-forwarded-host", b"evil.example")], true),
            "/login?next=&x=1"
        );
    }
}
