//! Checks Caddy: `forward_auth`, and the identity headers that a client may send itself.
//!
//! A Caddyfile is read line by line, without the files that it imports.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use hallpass_core::Configuration;
use hallpass_core::doctor::Finding;

use super::directives::{IDENTITY, at};
use super::others::{asks, question};

/// The headers that must be removed from a request before `forward_auth`, as Caddy's patterns.
const CLAIMS: [&str; 2] = ["Remote-*", "Remote_*"];

/// Directives that answer a request.
const ANSWERS: [&str; 4] = ["reverse_proxy", "file_server", "php_fastcgi", "respond"];

/// The findings for the file at `path`; none where it does not point here.
pub fn look(path: &Path, configuration: &Configuration) -> Result<Vec<Finding>, String> {
    let mut findings = Vec::new();
    let text = fs::read(path).map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&text);
    let listen = &configuration.daemon.listen;
    let mut ours = false;
    for question in questions(&text) {
        let Some(asked) = asks(&question.address, listen) else {
            continue;
        };
        ours = true;
        let place = at(path, question.line);
        findings.extend(asked.finding(&place, "listen", listen));
        findings.extend(question.asked(&place, configuration));
        findings.extend(question.order(path));
        findings.extend(question.examine(path));
        findings.extend(question.unchecked(path));
    }
    if findings.is_empty() && ours {
        let tried = format!("read {}", path.display());
        findings.push(Finding::ok("host", tried, "it fits"));
    }
    Ok(findings)
}

/// A `forward_auth`.
#[derive(Debug, Default, PartialEq, Eq)]
struct Question {
    line: usize,
    address: String,
    /// What is asked for.
    uri: Option<String>,
    /// The path to which it is limited.
    matcher: Option<String>,
    /// What answers every request before it, and its line.
    late: Option<(String, usize)>,
    /// The headers of the answer that are copied.
    copied: Vec<String>,
    /// The headers that are removed from the request before it.
    removed: Vec<String>,
    /// Whether it declares that the Basic name is not used.
    leaves_basic_unchecked: bool,
    /// Whether `Authorization` is removed around it, before or after.
    removes_authorization: bool,
}

impl Question {
    /// What it asks for, and about which pages.
    fn asked(&self, place: &str, configuration: &Configuration) -> Vec<Finding> {
        let mut findings = match &self.uri {
            Some(uri) => question(uri, place, configuration),
            // Caddy itself takes none without.
            None => Vec::new(),
        };
        let one = self.matcher.as_ref().filter(|it| !it.contains('*'));
        if let Some(path) = one {
            findings.push(Finding::problem(
                "caddy-matcher",
                place,
                format!("{path} is this one address: pages below it are not asked about"),
                format!("write {}/*", path.trim_end_matches('/')),
            ));
        }
        findings
    }

    /// In a `route`, what stands first answers first.
    fn order(&self, path: &Path) -> Option<Finding> {
        let (name, line) = self.late.as_ref()?;
        Some(Finding::problem(
            "caddy-order",
            at(path, *line),
            format!(
                "{name} answers before forward_auth (line {}) asks: everybody gets in",
                self.line
            ),
            format!("write {name} after forward_auth"),
        ))
    }

    fn examine(&self, path: &Path) -> Option<Finding> {
        let has = |list: &[String], name: &str| list.iter().any(|it| it.eq_ignore_ascii_case(name));
        let open: Vec<&str> = CLAIMS
            .into_iter()
            .filter(|name| !has(&self.removed, name))
            .collect();
        let first = open.first()?;
        let left: Vec<&str> = IDENTITY
            .into_iter()
            .filter(|name| *first == "Remote-*" && !has(&self.copied, name))
            .collect();
        let seen = if left.is_empty() {
            format!(
                "a client's own {} gets through, beside the answer or where it is empty",
                open.join(" and ")
            )
        } else {
            let left = left.join(", ");
            format!("the application gets {left} as any client may have written it")
        };
        let removes: Vec<String> = open
            .iter()
            .map(|name| format!("request_header -{name}"))
            .collect();
        Some(Finding::warning(
            "caddy-identity",
            at(path, self.line),
            seen,
            format!(
                "put it into a route {{ }}, after {}, and copy all of {}",
                removes.join(" and "),
                IDENTITY.join(" ")
            ),
        ))
    }
}

