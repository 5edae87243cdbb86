//! Reads and writes distinguished names of LDAP (RFC 4514).

use std::fmt::Write;

use hallpass_stores::sql::fold_case;
use unicode_normalization::UnicodeNormalization;

/// The longest text that is read as a distinguished name, in bytes.
const LONGEST: usize = 8192;
/// How many components a name may have.
const MOST_COMPONENTS: usize = 32;

/// A distinguished name. Each component has one attribute and its value; names with several values
/// in a component are not read, because no entry of a site has one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dn(Vec<Component>);

/// A component of a distinguished name: an attribute and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Component {
    /// The attribute's type as written, in lower case.
    pub attribute: String,
    /// The value, without escapes.
    pub value: String,
}

/// Text that is not a distinguished name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not a distinguished name, as in \"dc=example,dc=org\"")]
pub struct InvalidDn;

impl Dn {
    /// Reads `text`.
    ///
    /// # Errors
    /// [`InvalidDn`] where it is not a distinguished name, is too long, has several values in a
    /// component, or has a value in hexadecimal BER.
    pub fn parse(text: &str) -> Result<Self, InvalidDn> {
        if text.len() > LONGEST {
            return Err(InvalidDn);
        }
        let mut components = Vec::new();
        let mut rest = text.trim_start_matches(' ');
        if rest.is_empty() {
            return Ok(Self::default());
        }
        loop {
            let (attribute, after) = rest.split_once('=').ok_or(InvalidDn)?;
            let attribute = attribute.trim_matches(' ');
            if !is_attribute_type(attribute) || components.len() >= MOST_COMPONENTS {
                return Err(InvalidDn);
            }
            let (value, after) = value(after.trim_start_matches(' '))?;
            components.push(Component {
                attribute: attribute.to_ascii_lowercase(),
                value,
            });
            match after {
                None => return Ok(Self(components)),
                Some(after) => rest = after,
            }
        }
    }

    /// The components, that of the entry itself first.
    #[must_use]
    pub fn components(&self) -> &[Component] {
        &self.0
    }
}

/// The value at the start of `text`, and what follows the comma behind it.
fn value(text: &str) -> Result<(String, Option<&str>), InvalidDn> {
    // One in hexadecimal BER, and one in the quotes of LDAPv2.
    if text.starts_with(['#', '"']) {
        return Err(InvalidDn);
    }
    let mut value = Vec::new();
    // How long the value is without the spaces at its end, which count only where they are escaped.
    let mut kept = 0;
    let mut bytes = text.bytes().enumerate();
    let mut after = None;
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b',' => {
                after = Some(text.get(at + 1..).ok_or(InvalidDn)?);
                break;
            }
            b'\\' => {
                let (_, escaped) = bytes.next().ok_or(InvalidDn)?;
                match hexadecimal(escaped) {
                    Some(high) => {
                        let low = bytes.next().and_then(|(_, low)| hexadecimal(low));
                        value.push(high << 4 | low.ok_or(InvalidDn)?);
                    }
                    None if b" \"#+,;<=>\\".contains(&escaped) => value.push(escaped),
                    None => return Err(InvalidDn),
                }
                kept = value.len();
            }
            b'"' | b'+' | b';' | b'<' | b'>' | 0 => return Err(InvalidDn),
            b' ' => value.push(byte),
            _ => {
                value.push(byte);
                kept = value.len();
            }
        }
    }
    value.truncate(kept);
    if value.is_empty() {
        return Err(InvalidDn);
    }
    let value = String::from_utf8(value).map_err(|_| InvalidDn)?;
    Ok((value, after))
}

fn hexadecimal(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|it| u8::try_from(it).ok())
}

/// Whether `text` is a descriptor or a numeric object identifier (RFC 4512, section 1.4).
fn is_attribute_type(text: &str) -> bool {
    let first = text.bytes().next();
    first.is_some_and(|byte| byte.is_ascii_alphanumeric())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.')
}

/// `value` as it stands in a distinguished name (RFC 4514, section 2.4).
#[must_use]
pub fn escape(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    let last = value.chars().count().saturating_sub(1);
    for (at, character) in value.chars().enumerate() {
        match character {
            ' ' if at == 0 || at == last => escaped.push_str("\\20"),
            '#' if at == 0 => escaped.push_str("\\23"),
            '"' | '+' | ',' | ';' | '<' | '=' | '>' | '\\' => {
                // Writing to a string cannot fail.
                let _ = write!(escaped, "\\{:02X}", u32::from(character));
            }
            character if u32::from(character) < 0x20 || character == '\x7f' => {
                let _ = write!(escaped, "\\{:02X}", u32::from(character));
            }
            character => escaped.push(character),
        }
    }
    escaped
}

