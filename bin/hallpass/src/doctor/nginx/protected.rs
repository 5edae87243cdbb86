//! Checks the locations that `auth_request` protects: whether each request is asked about at all,
//! and whether its verdict is the only one.

use hallpass_core::doctor::Finding;

use super::answer::Answer;
use super::copied;
use super::server::{Location, Pattern, Server, effective, level};
use super::variables::names;
use crate::doctor::directives::Directive;

/// The directives that pass a request on to an application.
const PASSES: [&str; 5] = [
    "proxy_pass",
    "grpc_pass",
    "fastcgi_pass",
    "uwsgi_pass",
    "scgi_pass",
];

/// Files that other locations may take from a protected one, and those that are a page's own
/// pictures and scripts.
const FILES: [&str; 6] = ["x.php", "x.html", "x.pdf", "x.zip", "x.json", "x.txt"];
const ASSETS: [&str; 6] = ["x.js", "x.css", "x.png", "x.jpg", "x.svg", "x.woff2"];

/// An `auth_request`, and where it holds.
pub struct Protected<'s, 'a> {
    pub server: &'s Server<'a>,
    pub locations: &'s [&'s Location<'a>],
}

impl<'s, 'a> Protected<'s, 'a> {
    /// The findings for it.
    pub fn examine(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        for location in self.locations {
            if matches!(location.pattern, Pattern::Named) && !passes(location) {
                continue;
            }
            findings.extend(self.before(location));
            findings.extend(satisfied(location));
            findings.extend(self.pages(location));
            findings.extend(copied::examine(location));
        }
        findings.extend(self.nested());
        findings
    }

    /// `return` and `rewrite` come before anything is asked.
    fn before(&self, location: &Location<'a>) -> Option<Finding> {
        let block = location.directive;
        let first = block.inside.iter().find(|it| {
            it.is("return")
                || it.is("rewrite") && !matches!(it.word(2), "break" | "redirect" | "permanent")
        })?;
        let problem = |seen: String, mend: &str| {
            Some(Finding::problem("nginx-order", first.at(), seen, mend))
        };
        if first.is("return") {
            let answers = matches!(first.word(0).parse(), Ok(200..=299));
            return answers
                .then(|| {
                    problem(
                        format!(
                            "return {} answers before auth_request is asked: everybody gets it",
                            first.word(0)
                        ),
                        "put what is protected into a file or behind proxy_pass",
                    )
                })
                .flatten();
        }
        // A URI of this location, and where it is rewritten to.
        let to = first.word(1).split('?').next().unwrap_or_default();
        let to = (1..=9).fold(to.to_owned(), |to, group| {
            to.replace(&format!("${group}"), "x")
        });
        if !to.starts_with('/') || !names(&to).is_empty() {
            return None;
        }
        let found = self.server.find(&to).ok().flatten()?;
        let other = self.server.locations.get(found)?;
        let asked = effective(&other.chain, "auth_request");
        let open = asked.is_none_or(|it| it.word(0) == "off") && !other.is_internal();
        let content = self.server.content(other, to.clone(), true);
        let gives = !matches!(content, Answer::Status { code, .. } if code >= 300);
        (open && gives)
            .then(|| {
                problem(
                    format!(
                        "rewrite leads to {} before auth_request is asked, and nothing is asked \
                         there: everybody gets in",
                        named(other)
                    ),
                    "write break in place of last, or auth_request in that location, too",
                )
            })
            .flatten()
    }

