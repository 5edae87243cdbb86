//! Checks the identity headers that nginx passes to the application: a client can send the same.

use hallpass_core::doctor::Finding;

use super::variables::{is_the_clients, names};
use crate::doctor::directives::{Directive, IDENTITY, each};

/// The directives that pass a request on, each with the one that sets its headers or parameters.
const WAYS: [(&str, &str); 5] = [
    ("proxy_pass", "proxy_set_header"),
    ("grpc_pass", "grpc_set_header"),
    ("fastcgi_pass", "fastcgi_param"),
    ("uwsgi_pass", "uwsgi_param"),
    ("scgi_pass", "scgi_param"),
];

/// The identity headers that some location sets for an application: it believes them.
struct Believed<'a>(Vec<(&'a str, &'static str)>);

impl<'a> Believed<'a> {
    fn of(directives: &'a [Directive]) -> Self {
        let mut found = Vec::new();
        each(directives, &mut Vec::new(), &mut |directive, around| {
            let way = WAYS.into_iter().find(|(pass, _)| directive.is(pass));
            let Some((_, set)) = way else { return };
            let sent = Sent::new(around, set);
            for name in IDENTITY {
                let line = sent.line(&sent.spelt(name));
                let is_set =
                    line.is_some_and(|it| !it.word(1).is_empty() && !is_the_clients(it.word(1)));
                if is_set {
                    found.push((upstream(directive.word(0)), name));
                }
            }
        });
        Self(found)
    }

    fn has(&self, target: &str, name: &str) -> bool {
        self.0
            .iter()
            .any(|(believes, it)| *believes == target && *it == name)
    }
}

/// The directives that pass requests on, seen so far.
pub struct Passes<'a> {
    believed: Believed<'a>,
    /// Those behind `auth_request`.
    asked: Vec<&'a Directive>,
    /// Those that guests reach.
    guests: Vec<&'a Directive>,
}

impl<'a> Passes<'a> {
    pub fn new(directives: &'a [Directive]) -> Self {
        Self {
            believed: Believed::of(directives),
            asked: Vec::new(),
            guests: Vec::new(),
        }
    }

    /// The findings for locations without `auth_request` that pass requests on to an application
    /// that trusts identity headers.
    pub fn unasked(&self, directives: &'a [Directive]) -> Vec<Finding> {
        let mut findings = Vec::new();
        each(directives, &mut Vec::new(), &mut |directive, around| {
            let way = WAYS.into_iter().find(|(pass, _)| directive.is(pass));
            let Some((pass, set)) = way else { return };
            let mut seen = self.asked.iter().chain(&self.guests);
            let is_seen = seen.any(|it| std::ptr::eq(*it, directive));
            let mut asked = self.asked.iter().filter(|it| it.is(pass));
            let target = upstream(directive.word(0));
            if !is_seen && asked.any(|it| upstream(it.word(0)) == target) {
                let sent = Sent::new(around, set);
                findings.extend(sent.forged(directive, around, target, &self.believed));
            }
        });
        findings
    }
}

/// The server that is named in `target`, without scheme and path.
pub fn upstream(target: &str) -> &str {
    let server = target
        .split_once("://")
        .map_or(target, |(_, server)| server);
    match server.strip_prefix("unix:") {
        Some(socket) => socket.split(':').next().unwrap_or(socket),
        None => server.split('/').next().unwrap_or(server),
    }
}

/// The findings for a location with `auth_request`, for those that inherit it, and for those that
/// guests reach; `unchecked` where the Basic name is not checked.
pub fn examine<'a>(
    auth_request: &Directive,
    around: &[&'a Directive],
    unchecked: bool,
    passes: &mut Passes<'a>,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut levels = around.to_vec();
    let believed = &passes.believed;
    let asked = below(
        auth_request,
        &mut levels,
        unchecked,
        believed,
        &mut findings,
    );
    passes.asked.extend(asked);
    if let Some(guests) = guests(around) {
        let server = around.iter().take_while(|it| !it.is("server")).count();
        levels.truncate(server + 1);
        levels.push(guests);
        let believed = &passes.believed;
        let guests = below(guests, &mut levels, unchecked, believed, &mut findings);
        passes.guests.extend(guests);
    }
    findings
}

