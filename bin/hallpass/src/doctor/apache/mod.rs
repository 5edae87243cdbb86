//! Checks Apache 2.4: mod_authnz_external, `RewriteMap` and mod_authnz_fcgi.

mod access;
mod authentication;
mod conditions;
mod file;
mod htaccess;
mod modules;
mod require;
mod sections;

use std::path::Path;

use hallpass_core::Configuration;
use hallpass_core::doctor::Finding;

use self::access::Providers;
use self::sections::Host;
use crate::doctor::address::Address;
use crate::doctor::command::Command;
use crate::doctor::directives::{Directive, each};
use crate::doctor::hosts::{FITS, fits_without};

/// A directive, and where it stands: the lines of the sections around it.
struct Placed<'a> {
    directive: &'a Directive,
    around: Vec<&'a Directive>,
}

impl<'a> Placed<'a> {
    /// The virtual host that it is in.
    fn virtual_host(&self) -> Option<&'a Directive> {
        self.around.iter().copied().find(|it| it.is("VirtualHost"))
    }

    /// The directives that stand beside it, and in sections in the same place.
    fn beside(&self) -> &'a [Directive] {
        self.around.last().map_or(&[], |section| &section.inside)
    }
}

/// The findings for the file at `path`; none where it does not point here.
pub fn look(path: &Path, configuration: &Configuration) -> Result<Vec<Finding>, String> {
    let (directives, conditions) = file::read(path)?;
    let directives = sections::expanded(&directives);
    let mut placed = Vec::new();
    each(&directives, &mut Vec::new(), &mut |directive, around| {
        let around = around.to_vec();
        placed.push(Placed { directive, around });
    });
    let ours = |it: &&Placed<'_>| points_here(it.directive, configuration);
    if !placed.iter().any(|it| ours(&it)) {
        return Ok(Vec::new());
    }
    let mut findings = Vec::new();
    for it in placed.iter().filter(ours) {
        findings.extend(program(it.directive, configuration));
    }
    for it in &placed {
        findings.extend(provider(it, &placed));
        findings.extend(cache(it));
    }
    let providers = providers(&placed, configuration);
    let mut unread = None;
    for mut directives in Host::all(&directives) {
        let files = htaccess::files(&directives, &conditions);
        directives.extend(&files.sections);
        unread = unread.or(files.unread);
        let host = Host::new(directives);
        for finding in access::examine(&host, &providers, configuration) {
            // Virtual hosts inherit the sections of the server.
            if !findings.contains(&finding) {
                findings.push(finding);
            }
        }
    }
    let every: Vec<&Directive> = placed.iter().map(|it| it.directive).collect();
    findings.extend(conditions.modules().examine(&every));
    if findings.is_empty() {
        let tried = "read Apache's configuration";
        findings = match unread {
            None => vec![Finding::ok("host", tried, FITS)],
            Some(unread) => fits_without(path, &format!("the .htaccess files of {unread}")),
        };
    }
    Ok(findings)
}

/// The names of providers that ask Hallpass, and of its programs.
fn providers<'a>(placed: &[Placed<'a>], configuration: &Configuration) -> Providers<'a> {
    let (mut names, mut programs) = (vec!["external"], Vec::new());
    for it in placed {
        let directive = it.directive;
        if directive.is("AuthnProviderAlias") && directive.word(0) == "external" {
            names.push(directive.word(1));
        }
        if !points_here(directive, configuration) {
            continue;
        }
        match directive.is("AuthnzFcgiDefineProvider") {
            true => names.push(directive.word(1)),
            false => programs.push(directive.word(0)),
        }
    }
    Providers { names, programs }
}

fn points_here(directive: &Directive, configuration: &Configuration) -> bool {
    if directive.is("AuthnzFcgiDefineProvider") {
        let named = directive.words.iter().any(|word| word.contains("hallpass"));
        // Another site's daemon may be there.
        let served = || Address::parse(directive.word(2), 9000).is_some_and(|it| it.is_served());
        return fcgi_is_ours(directive.word(2), configuration) || (named && !served());
    }
    let programs = [
        "DefineExternalAuth",
        "DefineExternalGroup",
        "AddExternalAuth",
        "RewriteMap",
    ];
    let words: Vec<String> = directive.words.iter().skip(1).cloned().collect();
    let words = words.join(" ");
    let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
    programs.iter().any(|name| directive.is(name))
        && Command::is_ours(&words)
        && !Command::is_of_another_site(&words, configuration)
}

fn fcgi_is_ours(url: &str, configuration: &Configuration) -> bool {
    let address = Address::parse(url, 9000);
    address.is_some_and(|it| it.is_at(&configuration.daemon.fastcgi))
}

