use hallpass_core::cookie::{self, Cookie};
use hallpass_runtime::ConditionArguments;

use super::*;

fn basic(client: bool) -> Kind {
    Kind::Basic {
        client,
        conditions: ConditionArguments::default(),
    }
}

fn session(login: bool, concurrency: bool, client: bool) -> Kind {
    let external = external(concurrency, client);
    Kind::Session { login, external }
}

fn external(concurrency: bool, client: bool) -> External {
    External {
        concurrency,
        client,
    }
}

fn line(bytes: &[u8]) -> Line {
    Line {
        bytes: Zeroizing::new(bytes.to_vec()),
        whole: true,
    }
}

/// Channel, and question or reason; `None` for what is malformed.
fn read(kind: &Kind, bytes: &[u8]) -> (Option<u32>, Option<Result<Request, Reason>>) {
    let line = line(bytes);
    let Ok((channel, rest)) = channel(kind, &line) else {
        return (None, None);
    };
    let input = Input::parse(kind, rest).ok();
    let cookie = Cookie {
        name: "sessionid",
        reader: cookie::Reader::Django,
    };
    (
        channel,
        input.map(|input| input.request(|header| cookie::credential([header], Some(cookie)))),
    )
}

#[test]
fn passwords_come_with_and_without_channel() {
    let alone = ConditionArguments::default();
    for (client, bytes, channel, name, password) in [
        (false, &b"alice secret"[..], None, "alice", &b"secret"[..]),
        (false, b"0 alice secret", Some(0), "alice", b"secret"),
        (false, b"17 alice ", Some(17), "alice", b""),
        (false, b"alice ", None, "alice", b""),
        (false, b"7 8", None, "7", b"8"),
        (false, b"7 ", None, "7", b""),
        (false, b"7 8 9", Some(7), "8", b"9"),
        (false, b"a%20b p%0Aw", None, "a b", b"p\nw"),
        (
            false,
            b"zo%EB p%E4ss",
            None,
            "zo\u{eb}",
            "p\u{e4}ss".as_bytes(),
        ),
        (
            false,
            b"zo%C3%AB p%C3%A4ss",
            None,
            "zo\u{eb}",
            "p\u{e4}ss".as_bytes(),
        ),
        (true, b"alice secret 192.0.2.1", None, "alice", b"secret"),
        (
            true,
            b"5 alice secret 192.0.2.1",
            Some(5),
            "alice",
            b"secret",
        ),
        (true, b"7 8 192.0.2.1", None, "7", b"8"),
    ] {
        let (found, question) = read(&basic(client), bytes);
        assert_eq!(found, channel, "{}", bytes.escape_ascii());
        let question = question.unwrap().unwrap();
        assert_eq!(question.client.address.is_some(), client);
        assert_eq!(question.conditions, alone.clone().into());
        let Credential::Password(typed) = question.credential else {
            panic!("{:?}", question.credential)
        };
        assert_eq!(question.name, ClaimedName::Named(name.to_owned()));
        assert_eq!(typed.expose(), password);
    }
}

#[test]
fn what_is_no_line_of_squids_is_malformed() {
    for (kind, bytes, channel) in [
        (basic(false), &b""[..], None),
        (basic(false), b"alice", None),
        (basic(false), b"alice secret more", None),
        (basic(false), b"1 alice secret more", Some(1)),
        (basic(false), b"alice\tsecret", None),
        (basic(true), b"alice secret", None),
        (basic(true), b"1 alice secret", None),
        (basic(true), b"alice secret localhost", None),
        (basic(true), b"alice secret 192.0.2.1 more", None),
        (Kind::Group(external(false, false)), b"", None),
        (Kind::Group(external(false, false)), b" editors", None),
        (Kind::Group(external(true, false)), b"alice editors", None),
        (Kind::Group(external(true, false)), b"7", None),
        (session(false, true, false), b"sessionid=x", None),
        (Kind::Group(external(false, true)), b"alice", None),
        (Kind::Group(external(true, true)), b"3 alice", Some(3)),
        (session(false, false, true), b"sessionid=x", None),
    ] {
        let (found, question) = read(&kind, bytes);
        assert!(question.is_none(), "{}", bytes.escape_ascii());
        assert_eq!(found, channel, "{}", bytes.escape_ascii());
    }
}