impl Question {
    /// A Basic name that has not been checked.
    fn unchecked(&self, path: &Path) -> Option<Finding> {
        (self.leaves_basic_unchecked && !self.removes_authorization).then(|| {
            Finding::warning(
                "caddy-remote-user",
                at(path, self.line),
                "the application gets Authorization, whose name basic=0 leaves unchecked: PHP \
                 makes \
                 PHP_AUTH_USER of it",
                "write request_header -Authorization after it, in the route { }",
            )
        })
    }
}

/// A block that is open.
#[derive(Default)]
struct Block {
    /// The words before its brace.
    head: Vec<String>,
    /// The headers removed in it so far. Directives keep their order only in a `route`, and in a
    /// snippet that one imports.
    removed: Vec<String>,
    /// Where it is one.
    question: Option<Question>,
    /// What answers every request in it, and its line, so far.
    late: Option<(String, usize)>,
    /// How many `forward_auth` came before it.
    first: usize,
    /// Whether `Authorization` is removed anywhere in it; of the outermost block alone.
    removes_authorization: bool,
}

impl Block {
    fn is(&self, name: &str) -> bool {
        self.head.first().is_some_and(|it| it == name)
    }

    fn snippet(&self) -> Option<&str> {
        self.head.first()?.strip_prefix('(')?.strip_suffix(')')
    }
}

/// Every `forward_auth` of a Caddyfile.
fn questions(text: &str) -> Vec<Question> {
    let mut found = Vec::new();
    let mut blocks: Vec<Block> = Vec::new();
    let mut snippets: HashMap<String, Vec<String>> = HashMap::new();
    for (line, number) in text.lines().zip(1..) {
        let words = line.split_whitespace();
        let mut words: Vec<&str> = words.take_while(|word| !word.starts_with('#')).collect();
        let opens = words.last() == Some(&"{");
        if opens {
            words.pop();
        }
        if words.first() == Some(&"}") {
            if let Some(block) = blocks.pop() {
                if let Some(name) = block.snippet() {
                    snippets.insert(name.to_owned(), block.removed);
                }
                found.extend(block.question);
                if blocks.is_empty() && block.removes_authorization {
                    let inside = found.iter_mut().skip(block.first);
                    inside.for_each(|question| question.removes_authorization = true);
                }
            }
            continue;
        }
        if let Some(block) = blocks.last_mut()
            && block.is("route")
            && block.late.is_none()
            && words.first().is_some_and(|it| ANSWERS.contains(it))
            && !words.get(1).is_some_and(|it| it.starts_with(['/', '@']))
        {
            let name = words.first().copied().unwrap_or_default().to_owned();
            block.late = Some((name, number));
        }
        let question = || {
            let removed = blocks.iter().flat_map(|block| block.removed.clone());
            Question {
                line: number,
                address: address(&words),
                matcher: matcher(&words),
                late: blocks.iter().find_map(|block| block.late.clone()),
                removed: removed.collect(),
                ..Question::default()
            }
        };
        let is_question = words.first() == Some(&"forward_auth");
        if opens {
            let question = is_question.then(question);
            let head = words.iter().map(|word| (*word).to_owned()).collect();
            blocks.push(Block {
                head,
                question,
                first: found.len(),
                ..Block::default()
            });
        } else if is_question {
            found.push(question());
        } else {
            inside(&mut blocks, &words, &snippets);
        }
    }
    found
}

