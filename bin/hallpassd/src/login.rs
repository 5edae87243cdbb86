//! Makes the address of the login page, which leads back to the page that the client wanted.

use hyper::HeaderMap;

use crate::percent::{self, RESERVED};

/// `template` with `{url}` replaced by the percent-encoded address that the client wanted.
///
/// The address is `wanted`, which came with the request itself (Envoy), else taken from
/// `X-Original-URI` or `X-Original-URL` (nginx, by its configuration), else put together from
/// `X-Forwarded-Proto`, `-Host` and `-Uri` (Caddy, Traefik). It is empty where none of them came,
/// where it is neither a path nor an address of http or https, where it is a path without scheme
/// and host that a browser would take for another host, or where the peer is not `trusted`.
pub fn login_url(
    template: &str,
    headers: &HeaderMap,
    wanted: Option<&str>,
    trusted: bool,
) -> String {
    let address = if trusted {
        original(headers, wanted).unwrap_or_default()
    } else {
        Vec::new()
    };
    back_to(template, &address)
}

/// `template` with `{url}` replaced by the percent-encoded `address`.
pub fn back_to(template: &str, address: &[u8]) -> String {
    template.replace("{url}", &percent::encode(address, &RESERVED))
}

fn original(headers: &HeaderMap, wanted: Option<&str>) -> Option<Vec<u8>> {
    let header = |name| headers.get(name).map(|value| value.as_bytes());
    let (path, host) = if let Some(wanted) = wanted {
        // The request has the Host of the page.
        let host = header("x-forwarded-host").or_else(|| header("host"));
        (wanted.as_bytes(), host)
    } else if let Some(address) = header("x-original-uri").or_else(|| header("x-original-url")) {
        return page(None, None, address).or_else(|| absolute(address));
    } else {
        (header("x-forwarded-uri")?, header("x-forwarded-host"))
    };
    // Each proxy on the way adds its own to the end of the list: the first is the browser's.
    page(
        header("x-forwarded-proto").map(first),
        host.map(first),
        path,
    )
}

/// The address of the page at `path`, whole where both `scheme` and `host` are usable; `None` for
/// what is not a path, and for a path that alone would lead a browser to another host.
pub fn page(scheme: Option<&[u8]>, host: Option<&[u8]>, path: &[u8]) -> Option<Vec<u8>> {
    let rest = path.strip_prefix(b"/")?;
    let scheme = scheme.and_then(web_scheme);
    let host = host.filter(|host| is_host(host));
    match (scheme, host) {
        (Some(scheme), Some(host)) => Some([scheme.as_bytes(), b"://", host, path].concat()),
        _ => (!leads_elsewhere(rest)).then(|| path.to_vec()),
    }
}

/// Whether a browser takes a slash and `rest` for the address of another host: it reads a backslash
/// as a slash, and skips tabs and ends of lines (WHATWG URL, sections 4.4 and 4.5).
fn leads_elsewhere(rest: &[u8]) -> bool {
    let next = rest.iter().find(|byte| !b"\t\r\n".contains(byte));
    next.is_some_and(|byte| b"/\\".contains(byte))
}

/// An address with a scheme and a host, if a browser would open it as a page: `javascript:` and the
/// like never reach a login page.
fn absolute(address: &[u8]) -> Option<Vec<u8>> {
    let colon = address.iter().position(|byte| *byte == b':')?;
    let (scheme, rest) = address.split_at_checked(colon)?;
    let rest = rest.strip_prefix(b"://")?;
    let end = rest.iter().position(|byte| b"/?#".contains(byte));
    let host = rest.get(..end.unwrap_or(rest.len()))?;
    if !is_host(host) {
        return None;
    }
    Some([web_scheme(scheme)?.as_bytes(), b"://", rest].concat())
}

/// The scheme of a page. Traefik names that of a websocket as the browser's address bar does not.
fn web_scheme(scheme: &[u8]) -> Option<&'static str> {
    match scheme.to_ascii_lowercase().as_slice() {
        b"http" | b"ws" => Some("http"),
        b"https" | b"wss" => Some("https"),
        _ => None,
    }
}

/// Whether `host` is a name or an address with an optional port, and holds nothing that would end
/// it or start another.
fn is_host(host: &[u8]) -> bool {
    let stands = |byte: &u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(byte);
    !host.is_empty() && host.iter().all(stands)
}

