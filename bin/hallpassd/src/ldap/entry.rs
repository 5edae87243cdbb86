//! Builds the entries of the directory, and chooses the attributes that a client asked for.

use hallpass_core::Person;
use sha1::{Digest, Sha1};

use super::name::{SCHEMA, Tree};
use super::schema::{self, AttributeType, Syntax};

/// An entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub dn: String,
    attributes: Vec<(&'static AttributeType, Vec<String>)>,
    /// Values that filters find, and that no client is shown.
    hidden: Vec<(&'static AttributeType, Vec<String>)>,
}

/// The values of an entry as they are compared.
#[derive(Debug)]
pub struct Comparable(Vec<(&'static AttributeType, Vec<String>)>);

impl Comparable {
    /// Whether there is a value of `kind`, comparable or not.
    pub fn has(&self, kind: &AttributeType) -> bool {
        self.0.iter().any(|(of, _)| std::ptr::eq(*of, kind))
    }

    /// Whether `is` is true of a value of `kind`.
    pub fn any(&self, kind: &AttributeType, is: impl Fn(&str) -> bool) -> bool {
        let mut all = self.0.iter();
        all.any(|(of, values)| std::ptr::eq(*of, kind) && values.iter().any(|it| is(it)))
    }
}

/// The attributes that a client asked for (RFC 4511, section 4.5.1.8).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// `*`, or nothing at all: all but the operational ones.
    user: bool,
    /// `+`: the operational ones (RFC 3673).
    operational: bool,
    types: Vec<&'static AttributeType>,
}

impl Entry {
    fn new(dn: impl Into<String>, classes: &[&str]) -> Self {
        let classes: Vec<String> = classes.iter().map(ToString::to_string).collect();
        let structural = classes.last().cloned();
        Self {
            dn: dn.into(),
            ..Self::default()
        }
        .with(&schema::OBJECT_CLASS, classes)
        .with(&schema::STRUCTURAL_OBJECT_CLASS, structural)
    }

    fn with(
        mut self,
        kind: &'static AttributeType,
        values: impl IntoIterator<Item = String>,
    ) -> Self {
        let values: Vec<String> = values.into_iter().filter(|it| !it.is_empty()).collect();
        if !values.is_empty() {
            self.attributes.push((kind, values));
        }
        self
    }

    /// Its operational attributes, which every entry has.
    fn named(self, uuid: String, has_subordinates: bool) -> Self {
        let dn = self.dn.clone();
        let subordinates = if has_subordinates { "TRUE" } else { "FALSE" };
        self.with(&schema::ENTRY_DN, [dn])
            .with(&schema::ENTRY_UUID, [uuid])
            .with(&schema::HAS_SUBORDINATES, [subordinates.to_owned()])
            .with(&schema::SUBSCHEMA_SUBENTRY, [SCHEMA.to_owned()])
    }

    /// The entry of `person`. `cn` is the name that the account logs in by, because many programs
    /// take it for that; what people call themselves is in `displayName`.
    pub fn person(tree: &Tree, person: &Person) -> Self {
        let name = || person.name.clone();
        let shown = match person.full_name.trim() {
            "" => name(),
            full => full.to_owned(),
        };
        let (given, surname) = match shown.rsplit_once(' ') {
            Some((given, surname)) if !surname.is_empty() => (given.to_owned(), surname.to_owned()),
            _ => (String::new(), shown.clone()),
        };
        let classes = ["top", "person", "organizationalPerson", "inetOrgPerson"];
        Self::new(tree.person(&person.name), &classes)
            .with(&schema::UID, [name()])
            .with(&schema::CN, [name()])
            .with(&schema::SN, [surname])
            .with(&schema::GIVEN_NAME, [given])
            .with(&schema::DISPLAY_NAME, [shown])
            .with(&schema::MAIL, [person.email.clone()])
            .with(
                &schema::MEMBER_OF,
                person.groups.iter().map(|it| tree.group(it)),
            )
            .named(Uuids::of(tree).person(&person.id), false)
    }

    /// The entry of the group called `name`. `members` are shown, where they are known; filters find
    /// those that are `found` as well.
    pub fn group(
        tree: &Tree,
        name: &str,
        members: Option<Vec<String>>,
        found: Vec<String>,
    ) -> Self {
        let mut entry = Self::new(tree.group(name), &["top", "groupOfNames"])
            .with(&schema::CN, [name.to_owned()])
            .with(&schema::MEMBER, members.unwrap_or_default())
            .named(Uuids::of(tree).group(name), false);
        entry.hidden.push((&schema::MEMBER, found));
        entry
    }

    /// The entries above people and groups, with that of the base.
    pub fn containers(tree: &Tree) -> [Self; 3] {
        let (attribute, value) = tree.first();
        let (kind, classes): (&'static AttributeType, &[&str]) = match attribute.as_str() {
            "dc" => (&schema::DC, &["top", "dcObject", "organization"]),
            "ou" => (&schema::OU, &["top", "organizationalUnit"]),
            _ => (&schema::O, &["top", "organization"]),
        };
        let mut base = Self::new(tree.base(), classes).with(kind, [value.clone()]);
        if *kind == schema::DC {
            base = base.with(&schema::O, [value]);
        }
        let uuids = Uuids::of(tree);
        let unit = |dn: String, name: &str| {
            Self::new(dn, &["top", "organizationalUnit"])
                .with(&schema::OU, [name.to_owned()])
                .named(uuids.container(name), true)
        };
        [
            base.named(uuids.container("base"), true),
            unit(tree.people(), "people"),
            unit(tree.groups(), "groups"),
        ]
    }

    /// The server's own entry (RFC 4512, section 5.1).
    pub fn root(tree: &Tree, extensions: &[&str], controls: &[&str]) -> Self {
        let owned = |values: &[&str]| values.iter().map(ToString::to_string).collect::<Vec<_>>();
        Self::new("", &["top"])
            .with(&schema::NAMING_CONTEXTS, [tree.base().to_owned()])
            .with(&schema::SUPPORTED_LDAP_VERSION, ["3".to_owned()])
            .with(&schema::SUPPORTED_EXTENSION, owned(extensions))
            .with(&schema::SUPPORTED_CONTROL, owned(controls))
            // All operational attributes; filters that are always true or false (RFC 3673, 4526).
            .with(
                &schema::SUPPORTED_FEATURES,
                owned(&["1.3.6.1.4.1.4203.1.5.1", "1.3.6.1.4.1.4203.1.5.3"]),
            )
            .with(&schema::VENDOR_NAME, ["Hallpass".to_owned()])
            .with(
                &schema::VENDOR_VERSION,
                [env!("CARGO_PKG_VERSION").to_owned()],
            )
            .with(&schema::SUBSCHEMA_SUBENTRY, [SCHEMA.to_owned()])
    }

    /// The entry that describes the attributes (RFC 4512, section 4.2).
    pub fn schema() -> Self {
        Self::new(SCHEMA, &["top", "subschema", "subentry"])
            .with(&schema::CN, ["Subschema".to_owned()])
            .with(&schema::ATTRIBUTE_TYPES, schema::attribute_types())
            .with(&schema::OBJECT_CLASSES, schema::object_classes())
    }

    /// Whether it has a value of `kind`. Every group has members, shown or not.
    pub fn has(&self, kind: &AttributeType) -> bool {
        let mut all = self.attributes.iter().chain(&self.hidden);
        all.any(|(of, _)| std::ptr::eq(*of, kind))
    }

    /// Its values as they are compared, those that are not shown among them.
    pub fn comparable(&self) -> Comparable {
        let all = self.attributes.iter().chain(&self.hidden);
        let normal = |(kind, values): &(&'static AttributeType, Vec<String>)| {
            let normal = |value: &String| kind.syntax.normal(value);
            (*kind, values.iter().filter_map(normal).collect())
        };
        Comparable(all.map(normal).collect())
    }

    /// Its attributes that `selection` has.
    pub fn selected<'a>(
        &'a self,
        selection: &'a Selection,
    ) -> impl Iterator<Item = (&'static AttributeType, &'a [String])> {
        let all = self.attributes.iter();
        let selected = all.filter(|(kind, _)| selection.has(kind));
        selected.map(|(kind, values)| (*kind, values.as_slice()))
    }
}

impl Selection {
    /// What `descriptions` ask for. Those that are not known ask for nothing.
    pub fn new(descriptions: &[String]) -> Self {
        let has = |word: &str| descriptions.iter().any(|it| it == word);
        Self {
            user: descriptions.is_empty() || has("*"),
            operational: has("+"),
            types: descriptions
                .iter()
                .filter_map(|it| AttributeType::of(it))
                .collect(),
        }
    }

    /// Whether `kind` is among them.
    pub fn has(&self, kind: &AttributeType) -> bool {
        let all = if kind.operational {
            self.operational
        } else {
            self.user
        };
        all || self.types.iter().any(|it| std::ptr::eq(*it, kind))
    }
}

/// Makes the values of `entryUUID`, which stay the same for as long as the base and the site's keys
/// do.
///
/// A person's holds the primary key where that is a number (RFC 9562, version 8), and is the key where
/// that is a UUID: the entry is found by it without a list of all people. Other keys are hashed
/// (version 5). Those of all other entries are hashed as well, under version 8.
#[derive(Clone, Copy, Debug)]
pub struct Uuids<'a>(&'a Tree);