/// A line within the innermost of these blocks.
fn inside(blocks: &mut [Block], words: &[&str], snippets: &HashMap<String, Vec<String>>) {
    let removes = match words {
        ["request_header" | "header_up", name] => name.eq_ignore_ascii_case("-Authorization"),
        // The contents of an imported file are unknown.
        ["import", name, ..] => snippets.get(*name).is_none_or(|removed| {
            let mut removed = removed.iter();
            removed.any(|it| it.eq_ignore_ascii_case("Authorization"))
        }),
        _ => false,
    };
    if let Some(outermost) = blocks.first_mut() {
        outermost.removes_authorization |= removes;
    }
    let copies = blocks.last().is_some_and(|it| it.is("copy_headers"));
    let (depth, names) = match words {
        ["copy_headers", names @ ..] => (1, names),
        names if copies => (2, names),
        _ => (0, words),
    };
    if depth > 0 {
        let block = blocks.iter_mut().rev().nth(depth - 1);
        if let Some(question) = block.and_then(|block| block.question.as_mut()) {
            // `From>To` renames: nothing is left under the first name.
            let names = names
                .iter()
                .map(|name| name.split('>').next().unwrap_or(name).to_owned());
            question.copied.extend(names);
        }
        return;
    }
    let Some(block) = blocks.last_mut() else {
        return;
    };
    if let (["uri", uri, ..], Some(question)) = (words, block.question.as_mut()) {
        let query = uri.split_once('?').map_or("", |(_, query)| query);
        question.uri = Some((*uri).to_owned());
        question.leaves_basic_unchecked = query.split('&').any(|pair| pair == "basic=0");
    }
    if !block.is("route") && block.snippet().is_none() {
        return;
    }
    match words {
        // With a matcher, it applies to some requests only.
        ["request_header", name] => block
            .removed
            .extend(name.strip_prefix('-').map(str::to_owned)),
        ["import", name, ..] => {
            // The contents of an imported file are unknown, and may be all headers.
            let all = || CLAIMS.map(str::to_owned).to_vec();
            let removed = snippets.get(*name).cloned().unwrap_or_else(all);
            block.removed.extend(removed);
        }
        _ => {}
    }
}

/// The path to which a `forward_auth` is limited.
fn matcher(words: &[&str]) -> Option<String> {
    let first = words.get(1)?;
    first.starts_with('/').then(|| (*first).to_owned())
}

