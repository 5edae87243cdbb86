//! Checks that a session is used where it was made, as phpbb/session.php of 3.3 does
//! (`session_begin`). What the host does not pass on is not checked.

use std::net::IpAddr;

use super::board::Settings;
use super::text::{escape, trim};
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
        let forwarded_for = client.forwarded_for.as_deref().is_none_or(|header| {
            let stored = cut(&self.forwarded_for, FORWARDED_FOR);
            let same = |hops: &[&str]| stored == cut(&hops.join(" "), FORWARDED_FOR);
            let hops = hops_of(header);
            !settings.forwarded_for_check
                || same(&hops)
                || (settings.ip_check > 0
                    && before_the_proxy(&hops, client.address).is_some_and(same))
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

/// The addresses in `X-Forwarded-For`, which phpBB stores with one space between them; none where
/// anything else is among them, a comma at either end included.
pub(super) fn hops_of(header: &str) -> Vec<&str> {
    let mut hops = Vec::new();
    let mut pieces = trim(header).split([',', ' ']).peekable();
    let mut first = true;
    while let Some(hop) = pieces.next() {
        let between = hop.is_empty() && !first && pieces.peek().is_some();
        if !between && hop.parse::<IpAddr>().is_err() {
            return Vec::new();
        }
        if !between {
            hops.push(hop);
        }
        first = false;
    }
    hops
}

/// What a board sees that the proxy hands its requests to by CGI's parameters: not the address of
/// the client, which the proxy adds for Hallpass. That one is compared as the address, and stands
/// for nothing where the board does not compare it.
fn before_the_proxy<'a, 'b>(hops: &'a [&'b str], client: Option<IpAddr>) -> Option<&'a [&'b str]> {
    let (last, before) = hops.split_last()?;
    let last: IpAddr = last.parse().ok()?;
    (Some(last.to_canonical()) == client.map(|client| client.to_canonical())).then_some(before)
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
        for (header, expected) in [
            ("192.0.2.1,  ::1", &["192.0.2.1", "::1"][..]),
            (" 192.0.2.1 ", &["192.0.2.1"]),
            ("192.0.2.1,,::1", &["192.0.2.1", "::1"]),
            ("192.0.2.1, unknown", &[]),
            ("192.0.2.1:80", &[]),
            ("192.0.2.1,", &[]),
            (",192.0.2.1", &[]),
            ("192.0.2.01", &[]),
            ("192.0.2.1\t::1", &[]),
            (",", &[]),
            ("", &[]),
        ] {
            assert_eq!(hops_of(header), expected, "{header}");
        }
    }
}