/// How many bytes of a digest of the base a UUID with a number has.
const PREFIX: usize = 8;

impl<'a> Uuids<'a> {
    /// Those of `tree`.
    pub fn of(tree: &'a Tree) -> Self {
        Self(tree)
    }

    fn digest(self, kind: &str, value: &str) -> [u8; 16] {
        let base = super::name::normal(self.0.base()).unwrap_or_default();
        let mut digest = Sha1::new();
        for part in ["hallpass", &base, kind, value] {
            // A length before each part, so that no two lists of parts are alike.
            digest.update(part.len().to_be_bytes());
            digest.update(part);
        }
        let digest = digest.finalize();
        let mut bytes = [0; 16];
        bytes
            .iter_mut()
            .zip(digest)
            .for_each(|(to, from)| *to = from);
        bytes
    }

    /// That of the entry above others that is called `name`.
    fn container(self, name: &str) -> String {
        text(self.digest("container", name), 8)
    }

    /// That of the group called `name`.
    pub fn group(self, name: &str) -> String {
        text(self.digest("group", name), 8)
    }

    /// That of the account with the primary key `id`.
    pub fn person(self, id: &str) -> String {
        match id.parse::<u64>() {
            // Its upper two bits are the variant's.
            Ok(number) if number < 1 << 62 && number.to_string() == id => {
                let prefix = self.digest("person", "");
                let mut bytes = [0; 16];
                let number = number.to_be_bytes();
                let parts = prefix.iter().take(PREFIX).chain(&number);
                bytes
                    .iter_mut()
                    .zip(parts)
                    .for_each(|(to, from)| *to = *from);
                text(bytes, 8)
            }
            _ => match Syntax::Uuid.normal(id) {
                Some(uuid) => uuid,
                None => text(self.digest("person", id), 5),
            },
        }
    }

