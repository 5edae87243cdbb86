//! Decodes requests and encodes responses of LDAP (RFC 4511).

use hallpass_core::Secret;

use super::ber::{
    BOOLEAN, ENUMERATED, INTEGER, Malformed, OCTET_STRING, Reader, SEQUENCE, SET, Writer, number,
};
use super::entry::{Entry, Selection};
use super::filter::{Assertion, Filter, Unreadable, description};
use super::paging::{PAGED_RESULTS, PageRequest, fingerprint, write_control};

/// How long a message may be, in bytes.
pub const LONGEST: usize = 128 << 10;
/// How many attributes a search may ask for.
const MOST_ATTRIBUTES: usize = 512;
/// How many controls a request may have.
const MOST_CONTROLS: usize = 16;

/// StartTLS (RFC 4511, section 4.14).
pub const START_TLS: &str = "1.3.6.1.4.1.1466.20037";
/// Who am I (RFC 4532).
pub const WHO_AM_I: &str = "1.3.6.1.4.1.4203.1.11.3";
/// Password Modify (RFC 3062), which writes.
pub const PASSWORD_MODIFY: &str = "1.3.6.1.4.1.4203.1.11.1";
/// The notice that the server closes the connection (RFC 4511, section 4.4.1).
const DISCONNECTION: &str = "1.3.6.1.4.1.1466.20036";
/// ManageDsaIT (RFC 3296): there are no referrals to be managed.
pub const MANAGE_DSA_IT: &str = "2.16.840.1.113730.3.4.2";

/// A request.
#[derive(Debug)]
pub struct Message {
    pub id: i32,
    pub operation: Result<Operation, Refused>,
}

/// An operation, without those that have no answer, and those that write.
#[derive(Debug)]
pub enum Operation {
    Bind(Bind),
    Unbind,
    Search(Search),
    Compare(Compare),
    /// Abandon the operation with this number.
    Abandon(i32),
    Extended(String),
}

/// An operation that is not carried out, whatever the site says.
#[derive(Debug, PartialEq, Eq)]
pub struct Refused {
    /// The tag of its response.
    pub response: u8,
    pub code: Code,
    pub message: &'static str,
}

/// A bind.
#[derive(Debug)]
pub struct Bind {
    pub version: i32,
    pub dn: String,
    /// The password of a simple bind; `None` for SASL.
    pub password: Option<Secret>,
}

/// A search.
#[derive(Debug)]
pub struct Search {
    pub base: String,
    pub scope: Scope,
    /// 0 for no limit.
    pub size_limit: usize,
    /// In seconds; 0 for no limit.
    pub time_limit: u64,
    /// Whether attributes are to come without their values.
    pub types_only: bool,
    pub filter: Filter,
    pub attributes: Selection,
    /// Which of its pages is asked for, where the client takes pages.
    pub page: Option<PageRequest>,
    /// By which the same search is recognised.
    pub fingerprint: u64,
}

/// How far below its base a search looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    Base,
    One,
    Subtree,
    /// All below the base, without it.
    Children,
}

/// A comparison.
#[derive(Debug)]
pub struct Compare {
    pub dn: String,
    pub assertion: Assertion,
}

/// A result code (RFC 4511, appendix A).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    Success = 0,
    OperationsError = 1,
    ProtocolError = 2,
    TimeLimitExceeded = 3,
    SizeLimitExceeded = 4,
    CompareFalse = 5,
    CompareTrue = 6,
    AuthMethodNotSupported = 7,
    AdminLimitExceeded = 11,
    UnavailableCriticalExtension = 12,
    ConfidentialityRequired = 13,
    NoSuchAttribute = 16,
    NoSuchObject = 32,
    InvalidDnSyntax = 34,
    InvalidCredentials = 49,
    InsufficientAccessRights = 50,
    Unavailable = 52,
    UnwillingToPerform = 53,
}

/// The tags of responses.
pub const BIND_RESPONSE: u8 = 0x61;
pub const SEARCH_DONE: u8 = 0x65;
pub const COMPARE_RESPONSE: u8 = 0x6f;
pub const EXTENDED_RESPONSE: u8 = 0x78;
const SEARCH_ENTRY: u8 = 0x64;
/// The tag of the controls of a message.
const CONTROLS: u8 = 0xa0;

