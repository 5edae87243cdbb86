//! Plans a search: which people and groups its filter can match at all. Few of them are looked up;
//! all of them are a list.

use std::collections::HashSet;
use std::hash::Hash;

use super::filter::{Assertion, Filter};
use super::name::{Place, Tree};
use super::schema::{self, AttributeType, Syntax};

/// How many people and groups one search may name.
pub const MOST_NAMED: usize = 64;

/// What a filter can match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    pub people: Wanted<PersonPin>,
    pub groups: Wanted<GroupPin>,
}

/// Some of the people, or of the groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted<P: Eq + Hash> {
    All,
    These(HashSet<P>),
}

/// What finds a person.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PersonPin {
    Name(String),
    Email(String),
    /// An `entryUUID`, in lower case.
    Uuid(String),
}

/// What finds groups.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GroupPin {
    Name(String),
    /// All groups of the person who is called so.
    Of(String),
    /// An `entryUUID`, in lower case.
    Uuid(String),
}

impl<P: Eq + Hash> Wanted<P> {
    /// Nothing.
    pub fn none() -> Self {
        Self::These(HashSet::new())
    }

    fn all_if(wanted: bool) -> Self {
        match wanted {
            true => Self::All,
            false => Self::none(),
        }
    }

    fn one(pin: P) -> Self {
        Self::These(HashSet::from([pin]))
    }

    /// What both match, or more.
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::All, other) | (other, Self::All) => other,
            (Self::These(these), Self::These(those)) => Self::These(if those.len() < these.len() {
                those
            } else {
                these
            }),
        }
    }

    /// What either matches.
    fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::All, _) | (_, Self::All) => Self::All,
            (Self::These(mut these), Self::These(those)) => {
                these.extend(those);
                Self::These(these)
            }
        }
    }
}

impl Plan {
    fn all() -> Self {
        Self {
            people: Wanted::All,
            groups: Wanted::All,
        }
    }

    fn none() -> Self {
        Self {
            people: Wanted::none(),
            groups: Wanted::none(),
        }
    }

    /// What `filter` can match in `tree`.
    pub fn of(filter: &Filter, tree: &Tree) -> Self {
        match filter {
            Filter::And(filters) => filters.iter().fold(Self::all(), |plan, filter| {
                let other = Self::of(filter, tree);
                Self {
                    people: plan.people.and(other.people),
                    groups: plan.groups.and(other.groups),
                }
            }),
            Filter::Or(filters) => filters.iter().fold(Self::none(), |plan, filter| {
                let other = Self::of(filter, tree);
                Self {
                    people: plan.people.or(other.people),
                    groups: plan.groups.or(other.groups),
                }
            }),
            // What it refuses says nothing about what it takes.
            Filter::Not(_) => Self::all(),
            Filter::Undefined => Self::none(),
            Filter::Equal(assertion) => Self::equal(assertion, tree),
            Filter::Substrings(attribute, _) => Self::with(AttributeType::of(attribute)),
            Filter::Present(attribute) => Self::with(AttributeType::of(attribute)),
        }
    }

    /// What has an attribute of `kind`.
    fn with(kind: Option<&'static AttributeType>) -> Self {
        let is = |kinds: &[&AttributeType]| {
            kind.is_some_and(|kind| kinds.iter().any(|it| std::ptr::eq(*it, kind)))
        };
        let of_people = [
            &schema::UID,
            &schema::SN,
            &schema::GIVEN_NAME,
            &schema::DISPLAY_NAME,
            &schema::MAIL,
            &schema::MEMBER_OF,
        ];
        let of_others = [&schema::OU, &schema::DC, &schema::O, &schema::UNIQUE_MEMBER];
        if kind.is_none() || is(&of_others) {
            return Self::none();
        }
        let (people, groups) = (is(&of_people), is(&[&schema::MEMBER]));
        Self {
            people: Wanted::all_if(!groups),
            groups: Wanted::all_if(!people),
        }
    }

