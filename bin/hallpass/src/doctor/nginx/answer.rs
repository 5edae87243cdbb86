//! Follows a sub-request to its answer: the rewrite directives, the location, and what answers
//! there. Access rules do not count, because nginx skips them for sub-requests.

use std::path::Path;

use super::server::{Location, NotUnderstood, Server, compile, effective};
use super::variables::{Variables, names};
use crate::doctor::directives::Directive;

/// How often nginx looks for another location (`NGX_HTTP_MAX_URI_CHANGES`).
const MOST_CHANGES: usize = 10;

/// Directives that pass a request on to another server than an HTTP server.
const PASSES: [&str; 5] = [
    "fastcgi_pass",
    "uwsgi_pass",
    "scgi_pass",
    "grpc_pass",
    "memcached_pass",
];

/// Directives that answer 200 by themselves.
const HANDLERS: [&str; 4] = ["stub_status", "empty_gif", "autoindex", "random_index"];

/// What answers a request.
pub enum Answer<'s, 'a> {
    /// An HTTP server.
    Proxy {
        location: &'s Location<'a>,
        pass: &'a Directive,
        /// The URI that the location got, and whether it is the one that found it.
        uri: String,
        unchanged: bool,
    },
    /// An application.
    Application { location: &'s Location<'a> },
    /// nginx itself, by this directive.
    Status { code: u16, at: &'a Directive },
    /// A file.
    File {
        location: Option<&'s Location<'a>>,
        is_there: bool,
    },
    /// It depends on the request, or is not understood here.
    Unknown { at: &'a Directive, why: String },
    /// The server answers every request before anything is asked.
    Never,
}

/// What the rewrite directives of a block do.
enum Step<'a> {
    Stay,
    Search,
    Answer(u16, &'a Directive),
    Unknown(&'a Directive, String),
}

impl<'a> Server<'a> {
    /// The answer to a sub-request for `uri`.
    pub fn answer<'s>(&'s self, uri: &str, variables: &Variables) -> Answer<'s, 'a> {
        let mut uri = uri.to_owned();
        match rewrite(self.directive, &mut uri, variables) {
            // The client's own request meets the same condition before.
            Step::Answer(..) => return Answer::Never,
            Step::Unknown(at, why) if !at.is("if") => return Answer::Unknown { at, why },
            _ => {}
        }
        for _ in 0..MOST_CHANGES {
            let location = match self.find(&uri) {
                Ok(Some(index)) => self.locations.get(index),
                Ok(None) => None,
                Err(NotUnderstood(at)) => {
                    let why = "only PCRE understands this regular expression".to_owned();
                    return Answer::Unknown { at, why };
                }
            };
            let Some(location) = location else {
                return Answer::File {
                    location: None,
                    is_there: is_there(&self.chain, &uri),
                };
            };
            let found = uri.clone();
            match rewrite(location.directive, &mut uri, variables) {
                Step::Stay => {
                    let unchanged = uri == found;
                    return self.content(location, uri, unchanged);
                }
                Step::Search => {}
                Step::Answer(code, at) => return Answer::Status { code, at },
                Step::Unknown(at, why) => return Answer::Unknown { at, why },
            }
        }
        let at = self.directive;
        let why = "the URI is rewritten without end".to_owned();
        Answer::Unknown { at, why }
    }

    /// What answers `uri` in `location`, where its rewrite directives leave it.
    pub(super) fn content<'s>(
        &'s self,
        location: &'s Location<'a>,
        uri: String,
        unchanged: bool,
    ) -> Answer<'s, 'a> {
        let inside = &location.directive.inside;
        if let Some(at) = inside.iter().find(|it| it.is("try_files")) {
            return self.tried(location, at, &uri);
        }
        self.handled(location, uri, unchanged)
    }

    /// What answers in `location` once its files have been tried.
    fn handled<'s>(
        &'s self,
        location: &'s Location<'a>,
        uri: String,
        unchanged: bool,
    ) -> Answer<'s, 'a> {
        let inside = &location.directive.inside;
        let own = |name: &str| inside.iter().rev().find(|it| it.is(name));
        if let Some(pass) = own("proxy_pass") {
            return Answer::Proxy {
                location,
                pass,
                uri,
                unchanged,
            };
        }
        if PASSES.into_iter().find_map(own).is_some() {
            return Answer::Application { location };
        }
        if let Some(at) = HANDLERS.into_iter().find_map(own) {
            return Answer::Status { code: 200, at };
        }
        let code = |it: &&Directive| it.name.contains("_by_") || it.is("js_content");
        if let Some(at) = location.directive.inside.iter().find(code) {
            let why = format!("{} runs a program in nginx", at.name);
            return Answer::Unknown { at, why };
        }
        Answer::File {
            location: Some(location),
            is_there: is_there(&location.chain, &uri),
        }
    }

