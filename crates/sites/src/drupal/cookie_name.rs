//! Names the session cookie, as each version derives it from the address of the site.
//!
//! | Drupal | `SESS`, or `SSESS` where the site is asked by HTTPS, and 32 digits of the SHA-256 of |
//! |---|---|
//! | 7 | `$cookie_domain`, else `$base_url` without its scheme: host, port and path |
//! | 8 to 11 | `cookie_domain`, else the host without port, the path, and `name_suffix` (from 10.3 on) |
//!
//! Sources: `drupal_settings_initialize` in includes/bootstrap.inc of 7,
//! core/lib/Drupal/Core/Session/SessionConfiguration.php of 8.0 to 11.3, `Request::getHost` and
//! `getHttpHost` of Symfony's HttpFoundation 6.4.

use sha2::{Digest, Sha256};

/// What the name is derived from.
pub(super) struct Origin<'a> {
    /// The address of the site, with its scheme.
    pub(super) base_url: &'a str,
    /// The domain that the site gives its cookie, where settings say so.
    pub(super) cookie_domain: Option<&'a str>,
    pub(super) name_suffix: &'a str,
    /// Whether it is Drupal 7.
    pub(super) old: bool,
}

/// The name; `None` where `base_url` is not the address of a site.
pub(super) fn derived(origin: &Origin<'_>) -> Option<String> {
    let (scheme, rest) = origin.base_url.split_once("://")?;
    let secure = match scheme.to_ascii_lowercase().as_str() {
        "http" => false,
        "https" => true,
        _ => return None,
    };
    let (authority, path) = match rest.find('/') {
        Some(at) => rest.split_at_checked(at)?,
        None => (rest, ""),
    };
    let path = path.trim_end_matches('/');
    let unfit = |byte: u8| byte.is_ascii_whitespace() || b"?#@\\\"'<>".contains(&byte);
    if authority.is_empty() || rest.bytes().any(unfit) {
        return None;
    }
    let authority = authority.to_ascii_lowercase();
    let (host, port) = host_and_port(&authority)?;
    let from = match origin.cookie_domain {
        Some(domain) => domain.to_owned(),
        // Browsers leave the usual port out of the header `Host`, from which Drupal has it.
        None if origin.old => match port {
            Some(port) if port != if secure { "443" } else { "80" } => {
                format!("{host}:{port}{path}")
            }
            _ => format!("{host}{path}"),
        },
        None => {
            let name = format!("{host}{path}{}", origin.name_suffix);
            // Drupal's own scripts are below `/core`, and have the site's cookie.
            name.strip_suffix("/core")
                .map_or(name.clone(), str::to_owned)
        }
    };
    let prefix = if secure { "SSESS" } else { "SESS" };
    let digest = Sha256::digest(from.as_bytes());
    let half: [u8; 16] = digest.first_chunk().copied()?;
    Some(format!("{prefix}{:032x}", u128::from_be_bytes(half)))
}

/// The host and the port of `authority`; the host keeps the brackets of an IPv6 address.
fn host_and_port(authority: &str) -> Option<(&str, Option<&str>)> {
    let end = authority.rfind(']').map_or(0, |at| at + 1);
    let (host, port) = match authority.get(end..)?.find(':') {
        Some(at) => {
            let (host, port) = authority.split_at_checked(end + at)?;
            (host, port.strip_prefix(':'))
        }
        None => (authority, None),
    };
    let number = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
    (number && !host.is_empty()).then_some((host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(base_url: &str, old: bool) -> Option<String> {
        derived(&Origin {
            base_url,
            cookie_domain: None,
            name_suffix: "",
            old,
        })
    }

    fn of(prefix: &str, text: &str) -> Option<String> {
        let digest = Sha256::digest(text);
        let digits: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        Some(format!("{prefix}{}", &digits[..32]))
    }

    /// As sites of Drupal 7.105 and 10.3.10 called theirs.
    #[test]
    fn names_are_those_that_were_recorded() {
        assert_eq!(
            name("http://d7.example.org:27040", true).as_deref(),
            Some("SESS03f7a8900e16e5754eef3bc9e5e3d0aa")
        );
        assert_eq!(
            name("http://d10.example.org:27041", false).as_deref(),
            Some("SESS282b1951584396c8bf06d14ed266c7bb")
        );
    }

    #[test]
    fn the_parts_of_the_address_count_as_the_version_has_them() {
        for (base_url, old, new) in [
            (
                "https://www.example.org",
                "www.example.org",
                "www.example.org",
            ),
            (
                "https://www.example.org/",
                "www.example.org",
                "www.example.org",
            ),
            (
                "https://www.example.org:443/base",
                "www.example.org/base",
                "www.example.org/base",
            ),
            (
                "https://www.example.org:8443/base/",
                "www.example.org:8443/base",
                "www.example.org/base",
            ),
            (
                "https://www.example.org:80",
                "www.example.org:80",
                "www.example.org",
            ),
            (
                "HTTPS://WWW.example.org/Base",
                "www.example.org/Base",
                "www.example.org/Base",
            ),
            (
                "https://[2001:db8::1]:8443",
                "[2001:db8::1]:8443",
                "[2001:db8::1]",
            ),
            (
                "https://[2001:db8::1]/d",
                "[2001:db8::1]/d",
                "[2001:db8::1]/d",
            ),
        ] {
            assert_eq!(name(base_url, true), of("SSESS", old), "{base_url}");
            assert_eq!(name(base_url, false), of("SSESS", new), "{base_url}");
        }
        assert_eq!(
            name("http://localhost:80/d", true),
            of("SESS", "localhost/d")
        );
        let suffixed = |cookie_domain, old| {
            derived(&Origin {
                base_url: "https://www.example.org:8443/base",
                cookie_domain,
                name_suffix: "x1",
                old,
            })
        };
        assert_eq!(suffixed(None, false), of("SSESS", "www.example.org/basex1"));
        for old in [true, false] {
            let name = suffixed(Some(".example.org"), old);
            assert_eq!(name, of("SSESS", ".example.org"));
        }
    }

    #[test]
    fn what_is_not_the_address_of_a_site_gives_no_name() {
        for base_url in [
            "",
            "www.example.org",
            "//www.example.org",
            "ftp://www.example.org",
            "https://",
            "https:///base",
            "https://:443",
            "https://www.example.org:",
            "https://www.example.org:0",
            "https://www.example.org:65536",
            "https://www.example.org:x",
            "https://u@www.example.org",
            "https://www.example.org/?q=1",
            "https://www.example.org/#x",
            "https://www.example.org/ x",
        ] {
            for old in [true, false] {
                assert_eq!(name(base_url, old), None, "{base_url}");
            }
        }
    }
}
