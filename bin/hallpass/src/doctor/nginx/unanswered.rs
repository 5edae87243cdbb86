//! Finds sub-requests that hallpassd does not answer, though they are meant for it: nginx takes
//! whatever answers them for the verdict.

use hallpass_core::doctor::Finding;

use super::answer::Answer;
use super::server::{Location, Pattern, Server};
use crate::doctor::directives::Directive;

/// A sub-request that does not reach hallpassd.
pub struct Unanswered<'s, 'a> {
    pub server: &'s Server<'a>,
    pub auth_request: &'a Directive,
    pub answer: &'s Answer<'s, 'a>,
    /// The URIs of locations that ask hallpassd, each with its server.
    pub known: &'s [(&'s Server<'a>, &'a str)],
}

impl<'a> Unanswered<'_, 'a> {
    /// The finding for it; `None` where it is meant for another service.
    pub fn examine(&self) -> Option<Finding> {
        let uri = self.auth_request.word(0);
        if !self.is_meant() {
            return None;
        }
        let (place, effect) = match self.answer {
            Answer::Proxy { location, .. } | Answer::Application { location }
                if !is_dedicated(location, uri) =>
            {
                (
                    self.place(location),
                    "a 200 from there lets everybody in".to_owned(),
                )
            }
            Answer::Proxy { .. } | Answer::Application { .. } | Answer::Never => return None,
            Answer::Status { code, at } => {
                let effect = match code {
                    200..=299 => "everybody is let in",
                    401 | 403 => "nobody gets in",
                    _ => "every request is answered 500",
                };
                let place = format!("{} {}", at.name, at.words.join(" "));
                let line = format!("{place} ({}:{})", at.file.display(), at.line);
                (line, format!("its {code} is the verdict, and {effect}"))
            }
            Answer::File {
                location: Some(location),
                is_there: true,
            } => (
                self.place(location),
                "there is such a file, and everybody is let in".to_owned(),
            ),
            Answer::File {
                location: Some(location),
                is_there: false,
            } => (
                self.place(location),
                "without such a file every request is answered 404 or 500".to_owned(),
            ),
            Answer::File { location: None, .. } => {
                return Some(Finding::problem(
                    "nginx-location",
                    self.auth_request.at(),
                    format!(
                        "this server has no location {uri}: every request is answered 404 or 500"
                    ),
                    self.mend(),
                ));
            }
            Answer::Unknown { at, why } => {
                return Some(Finding::warning(
                    "nginx-unresolved",
                    self.auth_request.at(),
                    format!(
                        "cannot tell what answers {uri}: {why} ({}:{})",
                        at.file.display(),
                        at.line
                    ),
                    "try it: a request without a credential must be answered 401, as by curl -i",
                ));
            }
        };
        let query = match uri.contains('?') {
            true => ", because the ? is a part of the path here",
            false => "",
        };
        Some(Finding::problem(
            "nginx-location",
            self.auth_request.at(),
            format!("{uri} is not answered by hallpassd but by {place}{query}: {effect}"),
            self.mend(),
        ))
    }

    /// Whether it is meant for hallpassd: it says so, or a location of that URI asks it, or the
    /// server has one that does.
    fn is_meant(&self) -> bool {
        let uri = self.auth_request.word(0);
        let path = uri.split('?').next().unwrap_or(uri);
        let here = |server: &Server<'_>| std::ptr::eq(server.directive, self.server.directive);
        let meant = |(server, text): &(&Server<'_>, &str)| *text == path || here(server);
        uri.contains("hallpass") || self.known.iter().any(meant)
    }

    fn mend(&self) -> String {
        let uri = self.auth_request.word(0);
        let here = |it: &&(&Server<'_>, &str)| std::ptr::eq(it.0.directive, self.server.directive);
        let mut known = self.known.iter().filter(here).map(|(_, text)| *text);
        if let Some((path, query)) = uri.split_once('?') {
            return format!(
                "write auth_request {path}; and the condition into the proxy_pass of that \
                 location, as in /auth?{query}"
            );
        }
        match known.find(|text| is_like(text, uri)) {
            Some(text) if text != uri => {
                format!("write auth_request {text}; or call that location = {uri}")
            }
            _ => format!("write location = {uri} {{ internal; proxy_pass … }}"),
        }
    }

    fn place(&self, location: &Location<'a>) -> String {
        let it = location.directive;
        let words = it.words.join(" ");
        format!("location {words} ({}:{})", it.file.display(), it.line)
    }
}

/// Whether `location` is there for this URI alone.
fn is_dedicated(location: &Location<'_>, uri: &str) -> bool {
    let internal = location.directive.inside.iter().any(|it| it.is("internal"));
    let plain = |text: &str| text.trim_end_matches('/').to_owned();
    internal
        || match location.pattern {
            Pattern::Exact | Pattern::Named => true,
            Pattern::Prefix { .. } => {
                !plain(location.text).is_empty() && plain(location.text) == plain(uri)
            }
            Pattern::Regex(_) => false,
        }
}

/// Whether two URIs differ by a letter or two.
fn is_like(one: &str, other: &str) -> bool {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let same = one.iter().zip(&other).take_while(|(a, b)| a == b).count();
    let (mut ends, mut others) = (one.iter().skip(same).rev(), other.iter().skip(same).rev());
    let mut tail = 0;
    while let (Some(a), Some(b)) = (ends.next(), others.next()) {
        if a != b {
            break;
        }
        tail += 1;
    }
    one.len().max(other.len()).saturating_sub(same + tail) <= 2
}
