//! Whether a session is shown where it was made: the checks of phpbb/session.php of 3.3
//! (`session_begin`), as far as the host says where that is. What it does not say is not checked.

use std::net::IpAddr;

use super::escape::{escape, trim};
use super::settings::Settings;
use crate::Client;

/// How much of a browser's name is compared, in bytes.
const BROWSER: usize = 149;
/// The same for `X-Forwarded-For`.
const FORWARDED_FOR: usize = 254;

/// Where a session was made.
#[derive(Debug, Default)]
pub(super) struct Made {
    pub(super) address: String,
    pub(super) browser: String,
    pub(super) forwarded_for: String,
}

impl Made {
    /// Whether `client` may show the session.
    pub(super) fn admits(&self, settings: &Settings, client: &Client) -> bool {
        let address = client.address.is_none_or(|address| {
            settings.ip_check == 0
                || self
                    .address
                    .parse()
                    .is_ok_and(|made| same_network(made, address, settings.ip_check))
        });
        let browser = client.browser.as_deref().is_none_or(|browser| {
            !settings.browser_check
                || head(&self.browser, BROWSER) == head(&escape(browser), BROWSER)
        });
        let forwarded_for = client.forwarded_for.as_deref().is_none_or(|hops| {
            !settings.forwarded_for_check
                || cut(&self.forwarded_for, FORWARDED_FOR) == cut(&hops_of(hops), FORWARDED_FOR)
        });
        address && browser && forwarded_for
    }
}

/// Whether the first `parts` of both addresses are the same: numbers of IPv4, and one group more of
/// IPv6 (`short_ipv6` in includes/functions.php), all of them from four on.
fn same_network(one: IpAddr, other: IpAddr, parts: u32) -> bool {
    let parts = usize::try_from(parts).unwrap_or(usize::MAX);
    match (one.to_canonical(), other.to_canonical()) {
        (IpAddr::V4(one), IpAddr::V4(other)) => {
            let (one, other) = (one.octets(), other.octets());
            one.iter().zip(&other).take(parts).all(|(a, b)| a == b)
        }
        (IpAddr::V6(one), IpAddr::V6(other)) => {
            let (one, other) = (one.segments(), other.segments());
            let groups = if parts < 4 { parts + 1 } else { one.len() };
            one.iter().zip(&other).take(groups).all(|(a, b)| a == b)
        }
        _ => false,
    }
}

fn cut(text: &str, length: usize) -> &[u8] {
    let bytes = text.as_bytes();
    bytes.get(..length).unwrap_or(bytes)
}

fn head(text: &str, length: usize) -> Vec<u8> {
    let head = cut(text, length).to_ascii_lowercase();
    match std::str::from_utf8(&head) {
        Ok(text) => trim(text).as_bytes().to_vec(),
        Err(_) => head,
    }
}

/// `X-Forwarded-For` as phpBB stores it: addresses with one space between them; nothing where
/// anything else is among them.
fn hops_of(header: &str) -> String {
    let hops: Vec<&str> = header
        .split([',', ' '])
        .filter(|hop| !hop.is_empty())
        .collect();
    if hops.iter().all(|hop| hop.parse::<IpAddr>().is_ok()) {
        hops.join(" ")
    } else {
        String::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(one: &str, other: &str, parts: u32) -> bool {
        same_network(one.parse().unwrap(), other.parse().unwrap(), parts)
    }

    #[test]
    fn networks_are_compared_by_their_parts() {
        assert!(same("192.0.2.1", "192.0.2.99", 3));
        assert!(!same("192.0.2.1", "192.0.2.99", 4));
        assert!(!same("192.0.2.1", "192.0.3.1", 3));
        assert!(same("192.0.2.1", "192.0.99.1", 2));
        assert!(same("192.0.2.1", "::ffff:192.0.2.9", 3));
        assert!(!same("192.0.2.1", "2001:db8::1", 1));
        assert!(same("2001:db8:1:2::1", "2001:db8:1:2:ffff::1", 3));
        assert!(!same("2001:db8:1:2::1", "2001:db8:1:3::1", 3));
        assert!(!same("2001:db8:1:2::1", "2001:db8:1:2::2", 4));
    }

    #[test]
    fn browsers_are_compared_as_they_are_stored() {
        let long = "x".repeat(160);
        for (stored, shown, expected) in [
            ("rig/1.0 (weblogin)", "Rig/1.0 (WebLogin) ", true),
            ("rig/1.0 (weblogin)", "rig/1.1 (weblogin)", false),
            ("a &quot;b&quot;", "A \"b\"", true),
            ("", "", true),
            ("rig", "", false),
            (&long[..149], &long, true),
        ] {
            let same = head(stored, BROWSER) == head(&escape(shown), BROWSER);
            assert_eq!(same, expected, "{stored} {shown}");
        }
    }

    #[test]
    fn hops_are_addresses_or_nothing() {
        assert_eq!(hops_of("192.0.2.1,  ::1"), "192.0.2.1 ::1");
        assert_eq!(hops_of("192.0.2.1, unknown"), "");
        assert_eq!(hops_of(""), "");
    }
}
