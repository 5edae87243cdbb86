//! Asserts what holds for every input of the protocols, from any client. Fuzz targets call these
//! functions, and the tests below replay their corpora.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

use hallpass_core::configuration::Accepted;
use hallpass_core::cookie::{Cookie, Reader};
use hallpass_core::{ClaimedName, Requirement};
use hyper::HeaderMap;
use hyper::header::{AUTHORIZATION, COOKIE, HeaderName, HeaderValue};

use crate::credentials::{Accepting, BasicName, shown};
use crate::dialects::question::Question;
use crate::dialects::{read, table};
use crate::dovecot::protocol as dovecot_protocol;
use crate::fastcgi::conversation::{Conversation, Event};
use crate::fastcgi::record::Record;
use crate::fastcgi::request::Request;
use crate::http::route::{Route, route};
use crate::ldap;
use crate::login::page;
use crate::percent::{self, RESERVED};
use crate::saslauthd::protocol as saslauthd_protocol;

const EVERYTHING: Accepted = Accepted {
    password: true,
    session: true,
    ticket: true,
};

fn accepting(accept: Accepted) -> Accepting<'static> {
    let cookie = Cookie {
        name: "sessionid",
        reader: Reader::Django,
    };
    Accepting::new(accept, Some(cookie), true)
}

/// FastCGI: a conversation is the same in one piece and byte by byte, whether its requests are
/// answered or not; what is sent are whole records; nothing is read behind the request that ends
/// the connection.
pub fn fastcgi(input: &[u8]) {
    for answers in [true, false] {
        let whole = fastcgi_conversation([input], answers);
        let single = fastcgi_conversation(input.chunks(1), answers);
        assert_eq!(whole, single);
    }
}

fn fastcgi_conversation<'a>(
    pieces: impl IntoIterator<Item = &'a [u8]>,
    answers: bool,
) -> (Vec<String>, Vec<u8>, bool) {
    let mut conversation = Conversation::default();
    let (mut events, mut output) = (Vec::new(), Vec::new());
    for piece in pieces {
        conversation.receive(piece);
        loop {
            let over = conversation.is_over();
            let event = conversation.event();
            let sent = conversation.output();
            if over {
                assert_eq!(event, Ok(None), "read behind the end");
                assert!(sent.is_empty(), "answered behind the end");
            }
            output.extend(sent);
            events.push(format!("{event:?}"));
            match event {
                Ok(Some(Event::Ask(parameters))) => {
                    if let Ok(request) = Request::parse(&parameters) {
                        let _ = request.shown(&accepting(EVERYTHING));
                        let _ = request.client(true);
                        leads_nowhere_else(&request.wanted());
                    }
                    if answers {
                        conversation.answer(b"Status: 200 OK\r\n\r\n");
                        output.extend(conversation.output());
                    }
                }
                Ok(Some(Event::Abort)) => {}
                Ok(None) => {
                    events.pop();
                    break;
                }
                Err(_) => return (events, output, true),
            }
        }
    }
    let mut rest = &output[..];
    while let Some((_, length)) = Record::parse(rest).unwrap() {
        rest = &rest[length..];
    }
    assert!(rest.is_empty(), "half a record was sent");
    (events, output, conversation.is_over())
}

/// Dovecot: a conversation is the same in one piece and byte by byte, and every answer is one line
/// about a request of the client's, whatever the names in it.
pub fn dovecot(input: &[u8]) {
    let whole = dovecot_conversation([input]);
    let single = dovecot_conversation(input.chunks(1));
    assert_eq!(whole, single);
}