impl Message {
    /// Decodes `bytes`, which are one whole message.
    ///
    /// # Errors
    /// [`Malformed`] where its number or the kind of its operation cannot be read: the connection
    /// cannot go on.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut outer = Reader::new(bytes);
        let mut reader = outer.within(SEQUENCE)?;
        outer.end()?;
        let id = reader.number(INTEGER)?;
        if id < 0 {
            return Err(Malformed);
        }
        let (tag, contents) = reader.any()?;
        let response = response_tag(tag).ok_or(Malformed)?;
        let controls = Controls::read(&mut reader)?;
        reader.end()?;
        let refused = |code, message| Refused {
            response,
            code,
            message,
        };
        let mut operation = operation(tag, contents);
        // Only a search has pages.
        let mut unsupported = controls.unsupported;
        match (&mut operation, controls.page) {
            (Ok(Operation::Search(search)), Some((_, page))) => match page {
                Ok(page) => search.page = Some(page),
                Err(Malformed) => operation = Err(Undecodable::Malformed),
            },
            (_, Some((is_critical, _))) => unsupported |= is_critical,
            (_, None) => {}
        }
        let operation = match operation {
            // These have no answer, and ignore controls.
            Ok(operation @ (Operation::Unbind | Operation::Abandon(_))) => Ok(operation),
            _ if unsupported => Err(refused(
                Code::UnavailableCriticalExtension,
                "a critical control is not supported",
            )),
            Ok(operation) => Ok(operation),
            Err(Undecodable::Malformed) => Err(refused(
                Code::ProtocolError,
                "the request cannot be decoded",
            )),
            Err(Undecodable::TooLarge) => Err(refused(
                Code::AdminLimitExceeded,
                "the request has too many parts",
            )),
            Err(Undecodable::Writes) => Err(refused(
                Code::UnwillingToPerform,
                "the directory is read-only",
            )),
        };
        Ok(Self { id, operation })
    }
}

/// The tag of the response to the operation with the tag `request`; 0 where it has none.
fn response_tag(request: u8) -> Option<u8> {
    match request {
        0x60 => Some(BIND_RESPONSE),
        0x63 => Some(SEARCH_DONE),
        // Modify, add, delete, rename, compare.
        0x66 => Some(0x67),
        0x68 => Some(0x69),
        0x4a => Some(0x6b),
        0x6c => Some(0x6d),
        0x6e => Some(COMPARE_RESPONSE),
        0x77 => Some(EXTENDED_RESPONSE),
        // Unbind, abandon.
        0x42 | 0x50 => Some(0),
        _ => None,
    }
}

/// The controls at the end of a message.
#[derive(Debug, Default)]
struct Controls {
    /// Whether one is critical and not known.
    unsupported: bool,
    /// Paged results: whether it is critical, and what it asks for.
    page: Option<(bool, Result<PageRequest, Malformed>)>,
}

impl Controls {
    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let mut found = Self::default();
        let Some(controls) = reader.optional(CONTROLS)? else {
            return Ok(found);
        };
        let mut controls = Reader::new(controls);
        for _ in 0..MOST_CONTROLS {
            if controls.is_empty() {
                return Ok(found);
            }
            let mut control = controls.within(SEQUENCE)?;
            let kind = control.expect(OCTET_STRING)?;
            let is_critical = control.peek() == Some(BOOLEAN) && control.truth()?;
            let value = control.optional(OCTET_STRING)?;
            control.end()?;
            if kind == PAGED_RESULTS.as_bytes() {
                let is_first = found.page.is_none();
                let page = PageRequest::read(value.filter(|_| is_first));
                found.page = Some((is_critical, page));
            } else {
                found.unsupported |= is_critical && kind != MANAGE_DSA_IT.as_bytes();
            }
        }
        controls.end()?;
        Ok(found)
    }
}

/// Why an operation is not decoded.
enum Undecodable {
    Malformed,
    TooLarge,
    Writes,
}

