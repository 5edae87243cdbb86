//! Checks what a protected location copies of hallpassd's answer: `auth_request_set`.

use hallpass_core::doctor::Finding;

use super::protected::named;
use super::server::{Location, level};
use super::variables::{Variables, names};

/// The headers of hallpassd's answer, as variables have them.
const ANSWERS: [&str; 11] = [
    "remote_user",
    "remote_user_encoding",
    "remote_email",
    "remote_name",
    "remote_groups",
    "remote_session",
    "remote_session_expires",
    "x_login_url",
    "www_authenticate",
    "location",
    "retry_after",
];

/// The variables of the identity: hallpassd's answer must have them, and they must be set here.
pub fn examine(location: &Location<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let sets = level(&location.chain, "auth_request_set");
    for set in &sets {
        for name in names(set.word(1)) {
            let Some(header) = name.strip_prefix("upstream_http_") else {
                continue;
            };
            let near =
                header.contains("remote") || header.contains("user") || header.contains("group");
            if near && !ANSWERS.contains(&header) {
                findings.push(Finding::problem(
                    "nginx-variable",
                    set.at(),
                    format!(
                        "hallpassd's answer has no header {}: {} is always empty, and the \
                         application knows nobody",
                        header.replace('_', "-"),
                        set.word(0)
                    ),
                    format!(
                        "write {} $upstream_http_remote_user; or another of {}",
                        set.word(0),
                        "docs/http.md"
                    ),
                ));
            }
        }
    }
    let own = Variables::of(location.chain.iter().copied());
    let lines = level(&location.chain, "proxy_set_header");
    let user = lines
        .iter()
        .find(|it| it.word(0).eq_ignore_ascii_case("Remote-User"));
    if let Some(user) = user {
        let value = own.expand(user.word(1));
        let known = |name: &str| {
            sets.iter()
                .any(|it| it.word(0).trim_start_matches('$') == name)
        };
        let of_hallpass = |name: &&str| name.starts_with("hallpass") || name.starts_with("auth");
        let lost = names(&value)
            .into_iter()
            .filter(of_hallpass)
            .find(|name| !known(name));
        if let Some(lost) = lost {
            findings.push(Finding::problem(
                "nginx-variable",
                user.at(),
                format!(
                    "${lost} is not set in {}: an auth_request_set of its own keeps those outside \
                     from counting, and the application knows nobody",
                    named(location)
                ),
                format!("write auth_request_set ${lost} $upstream_http_remote_user; there"),
            ));
        }
    }
    findings
}
