//! Checks HAProxy: the question by Lua, what follows of its answer, and the headers of the identity.

use std::path::Path;

use hallpass_core::Configuration;
use hallpass_core::doctor::Finding;

use super::{Asked, Line, all, asks, lines, question};
use crate::doctor::directives::IDENTITY;

/// A section: its kind and name, and its lines.
struct Section {
    kind: String,
    name: String,
    lines: Vec<Line>,
}

/// The findings for the file at `path`; none where it does not point here.
pub fn look(path: &Path, configuration: &Configuration) -> Result<Vec<Finding>, String> {
    let sections = sections(lines(path, &["#"])?);
    let listen = &configuration.daemon.listen;
    let (mut findings, mut backends) = (Vec::new(), Vec::new());
    for section in &sections {
        for line in &section.lines {
            let words = line.words();
            let ["server", _, named, ..] = words.as_slice() else {
                continue;
            };
            let named = named.replace("unix@", "unix:");
            if let Some(asked) = asks(&named, listen) {
                findings.extend(asked.finding(&line.at(), "listen", listen));
                backends.push((section.name.as_str(), asked));
            }
        }
    }
    let ours = |name: &str| backends.iter().any(|(it, _)| *it == name);
    let mut asked = false;
    for section in &sections {
        if let Some(found) = examine(section, &ours, configuration) {
            asked = true;
            findings.extend(found);
        }
    }
    let here = backends.iter().any(|(_, asked)| *asked == Asked::Here);
    if here && !asked {
        findings.push(Finding::problem(
            "haproxy-question",
            format!("read {}", path.display()),
            "no rule asks hallpassd: everybody gets in",
            "write http-request lua.auth-request BACKEND /auth, and deny unless it succeeds",
        ));
    }
    Ok(all(path, !backends.is_empty(), findings))
}

fn sections(lines: Vec<Line>) -> Vec<Section> {
    let kinds = ["global", "defaults", "frontend", "backend", "listen"];
    let mut sections: Vec<Section> = Vec::new();
    for line in lines {
        let words = line.words();
        let kind = words.first().copied().unwrap_or_default();
        if kinds.contains(&kind) {
            sections.push(Section {
                kind: kind.to_owned(),
                name: words.get(1).copied().unwrap_or_default().to_owned(),
                lines: Vec::new(),
            });
        } else if let Some(section) = sections.last_mut() {
            section.lines.push(line);
        }
    }
    sections
}

/// The findings for a section with a question; `None` where it has none of ours.
fn examine(
    section: &Section,
    ours: &dyn Fn(&str) -> bool,
    configuration: &Configuration,
) -> Option<Vec<Finding>> {
    let rules = section
        .lines
        .iter()
        .filter(|it| it.text.starts_with("http-request "));
    let rules: Vec<&Line> = rules.collect();
    let is_question = |it: &&Line| {
        let words = it.words();
        words.get(1).is_some_and(|it| it.ends_with("auth-request"))
            && words.get(2).is_some_and(|it| ours(it))
    };
    let first = rules.iter().position(is_question)?;
    let mut findings = Vec::new();
    for line in rules.iter().filter(|it| is_question(it)) {
        let target = line.words().get(3).copied().unwrap_or_default();
        findings.extend(question(target, &line.at(), configuration));
    }
    let after = rules.get(first..).unwrap_or_default();
    let before = rules.get(..first).unwrap_or_default();
    findings.extend(decided(section, rules.get(first)?, after, before));
    findings.extend(claims(rules.get(first)?, before, after));
    Some(findings)
}