    /// `error_page`: what is given to those who are denied, or to everybody while hallpassd is down.
    fn pages(&self, location: &Location<'a>) -> Vec<Finding> {
        let pages = level(&location.chain, "error_page");
        let target = |code: &str| {
            let of = |it: &&&Directive| it.words.iter().any(|word| word == code);
            pages.iter().rev().find(of).copied()
        };
        let Some(upstream) = application(location) else {
            return Vec::new();
        };
        // A named location gets the page that was asked for; any other gets its own.
        let open = |page: &Directive| {
            let index = self.server.named(page.words.last()?)?;
            let other = self.server.locations.get(index)?;
            let asked = effective(&other.chain, "auth_request");
            let open = asked.is_none_or(|it| it.word(0) == "off");
            (open && application(other) == Some(upstream)).then_some(other)
        };
        // Guests who are welcome are so whatever hallpassd says.
        if target("401").is_some_and(|page| open(page).is_some()) {
            return Vec::new();
        }
        let causes = [
            ("500", "while hallpassd cannot be asked, everybody"),
            ("403", "an account that is not permitted"),
        ];
        let mut findings = Vec::new();
        for (code, who) in causes {
            let Some(page) = target(code) else { continue };
            let Some(other) = open(page) else { continue };
            findings.push(Finding::problem(
                "nginx-error-page",
                page.at(),
                format!(
                    "error_page {} leads to {}, which passes on to the same application: {who} \
                     gets in",
                    page.words.join(" "),
                    named(other)
                ),
                format!("take {code} away from it, or let that location answer by itself"),
            ));
        }
        findings
    }

    /// Locations by a regular expression, which come before an ordinary prefix and ask for
    /// themselves.
    pub fn taken_away(&self) -> Vec<Finding> {
        let mut taken: Vec<(&Location<'a>, String, Vec<&Location<'a>>)> = Vec::new();
        for location in self.locations.iter().copied() {
            let Some((other, uri)) = self.taken_by(location) else {
                continue;
            };
            match taken.iter_mut().find(|(it, ..)| std::ptr::eq(*it, other)) {
                Some((.., losers)) => losers.push(location),
                None => taken.push((other, uri, vec![location])),
            }
        }
        let finding = |(other, uri, losers): (&Location<'a>, String, Vec<&Location<'a>>)| {
            let losers: Vec<&str> = losers.iter().map(|it| it.text).collect();
            let seen = format!(
                "{} answers {uri} before location {} does, and asks nothing: everybody gets it",
                named(other),
                losers.join(" or ")
            );
            let mend = format!(
                "write location ^~ {}, with the same inside it, or auth_request in both",
                losers.join(" and ^~ ")
            );
            let asset = ASSETS.iter().any(|it| uri.ends_with(it));
            match asset && application(other).is_none() {
                true => Finding::warning("nginx-regex", other.directive.at(), seen, mend),
                false => Finding::problem("nginx-regex", other.directive.at(), seen, mend),
            }
        };
        taken.into_iter().map(finding).collect()
    }

    /// The location that takes a page away from `location`, and that page.
    fn taken_by(&self, location: &Location<'a>) -> Option<(&'s Location<'a>, String)> {
        let prefix = matches!(location.pattern, Pattern::Prefix { no_regex: false });
        if !prefix || location.parent.is_some() {
            return None;
        }
        let base = location.text.trim_end_matches('/');
        for suffix in FILES.into_iter().chain(ASSETS) {
            let uri = format!("{base}/{suffix}");
            let index = self.server.find(&uri).ok().flatten();
            let other = index.and_then(|index| self.server.locations.get(index));
            let Some(other) = other else { continue };
            let asked = effective(&other.chain, "auth_request");
            let regex = matches!(other.pattern, Pattern::Regex(_)) && other.parent.is_none();
            if regex && asked.is_none() && gives_the_same(other, location) {
                return Some((other, uri));
            }
        }
        None
    }