    /// What has this value.
    fn equal(assertion: &Assertion, tree: &Tree) -> Self {
        let Some((kind, normal)) = assertion.normal() else {
            return Self::none();
        };
        // As it was sent, but for the spaces that do not count: the site's own rules say which names
        // are the same.
        let sent = || {
            let sent = std::str::from_utf8(&assertion.value).unwrap_or_default();
            let words: Vec<&str> = sent.split(' ').filter(|word| !word.is_empty()).collect();
            words.join(" ")
        };
        let is = |other: &AttributeType| std::ptr::eq(kind, other);
        let by_person = |pin| Self {
            people: Wanted::one(pin),
            groups: Wanted::none(),
        };
        let by_group = |pin| Self {
            people: Wanted::none(),
            groups: Wanted::one(pin),
        };
        if is(&schema::UID) {
            by_person(PersonPin::Name(sent()))
        } else if is(&schema::MAIL) {
            by_person(PersonPin::Email(sent()))
        } else if is(&schema::CN) {
            Self {
                people: Wanted::one(PersonPin::Name(sent())),
                groups: Wanted::one(GroupPin::Name(sent())),
            }
        } else if is(&schema::MEMBER) {
            match tree.place(std::str::from_utf8(&assertion.value).unwrap_or_default()) {
                Some(Place::Person(name)) => by_group(GroupPin::Of(name)),
                _ => Self::none(),
            }
        } else if is(&schema::ENTRY_DN) {
            match tree.place(std::str::from_utf8(&assertion.value).unwrap_or_default()) {
                Some(Place::Person(name)) => by_person(PersonPin::Name(name)),
                Some(Place::Group(name)) => by_group(GroupPin::Name(name)),
                _ => Self::none(),
            }
        } else if is(&schema::ENTRY_UUID) {
            Self {
                people: Wanted::one(PersonPin::Uuid(normal.clone())),
                groups: Wanted::one(GroupPin::Uuid(normal)),
            }
        } else if kind.syntax == Syntax::ObjectClass {
            let (people, groups) = match normal.as_str() {
                "top" => (true, true),
                "person" | "organizationalperson" | "inetorgperson" => (true, false),
                "groupofnames" => (false, true),
                _ => (false, false),
            };
            Self {
                people: Wanted::all_if(people),
                groups: Wanted::all_if(groups),
            }
        } else {
            Self::with(Some(kind))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn equal(attribute: &str, value: &str) -> Filter {
        Filter::Equal(Assertion {
            attribute: attribute.to_owned(),
            value: value.as_bytes().to_vec(),
        })
    }

    fn planned(filter: &Filter) -> (String, String) {
        let tree = Tree::new("dc=example,dc=org").unwrap();
        let plan = Plan::of(filter, &tree);
        fn words<P: Eq + Hash + std::fmt::Debug>(wanted: &Wanted<P>) -> String {
            match wanted {
                Wanted::All => "all".to_owned(),
                Wanted::These(these) => {
                    let mut words: Vec<_> = these.iter().map(|it| format!("{it:?}")).collect();
                    words.sort();
                    words.join(" ")
                }
            }
        }
        (words(&plan.people), words(&plan.groups))
    }

    #[test]
    fn a_name_is_looked_up_and_everything_else_lists() {
        let person = || equal("objectClass", "inetOrgPerson");
        let (uid, mail) = (|| equal("uid", "alice"), || equal("mail", "a@example.org"));
        let member = "uid=alice,ou=people,dc=example,dc=org";
        let present = |attribute: &str| Filter::Present(attribute.to_owned());
        for (filter, people, groups) in [
            (uid(), "Name(\"alice\")", ""),
            (mail(), "Email(\"a@example.org\")", ""),
            (equal("cn", " x "), "Name(\"x\")", "Name(\"x\")"),
            (Filter::And(vec![person(), uid()]), "Name(\"alice\")", ""),
            (
                Filter::And(vec![uid(), present("objectClass")]),
                "Name(\"alice\")",
                "",
            ),
            (
                Filter::And(vec![person(), Filter::Or(vec![uid(), mail()])]),
                "Email(\"a@example.org\") Name(\"alice\")",
                "",
            ),
            // An arm that is never true plans nothing; one that may match every entry plans a list.
            (
                Filter::Or(vec![uid(), equal("sAMAccountName", "x")]),
                "Name(\"alice\")",
                "",
            ),
            (Filter::Or(vec![uid(), present("displayName")]), "all", ""),
            (equal("member", member), "", "Of(\"alice\")"),
            (equal("member", "alice"), "", ""),
            (equal("entryDN", member), "Name(\"alice\")", ""),
            (
                Filter::And(vec![
                    equal("objectClass", "posixGroup"),
                    equal("memberUid", "x"),
                ]),
                "",
                "",
            ),
            (person(), "all", ""),
            (equal("objectClass", "groupOfNames"), "", "all"),
            (equal("objectClass", "organizationalUnit"), "", ""),
            (equal("objectClass", "top"), "all", "all"),
            (
                equal("memberOf", "cn=a,ou=groups,dc=example,dc=org"),
                "all",
                "",
            ),
            (present("uid"), "all", ""),
            (present("objectClass"), "all", "all"),
            (present("ou"), "", ""),
            (Filter::Not(Box::new(uid())), "all", "all"),
            (Filter::And(Vec::new()), "all", "all"),
            (Filter::Or(Vec::new()), "", ""),
            (Filter::Undefined, "", ""),
            (equal("uid", ""), "", ""),
            (
                Filter::Substrings("uid".into(), super::super::filter::Pieces::default()),
                "all",
                "",
            ),
        ] {
            assert_eq!(
                planned(&filter),
                (people.into(), groups.into()),
                "{filter:?}"
            );
        }
    }
}