fn dovecot_conversation<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<String>, String) {
    use dovecot_protocol::{Conversation, Event};
    let mut conversation = Conversation::default();
    let (mut events, mut output) = (Vec::new(), String::new());
    let mut asked = 0_usize;
    for piece in pieces {
        conversation.receive(piece);
        loop {
            let event = conversation.event();
            let sent = conversation.output();
            for line in sent.lines() {
                assert!(dovecot_line(line).is_some(), "{line:?}");
            }
            output += &sent;
            match event {
                Ok(Some(Event::Ask(login))) => {
                    events.push(format!("{login:?} {:?}", login.password.expose()));
                    let name = format!("{}\nOK\t1\tuser=root\t\r\0\u{1}", login.name);
                    match asked % 3 {
                        0 => conversation.grant(login.number, &name),
                        1 => conversation.deny(login.number, &name),
                        _ => conversation.fail(login.number, &name),
                    }
                    let answer = conversation.output();
                    let line = answer.strip_suffix('\n').expect("a whole line");
                    let (word, user) = dovecot_line(line).expect("one line");
                    assert_eq!(word, ["OK", "FAIL", "FAIL"][asked % 3]);
                    assert_eq!(user.as_deref(), Some(&*name));
                    // The second answer to a request is not sent.
                    conversation.grant(login.number, &login.name);
                    assert_eq!(conversation.output(), "");
                    asked += 1;
                    output += &answer;
                }
                Ok(Some(event)) => events.push(format!("{event:?}")),
                Ok(None) => break,
                Err(error) => {
                    events.push(format!("{error:?}"));
                    return (events, output);
                }
            }
        }
    }
    (events, output)
}

/// The first word of an answer, and the name in it, as Dovecot's client reads them.
fn dovecot_line(line: &str) -> Option<(&str, Option<String>)> {
    let mut fields = line.split('\t');
    let (word, number) = (fields.next()?, fields.next()?);
    number.parse::<u32>().ok()?;
    if line.contains(['\n', '\r', '\0']) || !["OK", "FAIL", "CONT"].contains(&word) {
        return None;
    }
    let user = fields.find_map(|field| field.strip_prefix("user="));
    let plain = user.map(|user| {
        let mut plain = String::new();
        let mut characters = user.chars();
        while let Some(character) = characters.next() {
            plain.push(match character {
                '\u{1}' => match characters.next() {
                    Some('0') => '\0',
                    Some('1') => '\u{1}',
                    Some('t') => '\t',
                    Some('r') => '\r',
                    Some('n') => '\n',
                    other => panic!("no escape: {other:?}"),
                },
                other => other,
            });
        }
        plain
    });
    Some((word, plain))
}

/// saslauthd: a request that is whole is not another one with fewer of its bytes, but for the
/// fifth field; and what is written is read back.
pub fn saslauthd(input: &[u8]) {
    use saslauthd_protocol::parse;
    let whole = parse(input);
    for end in 0..input.len() {
        match (parse(&input[..end]), &whole) {
            (Ok(None), _) => {}
            (Err(part), whole) => assert_eq!(whole.as_ref().err(), Some(&part)),
            (Ok(Some(part)), Ok(Some(whole))) => {
                assert!(part.name == whole.name && part.password == whole.password);
                assert!(part.service == whole.service && part.realm == whole.realm);
            }
            // The fifth field is not whole, or too long.
            (Ok(Some(_)), Ok(None) | Err(_)) => {}
        }
    }
    if let Ok(Some(request)) = &whole {
        let fields = [
            &request.name,
            &request.password,
            &request.service,
            &request.realm,
        ];
        let mut written = Vec::new();
        for field in fields {
            written.extend(u16::try_from(field.len()).unwrap().to_be_bytes());
            written.extend(field);
        }
        assert!(input.starts_with(&written));
    }
}