    /// `auth_request off` inside a location that is protected.
    fn nested(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        for location in &self.server.locations {
            let off = location.directive.inside.iter().rev();
            let off = off.into_iter().find(|it| it.is("auth_request"));
            let Some(off) = off.filter(|it| it.word(0) == "off") else {
                continue;
            };
            let outer = location.parent.and_then(|it| self.server.locations.get(it));
            let Some(outer) = outer else { continue };
            let holds = self.locations.iter().any(|it| std::ptr::eq(*it, outer));
            if holds && application(location).is_some() {
                findings.push(Finding::warning(
                    "nginx-off",
                    off.at(),
                    format!(
                        "auth_request off in {}, inside {}: everybody reaches the application \
                         there",
                        named(location),
                        named(outer)
                    ),
                    "take it away or, if that is meant, move the location out of the protected one",
                ));
            }
        }
        findings
    }
}

impl Location<'_> {
    fn is_internal(&self) -> bool {
        self.directive.inside.iter().any(|it| it.is("internal"))
    }
}

/// `satisfy any`: one of several rules is enough.
fn satisfied(location: &Location<'_>) -> Option<Finding> {
    let satisfy = effective(&location.chain, "satisfy").filter(|it| it.word(0) == "any")?;
    let problem = |seen: String| {
        let mend = "take satisfy any away";
        Some(Finding::problem("nginx-satisfy", satisfy.at(), seen, mend))
    };
    let basic = effective(&location.chain, "auth_basic").filter(|it| it.word(0) != "off");
    if let Some(basic) = basic {
        return problem(format!(
            "with satisfy any, the passwords of auth_basic ({}:{}) let in as well, whatever the \
             site says",
            basic.file.display(),
            basic.line
        ));
    }
    // The first rule that an address fits counts; all rules of one level.
    let block = location.chain.iter().rev();
    let rules = block
        .map(|block| {
            block
                .inside
                .iter()
                .filter(|it| it.is("allow") || it.is("deny"))
        })
        .map(Iterator::collect::<Vec<_>>)
        .find(|rules| !rules.is_empty())?;
    let before_deny = rules
        .iter()
        .take_while(|it| !(it.is("deny") && it.word(0) == "all"));
    let allowed: Vec<&str> = before_deny
        .filter(|it| it.is("allow"))
        .map(|it| it.word(0))
        .collect();
    let all = ["all", "0.0.0.0/0", "::/0"];
    if allowed.iter().any(|it| all.contains(it)) {
        return problem("with satisfy any, allow all lets everybody in".to_owned());
    }
    if allowed.is_empty() {
        return None;
    }
    Some(Finding::warning(
        "nginx-satisfy",
        satisfy.at(),
        format!(
            "with satisfy any, whoever comes from {} is let in without being asked; behind another \
             proxy, that may be everybody",
            allowed.join(", ")
        ),
        "take satisfy any away, if these are not to get in without a name",
    ))
}

pub fn named(location: &Location<'_>) -> String {
    let it = location.directive;
    format!(
        "location {} ({}:{})",
        it.words.join(" "),
        it.file.display(),
        it.line
    )
}

fn passes(location: &Location<'_>) -> bool {
    application(location).is_some()
}

/// The application behind a location.
fn application<'a>(location: &Location<'a>) -> Option<&'a str> {
    let inside = location.directive.inside.iter();
    let mut pass = inside.filter(|it| PASSES.iter().any(|name| it.is(name)));
    pass.next().map(|it| super::identity::upstream(it.word(0)))
}

/// Whether `other` gives what `location` protects: the same application, or files and programs of
/// the same directory.
fn gives_the_same(other: &Location<'_>, location: &Location<'_>) -> bool {
    let root = |it: &Location<'_>| effective(&it.chain, "root").map(|it| it.word(0).to_owned());
    let local = |it: &Location<'_>| {
        let script = it.directive.inside.iter().any(|it| it.is("fastcgi_pass"));
        script || application(it).is_none()
    };
    let ends = other
        .directive
        .inside
        .iter()
        .any(|it| it.is("return") || it.is("deny"));
    if ends {
        return false;
    }
    match (application(other), application(location)) {
        (Some(one), Some(two)) if one == two => true,
        _ => local(other) && local(location) && root(other) == root(location),
    }
}
