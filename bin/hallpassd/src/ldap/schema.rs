//! Lists the attributes and object classes that entries of the directory have.

use hallpass_core::dn::comparable;

use super::name;

/// A type of attributes.
#[derive(Debug, PartialEq, Eq)]
pub struct AttributeType {
    /// What it is called, its own name first.
    pub names: &'static [&'static str],
    pub oid: &'static str,
    pub syntax: Syntax,
    /// Whether it is returned only where it is asked for by name, or with `+`.
    pub operational: bool,
}

/// How the values of an attribute are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Syntax {
    /// Text without regard to case.
    Text,
    /// The name of an entry.
    Dn,
    /// The name of an object class.
    ObjectClass,
    Uuid,
    /// `TRUE` or `FALSE`.
    Boolean,
}

/// Defines the types, each as a static and all of them as a list.
macro_rules! types {
    ($($constant:ident $names:expr, $oid:literal, $syntax:ident, $operational:literal;)*) => {
        $(pub static $constant: AttributeType = AttributeType {
            names: &$names,
            oid: $oid,
            syntax: Syntax::$syntax,
            operational: $operational,
        };)*
        /// All types.
        pub static TYPES: &[&AttributeType] = &[$(&$constant),*];
    };
}

types! {
    OBJECT_CLASS ["objectClass"], "2.5.4.0", ObjectClass, false;
    UID ["uid", "userid"], "0.9.2342.19200300.100.1.1", Text, false;
    CN ["cn", "commonName"], "2.5.4.3", Text, false;
    SN ["sn", "surname"], "2.5.4.4", Text, false;
    GIVEN_NAME ["givenName", "gn"], "2.5.4.42", Text, false;
    DISPLAY_NAME ["displayName"], "2.16.840.1.113730.3.1.241", Text, false;
    MAIL ["mail", "rfc822Mailbox"], "0.9.2342.19200300.100.1.3", Text, false;
    MEMBER_OF ["memberOf"], "1.2.840.113556.1.2.102", Dn, false;
    MEMBER ["member"], "2.5.4.31", Dn, false;
    UNIQUE_MEMBER ["uniqueMember"], "2.5.4.50", Dn, false;
    OU ["ou", "organizationalUnitName"], "2.5.4.11", Text, false;
    DC ["dc", "domainComponent"], "0.9.2342.19200300.100.1.25", Text, false;
    O ["o", "organizationName"], "2.5.4.10", Text, false;
    ENTRY_DN ["entryDN"], "1.3.6.1.1.20", Dn, true;
    ENTRY_UUID ["entryUUID"], "1.3.6.1.1.16.4", Uuid, true;
    STRUCTURAL_OBJECT_CLASS ["structuralObjectClass"], "2.5.21.9", ObjectClass, true;
    HAS_SUBORDINATES ["hasSubordinates"], "2.5.18.9", Boolean, true;
    SUBSCHEMA_SUBENTRY ["subschemaSubentry"], "2.5.18.10", Dn, true;
    NAMING_CONTEXTS ["namingContexts"], "1.3.6.1.4.1.1466.101.120.5", Dn, true;
    SUPPORTED_CONTROL ["supportedControl"], "1.3.6.1.4.1.1466.101.120.13", Text, true;
    SUPPORTED_EXTENSION ["supportedExtension"], "1.3.6.1.4.1.1466.101.120.7", Text, true;
    SUPPORTED_FEATURES ["supportedFeatures"], "1.3.6.1.4.1.4203.1.3.5", Text, true;
    SUPPORTED_LDAP_VERSION ["supportedLDAPVersion"], "1.3.6.1.4.1.1466.101.120.15", Text, true;
    VENDOR_NAME ["vendorName"], "1.3.6.1.1.4", Text, true;
    VENDOR_VERSION ["vendorVersion"], "1.3.6.1.1.5", Text, true;
    ATTRIBUTE_TYPES ["attributeTypes"], "2.5.21.5", Text, true;
    OBJECT_CLASSES ["objectClasses"], "2.5.21.6", Text, true;
    LDAP_SYNTAXES ["ldapSyntaxes"], "1.3.6.1.4.1.1466.101.120.16", Text, true;
    // No entry has these; clients ask for them by name, and Python's ldap3 refuses to where the
    // schema does not know them.
    MATCHING_RULES ["matchingRules"], "2.5.21.4", Text, true;
    MATCHING_RULE_USE ["matchingRuleUse"], "2.5.21.8", Text, true;
    DIT_CONTENT_RULES ["dITContentRules"], "2.5.21.2", Text, true;
    DIT_STRUCTURE_RULES ["dITStructureRules"], "2.5.21.1", Text, true;
    NAME_FORMS ["nameForms"], "2.5.21.7", Text, true;
    CREATE_TIMESTAMP ["createTimestamp"], "2.5.18.1", Text, true;
    MODIFY_TIMESTAMP ["modifyTimestamp"], "2.5.18.2", Text, true;
    ALT_SERVER ["altServer"], "1.3.6.1.4.1.1466.101.120.6", Text, true;
    SUPPORTED_SASL_MECHANISMS ["supportedSASLMechanisms"], "1.3.6.1.4.1.1466.101.120.14", Text, true;
}

