//! Checks nginx: what answers the sub-request of each protected location, and what reaches the
//! application behind it.

mod answer;
mod cache;
mod copied;
mod file;
mod headers;
mod identity;
mod protected;
mod server;
mod subrequest;
mod unanswered;
mod variables;

use std::path::Path;

use hallpass_core::Configuration;
use hallpass_core::doctor::Finding;

use self::answer::Answer;
use self::identity::Passes;
use self::protected::Protected;
use self::server::{Location, Server, effective};
use self::subrequest::Subrequest;
use self::unanswered::Unanswered;
use self::variables::Variables;
use crate::doctor::directives::Directive;
use crate::doctor::permissions::Person;

/// The user of nginx's workers by default.
const USER: &str = "nobody";

/// An `auth_request`, and the locations of one server in which it holds.
struct Asking<'s, 'a> {
    auth_request: &'a Directive,
    /// The block that it stands in, from the outside; the server's where it stands outside of it.
    around: Vec<&'a Directive>,
    locations: Vec<&'s Location<'a>>,
}

/// The findings for the file at `path`; none where it does not point here.
pub fn look(path: &Path, configuration: &Configuration) -> Result<Vec<Finding>, String> {
    let directives = file::read(path)?;
    let user = directives.iter().find(|directive| directive.is("user"));
    let user = user.map_or(USER, |directive| directive.word(0));
    let person = Person::named(user);
    let servers = Server::all(&directives);
    let known = asking_locations(&servers, &directives, configuration);
    let (mut findings, mut ours) = (Vec::new(), false);
    let mut passes = Passes::new(&directives);
    let mut add = |more: Vec<Finding>| {
        for finding in more {
            // Several locations may lead to one.
            if !findings.contains(&finding) {
                findings.push(finding);
            }
        }
    };
    for server in &servers {
        let mut all = Vec::new();
        for asking in asking(server) {
            let auth_request = asking.auth_request;
            let blocks = asking.locations.iter().map(|it| it.directive);
            let variables = Variables::of(blocks.chain([server.directive]));
            let answer = server.answer(auth_request.word(0), &variables);
            if matches!(answer, Answer::Never) {
                continue;
            }
            let protected = Protected {
                server,
                locations: &asking.locations,
            };
            let question = Subrequest::of(&answer, &variables, &directives, configuration);
            let Some(question) = question.filter(Subrequest::is_ours) else {
                let unanswered = Unanswered {
                    server,
                    auth_request,
                    answer: &answer,
                    known: &known,
                };
                if let Some(finding) = unanswered.examine() {
                    ours = true;
                    add(vec![finding]);
                    add(protected.examine());
                    all.extend(asking.locations.iter().copied());
                }
                continue;
            };
            ours = true;
            add(question.examine(person.as_ref()));
            add(protected.examine());
            all.extend(asking.locations.iter().copied());
            let unchecked = question.leaves_basic_unchecked();
            let around = &asking.around;
            add(identity::examine(
                auth_request,
                around,
                unchecked,
                &mut passes,
            ));
        }
        let protected = Protected {
            server,
            locations: &all,
        };
        add(protected.taken_away());
    }
    add(passes.unasked(&directives));
    if ours && findings.is_empty() {
        findings.push(Finding::ok("host", "read nginx's configuration", "it fits"));
    }
    Ok(findings)
}

/// The URIs of the locations that ask hallpassd, each with its server.
fn asking_locations<'s, 'a>(
    servers: &'s [Server<'a>],
    directives: &'a [Directive],
    configuration: &Configuration,
) -> Vec<(&'s Server<'a>, &'a str)> {
    let mut known = Vec::new();
    for server in servers {
        let variables = Variables::of([server.directive]);
        for location in &server.locations {
            let answer = server.content(location, location.text.to_owned(), true);
            let question = Subrequest::of(&answer, &variables, directives, configuration);
            if question.is_some_and(|it| it.is_ours()) {
                known.push((server, location.text));
            }
        }
    }
    known
}

/// Each `auth_request` that holds in a location of `server`.
fn asking<'s, 'a>(server: &'s Server<'a>) -> Vec<Asking<'s, 'a>> {
    let mut found: Vec<Asking<'s, 'a>> = Vec::new();
    for location in &server.locations {
        let Some(auth_request) = effective(&location.chain, "auth_request") else {
            continue;
        };
        if auth_request.word(0) == "off" {
            continue;
        }
        let same = |it: &&mut Asking<'_, '_>| std::ptr::eq(it.auth_request, auth_request);
        if let Some(other) = found.iter_mut().find(same) {
            other.locations.push(location);
            continue;
        }
        let stands_in =
            |block: &&Directive| block.inside.iter().any(|it| std::ptr::eq(it, auth_request));
        let depth = location.chain.iter().position(stands_in).unwrap_or(0);
        let around = location.chain.iter().copied().take(depth.max(1) + 1);
        found.push(Asking {
            auth_request,
            around: around.collect(),
            locations: vec![location],
        });
    }
    found
}