    /// `try_files`: the first file that is there, else what is named last.
    fn tried<'s>(
        &'s self,
        location: &'s Location<'a>,
        at: &'a Directive,
        uri: &str,
    ) -> Answer<'s, 'a> {
        let Some((last, files)) = at.words.split_last() else {
            let why = "try_files names no file".to_owned();
            return Answer::Unknown { at, why };
        };
        let mut files = files.iter().map(|it| it.replace("$uri", uri));
        if let Some(file) = files.find(|it| is_there(&location.chain, it)) {
            return self.handled(location, file, true);
        }
        if let Some(code) = last.strip_prefix('=') {
            let code = code.parse().unwrap_or(500);
            return Answer::Status { code, at };
        }
        let named = self.named(last).and_then(|index| self.locations.get(index));
        match named {
            Some(named) => self.content(named, uri.to_owned(), false),
            None if !names(last).is_empty() => {
                let why = format!("{last} depends on the request");
                Answer::Unknown { at, why }
            }
            None => {
                let target = last.split('?').next().unwrap_or(last);
                let other = self.find(target).ok().flatten();
                let other = other.and_then(|index| self.locations.get(index));
                match other {
                    // The same location again would end in a loop; its own file is what is left.
                    Some(other) if !std::ptr::eq(other, location) => {
                        self.content(other, target.to_owned(), true)
                    }
                    _ => Answer::File {
                        location: Some(location),
                        is_there: is_there(&location.chain, target),
                    },
                }
            }
        }
    }
}

/// Runs the rewrite directives of `block`, in their order.
fn rewrite<'a>(block: &'a Directive, uri: &mut String, variables: &Variables) -> Step<'a> {
    let mut changed = false;
    for it in &block.inside {
        if it.is("return") {
            let code = it.word(0).parse().unwrap_or(302);
            return Step::Answer(code, it);
        }
        if it.is("break") {
            return Step::Stay;
        }
        if it.is("if") && !harmless(it) {
            let why = format!("it depends on {}", it.words.join(" "));
            return Step::Unknown(it, why);
        }
        if !it.is("rewrite") {
            continue;
        }
        let Some(regex) = compile(it.word(0), false) else {
            let why = "only PCRE understands this regular expression".to_owned();
            return Step::Unknown(it, why);
        };
        let Some(captures) = regex.captures(uri.as_bytes()) else {
            continue;
        };
        let mut to = variables.expand(it.word(1));
        for index in 1..=9_usize {
            let group = captures.get(index).map_or(&b""[..], |it| it.as_bytes());
            to = to.replace(&format!("${index}"), &String::from_utf8_lossy(group));
        }
        if to.starts_with("http://") || to.starts_with("https://") || to.starts_with("$scheme") {
            return Step::Answer(302, it);
        }
        if matches!(it.word(2), "redirect" | "permanent") {
            return Step::Answer(302, it);
        }
        if !names(&to).is_empty() {
            let why = format!("{to} depends on the request");
            return Step::Unknown(it, why);
        }
        to.split('?').next().unwrap_or_default().clone_into(uri);
        match it.word(2) {
            "break" => return Step::Stay,
            "last" => return Step::Search,
            _ => changed = true,
        }
    }
    if changed { Step::Search } else { Step::Stay }
}

/// Whether an `if` changes nothing about what answers.
fn harmless(block: &Directive) -> bool {
    let kept = [
        "set",
        "add_header",
        "expires",
        "access_log",
        "log_not_found",
    ];
    block
        .inside
        .iter()
        .all(|it| kept.iter().any(|name| it.is(name)))
}

/// Whether the file of `uri` is there; with `alias`, whose path is another, it counts as missing.
fn is_there(chain: &[&Directive], uri: &str) -> bool {
    let alias = chain
        .last()
        .is_some_and(|it| it.inside.iter().any(|it| it.is("alias")));
    let Some(root) = effective(chain, "root").filter(|_| !alias) else {
        return false;
    };
    names(root.word(0)).is_empty() && Path::new(&format!("{}{uri}", root.word(0))).is_file()
}