/// The location of visitors without a session: `error_page 401 = @guest`.
fn guests<'a>(around: &[&'a Directive]) -> Option<&'a Directive> {
    let of_401 = |it: &&Directive| it.is("error_page") && it.words.iter().any(|word| word == "401");
    let pages = around
        .iter()
        .rev()
        .find_map(|level| level.inside.iter().find(of_401));
    let name = pages?.words.last().filter(|name| name.starts_with('@'))?;
    let server = around.iter().rev().find(|it| it.is("server"))?;
    let mut locations = server.inside.iter().filter(|it| it.is("location"));
    locations.find(|it| it.word(0) == name)
}

/// Checks the innermost of `levels` and what inherits from it; returns the directives that pass
/// requests on.
fn below<'a>(
    auth_request: &Directive,
    levels: &mut Vec<&'a Directive>,
    unchecked: bool,
    believed: &Believed<'_>,
    findings: &mut Vec<Finding>,
) -> Vec<&'a Directive> {
    let mut passes = Vec::new();
    let Some(place) = levels.last().copied() else {
        return passes;
    };
    for (pass, set) in WAYS {
        if let Some(pass) = place.inside.iter().find(|it| it.is(pass)) {
            passes.push(pass);
            let sent = Sent::new(levels, set);
            let target = upstream(pass.word(0));
            let named = sent.named();
            let forged = || sent.forged(auth_request, levels, target, believed);
            findings.extend(named.or_else(forged));
            findings.extend(unchecked.then(|| sent.unchecked(auth_request)).flatten());
        }
    }
    for inner in &place.inside {
        let inherits = !inner.inside.iter().any(|it| it.is("auth_request"));
        if (inner.is("location") || inner.is("if")) && inherits {
            levels.push(inner);
            passes.extend(below(auth_request, levels, unchecked, believed, findings));
            levels.pop();
        }
    }
    passes
}

/// What is passed on with a request.
struct Sent<'a> {
    /// The directive that sets it.
    set: &'static str,
    /// Those in effect: of the innermost block that has any.
    lines: Vec<&'a Directive>,
}

impl<'a> Sent<'a> {
    fn new(levels: &[&'a Directive], set: &'static str) -> Self {
        let lines = |level: &&'a Directive| -> Vec<&'a Directive> {
            level.inside.iter().filter(|it| it.is(set)).collect()
        };
        let lines = levels.iter().rev().map(lines).find(|it| !it.is_empty());
        let lines = lines.unwrap_or_default();
        Self { set, lines }
    }

    /// The last that sets `name`, which is the one that PHP takes.
    fn line(&self, name: &str) -> Option<&'a Directive> {
        let mut lines = self.lines.iter().rev().copied();
        lines.find(|it| it.word(0).eq_ignore_ascii_case(name))
    }

    /// An identity header, as it is called here.
    fn spelt(&self, name: &str) -> String {
        match self.is_cgi() {
            true => format!("HTTP_{}", name.to_ascii_uppercase().replace('-', "_")),
            false => name.to_owned(),
        }
    }

    fn is_cgi(&self) -> bool {
        self.set.ends_with("_param")
    }

