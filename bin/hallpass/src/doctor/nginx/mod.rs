//! Checks nginx: `auth_request` and the locations that ask `hallpassd`.

mod file;
mod identity;
mod subrequest;

use std::path::Path;

use hallpass_core::Configuration;
use hallpass_core::doctor::Finding;

use self::identity::Passes;
use self::subrequest::Subrequest;
use crate::doctor::directives::{Directive, each};
use crate::doctor::permissions::Person;

/// The user of nginx's workers by default.
const USER: &str = "nobody";

/// The findings for the file at `path`; none where it does not point here.
pub fn look(path: &Path, configuration: &Configuration) -> Result<Vec<Finding>, String> {
    let directives = file::read(path)?;
    let user = directives.iter().find(|directive| directive.is("user"));
    let user = user.map_or(USER, |directive| directive.word(0));
    let person = Person::named(user);
    let mut asked: Vec<(&Directive, Vec<&Directive>)> = Vec::new();
    each(&directives, &mut Vec::new(), &mut |directive, around| {
        if directive.is("auth_request") && directive.word(0) != "off" {
            asked.push((directive, around.to_vec()));
        }
    });
    let (mut findings, mut ours, mut seen) = (Vec::new(), false, Vec::new());
    let mut passes = Passes::default();
    for (directive, around) in &asked {
        let server = around.iter().rev().find(|it| it.is("server"));
        let Some(server) = server else { continue };
        let wanted = directive.word(0);
        let Some(location) = location(&server.inside, wanted) else {
            if wanted.contains("hallpass") {
                ours = true;
                findings.push(Finding::problem(
                    "nginx-location",
                    directive.at(),
                    format!(
                        "this server has no location {wanted}: every request is answered 404 \
                             or 500"
                    ),
                    format!("write location = {wanted} {{ internal; proxy_pass … }}"),
                ));
            }
            continue;
        };
        let question = Subrequest {
            location,
            around: around
                .iter()
                .copied()
                .filter(|it| it.is("http") || it.is("server"))
                .collect(),
            directives: &directives,
            configuration,
        };
        if !question.is_ours() {
            continue;
        }
        ours = true;
        if !seen.contains(&(location.file.as_path(), location.line)) {
            seen.push((&location.file, location.line));
            findings.extend(question.examine(person.as_ref()));
        }
        let unchecked = question.leaves_basic_unchecked();
        for finding in identity::examine(directive, around, unchecked, &mut passes) {
            // Several locations may send their guests to one.
            if !findings.contains(&finding) {
                findings.push(finding);
            }
        }
    }
    findings.extend(passes.unasked(&directives));
    if ours && findings.is_empty() {
        findings.push(Finding::ok("host", "read nginx's configuration", "it fits"));
    }
    Ok(findings)
}

/// The location that `uri` is in: the exact one, else the longest that it begins with.
fn location<'a>(server: &'a [Directive], uri: &str) -> Option<&'a Directive> {
    let locations = || server.iter().filter(|it| it.is("location"));
    let exact = locations().find(|it| it.word(0) == "=" && it.word(1) == uri);
    let prefix = |it: &&&Directive| -> usize {
        let prefix = if it.word(0) == "^~" {
            it.word(1)
        } else {
            it.word(0)
        };
        prefix.len()
    };
    let begins = |it: &&Directive| {
        let prefix = if it.word(0) == "^~" {
            it.word(1)
        } else {
            it.word(0)
        };
        // The location `/` answers no subrequests.
        prefix.len() > 1 && uri.starts_with(prefix)
    };
    exact.or_else(|| {
        let found: Vec<&Directive> = locations().filter(begins).collect();
        found.iter().max_by_key(prefix).copied()
    })
}
