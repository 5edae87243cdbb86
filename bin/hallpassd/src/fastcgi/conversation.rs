//! Keeps the state of one connection, without input or output: bytes in, requests out, answers in,
//! bytes out (FastCGI 1.0, sections 4 and 5). Takes one request at a time, and refuses another one
//! meanwhile.

use hallpass_runtime::{append, drop_front};
use zeroize::Zeroizing;

use super::pairs;
use super::record::{self, MANAGEMENT, Record, UnknownVersion};

/// The role of an authorizer (section 6.3).
const AUTHORIZER: [u8; 2] = [0, 2];
/// The request flag that keeps the connection open.
const KEEP: u8 = 1;

/// How a request ended (`protocolStatus`, section 5.5).
const REQUEST_COMPLETE: u8 = 0;
const CANT_MPX_CONN: u8 = 1;
const UNKNOWN_ROLE: u8 = 3;

/// The most bytes of parameters. Apache sends every header and variable of a request, and takes
/// headers of 800 KiB at most.
const MOST_PARAMETERS: usize = 1 << 20;
/// The most bytes that wait to be sent while a request is in progress: the answers to what a server
/// may ask meanwhile take a few records.
const MOST_OUTPUT: usize = 16 * 1024;

/// One connection.
#[derive(Debug, Default)]
pub struct Conversation {
    input: Zeroizing<Vec<u8>>,
    output: Vec<u8>,
    request: Option<Request>,
    ended: bool,
    over: bool,
}

#[derive(Debug)]
struct Request {
    id: u16,
    keep: bool,
    parameters: Zeroizing<Vec<u8>>,
    /// Whether all its parameters have arrived.
    asked: bool,
}

/// What a server asks for.
#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    /// A request with these parameters, which are pairs.
    Ask(Zeroizing<Vec<u8>>),
    /// The server has aborted that request.
    Abort,
}

/// An error that ends the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It is not FastCGI, or is a later version.
    #[error(transparent)]
    Version(#[from] UnknownVersion),
    /// A record of fixed length has another length.
    #[error("a record of type {0} is malformed")]
    Malformed(u8),
    /// The parameters are longer than any that are read.
    #[error("more than {MOST_PARAMETERS} bytes of parameters")]
    TooLong,
}

impl Conversation {
    /// Takes bytes that came in.
    pub fn receive(&mut self, bytes: &[u8]) {
        append(&mut self.input, bytes);
    }

    /// The next event in the bytes received so far; `None` until more arrive.
    pub fn event(&mut self) -> Result<Option<Event>, Error> {
        let mut input = std::mem::take(&mut self.input);
        let mut read = 0;
        let event = loop {
            // What follows the request that ends the connection is never answered.
            if self.over {
                break None;
            }
            let rest = input.get(read..).unwrap_or_default();
            let Some((record, length)) = Record::parse(rest)? else {
                break None;
            };
            read += length;
            let event = self.record(record)?;
            if event.is_some() {
                break event;
            }
        };
        drop_front(&mut input, read);
        self.input = input;
        Ok(event)
    }

    /// Answers the request in progress.
    pub fn answer(&mut self, response: &[u8]) {
        if let Some(Request { id, keep, .. }) = self.request.take() {
            record::write(&mut self.output, record::STDOUT, id, response);
            record::write_end(&mut self.output, record::STDOUT, id);
            self.end(id, REQUEST_COMPLETE, keep);
        }
    }