/// Checks the program that a directive starts, or the server that it asks.
fn program(directive: &Directive, configuration: &Configuration) -> Vec<Finding> {
    let at = directive.at();
    if directive.is("AuthnzFcgiDefineProvider") {
        if fcgi_is_ours(directive.word(2), configuration) {
            return Vec::new();
        }
        return vec![Finding::problem(
            "apache-fcgi",
            at,
            format!("hallpassd does not listen at {}", directive.word(2)),
            "give [daemon] fastcgi = [\"tcp:127.0.0.1:9010\"], and the same address here",
        )];
    }
    if directive.is("RewriteMap") {
        let command = directive.word(1).trim_start_matches("prg:");
        let mut findings = examine("apache-program", directive, command, configuration);
        if directive.words.len() < 3 {
            findings.push(Finding::warning(
                "apache-rewritemap-user",
                at,
                "the program runs as root: no user is named",
                "add a user and group as the third word, as in hallpass:hallpass",
            ));
        }
        return findings;
    }
    let (method, command) = match directive.is("AddExternalAuth") {
        true => ("pipe", directive.word(1)),
        false => (directive.word(1), directive.word(2)),
    };
    let mut findings = examine("apache-program", directive, command, configuration);
    let words: Vec<&str> = command.split_whitespace().collect();
    let mut problem = |seen: String, mend: &str| {
        findings.push(Finding::problem("apache-method", at.clone(), seen, mend));
    };
    let given = words
        .iter()
        .zip(words.iter().skip(1))
        .find_map(|(option, value)| (*option == "--method").then_some(*value))
        .or_else(|| words.iter().find_map(|word| word.strip_prefix("--method=")))
        .unwrap_or("pipe");
    match method {
        "pipe" | "environment" if method == given => {}
        "pipe" | "environment" => problem(
            format!(
                "Apache hands name and password over by {method}, and the program waits for \
                     them by {given}"
            ),
            "give the program --method environment with environment, and none with pipe",
        ),
        other => problem(
            format!("the method {other} does not work (checkpassword is broken in 3.2)"),
            "write pipe in its place",
        ),
    }
    let wanted = if directive.is("DefineExternalGroup") {
        "group"
    } else {
        "auth"
    };
    if words
        .first()
        .is_some_and(|it| it.ends_with("hallpass-apache"))
        && !words.contains(&wanted)
    {
        problem(
            format!("this asks about {wanted}, and the program is not called so"),
            "write hallpass-apache auth for users, hallpass-apache group for groups",
        );
    }
    findings
}

/// A command, which mod_authnz_external splits at blanks, without quoting.
fn examine(
    check: &'static str,
    directive: &Directive,
    command: &str,
    configuration: &Configuration,
) -> Vec<Finding> {
    let words: Vec<String> = match directive.is("RewriteMap") {
        true => file::words(command),
        false => command.split_whitespace().map(str::to_owned).collect(),
    };
    let command = Command {
        check,
        at: directive.at(),
        words: &words,
    };
    if Command::is_ours(&words) {
        command.examine(configuration)
    } else {
        Vec::new()
    }
}

/// Finds names of programs that are not defined, or only in another virtual host, which does not
/// pass them on.
fn provider(it: &Placed<'_>, all: &[Placed<'_>]) -> Vec<Finding> {
    let directive = it.directive;
    let definitions = match () {
        () if directive.is("AuthExternal") => ["DefineExternalAuth", "AddExternalAuth"],
        () if directive.is("GroupExternal") => ["DefineExternalGroup", "AddExternalGroup"],
        () => return Vec::new(),
    };
    let mut findings = Vec::new();
    for name in &directive.words {
        let defined: Vec<&Placed<'_>> = all
            .iter()
            .filter(|other| definitions.iter().any(|it| other.directive.is(it)))
            .filter(|other| other.directive.word(0) == name)
            .collect();
        let home = it.virtual_host().map(std::ptr::from_ref);
        let here = |other: &&Placed<'_>| other.virtual_host().map(std::ptr::from_ref) == home;
        if defined.iter().any(here) {
            continue;
        }
        let seen = match defined.first() {
            None => format!("{name} is not defined"),
            Some(other) => format!(
                "{name} is defined in {}:{}, which this virtual host does not inherit",
                other.directive.file.display(),
                other.directive.line
            ),
        };
        findings.push(Finding::problem(
            "apache-definition",
            directive.at(),
            seen,
            format!(
                "write {} {name} … inside the same <VirtualHost>",
                definitions[0]
            ),
        ));
    }
    findings
}

/// Finds mod_authn_socache in front of the program.
fn cache(it: &Placed<'_>) -> Option<Finding> {
    let words = &it.directive.words;
    let cached = it.directive.is("AuthBasicProvider")
        && words.iter().any(|word| word == "socache")
        && words.iter().any(|word| word == "external");
    if !cached {
        return None;
    }
    let provides = it.beside().iter().any(|other| {
        other.is("AuthExternalProvideCache") && other.word(0).eq_ignore_ascii_case("on")
    });
    Some(match provides {
        true => Finding::warning(
            "apache-cache",
            it.directive.at(),
            "socache accepts an old password, and refuses a new one, for AuthnCacheTimeout (5 \
             minutes)",
            "take socache away; hallpassd remembers passwords without that (`via`)",
        ),
        false => Finding::warning(
            "apache-cache",
            it.directive.at(),
            "socache without AuthExternalProvideCache On caches nothing: the program is started \
             for each request all the same",
            "take socache away; hallpassd remembers passwords (`via`)",
        ),
    })
}
