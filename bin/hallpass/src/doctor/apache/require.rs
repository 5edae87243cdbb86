//! Evaluates `Require`, as mod_authz_core does: who gets in without a user, and whether any user
//! does.

use crate::doctor::directives::Directive;

/// The containers of `Require`.
const CONTAINERS: [&str; 3] = ["RequireAny", "RequireAll", "RequireNone"];

/// Requirements that no request without a user meets.
const OF_USERS: [&str; 10] = [
    "valid-user",
    "user",
    "group",
    "external-user",
    "external-group",
    "external-file-group",
    "file-owner",
    "file-group",
    "dbm-group",
    "dbd-group",
];

/// Requirements on the client's address.
const OF_ADDRESSES: [&str; 4] = ["ip", "host", "local", "forward-dns"];

/// A rule about who may get in.
#[derive(Clone, Debug)]
pub enum Rule<'a> {
    One(&'a Directive),
    Any(Vec<Self>),
    All(Vec<Self>),
    /// None of them; it never lets in by itself.
    None(Vec<Self>),
}

/// Whether a request gets in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access<'a> {
    /// It does not matter: a rule that can only keep out.
    Neutral,
    Denied,
    /// By something else than a user: an address, a header, an expression.
    Perhaps(&'a Directive),
    Granted(Option<&'a Directive>),
}

impl<'a> Rule<'a> {
    /// The rules among `directives`: those that are not limited to some methods, and those that
    /// are limited to `method`. One of them is enough.
    pub fn of(directives: &'a [Directive], method: &str) -> Option<Self> {
        let rules = rules(directives, method);
        (!rules.is_empty()).then_some(Self::Any(rules))
    }

    /// What a request without a user, or with one who meets all that is required of users, gets.
    pub fn access(&self, is_user: bool) -> Access<'a> {
        match self {
            Self::One(directive) => one(directive, is_user),
            Self::Any(rules) => {
                let found = rules.iter().map(|rule| rule.access(is_user));
                found.fold(
                    Access::Neutral,
                    |a, b| if rank(b) > rank(a) { b } else { a },
                )
            }
            Self::All(rules) => {
                let found = rules.iter().map(|rule| rule.access(is_user));
                let mut found = found.filter(|it| *it != Access::Neutral);
                match found.next() {
                    None => Access::Neutral,
                    Some(first) => found.fold(first, |a, b| if rank(b) < rank(a) { b } else { a }),
                }
            }
            Self::None(_) => Access::Neutral,
        }
    }

    /// All requirements in it.
    pub fn each(&self, look: &mut dyn FnMut(&'a Directive)) {
        match self {
            Self::One(directive) => look(directive),
            Self::Any(rules) | Self::All(rules) | Self::None(rules) => {
                rules.iter().for_each(|rule| rule.each(look));
            }
        }
    }

    /// Whether something in it is required of users.
    pub fn wants_user(&self) -> bool {
        let mut wants = false;
        self.each(&mut |it| wants |= OF_USERS.contains(&it.word(0)));
        wants
    }
}

fn rules<'a>(directives: &'a [Directive], method: &str) -> Vec<Rule<'a>> {
    let mut found = Vec::new();
    for it in directives {
        let named = it
            .words
            .iter()
            .any(|word| word.eq_ignore_ascii_case(method));
        if it.is("Require") {
            found.push(Rule::One(it));
        } else if CONTAINERS.iter().any(|name| it.is(name)) {
            let inside = rules(&it.inside, method);
            found.push(match () {
                () if it.is("RequireAll") => Rule::All(inside),
                () if it.is("RequireNone") => Rule::None(inside),
                () => Rule::Any(inside),
            });
        } else if (it.is("Limit") && named) || (it.is("LimitExcept") && !named) {
            found.extend(rules(&it.inside, method));
        }
    }
    found
}

fn one(directive: &Directive, is_user: bool) -> Access<'_> {
    let kind = directive.word(0).to_ascii_lowercase();
    match (&*kind, directive.word(1)) {
        ("not", _) => Access::Neutral,
        ("all", "granted") => Access::Granted(Some(directive)),
        ("all", _) => Access::Denied,
        (kind, _) if OF_USERS.contains(&kind) || kind.starts_with("ldap-") => match is_user {
            true => Access::Granted(None),
            false => Access::Denied,
        },
        _ => Access::Perhaps(directive),
    }
}

/// Whether a requirement is on the client's address.
pub fn is_of_addresses(directive: &Directive) -> bool {
    OF_ADDRESSES.contains(&directive.word(0))
}

/// Whether it depends on the request whether a requirement is met.
pub fn depends(directive: &Directive) -> bool {
    matches!(one(directive, false), Access::Perhaps(_))
}

/// Whether a requirement is on users.
pub fn of_user(directive: &Directive) -> bool {
    OF_USERS.contains(&directive.word(0))
}

fn rank(access: Access<'_>) -> u8 {
    match access {
        Access::Neutral => 0,
        Access::Denied => 1,
        Access::Perhaps(_) => 2,
        Access::Granted(_) => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::apache::file::parse;

    /// What is got without a user, and with one.
    fn access(text: &str, method: &str) -> (u8, u8) {
        let directives = parse(text).unwrap();
        let rule = Rule::of(&directives, method).unwrap();
        (rank(rule.access(false)), rank(rule.access(true)))
    }

    #[test]
    fn rules_are_apaches() {
        let all = |inside: &str| format!("<RequireAll>\n{inside}\n</RequireAll>");
        let user = "Require valid-user";
        for (text, expected) in [
            (user.to_owned(), (1, 3)),
            (format!("{user}\nRequire all granted"), (3, 3)),
            (format!("{user}\nRequire ip 192.0.2.1"), (2, 3)),
            (format!("{user}\nRequire not ip 192.0.2.1"), (1, 3)),
            (format!("{user}\nRequire all denied"), (1, 3)),
            (all(&format!("{user}\nRequire all granted")), (1, 3)),
            (all(&format!("{user}\nRequire all denied")), (1, 1)),
            (all(&format!("{user}\nRequire ip 192.0.2.1")), (1, 2)),
            (all("Require not user eve"), (0, 0)),
            (format!("{user}\n{}", all("Require all granted")), (3, 3)),
            (
                "<RequireNone>\nRequire all granted\n</RequireNone>\nRequire group a".to_owned(),
                (1, 3),
            ),
        ] {
            assert_eq!(access(&text, "GET"), expected, "{text}");
        }
    }

    #[test]
    fn limits_are_of_methods() {
        let text = "<Limit GET>\nRequire valid-user\n</Limit>\n\
                    <LimitExcept GET POST>\nRequire all granted\n</LimitExcept>";
        let directives = parse(text).unwrap();
        assert_eq!(access(text, "GET"), (1, 3));
        assert_eq!(access(text, "PUT"), (3, 3));
        assert!(Rule::of(&directives, "POST").is_none());
    }
}