    /// The bytes that are to be sent now.
    pub fn output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.output)
    }

    /// Whether the connection is to be closed once the output is sent.
    pub fn is_over(&self) -> bool {
        self.over
    }

    /// Whether more output waits than a server may leave unread.
    pub fn is_overfull(&self) -> bool {
        self.output.len() > MOST_OUTPUT
    }

    /// Whether a request has ended since the last call.
    pub fn has_ended_request(&mut self) -> bool {
        std::mem::take(&mut self.ended)
    }

    /// Whether no byte of an unanswered request has come in.
    pub fn is_idle(&self) -> bool {
        self.request.is_none() && self.input.is_empty()
    }

    fn record(&mut self, record: Record<'_>) -> Result<Option<Event>, Error> {
        if record.request == MANAGEMENT {
            match record.kind {
                record::GET_VALUES => self.values(record.content)?,
                kind => self.unknown(kind),
            }
            return Ok(None);
        }
        let current = self.request.as_mut();
        let current = current.filter(|request| request.id == record.request);
        match (record.kind, current) {
            (record::BEGIN_REQUEST, None) => self.begin(record)?,
            (record::BEGIN_REQUEST, Some(_)) => return Err(Error::Malformed(record.kind)),
            (record::ABORT_REQUEST, Some(request)) => {
                let asked = request.asked;
                let (id, keep) = (request.id, request.keep);
                self.request = None;
                self.end(id, REQUEST_COMPLETE, keep);
                return Ok(asked.then_some(Event::Abort));
            }
            (record::PARAMS, Some(request)) if !request.asked => {
                if record.content.is_empty() {
                    request.asked = true;
                    return Ok(Some(Event::Ask(std::mem::take(&mut request.parameters))));
                }
                if request.parameters.len() + record.content.len() > MOST_PARAMETERS {
                    return Err(Error::TooLong);
                }
                append(&mut request.parameters, record.content);
            }
            // An authorizer reads no body, and records of requests that have ended count no more
            // (section 3.3).
            (record::ABORT_REQUEST | record::PARAMS | record::STDIN | record::DATA, _) => {}
            (kind, _) => self.unknown(kind),
        }
        Ok(None)
    }

    fn begin(&mut self, record: Record<'_>) -> Result<(), Error> {
        let Ok([r1, r0, flags, ..]) = <[u8; 8]>::try_from(record.content) else {
            return Err(Error::Malformed(record.kind));
        };
        let (id, keep) = (record.request, flags & KEEP != 0);
        if self.request.is_some() {
            // The connection belongs to the request in progress.
            self.end(id, CANT_MPX_CONN, true);
        } else if [r1, r0] != AUTHORIZER {
            self.end(id, UNKNOWN_ROLE, keep);
        } else {
            self.request = Some(Request {
                id,
                keep,
                parameters: Zeroizing::default(),
                asked: false,
            });
        }
        Ok(())
    }

    fn end(&mut self, id: u16, status: u8, keep: bool) {
        let content = [0, 0, 0, 0, status, 0, 0, 0];
        record::write(&mut self.output, record::END_REQUEST, id, &content);
        self.ended |= status != CANT_MPX_CONN;
        self.over |= !keep;
    }

    /// Answers the known variables of FCGI_GET_VALUES (section 4.1).
    fn values(&mut self, content: &[u8]) -> Result<(), Error> {
        let asked = pairs::parse(content).map_err(|_| Error::Malformed(record::GET_VALUES))?;
        let mut known = Vec::new();
        for (name, value) in VALUES {
            if asked.iter().any(|(asked, _)| *asked == name.as_bytes()) {
                pairs::write(&mut known, name.as_bytes(), value.as_bytes());
            }
        }
        let kind = record::GET_VALUES_RESULT;
        if known.is_empty() {
            record::write_end(&mut self.output, kind, MANAGEMENT);
        } else {
            record::write(&mut self.output, kind, MANAGEMENT, &known);
        }
        Ok(())
    }

    fn unknown(&mut self, kind: u8) {
        let content = [kind, 0, 0, 0, 0, 0, 0, 0];
        record::write(&mut self.output, record::UNKNOWN_TYPE, MANAGEMENT, &content);
    }
}