/// Who is not let in must be denied, after the question and before anything else lets in.
fn decided(section: &Section, line: &Line, after: &[&Line], before: &[&Line]) -> Option<Finding> {
    let is_denial = |it: &&&Line| {
        let words = it.words();
        let ends = matches!(words.get(1), Some(&("deny" | "reject" | "tarpit")));
        ends && it.text.contains("auth_response_successful")
    };
    let problem = |line: &Line, seen: &str, mend: &str| {
        Some(Finding::problem("haproxy-deny", line.at(), seen, mend))
    };
    let mend = "write http-request deny unless { var(txn.auth_response_successful) -m bool } after \
                the question";
    let Some(denial) = after.iter().find(is_denial) else {
        return match before.iter().find(is_denial) {
            Some(early) => problem(
                early,
                "this comes before the question: the answer to that denies nobody, or this everybody",
                mend,
            ),
            None => problem(
                line,
                &format!(
                    "{} {} denies nobody by the answer: everybody gets in",
                    section.kind, section.name
                ),
                mend,
            ),
        };
    };
    let (condition, inverted) = match denial.text.split_once(" unless ") {
        Some((_, condition)) => (condition, condition.contains('!')),
        None => match denial.text.split_once(" if ") {
            Some((_, condition)) => (condition, !condition.contains('!')),
            None => ("", false),
        },
    };
    if inverted {
        return problem(
            denial,
            "this denies those whom hallpassd lets in, and lets in all others",
            mend,
        );
    }
    if let Some(finding) = limited(section, denial, condition) {
        return Some(finding);
    }
    let allowed = before
        .iter()
        .chain(after.iter().take_while(|it| !std::ptr::eq(**it, *denial)));
    let allowed = allowed
        .copied()
        .find(|it| it.words().get(1) == Some(&"allow"));
    if let Some(allow) = allowed {
        let whom = allow
            .text
            .split_once(" if ")
            .map(|(_, condition)| condition);
        return match whom {
            None => problem(
                allow,
                "http-request allow ends the rules before the answer counts: everybody gets in",
                "take it away",
            ),
            Some(whom) => Some(Finding::warning(
                "haproxy-deny",
                allow.at(),
                format!("whoever meets {whom} is let in without an answer"),
                "take it away, if these are not to get in without a name",
            )),
        };
    }
    None
}

/// What a denial asks for beside the answer: a path, or something that is not understood here.
fn limited(section: &Section, denial: &Line, condition: &str) -> Option<Finding> {
    let words = condition.split_whitespace();
    let mut more = words.filter(|it| {
        let it = it.trim_start_matches('!');
        let own = it.contains("auth_response_successful");
        !own && !["{", "}", "-m", "bool", ""].contains(&it)
    });
    let first = more.next()?.trim_start_matches('!');
    let is_acl = |it: &&Line| {
        let words = it.words();
        words.first() == Some(&"acl") && words.get(1) == Some(&first)
    };
    let by_path = |text: &str| text.contains("path") || text.contains("url");
    let acl = section.lines.iter().find(is_acl);
    Some(
        match by_path(first) || acl.is_some_and(|it| by_path(&it.text)) {
            true => Finding::problem(
                "haproxy-deny",
                denial.at(),
                "this is about some paths, which HAProxy compares as the client writes them: //private/ \
             and /%70rivate/ get past it",
                "deny on every page",
            ),
            false => Finding::warning(
                "haproxy-unresolved",
                denial.at(),
                format!("cannot tell who gets in where {first} does not hold"),
                "write it with { var(txn.auth_response_successful) -m bool } alone",
            ),
        },
    )
}

/// The client's own identity headers: removed before, and set after.
fn claims(line: &Line, before: &[&Line], after: &[&Line]) -> Option<Finding> {
    let removes = |what: &str| {
        before.iter().any(|it| {
            let words = it.words();
            let begins = it.text.contains("-m beg") && words.get(2) == Some(&what);
            words.get(1) == Some(&"del-header") && begins && words.len() <= 5
        })
    };
    let sets = |name: &str| {
        after.iter().any(|it| {
            let words = it.words();
            let named = words.get(2).is_some_and(|it| it.eq_ignore_ascii_case(name));
            let kind = matches!(words.get(1), Some(&("set-header" | "del-header")));
            let always = !it.text.contains(" if ") && !it.text.contains(" unless ");
            named && kind && always
        })
    };
    let open: Vec<&str> = IDENTITY.into_iter().filter(|name| !sets(name)).collect();
    let mut missing = Vec::new();
    if !removes("Remote-") && !open.is_empty() {
        missing.push("Remote-");
    }
    if !removes("Remote_") {
        missing.push("Remote_");
    }
    let first = *missing.first()?;
    let lines = missing
        .iter()
        .map(|it| format!("http-request del-header {it} -m beg"));
    let mend = format!(
        "write {} before the question",
        lines.collect::<Vec<_>>().join(" and ")
    );
    let what = match first {
        "Remote-" => open.join(", "),
        _ => "Remote_User and the like".to_owned(),
    };
    let seen = format!("the application gets {what} as any client may have written it");
    Some(Finding::warning("haproxy-identity", line.at(), seen, mend))
}