/// The first value of a header that is a list.
fn first(value: &[u8]) -> &[u8] {
    let end = value.iter().position(|byte| *byte == b',');
    value
        .get(..end.unwrap_or(value.len()))
        .unwrap_or_default()
        .trim_ascii()
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

    #[test]
    fn of_a_list_the_first_value_counts() {
        for (scheme, host) in [
            ("https,http", "site.example,inner.example"),
            ("https, http, http", "site.example , inner.example:8080"),
            ("HTTPS", "site.example"),
            ("wss,ws", "site.example,"),
        ] {
            let forwarded = [
                ("x-forwarded-proto", scheme.as_bytes()),
                ("x-forwarded-host", host.as_bytes()),
                ("x-forwarded-uri", b"/x?y=a,b"),
            ];
            assert_eq!(
                to(&forwarded, true),
                "/login?next=https%3A%2F%2Fsite.example%2Fx%3Fy%3Da%2Cb&x=1",
                "{scheme} {host}"
            );
        }
    }

    #[test]
    fn only_pages_are_led_back_to() {
        for address in [
            "javascript:alert(1)",
            "JavaScript://site.example/%0aalert(1)",
            "data:text/html,x",
            "file:///etc/passwd",
            "ftp://site.example/",
            "vbscript:x",
            "http:site.example",
            "https:/site.example",
            "https://",
            "https:///x",
            "https://site.example@evil.example/",
            "https://site.example\\@evil.example/",
            "://site.example/",
            "x",
            "?x",
            "@evil.example",
            "\\\\evil.example",
        ] {
            for name in ["x-original-uri", "x-original-url", "x-forwarded-uri"] {
                let lines = [
                    (name, address.as_bytes()),
                    ("x-forwarded-proto", b"https"),
                    ("x-forwarded-host", b"site.example"),
                ];
                assert_eq!(to(&lines, true), "/login?next=&x=1", "{name}: {address}");
            }
            let headers = HeaderMap::new();
            let wanted = login_url("{url}", &headers, Some(address), true);
            assert_eq!(wanted, "", "{address}");
        }
        for (address, expected) in [
            ("https://site.example", "https%3A%2F%2Fsite.example"),
            (
                "HTTP://site.example:80?x",
                "http%3A%2F%2Fsite.example%3A80%3Fx",
            ),
            (
                "wss://[::1]:8443/x",
                "https%3A%2F%2F%5B%3A%3A1%5D%3A8443%2Fx",
            ),
            ("/javascript:x", "%2Fjavascript%3Ax"),
        ] {
            let lines = [("x-original-url", address.as_bytes())];
            assert_eq!(to(&lines, true), format!("/login?next={expected}&x=1"));
        }
    }

    #[test]
    fn no_path_leads_to_another_host() {
        for path in [
            "//evil.example/",
            "/\\evil.example/",
            "///evil.example",
            "/\t/evil.example",
            "/\t\\evil.example",
        ] {
            for name in ["x-original-uri", "x-original-url", "x-forwarded-uri"] {
                let uri = (name, path.as_bytes());
                assert_eq!(to(&[uri], true), "/login?next=&x=1", "{name}: {path}");
                let half = [uri, ("x-forwarded-host", b"site.example")];
                assert_eq!(to(&half, true), "/login?next=&x=1", "{name}: {path}");
            }
            let headers = HeaderMap::new();
            assert_eq!(login_url("{url}", &headers, Some(path), true), "", "{path}");
            // Behind a scheme and a host it is a path of that host.
            let whole = page(Some(b"https"), Some(b"site.example"), path.as_bytes());
            assert_eq!(whole, Some(format!("https://site.example{path}").into()));
        }
        for path in ["/", "/a//b", "/a\\b", "/?//evil.example", "/.//x"] {
            let lines = [("x-original-uri", path.as_bytes())];
            assert_ne!(to(&lines, true), "/login?next=&x=1", "{path}");
        }
    }

    #[test]
    fn without_a_scheme_or_host_of_the_web_the_path_is_led_back_to() {
        for (scheme, host) in [
            ("javascript", "site.example"),
            ("javascript,https", "site.example"),
            ("", "site.example"),
            (",https", "site.example"),
            ("https", ""),
            ("https", "site.example@evil.example"),
            ("https", "evil.example/"),
            ("https", "evil.example#"),
            ("https", "evil example"),
        ] {
            let forwarded = [
                ("x-forwarded-proto", scheme.as_bytes()),
                ("x-forwarded-host", host.as_bytes()),
                ("x-forwarded-uri", b"/x"),
            ];
            assert_eq!(
                to(&forwarded, true),
                "/login?next=%2Fx&x=1",
                "{scheme} {host}"
            );
        }
    }
}