/// The form in which LDAP compares `text` without regard to case: composed (NFKC), folded, without
/// spaces around it, and with one space between words (`caseIgnoreMatch`, RFC 4518).
#[must_use]
pub fn comparable(text: &str) -> String {
    let folded = fold_case(&text.nfkc().collect::<String>());
    let words: Vec<&str> = folded.split(' ').filter(|word| !word.is_empty()).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<Vec<(String, String)>> {
        let dn = Dn::parse(text).ok()?;
        let part = |it: Component| (it.attribute, it.value);
        Some(dn.0.into_iter().map(part).collect())
    }

    #[test]
    fn names_are_read_as_rfc_4514_writes_them() {
        let pairs = |pairs: &[(&str, &str)]| {
            let owned = |(name, value): &(&str, &str)| ((*name).into(), (*value).into());
            Some(pairs.iter().map(owned).collect())
        };
        for (text, expected) in [
            ("", &[][..]),
            (
                "UID=jsmith,DC=example,DC=net",
                &[("uid", "jsmith"), ("dc", "example"), ("dc", "net")],
            ),
            (
                "CN=James \\\"Jim\\\" Smith\\, III,DC=net",
                &[("cn", "James \"Jim\" Smith, III"), ("dc", "net")],
            ),
            (
                "CN=Before\\0dAfter,DC=net",
                &[("cn", "Before\rAfter"), ("dc", "net")],
            ),
            ("CN=Lu\\C4\\8Di\\C4\\87", &[("cn", "Lučić")]),
            (
                " uid = alice , ou = people ",
                &[("uid", "alice"), ("ou", "people")],
            ),
            ("uid=alice\\20 ,dc=x", &[("uid", "alice "), ("dc", "x")]),
            ("uid=\\20 alice", &[("uid", "  alice")]),
            ("uid=a=b", &[("uid", "a=b")]),
            (
                "0.9.2342.19200300.100.1.1=a",
                &[("0.9.2342.19200300.100.1.1", "a")],
            ),
            ("uid=\\61lice", &[("uid", "alice")]),
        ] {
            assert_eq!(read(text), pairs(expected), "{text}");
        }
    }

    #[test]
    fn other_text_is_not_a_name() {
        for text in [
            "alice",
            "a@b.example",
            "DOM\\alice",
            "uid=",
            "uid=,dc=x",
            "uid= ,dc=x",
            "=alice",
            "uid=alice,",
            "uid=alice,,dc=x",
            "uid=alice+cn=bob,dc=x",
            "uid=alice;dc=x",
            "uid=\"alice\"",
            "uid=#04024869",
            "uid=a\\",
            "uid=a\\6",
            "uid=a\\zz",
            "uid=a\\ff",
            "uid=a\0",
            "u id=a",
            "_uid=a",
        ] {
            assert_eq!(read(text), None, "{text:?}");
        }
        let deep = ["dc=x"; MOST_COMPONENTS + 1].join(",");
        assert_eq!(read(&deep), None);
        assert_eq!(read(&format!("uid={}", "a".repeat(LONGEST))), None);
    }

    #[test]
    fn what_is_escaped_is_read_as_it_was() {
        for value in [
            "alice",
            " alice ",
            "#alice",
            "a,b+c\"d\\e<f>g;h=i",
            "line\nend",
            "Zoë",
            "a  b",
            "\\20",
            " ",
            "\x7f\0",
        ] {
            let text = format!("uid={},dc=x", escape(value));
            let read = read(&text).unwrap();
            assert_eq!(read[0].1, value, "{text}");
        }
    }

    #[test]
    fn case_and_spaces_do_not_count() {
        for (one, other) in [
            ("Alice", "alice"),
            (" alice  x ", "alice x"),
            ("ＡＬＩＣＥ", "alice"),
            ("STRASSE", "straße"),
            ("Zoe\u{308}", "ZOË"),
        ] {
            assert_eq!(comparable(one), comparable(other));
        }
        assert_ne!(comparable("alice"), comparable("alicé"));
    }
}