/// The values that a server may query: the connections of a socket, and one request on each.
const VALUES: [(&str, &str); 3] = [
    ("FCGI_MAX_CONNS", "4096"),
    ("FCGI_MAX_REQS", "4096"),
    ("FCGI_MPXS_CONNS", "0"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(kind: u8, request: u16, content: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        if content.is_empty() {
            record::write_end(&mut bytes, kind, request);
        } else {
            record::write(&mut bytes, kind, request, content);
        }
        bytes
    }

    fn begin(id: u16, role: u8, flags: u8) -> Vec<u8> {
        bytes(record::BEGIN_REQUEST, id, &[0, role, flags, 0, 0, 0, 0, 0])
    }

    fn request(id: u16, flags: u8, parameters: &[u8]) -> Vec<u8> {
        [
            begin(id, 2, flags),
            bytes(record::PARAMS, id, parameters),
            bytes(record::PARAMS, id, b""),
        ]
        .concat()
    }

    fn said(output: &[u8]) -> Vec<(u8, u16, Vec<u8>)> {
        let (mut said, mut rest) = (Vec::new(), output);
        while let Some((record, length)) = Record::parse(rest).unwrap() {
            said.push((record.kind, record.request, record.content.to_vec()));
            rest = &rest[length..];
        }
        assert!(rest.is_empty());
        said
    }

    fn ended(id: u16, status: u8) -> (u8, u16, Vec<u8>) {
        (record::END_REQUEST, id, vec![0, 0, 0, 0, status, 0, 0, 0])
    }

    #[test]
    fn a_request_is_asked_and_answered_however_its_bytes_come() {
        let whole = request(7, 0, b"\x01\x01ab");
        for piece in 1..=whole.len() {
            let mut conversation = Conversation::default();
            let mut events = Vec::new();
            for bytes in whole.chunks(piece) {
                conversation.receive(bytes);
                events.extend(conversation.event().unwrap());
            }
            assert_eq!(events, [Event::Ask(b"\x01\x01ab".to_vec().into())]);
            assert!(!conversation.is_over());
            conversation.answer(b"Status: 200\r\n\r\n");
            assert_eq!(
                said(&conversation.output()),
                [
                    (record::STDOUT, 7, b"Status: 200\r\n\r\n".to_vec()),
                    (record::STDOUT, 7, Vec::new()),
                    ended(7, REQUEST_COMPLETE),
                ]
            );
            assert!(conversation.is_over());
        }
    }

    #[test]
    fn parameters_may_come_in_several_records_and_stay_in_their_order() {
        let mut conversation = Conversation::default();
        conversation.receive(&begin(1, 2, KEEP));
        for piece in [&b"\x04\x01na"[..], b"me", b"v"] {
            conversation.receive(&bytes(record::PARAMS, 1, piece));
        }
        assert_eq!(conversation.event(), Ok(None));
        conversation.receive(&bytes(record::PARAMS, 1, b""));
        // An authorizer may be sent an empty body.
        conversation.receive(&bytes(record::STDIN, 1, b""));
        let asked = Event::Ask(b"\x04\x01namev".to_vec().into());
        assert_eq!(conversation.event(), Ok(Some(asked)));
        assert_eq!(conversation.event(), Ok(None));
    }

    #[test]
    fn a_connection_that_is_kept_takes_the_next_request() {
        let mut conversation = Conversation::default();
        for id in [1, 2, 2] {
            conversation.receive(&request(id, KEEP, b""));
            // Without parameters there is one record that ends them, and another.
            assert_eq!(
                conversation.event(),
                Ok(Some(Event::Ask(Vec::new().into())))
            );
            conversation.answer(b"x");
            assert!(!conversation.is_over());
            assert_eq!(conversation.event(), Ok(None));
        }
    }

    #[test]
    fn a_second_request_is_refused_and_the_first_goes_on() {
        let mut conversation = Conversation::default();
        conversation.receive(&begin(1, 2, 0));
        conversation.receive(&request(2, 0, b"\x01\x01ab"));
        assert_eq!(conversation.event(), Ok(None));
        assert_eq!(said(&conversation.output()), [ended(2, CANT_MPX_CONN)]);
        assert!(!conversation.is_over());
        conversation.receive(&bytes(record::PARAMS, 1, b""));
        assert_eq!(
            conversation.event(),
            Ok(Some(Event::Ask(Vec::new().into())))
        );
    }

    #[test]
    fn other_roles_are_refused() {
        for role in [0, 1, 3, 255] {
            let mut conversation = Conversation::default();
            conversation.receive(&begin(1, role, 0));
            conversation.receive(&bytes(record::PARAMS, 1, b""));
            assert_eq!(conversation.event(), Ok(None));
            assert_eq!(said(&conversation.output()), [ended(1, UNKNOWN_ROLE)]);
            assert!(conversation.is_over());
        }
    }

    #[test]
    fn nothing_behind_the_request_that_ends_the_connection_is_answered() {
        let unknown_role = begin(1, 1, 0);
        let aborted = [begin(1, 2, 0), bytes(record::ABORT_REQUEST, 1, b"")].concat();
        for first in [unknown_role, aborted] {
            for pieces in [
                vec![[first.clone(), request(2, KEEP, b"\x01\x01ab")].concat()],
                vec![first.clone(), request(2, KEEP, b"\x01\x01ab")],
            ] {
                let mut conversation = Conversation::default();
                for piece in pieces {
                    conversation.receive(&piece);
                    assert_eq!(conversation.event(), Ok(None));
                }
                assert!(conversation.is_over());
                assert_eq!(said(&conversation.output()).len(), 1);
            }
        }
    }

    #[test]
    fn a_request_can_be_aborted() {
        let mut conversation = Conversation::default();
        conversation.receive(&begin(1, 2, KEEP));
        conversation.receive(&bytes(record::ABORT_REQUEST, 1, b""));
        assert_eq!(conversation.event(), Ok(None));
        conversation.receive(&request(1, KEEP, b""));
        assert_eq!(
            conversation.event(),
            Ok(Some(Event::Ask(Vec::new().into())))
        );
        conversation.receive(&bytes(record::ABORT_REQUEST, 9, b""));
        assert_eq!(conversation.event(), Ok(None));
        conversation.receive(&bytes(record::ABORT_REQUEST, 1, b""));
        assert_eq!(conversation.event(), Ok(Some(Event::Abort)));
        let both = [ended(1, REQUEST_COMPLETE), ended(1, REQUEST_COMPLETE)];
        assert_eq!(said(&conversation.output()), both);
        // An answer to an aborted request is dropped.
        conversation.answer(b"late");
        assert!(conversation.output().is_empty());
    }

    #[test]
    fn what_is_said_meanwhile_is_bounded_and_ends_no_request() {
        let mut conversation = Conversation::default();
        conversation.receive(&request(1, KEEP, b""));
        assert!(matches!(conversation.event(), Ok(Some(Event::Ask(_)))));
        let others = [
            begin(2, 2, 0),
            bytes(record::GET_VALUES, 0, b"\x0d\x00FCGI_MAX_REQS"),
            bytes(200, 0, b""),
        ];
        let mut received = 0;
        while !conversation.is_overfull() {
            for other in &others {
                conversation.receive(other);
                received += other.len();
            }
            assert_eq!(conversation.event(), Ok(None));
            assert!(received < 10 * MOST_OUTPUT);
        }
        assert!(!conversation.has_ended_request());
        assert!(conversation.output().len() < 2 * MOST_OUTPUT);
        assert!(!conversation.is_overfull());
        conversation.answer(b"");
        assert!(conversation.has_ended_request());
        assert!(!conversation.has_ended_request());
    }

    #[test]
    fn values_are_told() {
        let mut conversation = Conversation::default();
        let asked = b"\x0f\x00FCGI_MPXS_CONNS\x03\x00ABC\x0d\x00FCGI_MAX_REQS";
        conversation.receive(&bytes(record::GET_VALUES, 0, asked));
        conversation.receive(&bytes(record::GET_VALUES, 0, b""));
        assert_eq!(conversation.event(), Ok(None));
        let known = b"\x0d\x04FCGI_MAX_REQS4096\x0f\x01FCGI_MPXS_CONNS0".to_vec();
        let result = |content| (record::GET_VALUES_RESULT, 0, content);
        let both = [result(known), result(Vec::new())];
        assert_eq!(said(&conversation.output()), both);
    }

    #[test]
    fn unknown_types_are_called_unknown() {
        let mut conversation = Conversation::default();
        for (kind, request) in [(12, 0), (200, 3), (record::BEGIN_REQUEST, 0)] {
            conversation.receive(&bytes(kind, request, b"x"));
            assert_eq!(conversation.event(), Ok(None));
            let told = (record::UNKNOWN_TYPE, 0, vec![kind, 0, 0, 0, 0, 0, 0, 0]);
            assert_eq!(said(&conversation.output()), [told]);
        }
        assert!(!conversation.is_over());
    }

    #[test]
    fn nonsense_ends_the_connection() {
        for nonsense in [
            b"GET / HTTP/1.1\r\n\r\n".to_vec(),
            bytes(record::BEGIN_REQUEST, 1, b"\0\x02\0"),
            bytes(record::BEGIN_REQUEST, 1, &[0; 9]),
            bytes(record::GET_VALUES, 0, b"\x05\x00abc"),
            [begin(1, 2, 0), begin(1, 2, 0)].concat(),
        ] {
            let mut conversation = Conversation::default();
            conversation.receive(&nonsense);
            assert!(conversation.event().is_err(), "{nonsense:?}");
        }
        let mut conversation = Conversation::default();
        conversation.receive(&begin(1, 2, 0));
        let result = (0..40).find_map(|_| {
            conversation.receive(&bytes(record::PARAMS, 1, &[0; 60_000]));
            conversation.event().err()
        });
        assert_eq!(result, Some(Error::TooLong));
    }
}
