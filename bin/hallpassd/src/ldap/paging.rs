//! Divides the results of searches into pages (RFC 2696).

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};

use hallpass_core::Id;

use super::ber::{INTEGER, Malformed, OCTET_STRING, Reader, SEQUENCE, Writer};

/// The control of paged results.
pub const PAGED_RESULTS: &str = "1.2.840.113556.1.4.319";

/// How many paged searches of one connection wait for their next page. The oldest gives way.
const MOST_WAITING: usize = 4;

/// The page that a search asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageRequest {
    /// How many entries the client takes. 0 ends the paged search.
    pub size: usize,
    /// The cookie of the page before; empty for the first page.
    pub cookie: Vec<u8>,
}

impl PageRequest {
    /// Reads the value of the control.
    ///
    /// # Errors
    /// [`Malformed`] where it is missing or has another form.
    pub fn read(value: Option<&[u8]>) -> Result<Self, Malformed> {
        let mut outer = Reader::new(value.ok_or(Malformed)?);
        let mut reader = outer.within(SEQUENCE)?;
        outer.end()?;
        let size = reader.number(INTEGER)?;
        let cookie = reader.expect(OCTET_STRING)?.to_vec();
        reader.end()?;
        let size = usize::try_from(size).map_err(|_| Malformed)?;
        Ok(Self { size, cookie })
    }
}

/// Writes the control of a response: no estimate of the whole, and the cookie of the next page.
pub fn write_control(writer: &mut Writer, cookie: &[u8]) {
    let mut value = Writer::default();
    value.within(SEQUENCE, |writer| {
        writer.number(INTEGER, 0).value(OCTET_STRING, cookie);
    });
    writer.within(SEQUENCE, |writer| {
        writer
            .text(OCTET_STRING, PAGED_RESULTS)
            .value(OCTET_STRING, &value.into_bytes());
    });
}

/// Where a page begins. Entries come in the order of [`Phase`].
#[derive(Clone, Debug, PartialEq)]
pub struct Position {
    pub phase: Phase,
    /// How many entries of that phase were returned or skipped before.
    pub skip: usize,
    /// How many entries the earlier pages had altogether.
    pub returned: usize,
}

/// The kinds of entries, in the order in which they are returned.
#[derive(Clone, Debug, PartialEq)]
pub enum Phase {
    Containers,
    /// In a list: after the account with this primary key.
    People(Option<Id>),
    Groups,
}

impl Position {
    /// The first page.
    pub fn first() -> Self {
        Self {
            phase: Phase::Containers,
            skip: 0,
            returned: 0,
        }
    }
}

/// The number of a search's contents, by which the same search is recognised. It keeps clients from
/// errors, and no entry from anybody: each page is searched under the rules of any search.
pub fn fingerprint(contents: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    contents.hash(&mut hasher);
    hasher.finish()
}

/// The paged searches of one connection.
#[derive(Clone, Debug, Default)]
pub struct Pages {
    waiting: VecDeque<Waiting>,
    /// The number in the newest cookie.
    newest: u64,
}

/// A paged search that waits for its next page.
#[derive(Clone, Debug)]
struct Waiting {
    cookie: u64,
    fingerprint: u64,
    position: Position,
}

impl Pages {
    /// Where the page behind `cookie` begins; `None` where the cookie is not one of this connection
    /// and of the search with this fingerprint.
    pub fn find(&self, cookie: &[u8], fingerprint: u64) -> Option<Position> {
        let waiting = self.waiting.iter().find(|it| it.has(cookie))?;
        (waiting.fingerprint == fingerprint).then(|| waiting.position.clone())
    }

    /// Forgets `cookie`.
    pub fn end(&mut self, cookie: &[u8]) {
        self.waiting.retain(|it| !it.has(cookie));
    }

    /// The cookie of the page that begins at `position`.
    pub fn keep(&mut self, fingerprint: u64, position: Position) -> [u8; 8] {
        if self.waiting.len() >= MOST_WAITING {
            self.waiting.pop_front();
        }
        self.newest += 1;
        self.waiting.push_back(Waiting {
            cookie: self.newest,
            fingerprint,
            position,
        });
        self.newest.to_be_bytes()
    }
}

impl Waiting {
    fn has(&self, cookie: &[u8]) -> bool {
        self.cookie.to_be_bytes() == cookie
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read_as_rfc_2696_has_it() {
        // As ldapsearch 2.5 sends it for `-E pr=5`.
        let sent = [0x30, 5, 2, 1, 5, 4, 0];
        let first = PageRequest {
            size: 5,
            cookie: Vec::new(),
        };
        assert_eq!(PageRequest::read(Some(&sent)), Ok(first));
        for malformed in [
            &[][..],
            &[0x30, 0],
            &[0x30, 3, 2, 1, 5],
            // A negative size, one of more than 31 bits, and a size that is text.
            &[0x30, 5, 2, 1, 0xff, 4, 0],
            &[0x30, 9, 2, 5, 0, 0xff, 0xff, 0xff, 0xff, 4, 0],
            &[0x30, 5, 4, 1, 5, 4, 0],
            // Something behind the cookie, and behind it all.
            &[0x30, 7, 2, 1, 5, 4, 0, 4, 0],
            &[0x30, 5, 2, 1, 5, 4, 0, 0],
            &[0x30, 5, 2, 1, 5, 4, 9],
        ] {
            let read = PageRequest::read(Some(malformed));
            assert_eq!(read, Err(Malformed), "{malformed:?}");
        }
        assert_eq!(PageRequest::read(None), Err(Malformed));
    }

    #[test]
    fn a_cookie_is_of_one_search_of_one_connection() {
        let mut pages = Pages::default();
        let position = |returned| Position {
            returned,
            ..Position::first()
        };
        let cookies: Vec<_> = (0..5).map(|it| pages.keep(7, position(it))).collect();
        // The oldest gave way.
        assert_eq!(pages.find(&cookies[0], 7), None);
        for (number, cookie) in cookies.iter().enumerate().skip(1) {
            assert_eq!(pages.find(cookie, 7), Some(position(number)));
            assert_eq!(pages.find(cookie, 8), None);
            assert_eq!(pages.find(&cookie[1..], 7), None);
        }
        pages.end(&cookies[4]);
        assert_eq!(pages.find(&cookies[4], 7), None);
        assert_eq!(pages.find(&[], 7), None);
        assert_eq!(Pages::default().find(&cookies[3], 7), None);
    }
}
