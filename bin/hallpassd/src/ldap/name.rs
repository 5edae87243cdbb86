//! Tells the places in the directory by their names.

use hallpass_core::dn::{Component, Dn, comparable, escape};

use super::schema::{AttributeType, CN, OU, UID};

/// The directory of a site: its base, people and groups under it.
#[derive(Debug)]
pub struct Tree {
    /// The name of the base, as configured.
    base: String,
    /// The same, as it is compared.
    components: Vec<(String, String)>,
}

/// A place in the directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// The server's own entry.
    Root,
    /// The description of the attributes.
    Schema,
    Base,
    People,
    Groups,
    /// The entry of the account that people call so.
    Person(String),
    Group(String),
    /// A place without an entry, and the name of the next entry above it.
    Nowhere(String),
}

/// The name of the entry that describes the attributes.
pub const SCHEMA: &str = "cn=Subschema";

/// `text` as names are compared: types by their own names, values as `caseIgnoreMatch` has them.
/// `None` where it is not a name, or has a value of spaces alone, which no entry has.
pub fn normal(text: &str) -> Option<String> {
    let components = components(&Dn::parse(text).ok()?);
    if components.iter().any(|(_, value)| value.is_empty()) {
        return None;
    }
    let parts = components.iter();
    let parts = parts.map(|(attribute, value)| format!("{attribute}={}", escape(value)));
    Some(parts.collect::<Vec<_>>().join(","))
}

fn components(dn: &Dn) -> Vec<(String, String)> {
    let part = |it: &Component| (attribute(it), comparable(&it.value));
    dn.components().iter().map(part).collect()
}

/// The own name of the type of `component`, in lower case.
fn attribute(component: &Component) -> String {
    match AttributeType::of(&component.attribute) {
        Some(kind) => kind.name().to_ascii_lowercase(),
        None => component.attribute.clone(),
    }
}

impl Tree {
    /// The directory whose base is called `base`; `None` where that is not a name.
    pub fn new(base: &str) -> Option<Self> {
        let components = components(&Dn::parse(base).ok()?);
        let base = base.to_owned();
        (!components.is_empty()).then_some(Self { base, components })
    }

    /// The name of the base.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// The name of the entry above all people.
    pub fn people(&self) -> String {
        format!("ou=people,{}", self.base)
    }

    /// The name of the entry above all groups.
    pub fn groups(&self) -> String {
        format!("ou=groups,{}", self.base)
    }

    /// The name of the entry of the account that people call `name`.
    pub fn person(&self, name: &str) -> String {
        format!("uid={},{}", escape(name), self.people())
    }

    /// The name of the entry of the group called `name`.
    pub fn group(&self, name: &str) -> String {
        format!("cn={},{}", escape(name), self.groups())
    }

    /// The first component of the base: its type in lower case, and its value as configured.
    pub fn first(&self) -> (String, String) {
        let dn = Dn::parse(&self.base).unwrap_or_default();
        let first = dn.components().first();
        first.map_or_else(Default::default, |it| (attribute(it), it.value.clone()))
    }

    /// The place that `text` names; `None` where it is not a name.
    pub fn place(&self, text: &str) -> Option<Place> {
        let dn = Dn::parse(text).ok()?;
        let parts = components(&dn);
        if parts.is_empty() {
            return Some(Place::Root);
        }
        if parts == [("cn".to_owned(), "subschema".to_owned())] {
            return Some(Place::Schema);
        }
        let Some(above) = parts.len().checked_sub(self.components.len()) else {
            return Some(Place::Nowhere(String::new()));
        };
        let (own, base) = parts.split_at(above);
        if base != self.components {
            return Some(Place::Nowhere(String::new()));
        }
        // The value as it was sent: it is looked up.
        let raw = dn.components().first().map(|it| it.value.clone());
        let named =
            |kind: &AttributeType, attribute: &str| kind.name().eq_ignore_ascii_case(attribute);
        let unit = |part: &(String, String)| match (named(&OU, &part.0), part.1.as_str()) {
            (true, "people") => Some(Place::People),
            (true, "groups") => Some(Place::Groups),
            _ => None,
        };
        Some(match own {
            [] => Place::Base,
            [one] => unit(one).unwrap_or_else(|| Place::Nowhere(self.base.clone())),
            [.., two] => match (own, unit(two), raw) {
                ([(attribute, _), _], Some(Place::People), Some(raw)) if named(&UID, attribute) => {
                    Place::Person(raw)
                }
                ([(attribute, _), _], Some(Place::Groups), Some(raw)) if named(&CN, attribute) => {
                    Place::Group(raw)
                }
                (_, Some(Place::People), _) => Place::Nowhere(self.people()),
                (_, Some(Place::Groups), _) => Place::Nowhere(self.groups()),
                _ => Place::Nowhere(self.base.clone()),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_told_without_case_and_by_every_name_of_a_type() {
        let tree = Tree::new("dc=Example, dc=org").unwrap();
        let person = |name: &str| Some(Place::Person(name.to_owned()));
        let nowhere = |above: &str| Some(Place::Nowhere(above.to_owned()));
        for (text, expected) in [
            ("", Some(Place::Root)),
            ("CN=subschema", Some(Place::Schema)),
            ("DC=example,DC=ORG", Some(Place::Base)),
            (
                "0.9.2342.19200300.100.1.25=example,dc=org",
                Some(Place::Base),
            ),
            ("ou=People,dc=example,dc=org", Some(Place::People)),
            ("OU=GROUPS,dc=example,dc=org", Some(Place::Groups)),
            ("uid=Alice,ou=people,dc=example,dc=org", person("Alice")),
            (
                "userid = Alice , ou = people , dc=example,dc=org",
                person("Alice"),
            ),
            ("uid=a\\2Cb,ou=people,dc=example,dc=org", person("a,b")),
            (
                "cn=Staff,ou=groups,dc=example,dc=org",
                Some(Place::Group("Staff".into())),
            ),
            (
                "cn=alice,ou=people,dc=example,dc=org",
                nowhere(&tree.people()),
            ),
            (
                "uid=x,uid=alice,ou=people,dc=example,dc=org",
                nowhere(&tree.people()),
            ),
            ("uid=alice,dc=example,dc=org", nowhere("dc=Example, dc=org")),
            ("uid=alice,ou=people,dc=example,dc=com", nowhere("")),
            ("dc=org", nowhere("")),
            ("alice", None),
            ("uid=alice,ou=people,dc=example,dc=org,", None),
        ] {
            assert_eq!(tree.place(text), expected, "{text}");
        }
    }

    #[test]
    fn names_that_are_written_are_read_again() {
        let tree = Tree::new("o=A\\, B").unwrap();
        for name in ["alice", "a,b", " a", "a+b=c", "Zoë", "#1"] {
            let place = tree.place(&tree.person(name));
            assert_eq!(place, Some(Place::Person(name.to_owned())));
        }
        assert_eq!(
            normal("CN=A\\2c B , OU = x"),
            Some("cn=a\\2C b,ou=x".to_owned())
        );
        assert_eq!(normal("uid=\\20\\20,ou=x"), None);
    }
}