/// HTTP targets: a condition in a query is never lost. It is a condition of the question, or the
/// whole request is malformed.
pub fn http_targets(input: &[u8]) {
    let Ok(target) = std::str::from_utf8(input) else {
        return;
    };
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    let _ = route(path, query);
    let query = query.unwrap_or_default();
    let own = query
        .split('&')
        .position(|pair| pair.starts_with("original="));
    let own = query.split('&').take(own.unwrap_or(usize::MAX));
    let stated = own.filter(|pair| {
        let key = pair.split_once('=').map_or(*pair, |(key, _)| key);
        let key = percent::decode(key);
        matches!(key.as_deref(), Some("group" | "permission" | "is"))
    });
    let stated = stated.count();
    for path in ["/auth", "/session", "/ticket"] {
        let Some(plain) = asked(route(path, Some(query))) else {
            continue;
        };
        assert_eq!(
            plain.conditions.any.len() + plain.conditions.all.len(),
            stated
        );
        // In front it is read, whatever follows; behind, unless the client's own address begins.
        let group = Requirement::Group("of one's own".to_owned());
        let before = asked(route(path, Some(&format!("group=of%20one's+own&{query}"))));
        let before = before
            .expect("a condition in front breaks nothing")
            .conditions;
        assert_eq!(
            (before.any.first(), &before.any[1..]),
            (Some(&group), &*plain.conditions.any)
        );
        assert_eq!(before.all, plain.conditions.all);
        let behind = asked(route(path, Some(&format!("{query}&is=staff"))));
        let behind = behind.expect("a condition behind breaks nothing");
        match behind.original {
            Some(original) => assert!(original.ends_with("&is=staff")),
            None => assert_eq!(behind.conditions.all.last(), Some(&Requirement::Staff)),
        }
    }
    let host = query.as_bytes();
    leads_nowhere_else(&page(Some(b"https"), Some(host), path.as_bytes()).unwrap_or_default());
    leads_nowhere_else(&page(None, None, path.as_bytes()).unwrap_or_default());
}

/// A browser that is sent to `page` stays on the host: it skips tabs and ends of lines, and reads a
/// backslash as a slash.
fn leads_nowhere_else(page: &[u8]) {
    let skipped = |byte: &&u8| !b"\t\r\n".contains(*byte);
    let read: Vec<u8> = page.iter().filter(skipped).copied().collect();
    let whole = page.starts_with(b"https://") || page.starts_with(b"http://");
    let elsewhere = matches!(read.get(1), Some(b'/' | b'\\'));
    assert!(page.is_empty() || whole || (read.starts_with(b"/") && !elsewhere));
}

fn asked(route: Route) -> Option<crate::http::route::Query> {
    match route {
        Route::Auth(asked) | Route::Session(asked) | Route::Ticket(asked) => Some(asked),
        _ => None,
    }
}

/// Percent-encoding: what is encoded is plain ASCII and comes back as it was, and text without an
/// escape or a plus stands for itself.
pub fn percent(input: &[u8]) {
    let encoded = percent::encode(input, &RESERVED);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%".contains(&byte);
    assert!(encoded.bytes().all(plain));
    let text = std::str::from_utf8(input).ok();
    assert_eq!(percent::decode(&encoded).as_deref(), text);
    if let Some(text) = text {
        let decoded = percent::decode(text);
        if !percent::has_escape(text) {
            assert_eq!(decoded, Some(text.replace('+', " ")));
        }
        assert!(decoded.is_none_or(|decoded| decoded.len() <= text.len()));
    }
}

