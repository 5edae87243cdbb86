//! Checks the key under which nginx caches hallpassd's answers.

use hallpass_core::configuration::Jwt;
use hallpass_core::doctor::Finding;

use super::server::level;
use super::subrequest::Subrequest;
use super::variables::names;

/// Variables that hold neither the cookie nor the password, whatever is asked.
const HARMLESS: [&str; 12] = [
    "scheme",
    "host",
    "http_host",
    "proxy_host",
    "request_uri",
    "request_method",
    "remote_addr",
    "server_name",
    "server_port",
    "uri",
    "document_uri",
    "http_user_agent",
];

impl Subrequest<'_> {
    /// Cached answers must be keyed by the client's credentials.
    pub(super) fn cache(&self) -> Option<Finding> {
        let cache = self.effective("proxy_cache")?;
        let ignored = level(&self.location.chain, "proxy_ignore_headers");
        let stores = ignored.iter().any(|it| {
            it.words
                .iter()
                .any(|word| word.eq_ignore_ascii_case("Cache-Control"))
        });
        // hallpassd forbids that its answers are stored.
        if cache.word(0) == "off" || !(stores || self.own("proxy_cache").is_some()) {
            return None;
        }
        let key = self.effective("proxy_cache_key");
        let said = key.map_or("$scheme$proxy_host$request_uri", |key| key.word(0));
        let said = self.variables.expand(said);
        let parts = names(&said);
        let has = |name: &str| parts.iter().any(|part| part.eq_ignore_ascii_case(name));
        let accept = self.configuration.daemon.accept;
        let session = accept.session || accept.ticket;
        let cookie = self.configuration.session_cookie_name();
        let own = cookie.map(|name| format!("cookie_{name}"));
        let mut missing = Vec::new();
        if session && !has("http_cookie") && !own.as_ref().is_some_and(|own| has(own)) {
            missing.push("$http_cookie");
        }
        // Even where no password is accepted, the name of Basic counts, unless that is declared off.
        let tickets = accept.ticket && self.configuration.tickets.is_some();
        let bearer = |jwt: &Jwt| accept.session && jwt.cookie.is_none();
        let signed = self.configuration.jwt.as_ref().is_some_and(bearer);
        let tokens = tickets || signed || self.configuration.reads_tokens();
        let header = tokens || !self.leaves_basic_unchecked();
        if header && !has("http_authorization") {
            missing.push("$http_authorization");
        }
        if missing.is_empty() {
            return None;
        }
        let missing = missing.join(" and ");
        let at = key.unwrap_or(cache).at();
        let mend = format!("add {missing} to proxy_cache_key, or take proxy_cache away");
        let known = |part: &&str| {
            HARMLESS.contains(part) || part.starts_with("cookie_") || part.starts_with("http_")
        };
        if let Some(unknown) = parts.iter().find(|part| !known(part)) {
            let seen = format!(
                "cannot tell whether ${unknown} holds {missing}: if not, one \
                                user's answer is given to every other"
            );
            return Some(Finding::warning("nginx-cache-key", at, seen, mend));
        }
        let other = parts.iter().find(|part| part.starts_with("cookie_"));
        let other = match (other, cookie) {
            (Some(other), Some(cookie)) if missing.contains("cookie") => {
                let other = other.trim_start_matches("cookie_");
                format!(" (the site's cookie is {cookie}, and not {other})")
            }
            _ => String::new(),
        };
        let effect = match stores {
            true => "one user's answer is given to every other",
            false => {
                "with proxy_ignore_headers Cache-Control, without which nothing is stored, one \
                 user's answer is given to every other"
            }
        };
        let seen = format!("the key has no {missing}{other}: {effect}");
        Some(Finding::problem("nginx-cache-key", at, seen, mend))
    }
}