/// The object classes of entries: name, object identifier, and the rest of their description.
static CLASSES: &[(&str, &str, &str)] = &[
    ("top", "2.5.6.0", "ABSTRACT MUST objectClass"),
    ("person", "2.5.6.6", "SUP top STRUCTURAL MUST ( sn $ cn )"),
    (
        "organizationalPerson",
        "2.5.6.7",
        "SUP person STRUCTURAL MAY ou",
    ),
    (
        "inetOrgPerson",
        "2.16.840.1.113730.3.2.2",
        "SUP organizationalPerson STRUCTURAL MAY ( displayName $ givenName $ mail $ uid $ memberOf )",
    ),
    (
        "groupOfNames",
        "2.5.6.9",
        "SUP top STRUCTURAL MUST ( cn $ member )",
    ),
    (
        "organizationalUnit",
        "2.5.6.5",
        "SUP top STRUCTURAL MUST ou",
    ),
    ("organization", "2.5.6.4", "SUP top STRUCTURAL MUST o"),
    (
        "dcObject",
        "1.3.6.1.4.1.1466.344",
        "SUP top AUXILIARY MUST dc",
    ),
    (
        "subschema",
        "2.5.20.1",
        "AUXILIARY MAY ( attributeTypes $ objectClasses )",
    ),
    ("subentry", "2.5.17.0", "SUP top STRUCTURAL MUST cn"),
];

impl AttributeType {
    /// The type that `description` names, by a name or an object identifier. With options it names a
    /// subtype, and no entry has one.
    pub fn of(description: &str) -> Option<&'static Self> {
        let is = |kind: &&&'static Self| {
            let mut names = kind.names.iter();
            names.any(|name| name.eq_ignore_ascii_case(description)) || kind.oid == description
        };
        TYPES.iter().find(is).copied()
    }

    /// Its own name.
    pub fn name(&self) -> &'static str {
        self.names.first().copied().unwrap_or_default()
    }

    /// As `attributeTypes` describes it (RFC 4512, section 4.1.2).
    pub fn definition(&self) -> String {
        let names: Vec<String> = self.names.iter().map(|name| format!("'{name}'")).collect();
        let (equality, substrings, syntax) = match self.syntax {
            Syntax::Text => (
                "caseIgnoreMatch",
                " SUBSTR caseIgnoreSubstringsMatch",
                "1.3.6.1.4.1.1466.115.121.1.15",
            ),
            Syntax::Dn => (
                "distinguishedNameMatch",
                "",
                "1.3.6.1.4.1.1466.115.121.1.12",
            ),
            Syntax::ObjectClass => ("objectIdentifierMatch", "", "1.3.6.1.4.1.1466.115.121.1.38"),
            Syntax::Uuid => ("UUIDMatch", "", "1.3.6.1.1.16.1"),
            Syntax::Boolean => ("booleanMatch", "", "1.3.6.1.4.1.1466.115.121.1.7"),
        };
        let usage = match self.operational {
            true => " NO-USER-MODIFICATION USAGE directoryOperation",
            false => "",
        };
        format!(
            "( {} NAME ( {} ) EQUALITY {equality}{substrings} SYNTAX {syntax}{usage} )",
            self.oid,
            names.join(" ")
        )
    }
}