/// HTTP credentials, a header a line: `A` for Authorization, `C` for Cookie, anything else for
/// headers that claim an identity, which show nothing. Two names, or one that cannot be read, are
/// an error, and what is not accepted is not shown.
pub fn http_credentials(input: &[u8]) {
    let (mut headers, mut claims) = (HeaderMap::new(), HeaderMap::new());
    for line in input.split(|byte| *byte == b'\n').take(20) {
        let Some((kind, value)) = line.split_first() else {
            continue;
        };
        let Ok(value) = HeaderValue::from_bytes(value) else {
            continue;
        };
        match kind {
            b'A' => headers.append(AUTHORIZATION, value),
            b'C' => headers.append(COOKIE, value),
            _ => claims.append(HeaderName::from_static("remote-user"), value),
        };
    }
    let nothing = Accepted {
        password: false,
        session: false,
        ticket: false,
    };
    let everything = accepting(EVERYTHING);
    let found = shown(&headers, &everything, BasicName::Binds);
    let basic = |value: &HeaderValue| value.as_bytes().trim_ascii().to_ascii_lowercase();
    let basics = headers.get_all(AUTHORIZATION).iter();
    let basics = basics.filter(|value| basic(value).starts_with(b"basic "));
    let basics = basics.count();
    match &found {
        Ok(found) => {
            let named = found.name != ClaimedName::Nameless;
            assert_eq!(usize::from(named), basics);
            assert!(found.credentials.len() <= 2);
            let none = Accepting::new(nothing, None, false);
            let refused = shown(&headers, &none, BasicName::Binds).unwrap();
            assert!(refused.name == found.name && refused.credentials.is_empty());
        }
        Err(_) => assert!(headers.contains_key(AUTHORIZATION)),
    }
    let ignored = shown(&headers, &everything, BasicName::Ignored).unwrap();
    assert_eq!(ignored.name, ClaimedName::Nameless);
    headers.extend(claims);
    let claimed = shown(&headers, &everything, BasicName::Binds);
    assert_eq!(format!("{claimed:?}"), format!("{found:?}"));
}

/// Dialects: the first two bytes choose a path and its method, then come a query, a line end and a
/// body. A condition in the query is a condition of the question, or the request is malformed; no
/// password is empty; what an answer repeats comes back whole.
pub fn dialects(input: &[u8]) {
    let [place, method, rest @ ..] = input else {
        return;
    };
    let row = &table::TABLE[usize::from(*place) % table::TABLE.len()];
    let is_get = method % 2 == 1;
    let mut parts = rest.splitn(2, |byte| *byte == b'\n');
    let Ok(query) = std::str::from_utf8(parts.next().unwrap_or_default()) else {
        return;
    };
    let body = parts.next().unwrap_or_default();
    let mut headers = HeaderMap::new();
    let hook = HeaderValue::from_static("auth_on_register");
    headers.insert(HeaderName::from_static("vernemq-hook"), hook);
    for form in [false, true] {
        if form {
            let form = HeaderValue::from_static("application/x-www-form-urlencoded");
            headers.insert(hyper::header::CONTENT_TYPE, form);
        }
        let Ok((asked, conditions)) = read(row, is_get, query, &headers, body) else {
            continue;
        };
        let of_condition = |pair: &&str| {
            let name = pair.split('=').next().unwrap_or_default();
            ["group", "permission", "is"].contains(&name)
        };
        let written = query.split('&').filter(of_condition).count();
        assert!(written <= conditions.any.len() + conditions.all.len());
        if !is_get {
            let pairs = query.split('&').filter(|pair| !pair.is_empty());
            let count = pairs.count();
            assert!(count >= conditions.any.len() + conditions.all.len());
        }
        if let Question::Password { password, .. } = &asked.question {
            assert!(!password.expose().is_empty());
        }
        if !asked.echo.is_empty() {
            let identity = hallpass_core::Identity::default();
            let granted = hallpass_core::Verdict::Granted(Box::new(identity));
            let reply = row.answers.to(&granted, &asked.echo);
            let answer: serde_json::Value = serde_json::from_str(&reply.body).unwrap();
            assert_eq!(answer["auth"]["mxid"], asked.echo);
        }
    }
}

#[cfg(test)]
#[path = "../../../tests/fuzz/replay.rs"]
mod replay;