#[test]
fn groups_are_the_words_of_the_acl() {
    for (concurrency, bytes, channel, user) in [
        (
            false,
            &b"alice editors two%20words is:staff"[..],
            None,
            "alice",
        ),
        (false, b"7 editors two%20words is:staff", None, "7"),
        (
            true,
            b"7 alice editors two%20words is:staff",
            Some(7),
            "alice",
        ),
        (true, b"7 8 editors two%20words is:staff", Some(7), "8"),
    ] {
        let (found, question) = read(&Kind::Group(external(concurrency, false)), bytes);
        assert_eq!(found, channel);
        let question = question.unwrap().unwrap();
        assert_eq!(question.name.as_deref(), Some(user));
        let group = |name: &str| Requirement::Group(name.to_owned());
        let expected = [group("editors"), group("two words"), Requirement::Staff];
        assert_eq!(question.conditions.any, expected);
    }
}

#[test]
fn nobody_is_in_no_group() {
    for (bytes, reason) in [
        (&b"-"[..], Reason::UnknownUser),
        (b"- editors", Reason::UnknownUser),
        (b"alice", Reason::NotPermitted),
        (b"alice -", Reason::NotPermitted),
    ] {
        let (_, question) = read(&Kind::Group(external(false, false)), bytes);
        assert_eq!(question.unwrap().err(), Some(reason));
    }
}

#[test]
fn sessions_are_found_among_the_cookies() {
    let kind = session(false, false, true);
    let (_, question) = read(&kind, b"a=b;%20sessionid=x%2Cy 2001:db8::1 editors");
    let question = question.unwrap().unwrap();
    let Credential::Session(token) = question.credential else {
        panic!("{:?}", question.credential)
    };
    assert_eq!(token.expose(), b"x,y");
    assert_eq!(question.client.address, "2001:db8::1".parse().ok());
    assert_eq!(question.conditions.any.len(), 1);
    let kind = session(false, false, false);
    for bytes in [&b"sessionid=x"[..], b"sessionid=x -"] {
        let (_, question) = read(&kind, bytes);
        assert_eq!(question.unwrap().unwrap().conditions, Conditions::default());
    }
    for bytes in [&b"- -"[..], b" -", b"sessionid -", b"other=x -", b"7 -"] {
        let (_, question) = read(&kind, bytes);
        assert_eq!(question.unwrap().err(), Some(Reason::NoSession));
    }
}

#[test]
fn a_session_is_asked_about_under_the_name_that_squid_has() {
    let kind = session(true, false, false);
    for (bytes, name) in [
        (
            &b"alice sessionid=x"[..],
            ClaimedName::Named("alice".into()),
        ),
        (b"zo%C3%AB sessionid=x -", ClaimedName::Named("zoë".into())),
        (b"- sessionid=x editors", ClaimedName::Nameless),
    ] {
        let (_, question) = read(&kind, bytes);
        let question = question.unwrap().unwrap();
        assert_eq!(question.name, name);
        assert!(matches!(question.credential, Credential::Session(_)));
    }
    for bytes in [&b"sessionid=x"[..], b" sessionid=x", b"alice"] {
        assert!(read(&kind, bytes).1.is_none(), "{}", bytes.escape_ascii());
    }
}

#[test]
fn a_word_that_is_not_a_condition_is_malformed() {
    for bytes in [
        &b"alice editors is:staf"[..],
        b"alice perm:",
        b"alice perm:shop.",
    ] {
        let kind = Kind::Group(external(false, false));
        assert!(read(&kind, bytes).1.is_none(), "{}", bytes.escape_ascii());
    }
}
