//! Parses the URL of a page.

use std::fmt;
use std::str::FromStr;

use ureq::http::Uri;

/// The URL of a page: `http://` or `https://`, a host, and the rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url(Uri);

impl Url {
    pub(super) fn uri(&self) -> &Uri {
        &self.0
    }
}

impl Url {
    /// The address that a redirect from here to `location` leads to, where that is on the same host.
    #[must_use]
    pub fn led_to(&self, location: &str) -> Option<Self> {
        let scheme = self.0.scheme_str()?;
        let authority = self.0.authority()?;
        let absolute = match location {
            _ if location.starts_with("//") => format!("{scheme}:{location}"),
            _ if location.starts_with('/') => format!("{scheme}://{authority}{location}"),
            _ => location.to_owned(),
        };
        let absolute = absolute.split('#').next().unwrap_or_default();
        let other: Self = absolute.parse().ok()?;
        (other.0.host() == self.0.host()).then_some(other)
    }

    /// The path, without the query.
    #[must_use]
    pub fn path(&self) -> &str {
        self.0.path()
    }
}

impl FromStr for Url {
    type Err = &'static str;

    /// Reads `text`.
    ///
    /// # Errors
    /// What is wrong with it, as words that follow its name.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const SHAPE: &str = "is not a URL, as in \"https://www.example.org/whoami\"";
        let uri: Uri = text.parse().map_err(|_| SHAPE)?;
        match uri.scheme_str() {
            Some("http" | "https") => {}
            _ => return Err("starts with neither http:// nor https://"),
        }
        let authority = uri.authority().ok_or(SHAPE)?;
        if authority.as_str().contains('@') {
            return Err("has a user in it, which is not sent");
        }
        if authority.host().is_empty() || uri.host().is_none() {
            return Err(SHAPE);
        }
        // `port` is also none where something else follows the colon.
        let port = authority.as_str().strip_prefix(authority.host());
        if port != Some("") && authority.port_u16().is_none_or(|port| port == 0) {
            return Err("has no number from 1 to 65535 as the port");
        }
        Ok(Self(uri))
    }
}

/// Without the query, which may hold a secret.
impl fmt::Display for Url {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.0.scheme_str().unwrap_or_default();
        let authority = self
            .0
            .authority()
            .map_or("", |authority| authority.as_str());
        write!(formatter, "{scheme}://{authority}{}", self.0.path())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read() {
        for (text, shown) in [
            ("http://localhost/me", "http://localhost/me"),
            ("https://[::1]:8443/me?key=1", "https://[::1]:8443/me"),
            ("http://10.0.0.1", "http://10.0.0.1/"),
        ] {
            assert_eq!(text.parse::<Url>().unwrap().to_string(), shown);
        }
    }

    #[test]
    fn redirects_are_followed_on_the_same_host_alone() {
        let url: Url = "http://example.org:81/a/b".parse().unwrap();
        let led_to = |location: &str| url.led_to(location).map(|url| url.to_string());
        for (location, expected) in [
            ("/c?d#e", "http://example.org:81/c"),
            ("https://example.org/a/b", "https://example.org/a/b"),
            ("//example.org/c", "http://example.org/c"),
        ] {
            assert_eq!(led_to(location).as_deref(), Some(expected), "{location}");
        }
        for location in [
            "http://evil.example/",
            "//evil.example/",
            "http://user@example.org/",
            "javascript:alert(1)",
            "c",
            "",
        ] {
            assert_eq!(led_to(location), None, "{location}");
        }
    }

    #[test]
    fn what_is_no_url_of_a_page_is_refused() {
        for text in [
            "",
            "/me",
            "localhost/me",
            "ftp://localhost/me",
            "http://",
            "http:///me",
            "http://:80/me",
            "http://user:password@localhost/",
            "http://local host/",
            "http://localhost:99999/",
            "http://localhost:/",
            "http://localhost:0/",
            "http://localhost/\r\nX: y",
        ] {
            assert!(text.parse::<Url>().is_err(), "{text}");
        }
    }
}