    /// The finding for a header that the client may have written, at `place`.
    fn forged(
        &self,
        place: &Directive,
        levels: &[&Directive],
        target: &str,
        believed: &Believed<'_>,
    ) -> Option<Finding> {
        let is_open = |name: &str| {
            let line = self.line(&self.spelt(name));
            line.is_none_or(|it| is_the_clients(it.word(1)))
        };
        let names: Vec<&str> = IDENTITY.into_iter().filter(|name| is_open(name)).collect();
        let open: Vec<String> = names.iter().map(|name| self.spelt(name)).collect();
        let warning = |seen: String, mend: String| {
            Some(Finding::warning("nginx-identity", place.at(), seen, mend))
        };
        if !open.is_empty() {
            let lines = open.iter().map(|name| format!("{} {name} \"\";", self.set));
            let lines = lines.collect::<Vec<_>>().join(" ");
            let mend = match self.set {
                "proxy_set_header" => {
                    format!("include snippets/hallpass-identity.conf, or write {lines}")
                }
                "fastcgi_param" => format!("include snippets/hallpass-php.conf, or write {lines}"),
                _ => format!("write {lines}"),
            };
            let taken = names.into_iter().find(|name| believed.has(target, name));
            let open = open.join(", ");
            if let Some(taken) = taken {
                let seen = format!(
                    "the application gets {open} as any client may have written it, and believes \
                     {taken}, which other locations set for it: a client can pose as another account"
                );
                let problem = Finding::problem("nginx-identity", place.at(), seen, mend);
                return Some(problem);
            }
            return warning(
                format!("the application gets {open} as any client may have written it"),
                mend,
            );
        }
        // A CGI parameter is the same for both spellings.
        let passes = ["underscores_in_headers on", "ignore_invalid_headers off"];
        let passes = passes.into_iter().find(|line| {
            let (name, value) = line.split_once(' ').unwrap_or_default();
            let all = levels
                .iter()
                .rev()
                .flat_map(|level| level.inside.iter().rev());
            let said = all.into_iter().find(|it| it.is(name));
            said.is_some_and(|it| it.word(0).eq_ignore_ascii_case(value))
        });
        let passes = passes.filter(|_| !self.is_cgi())?;
        warning(
            format!("{passes}; lets a client's own Remote_User through beside Remote-User"),
            format!("take {passes}; away: PHP and Python cannot tell the two apart"),
        )
    }

    /// A header or parameter that is filled with the client's own copy of an identity header, beside the
    /// right one or in place of it, or with what the application has not answered yet.
    fn named(&self) -> Option<Finding> {
        let is_identity = |variable: &str, start: &str| {
            let name = variable.strip_prefix(start).unwrap_or_default();
            let spelt = |it: &str| it.to_ascii_lowercase().replace('-', "_");
            IDENTITY.into_iter().any(|it| spelt(it) == name)
        };
        self.lines.iter().find_map(|line| {
            let (name, value) = (line.word(0), line.word(1));
            let takes = |start| names(value).into_iter().any(|it| is_identity(it, start));
            if takes("http_") {
                return Some(Finding::problem(
                    "nginx-identity",
                    line.at(),
                    format!("{name} is {value}, which any client writes: it can pose as another"),
                    format!("take {} {name} {value} away", self.set),
                ));
            }
            takes("upstream_http_").then(|| {
                Finding::problem(
                    "nginx-variable",
                    line.at(),
                    format!(
                        "{name} is {value} of an answer that is not there yet: it is always empty, \
                         and the application knows nobody"
                    ),
                    format!(
                        "write auth_request_set $hallpass_value {value}; and {} {name} \
                         $hallpass_value;",
                        self.set
                    ),
                )
            })
        })
    }

    /// A Basic name that has not been checked.
    fn unchecked(&self, auth_request: &Directive) -> Option<Finding> {
        let named = self.lines.iter().copied().find(|it| {
            let last = self.line(it.word(0));
            last == Some(*it) && it.word(1).contains("$remote_user")
        });
        if let Some(line) = named {
            return Some(Finding::problem(
                "nginx-remote-user",
                line.at(),
                format!(
                    "{} is $remote_user, the name of Basic, which basic=0 leaves unchecked: \
                     any logged-in user can pose as another",
                    line.word(0)
                ),
                format!(
                    "write {} {} $hallpass_user; after it",
                    self.set,
                    line.word(0)
                ),
            ));
        }
        let kept = self.line("HTTP_AUTHORIZATION").is_none();
        (self.set == "fastcgi_param" && kept).then(|| {
            Finding::problem(
                "nginx-remote-user",
                auth_request.at(),
                "PHP makes PHP_AUTH_USER of Authorization, which basic=0 leaves unchecked: \
                 any logged-in user can pose as another",
                "write fastcgi_param HTTP_AUTHORIZATION \"\";",
            )
        })
    }
}
