//! Checks Caddy: `forward_auth`, and the identity headers that a client may send itself.
//!
//! A Caddyfile is read line by line, with what it imports.

mod blocks;
mod import;

use std::path::Path;

use hallpass_core::Configuration;
use hallpass_core::doctor::Finding;

use self::blocks::{Question, questions};
use self::import::Line;
use super::directives::IDENTITY;
use super::hosts::{FITS, fits_without, nothing_without};
use super::others::{asks, question};

/// The headers that must be removed from a request before `forward_auth`, as Caddy's patterns.
const CLAIMS: [&str; 2] = ["Remote-*", "Remote_*"];

/// The findings for the file at `path`; none where it does not point here.
pub fn look(path: &Path, configuration: &Configuration) -> Result<Vec<Finding>, String> {
    let mut findings = Vec::new();
    let lines = import::read(path)?;
    let listen = &configuration.daemon.listen;
    let mut ours = false;
    for question in questions(&lines) {
        let Some(asked) = asks(&question.address, listen) else {
            continue;
        };
        ours = true;
        findings.extend(asked.finding(&question.at, "listen", listen));
        findings.extend(question.asked(configuration));
        findings.extend(question.order());
        findings.extend(question.examine());
        findings.extend(question.unchecked());
    }
    let is_import = |line: &&Line| line.words.first().is_some_and(|it| it == "import");
    let unread = lines.iter().find(is_import).map(|line| {
        let place = line.at();
        let place = place.trim_start_matches("read ");
        format!(
            "`{}` ({place}), which Caddy alone knows",
            line.words.join(" ")
        )
    });
    let tried = format!("read {}", path.display());
    match unread {
        Some(unread) if !ours => return Ok(nothing_without(path, &unread)),
        Some(unread) if findings.is_empty() => return Ok(fits_without(path, &unread)),
        None if ours && findings.is_empty() => findings.push(Finding::ok("host", tried, FITS)),
        _ => {}
    }
    Ok(findings)
}

impl Question {
    /// What it asks for, and about which pages.
    fn asked(&self, configuration: &Configuration) -> Vec<Finding> {
        let mut findings = match &self.uri {
            Some(uri) => question(uri, &self.at, configuration),
            // Caddy itself takes none without.
            None => Vec::new(),
        };
        let one = self.matcher.as_ref().filter(|it| !it.contains('*'));
        if let Some(path) = one {
            findings.push(Finding::problem(
                "caddy-matcher",
                &self.at,
                format!("{path} is this one address: pages below it are not asked about"),
                format!("write {}/*", path.trim_end_matches('/')),
            ));
        }
        findings
    }

    /// In a `route`, what stands first answers first.
    fn order(&self) -> Option<Finding> {
        let (name, at) = self.late.as_ref()?;
        Some(Finding::problem(
            "caddy-order",
            at,
            format!(
                "{name} answers before forward_auth (line {}) asks: everybody gets in",
                self.line
            ),
            format!("write {name} after forward_auth"),
        ))
    }

    fn examine(&self) -> Option<Finding> {
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
            &self.at,
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
    fn unchecked(&self) -> Option<Finding> {
        (self.leaves_basic_unchecked && !self.removes_authorization).then(|| {
            Finding::warning(
                "caddy-remote-user",
                &self.at,
                "the application gets Authorization, whose name basic=0 leaves unchecked: PHP \
                 makes \
                 PHP_AUTH_USER of it",
                "write request_header -Authorization after it, in the route { }",
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEVEN: &str = "copy_headers Remote-User Remote-User-Encoding Remote-Email Remote-Name \
                         Remote-Groups Remote-Session Remote-Session-Expires";

    /// What is seen of a Caddyfile's questions, one after the other.
    fn seen(text: &str) -> Vec<String> {
        let text = text.replace("SEVEN", SEVEN);
        let examine = |question: Question| question.examine().map_or("ok".into(), |it| it.seen);
        of(&text).into_iter().map(examine).collect()
    }

    fn of(text: &str) -> Vec<Question> {
        let lines = import::lines(Path::new("/etc/caddy/Caddyfile"), text);
        questions(&import::expanded(lines).unwrap())
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
            "(ask) {\n forward_auth {args[0]} {\n SEVEN\n }\n}\n\
             route {\n request_header -Remote-*\n request_header -Remote_*\n import ask x\n}",
            "route {\n import {$CLEAN}\n forward_auth @m x {\n SEVEN\n }\n}",
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
            let unchecked = |question: Question| question.unchecked().is_some();
            of(text).into_iter().map(unchecked).collect()
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
            "x {\n forward_auth y {\n uri /auth?basic=0\n }\n import {$MORE}\n}",
        ] {
            assert_eq!(unchecked(text), [false], "{text}");
        }
    }
}