/// LDAP: messages decode the same in one piece and byte by byte; a filter is bounded, finds only
/// accounts that match, and plans no list where it states a name; a name decodes as it was encoded.
pub fn ldap(input: &[u8]) {
    use ldap::message::{LONGEST, Message, Operation};
    let whole = ldap_messages([input]);
    let single = ldap_messages(input.chunks(1));
    assert_eq!(whole, single);
    let tree = ldap::name::Tree::new("dc=example,dc=org").expect("it is a name");
    if let Ok(Some(length)) = ldap::ber::message_length(input, LONGEST)
        && let Some(message) = input.get(..length)
        && let Ok(message) = Message::decode(message)
        && let Ok(Operation::Search(search)) = message.operation
    {
        ldap_search(&search, &tree);
    }
    if let Ok(name) = std::str::from_utf8(input)
        && !name.is_empty()
        && name.len() < 1000
    {
        let place = tree.place(&tree.person(name));
        assert_eq!(place, Some(ldap::name::Place::Person(name.to_owned())));
        if let Some(normal) = ldap::name::normal(name) {
            assert_eq!(ldap::name::normal(&normal).as_deref(), Some(&*normal));
        }
    }
}

/// The messages in `pieces`, in words, and whether what follows them is not one.
fn ldap_messages<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<String>, bool) {
    use ldap::message::{LONGEST, Message};
    let (mut received, mut messages) = (Vec::new(), Vec::new());
    for piece in pieces {
        received.extend_from_slice(piece);
        loop {
            match ldap::ber::message_length(&received, LONGEST) {
                Err(_) => return (messages, true),
                Ok(Some(length)) if length <= received.len() => {
                    let message: Vec<u8> = received.drain(..length).collect();
                    match Message::decode(&message) {
                        Ok(message) => messages.push(format!("{message:?}")),
                        Err(_) => return (messages, true),
                    }
                }
                Ok(_) => break,
            }
        }
    }
    (messages, false)
}

fn ldap_search(search: &ldap::message::Search, tree: &ldap::name::Tree) {
    use ldap::plan::{GroupPin, PersonPin, Plan, Wanted};
    let plan = Plan::of(&search.filter, tree);
    for (name, email) in [("alice", "a@example.org"), ("a,b+c", ""), ("Zo\u{eb}", "x")] {
        let person = hallpass_core::Person {
            name: name.to_owned(),
            id: "7".to_owned(),
            email: email.to_owned(),
            full_name: "Alice Liddell".to_owned(),
            groups: vec!["staff".to_owned()],
        };
        let entry = ldap::entry::Entry::person(tree, &person);
        let found = search.filter.matches(&entry);
        let uuid = ldap::entry::Uuids::of(tree).person("7");
        let form = hallpass_core::dn::comparable;
        if found == Some(true)
            && let Wanted::These(pins) = &plan.people
        {
            // Whoever matches is looked up.
            assert!(pins.iter().any(|pin| match pin {
                PersonPin::Name(sought) => form(sought) == form(name),
                PersonPin::Email(sought) => form(sought) == form(email),
                PersonPin::Uuid(sought) => *sought == uuid,
            }));
        }
        let answer = ldap::message::entry(1, &entry, search);
        let length = ldap::ber::message_length(&answer, usize::MAX);
        assert_eq!(length, Ok(Some(answer.len())), "half an entry was sent");
    }
    let members = vec![tree.person("alice")];
    let entry = ldap::entry::Entry::group(tree, "staff", None, members);
    if search.filter.matches(&entry) == Some(true)
        && let Wanted::These(pins) = &plan.groups
    {
        assert!(pins.iter().any(|pin| match pin {
            GroupPin::Name(sought) => hallpass_core::dn::comparable(sought) == "staff",
            GroupPin::Of(_) | GroupPin::Uuid(_) => true,
        }));
    }
}

#[test]
fn properties_hold_for_the_corpora() {
    replay::replay("fastcgi", fastcgi);
    replay::replay("dovecot", dovecot);
    replay::replay("saslauthd", saslauthd);
    replay::replay("ldap", ldap);
    replay::replay("http_targets", http_targets);
    replay::replay("dialects", dialects);
    replay::replay("percent", percent);
    replay::replay("http_credentials", http_credentials);
}