    /// The primary key that a person has whose `entryUUID` is `uuid`, unless it is hashed.
    pub fn key(self, uuid: &str) -> String {
        let digits = uuid.get(19..).unwrap_or_default().replace('-', "");
        let number = u64::from_str_radix(&digits, 16).unwrap_or_default() & ((1 << 62) - 1);
        let key = number.to_string();
        match self.person(&key) == uuid {
            true => key,
            false => uuid.to_owned(),
        }
    }

    /// Whether `uuid` may be a hash of a primary key.
    pub fn may_be_hashed(uuid: &str) -> bool {
        uuid.as_bytes().get(14) == Some(&b'5')
    }
}

/// `bytes` as a UUID of this `version` (RFC 9562).
fn text(mut bytes: [u8; 16], version: u8) -> String {
    if let Some(byte) = bytes.get_mut(6) {
        *byte = *byte & 0x0f | version << 4;
    }
    if let Some(byte) = bytes.get_mut(8) {
        *byte = *byte & 0x3f | 0x80;
    }
    let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let part = |from: usize, to: usize| digits.get(from..to).unwrap_or_default().concat();
    [
        part(0, 4),
        part(4, 6),
        part(6, 8),
        part(8, 10),
        part(10, 16),
    ]
    .join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> Tree {
        Tree::new("dc=example,dc=org").unwrap()
    }

    #[test]
    fn a_key_is_found_in_a_uuid_of_the_same_base_alone() {
        let (tree, other) = (tree(), Tree::new("dc=example,dc=net").unwrap());
        let (uuids, others) = (Uuids::of(&tree), Uuids::of(&other));
        for key in ["0", "1", "42", "4611686018427387903"] {
            let uuid = uuids.person(key);
            assert_eq!(uuids.key(&uuid), key, "{uuid}");
            assert_eq!(others.key(&uuid), uuid);
            assert!(!Uuids::may_be_hashed(&uuid));
        }
        let own = "0123abcd-0123-4567-89ab-0123456789ab";
        assert_eq!(uuids.person(&own.to_uppercase()), own);
        assert_eq!(uuids.key(own), own);
        for key in ["", "007", "-1", "+1", "alice", "4611686018427387904", "1.0"] {
            let uuid = uuids.person(key);
            assert_eq!((uuids.key(&uuid), uuid.len()), (uuid.clone(), 36), "{key}");
            assert!(Uuids::may_be_hashed(&uuid));
        }
        assert_eq!(uuids.key(""), "");
        assert!(!Uuids::may_be_hashed(&uuids.group("a")));
        assert_ne!(uuids.container("a"), uuids.group("a"));
    }

    #[test]
    fn what_people_call_themselves_is_not_their_common_name() {
        let person = Person {
            name: "mallory".into(),
            id: "7".into(),
            email: String::new(),
            full_name: "admin of all".into(),
            groups: vec!["staff".into()],
        };
        let entry = Entry::person(&tree(), &person);
        let all = Selection::new(&[]);
        let shown: Vec<String> = entry
            .selected(&all)
            .map(|(kind, values)| format!("{}: {}", kind.name(), values.join(", ")))
            .collect();
        assert_eq!(
            shown,
            [
                "objectClass: top, person, organizationalPerson, inetOrgPerson",
                "uid: mallory",
                "cn: mallory",
                "sn: all",
                "givenName: admin of",
                "displayName: admin of all",
                "memberOf: cn=staff,ou=groups,dc=example,dc=org",
            ]
        );
    }

    #[test]
    fn what_is_asked_for_is_selected() {
        let words = |words: &[&str]| {
            Selection::new(&words.iter().map(ToString::to_string).collect::<Vec<_>>())
        };
        for (asked, mail, uuid) in [
            (&[][..], true, false),
            (&["*"], true, false),
            (&["+"], false, true),
            (&["*", "+"], true, true),
            (&["1.1"], false, false),
            (&["MAIL"], true, false),
            (&["entryuuid"], false, true),
            (&["1.1", "mail"], true, false),
            (&["userPassword"], false, false),
        ] {
            let selection = words(asked);
            assert_eq!(selection.has(&schema::MAIL), mail, "{asked:?}");
            assert_eq!(selection.has(&schema::ENTRY_UUID), uuid, "{asked:?}");
        }
    }
}