impl From<Malformed> for Undecodable {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

impl From<Unreadable> for Undecodable {
    fn from(unreadable: Unreadable) -> Self {
        match unreadable {
            Unreadable::Malformed => Self::Malformed,
            Unreadable::TooLarge => Self::TooLarge,
        }
    }
}

fn operation(tag: u8, contents: &[u8]) -> Result<Operation, Undecodable> {
    let mut reader = Reader::new(contents);
    let operation = match tag {
        0x60 => Operation::Bind(bind(&mut reader)?),
        0x42 => return Ok(Operation::Unbind),
        0x50 => return Ok(Operation::Abandon(number(contents)?)),
        0x63 => Operation::Search(Search {
            fingerprint: fingerprint(contents),
            ..search(&mut reader)?
        }),
        0x6e => {
            let dn = text(&mut reader)?;
            let assertion = Assertion::read(reader.within(SEQUENCE)?)?;
            Operation::Compare(Compare { dn, assertion })
        }
        0x77 => {
            let name = description(reader.expect(0x80)?)?;
            reader.optional(0x81)?;
            if name == PASSWORD_MODIFY {
                return Err(Undecodable::Writes);
            }
            Operation::Extended(name)
        }
        _ => return Err(Undecodable::Writes),
    };
    reader.end()?;
    Ok(operation)
}

fn text(reader: &mut Reader<'_>) -> Result<String, Malformed> {
    description(reader.expect(OCTET_STRING)?)
}

fn bind(reader: &mut Reader<'_>) -> Result<Bind, Malformed> {
    let version = reader.number(INTEGER)?;
    let dn = text(reader)?;
    let password = match reader.any()? {
        (0x80, password) => Some(Secret::new(password)),
        (0xa3, mechanism) => {
            let mut mechanism = Reader::new(mechanism);
            mechanism.expect(OCTET_STRING)?;
            mechanism.optional(OCTET_STRING)?;
            mechanism.end()?;
            None
        }
        _ => return Err(Malformed),
    };
    Ok(Bind {
        version,
        dn,
        password,
    })
}

fn search(reader: &mut Reader<'_>) -> Result<Search, Undecodable> {
    let base = text(reader)?;
    let scope = match reader.number(ENUMERATED)? {
        0 => Scope::Base,
        1 => Scope::One,
        2 => Scope::Subtree,
        3 => Scope::Children,
        _ => return Err(Undecodable::Malformed),
    };
    // There are no aliases.
    if !(0..=3).contains(&reader.number(ENUMERATED)?) {
        return Err(Undecodable::Malformed);
    }
    let limit = |number: i32| u32::try_from(number).map_err(|_| Malformed);
    let size_limit = limit(reader.number(INTEGER)?)?;
    let time_limit = limit(reader.number(INTEGER)?)?;
    let types_only = reader.truth()?;
    let filter = Filter::read(reader)?;
    let mut list = reader.within(SEQUENCE)?;
    let mut attributes = Vec::new();
    while !list.is_empty() {
        if attributes.len() >= MOST_ATTRIBUTES {
            return Err(Undecodable::TooLarge);
        }
        attributes.push(text(&mut list)?);
    }
    Ok(Search {
        base,
        scope,
        size_limit: usize::try_from(size_limit).unwrap_or(usize::MAX),
        time_limit: time_limit.into(),
        types_only,
        filter,
        attributes: Selection::new(&attributes),
        page: None,
        fingerprint: 0,
    })
}

/// The response to the operation with the number `id`.
pub fn response(id: i32, tag: u8, code: Code, matched: &str, message: &str) -> Vec<u8> {
    respond(id, tag, code, matched, message, |_| {})
}

/// The response to a search whose entries are a page; `cookie` is empty where it was the last.
pub fn page_done(id: i32, cookie: &[u8]) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.within(SEQUENCE, |writer| {
        result(writer, id, SEARCH_DONE, Code::Success, "", "", |_| {});
        writer.within(CONTROLS, |writer| write_control(writer, cookie));
    });
    writer.into_bytes()
}

/// The response to an extended operation, with the value that it gives.
pub fn extended(
    id: i32,
    code: Code,
    message: &str,
    name: Option<&str>,
    value: Option<&str>,
) -> Vec<u8> {
    respond(id, EXTENDED_RESPONSE, code, "", message, |writer| {
        if let Some(name) = name {
            writer.text(0x8a, name);
        }
        if let Some(value) = value {
            writer.text(0x8b, value);
        }
    })
}

/// The notice that the server closes the connection.
pub fn disconnection(code: Code, message: &str) -> Vec<u8> {
    extended(0, code, message, Some(DISCONNECTION), None)
}

fn respond(
    id: i32,
    tag: u8,
    code: Code,
    matched: &str,
    message: &str,
    more: impl FnOnce(&mut Writer),
) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.within(SEQUENCE, |writer| {
        result(writer, id, tag, code, matched, message, more);
    });
    writer.into_bytes()
}

fn result(
    writer: &mut Writer,
    id: i32,
    tag: u8,
    code: Code,
    matched: &str,
    message: &str,
    more: impl FnOnce(&mut Writer),
) {
    writer.number(INTEGER, id).within(tag, |writer| {
        writer
            .number(ENUMERATED, code as i32)
            .text(OCTET_STRING, matched)
            .text(OCTET_STRING, message);
        more(writer);
    });
}

/// `entry` as it is returned to the search with the number `id`.
pub fn entry(id: i32, entry: &Entry, search: &Search) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.within(SEQUENCE, |writer| {
        writer.number(INTEGER, id).within(SEARCH_ENTRY, |writer| {
            writer
                .text(OCTET_STRING, &entry.dn)
                .within(SEQUENCE, |writer| {
                    for (kind, values) in entry.selected(&search.attributes) {
                        writer.within(SEQUENCE, |writer| {
                            writer
                                .text(OCTET_STRING, kind.name())
                                .within(SET, |writer| {
                                    let values = values.iter().filter(|_| !search.types_only);
                                    values.for_each(|value| {
                                        writer.text(OCTET_STRING, value);
                                    });
                                });
                        });
                    }
                });
        });
    });
    writer.into_bytes()
}
