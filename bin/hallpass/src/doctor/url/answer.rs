//! Says what an answer of a host means for the client that gets it.

use hallpass_stores::http::{Reply, Url};

use crate::terminal::plain;

/// What a client gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// The page.
    Granted,
    /// A status or a redirect that sends it away, or a login form.
    Refused,
    /// An error of the host or the application.
    Broken,
    /// There is no such page.
    Missing,
    /// Anything else.
    Unclear,
}

/// What `reply` means.
pub fn access(reply: &Reply) -> Access {
    match reply.status {
        200..=299 if has_login_form(reply) => Access::Refused,
        200..=299 => Access::Granted,
        300..=399 | 401 | 403 | 407 => Access::Refused,
        404 | 410 => Access::Missing,
        500..=599 => Access::Broken,
        _ => Access::Unclear,
    }
}

/// Whether a password can be typed into the page.
fn has_login_form(reply: &Reply) -> bool {
    let page = String::from_utf8_lossy(&reply.body).to_ascii_lowercase();
    ["type=\"password\"", "type='password'", "type=password"]
        .iter()
        .any(|input| page.contains(input))
}

/// `reply` in words: its status, what says whose answer it is, and the server.
pub fn words(reply: &Reply, url: &Url, login_url: Option<&str>) -> String {
    let mut words = reply.status.to_string();
    if let Some(location) = reply.header("Location") {
        let place = location.split('?').next().unwrap_or_default();
        let before = |url: &str| url.split(['{', '?']).next().unwrap_or_default().to_owned();
        let is_sites = login_url.is_some_and(|login| {
            let login = before(login);
            !login.is_empty() && (place == login || url.led_to(&login) == url.led_to(place))
        });
        let whose = if is_sites {
            ", the site's login page"
        } else {
            ""
        };
        words.push_str(&format!(" to {}{whose}", short(place)));
    } else if let Some(challenge) = reply.header("WWW-Authenticate") {
        words.push_str(&format!(" with {}", short(&challenge)));
    } else if matches!(reply.status, 200..=299) && access(reply) == Access::Refused {
        words.push_str(" with a login form, which is the site's");
    }
    if let Some(server) = reply.header("Server") {
        words.push_str(&format!(", from {}", short(&server)));
    }
    words
}

/// The first letters of what a server said.
fn short(text: &str) -> String {
    const LONGEST: usize = 80;
    let text = plain(text);
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

/// Whether a cache between the client and the application answered.
pub fn is_cached(reply: &Reply) -> bool {
    let age = reply
        .header("Age")
        .and_then(|age| age.trim().parse::<u64>().ok());
    let hit = [
        "X-Cache",
        "X-Cache-Status",
        "X-Proxy-Cache",
        "CF-Cache-Status",
    ]
    .iter()
    .any(|name| {
        reply
            .header(name)
            .is_some_and(|it| it.to_ascii_uppercase().contains("HIT"))
    });
    age.is_some_and(|age| age > 0) || hit
}