/// The first upstream of a `forward_auth`, behind its matcher.
fn address(words: &[&str]) -> String {
    let mut words = words.iter().skip(1);
    let found = words.find(|word| !word.starts_with(['/', '*', '@']));
    found.map(|word| (*word).to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEVEN: &str = "copy_headers Remote-User Remote-User-Encoding Remote-Email Remote-Name \
                         Remote-Groups Remote-Session Remote-Session-Expires";

    /// What is seen of a Caddyfile's questions, one after the other.
    fn seen(text: &str) -> Vec<String> {
        let text = text.replace("SEVEN", SEVEN);
        let path = Path::new("/etc/caddy/Caddyfile");
        let examine = |question: Question| question.examine(path).map_or("ok".into(), |it| it.seen);
        questions(&text).into_iter().map(examine).collect()
    }

    #[test]
    fn a_recipe_that_removes_what_clients_claim_is_well() {
        for text in [
            "route {\n request_header -Remote-*\n request_header -remote_*\n \
             forward_auth x {\n uri /auth\n SEVEN\n }\n}",
            // Nothing of the client's is left, whatever is copied.
            "x {\n route /a/* { # first\n request_header -Remote-*\n request_header -Remote_*\n \
             forward_auth x {\n copy_headers Remote-User\n }\n}\n}",
            "(clean) {\n request_header -Remote-*\n request_header -Remote_*\n}\n\
             x {\n route {\n import clean\n forward_auth x {\n SEVEN\n }\n}\n}",
            "route {\n import ../clean.caddy\n forward_auth @m x {\n SEVEN\n }\n}",
        ] {
            assert_eq!(seen(text), ["ok"], "{text}");
        }
        assert!(seen("reverse_proxy x {\n copy_headers y\n}").is_empty());
    }

    #[test]
    fn what_a_client_can_claim_is_named() {
        let left = |text: &str| seen(text).concat();
        let of_all = left("forward_auth x {\n SEVEN\n}");
        assert!(of_all.contains("own Remote-* and Remote_*"), "{of_all}");
        let underscores = "route {\n request_header -Remote-*\n forward_auth x {\n SEVEN\n }\n}";
        assert!(left(underscores).contains("own Remote_* gets"));
        for text in [
            "forward_auth x {\n copy_headers Remote-User Remote-Email>X-Email\n}",
            "forward_auth /a/* x {\n copy_headers {\n Remote-User\n Remote-Email\n }\n}",
        ] {
            let seen = left(text);
            for name in IDENTITY {
                let copied = ["Remote-User", "Remote-Email"].contains(&name);
                let list: Vec<&str> = seen.split([' ', ',']).collect();
                assert_eq!(list.contains(&name), !copied, "{name}: {seen}");
            }
        }
        assert!(left("forward_auth x").contains("gets Remote-User, "));
        for removed_too_late_or_not_always in [
            // Caddy puts these behind forward_auth.
            "x {\n request_header -Remote-*\n request_header -Remote_*\n forward_auth x {\n \
             SEVEN\n }\n}",
            "handle {\n request_header -Remote-*\n request_header -Remote_*\n forward_auth x {\n \
             SEVEN\n }\n}",
            "route {\n forward_auth x {\n SEVEN\n }\n request_header -Remote-*\n request_header \
             -Remote_*\n}",
            "route {\n request_header /a -Remote-*\n request_header @b -Remote_*\n forward_auth x \
             {\n SEVEN\n }\n}",
            "route {\n request_header -Remote-*\n request_header -Remote_*\n}\nforward_auth x {\n \
             SEVEN\n}",
            "(clean) {\n request_header -Remote-*\n request_header -Remote_*\n}\n\
             x {\n import clean\n route {\n forward_auth x {\n SEVEN\n }\n}\n}",
        ] {
            assert_ne!(seen(removed_too_late_or_not_always), ["ok"]);
        }
    }

    #[test]
    fn a_name_of_basic_that_nobody_checks_goes_no_further() {
        let unchecked = |text: &str| -> Vec<bool> {
            let path = Path::new("/etc/caddy/Caddyfile");
            let unchecked = |question: Question| question.unchecked(path).is_some();
            questions(text).into_iter().map(unchecked).collect()
        };
        for text in [
            "x {\n forward_auth y {\n uri /auth?basic=0\n }\n reverse_proxy z\n}",
            "route {\n forward_auth y {\n uri /auth?redirect=1&basic=0&group=a\n }\n}",
            "forward_auth y {\n uri /auth?basic=0\n}",
            "x {\n route {\n forward_auth y {\n uri /auth?basic=0\n }\n \
             request_header @m -Authorization\n }\n}",
            "a {\n request_header -Authorization\n}\nb {\n forward_auth y {\n uri /auth?basic=0\n \
             }\n}",
        ] {
            assert_eq!(unchecked(text), [true], "{text}");
        }
        for text in [
            "x {\n forward_auth y {\n uri /auth\n }\n}",
            "x {\n forward_auth y {\n uri /auth?redirect=1&basic=01\n }\n}",
            "route {\n forward_auth y {\n uri /auth?basic=0\n }\n request_header -Authorization\n}",
            "route {\n request_header -authorization\n forward_auth y {\n uri /auth?basic=0\n }\n}",
            "route {\n forward_auth y {\n uri /auth?basic=0\n }\n reverse_proxy z {\n \
             header_up -Authorization\n }\n}",
            "(clean) {\n request_header -Authorization\n}\n\
             x {\n route {\n forward_auth y {\n uri /auth?basic=0\n }\n import clean\n }\n}",
            "x {\n forward_auth y {\n uri /auth?basic=0\n }\n import more.caddy\n}",
        ] {
            assert_eq!(unchecked(text), [false], "{text}");
        }
    }

    #[test]
    fn addresses_stand_behind_matchers() {
        for (line, expected) in [
            (
                "forward_auth unix//run/hallpass/http.sock",
                "unix//run/hallpass/http.sock",
            ),
            ("forward_auth /private/* 127.0.0.1:8088", "127.0.0.1:8088"),
            ("forward_auth * a:1 b:2", "a:1"),
            ("forward_auth @m", ""),
        ] {
            let words: Vec<&str> = line.split(' ').collect();
            assert_eq!(address(&words), expected);
        }
    }
}