impl Syntax {
    /// `value` as it is compared; `None` where it has another syntax.
    pub fn normal(self, value: &str) -> Option<String> {
        match self {
            Self::Text => Some(comparable(value)).filter(|it| !it.is_empty()),
            Self::Dn => name::normal(value),
            Self::ObjectClass => {
                let is = |(name, oid, _): &&(&str, &str, &str)| {
                    name.eq_ignore_ascii_case(value) || *oid == value
                };
                let (name, ..) = CLASSES.iter().find(is)?;
                Some(name.to_ascii_lowercase())
            }
            Self::Uuid => {
                let digits: String = value.chars().filter(|it| *it != '-').collect();
                let whole = digits.len() == 32 && digits.bytes().all(|it| it.is_ascii_hexdigit());
                (whole && value.len() == 36).then(|| value.to_ascii_lowercase())
            }
            Self::Boolean => matches!(value, "TRUE" | "FALSE").then(|| value.to_owned()),
        }
    }

    /// A piece of a value as it is compared, where values can be compared by their pieces. Spaces at
    /// its ends count, unlike those of a whole value.
    pub fn normal_piece(self, piece: &str) -> Option<String> {
        if self != Self::Text || piece.is_empty() {
            return None;
        }
        let inner = comparable(piece);
        if inner.is_empty() {
            return Some(" ".to_owned());
        }
        let space = |has: bool| if has { " " } else { "" };
        let (before, after) = (piece.starts_with(' '), piece.ends_with(' '));
        Some(format!("{}{inner}{}", space(before), space(after)))
    }
}

/// The values of `attributeTypes`.
pub fn attribute_types() -> Vec<String> {
    TYPES.iter().map(|kind| kind.definition()).collect()
}

/// The values of `objectClasses`.
pub fn object_classes() -> Vec<String> {
    let class = |(name, oid, rest): &(&str, &str, &str)| format!("( {oid} NAME '{name}' {rest} )");
    CLASSES.iter().map(class).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_known_by_every_name() {
        for (description, expected) in [
            ("UID", Some(&UID)),
            ("userid", Some(&UID)),
            ("0.9.2342.19200300.100.1.1", Some(&UID)),
            ("rfc822mailbox", Some(&MAIL)),
            ("memberof", Some(&MEMBER_OF)),
            ("mail;lang-en", None),
            ("sAMAccountName", None),
            ("userPassword", None),
            ("", None),
        ] {
            assert_eq!(AttributeType::of(description), expected, "{description}");
        }
    }

    #[test]
    fn values_have_a_normal_form_or_none() {
        for (syntax, value, expected) in [
            (Syntax::Text, " Alice  X ", Some("alice x")),
            (Syntax::Text, "  ", None),
            (Syntax::ObjectClass, "INETORGPERSON", Some("inetorgperson")),
            (Syntax::ObjectClass, "2.5.6.6", Some("person")),
            (Syntax::ObjectClass, "user", None),
            (
                Syntax::Dn,
                "CN=Staff, ou=Groups",
                Some("cn=staff,ou=groups"),
            ),
            (Syntax::Dn, "staff", None),
            (
                Syntax::Uuid,
                "01234567-89AB-cdef-0123-456789abcdef",
                Some("01234567-89ab-cdef-0123-456789abcdef"),
            ),
            (Syntax::Uuid, "0123456789abcdef0123456789abcdef", None),
        ] {
            assert_eq!(syntax.normal(value).as_deref(), expected, "{value}");
        }
        assert_eq!(Syntax::Text.normal_piece(" Al").as_deref(), Some(" al"));
        assert_eq!(Syntax::Dn.normal_piece("cn="), None);
    }
}
