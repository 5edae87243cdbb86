//! Sites that are asked by HTTP who is logged in.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail so"
)]

mod shared;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use hallpass_core::Authenticator;
use shared::{Site, ask, password, session, vouched};

const OK: &str = "200 OK\r\nContent-Type: application/json";

/// A page on the loopback that answers all alike, and remembers what it was asked.
struct Page {
    address: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Page {
    fn answering(head: &str, body: &str) -> Self {
        let answer = format!(
            "HTTP/1.1 {head}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        Self::sending(answer)
    }

    fn sending(answer: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&asked);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (answer, heard) = (answer.clone(), Arc::clone(&heard));
                thread::spawn(move || serve(stream.unwrap(), &answer, &heard));
            }
        });
        Self { address, asked }
    }

    fn site(&self, more: &str) -> Site {
        Site::new(&format!(
            "framework = \"custom\"\nsession_source = \"http\"\n[http]\n\
             url = \"http://{}/whoami\"\ncookie = \"sid\"\nusername = \"/user/username\"\n\
             timeout = \"20s\"\n{more}",
            self.address
        ))
    }

    fn authenticator(&self) -> Authenticator {
        self.site("").authenticator("")
    }

    fn requests(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// Answers on a connection until it ends.
fn serve(mut stream: TcpStream, answer: &str, heard: &Mutex<Vec<String>>) {
    let mut request = Vec::new();
    let mut chunk = [0; 4096];
    while let Ok(length @ 1..) = stream.read(&mut chunk) {
        request.extend_from_slice(&chunk[..length]);
        if request.ends_with(b"\r\n\r\n") {
            let text = String::from_utf8_lossy(&request).into_owned();
            heard.lock().unwrap().push(text);
            request.clear();
            if stream.write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
    }
}

const ALICE: &str = r#"{"user":{"username":"alice"},"sid":"abc"}"#;

#[test]
fn the_page_says_who_it_is() {
    let page = Page::answering(OK, ALICE);
    let mut asked = page.authenticator();
    assert_eq!(ask(&mut asked, &session("abc", None)), "alice");
    assert_eq!(ask(&mut asked, &session("abc", Some("alice"))), "alice");
    for other in ["Alice", "bob", "alice ", ""] {
        assert_eq!(ask(&mut asked, &session("abc", Some(other))), "wrong-user");
    }
    let requests = page.requests();
    assert!(
        requests[0].starts_with("GET /whoami HTTP/1.1\r\n"),
        "{}",
        requests[0]
    );
    let cookies = |request: &String| {
        let lines = request.lines();
        let cookies = lines.filter(|line| line.to_ascii_lowercase().starts_with("cookie:"));
        cookies
            .map(|line| line[7..].trim().to_owned())
            .collect::<Vec<_>>()
    };
    for request in &requests {
        assert_eq!(cookies(request), ["sid=abc"], "{request}");
        assert!(!request.to_ascii_lowercase().contains("authorization"));
    }
}

#[test]
fn what_is_no_cookie_is_never_sent() {
    let page = Page::answering(OK, ALICE);
    let mut asked = page.authenticator();
    for token in [
        "",
        "a; admin=1",
        "a\r\nX-User: root",
        "a b",
        "a\0",
        "\"a\"",
        "ä",
        " a",
    ] {
        assert_eq!(
            ask(&mut asked, &session(token, None)),
            "no-session",
            "{token:?}"
        );
    }
    assert!(page.requests().is_empty());
}

#[test]
fn a_status_is_an_answer_or_none() {
    for (head, expected) in [
        ("201 Created", "alice"),
        ("401 Unauthorized", "no-session"),
        ("403 Forbidden", "no-session"),
        (
            "302 Found\r\nLocation: http://127.0.0.1:1/login",
            "no-session",
        ),
        ("304 Not Modified", "no-session"),
        ("307 Temporary Redirect\r\nLocation: /whoami", "no-session"),
    ] {
        let page = Page::answering(head, if head.starts_with("304") { "" } else { ALICE });
        let verdict = ask(&mut page.authenticator(), &session("abc", None));
        assert_eq!(verdict, expected, "{head}");
        assert_eq!(page.requests().len(), 1, "{head}");
    }
    for head in [
        "400 Bad Request",
        "402 Payment Required",
        "404 Not Found",
        "407 Proxy Authentication Required",
        "429 Too Many Requests",
        "500 Internal Server Error",
        "502 Bad Gateway",
        "503 Service Unavailable",
    ] {
        let page = Page::answering(head, ALICE);
        let verdict = ask(&mut page.authenticator(), &session("s3cr3t", None));
        assert!(verdict.starts_with("unavailable"), "{head}: {verdict}");
        assert!(!verdict.contains("s3cr3t"), "{verdict}");
    }
}

#[test]
fn an_answer_without_a_name_is_unavailable() {
    for body in [
        "",
        "{}",
        "null",
        "alice",
        "[\"alice\"]",
        "{\"user\":\"alice\"}",
        "{\"user\":{\"username\":null}}",
        "{\"user\":{\"username\":\"\"}}",
        "{\"user\":{\"username\":true}}",
        "{\"user\":{\"username\":{\"x\":1}}}",
        "{\"user\":{\"username\":\"al\\u0000ice\"}}",
        "{\"user\":{\"username\":\"al\\nice\"}}",
        "{\"user\":{\"username\":\"alice\"}",
        "{\"user\":{\"username\":\"alice\"}} x",
        "<html>alice</html>",
    ] {
        let page = Page::answering(OK, body);
        let verdict = ask(&mut page.authenticator(), &session("abc", None));
        assert!(verdict.starts_with("unavailable"), "{body}: {verdict}");
        assert!(!verdict.contains("alice"), "{verdict}");
    }
    let long = format!("{{\"user\":{{\"username\":\"{}\"}}}}", "a".repeat(1025));
    let deep = "[".repeat(60_000);
    let big = format!(
        "{{\"user\":{{\"username\":\"alice\"}},\"x\":\"{}\"}}",
        "x".repeat(70_000)
    );
    for body in [long, deep, big] {
        let page = Page::answering(OK, &body);
        let verdict = ask(&mut page.authenticator(), &session("abc", None));
        assert!(verdict.starts_with("unavailable"), "{verdict}");
    }
}

#[test]
fn a_server_that_does_not_answer_is_unavailable() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let asked = Arc::default();
    // It takes connections, and says nothing.
    let silent = Page { address, asked };
    let site = silent.site("").directory;
    drop(site);
    let quick = Site::new(&format!(
        "framework = \"custom\"\nsession_source = \"http\"\n[http]\nurl = \"http://{}/\"\n\
         cookie = \"sid\"\nusername = \"/u\"\ntimeout = \"200ms\"",
        silent.address
    ));
    let verdict = ask(&mut quick.authenticator(""), &session("abc", None));
    assert!(verdict.starts_with("unavailable"), "{verdict}");
    drop(listener);
    let verdict = ask(&mut quick.authenticator(""), &session("abc", None));
    assert!(verdict.starts_with("unavailable"), "{verdict}");
    for answer in [
        "",
        "garbage\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{}",
    ] {
        let page = Page::sending(answer.to_owned());
        let text = format!(
            "framework = \"custom\"\nsession_source = \"http\"\n[http]\nurl = \"http://{}/\"\n\
             cookie = \"sid\"\nusername = \"/u\"\ntimeout = \"300ms\"",
            page.address
        );
        let verdict = ask(
            &mut Site::new(&text).authenticator(""),
            &session("abc", None),
        );
        assert!(verdict.starts_with("unavailable"), "{answer}: {verdict}");
    }
}

#[test]
fn the_answer_is_about_the_session_that_was_asked_about() {
    let page = Page::answering(OK, ALICE);
    let mut asked = page.site("session_id = \"/sid\"").authenticator("");
    assert_eq!(ask(&mut asked, &session("abc", None)), "alice");
    for token in ["abd", "ab", "abcd", "ABC"] {
        assert_eq!(ask(&mut asked, &session(token, None)), "invalid-session");
    }
    let mut asked = page.site("session_id = \"/none\"").authenticator("");
    assert_eq!(ask(&mut asked, &session("abc", None)), "invalid-session");
}

#[test]
fn a_header_may_say_it() {
    let by_header = |page: &Page| {
        Site::new(&format!(
            "framework = \"custom\"\nsession_source = \"http\"\n[http]\nurl = \"http://{}/\"\n\
             cookie = \"sid\"\nusername = {{ header = \"X-User\" }}\ntimeout = \"20s\"",
            page.address
        ))
        .authenticator("")
    };
    let page = Page::answering("204 No Content\r\nX-User: alice", "");
    assert_eq!(ask(&mut by_header(&page), &session("abc", None)), "alice");
    for head in [
        "200 OK",
        "200 OK\r\nX-User:",
        "200 OK\r\nX-User: alice\r\nX-User: bob",
        "200 OK\r\nX-Users: alice",
        "200 OK\r\nX-User: \u{e9}\u{7f}",
    ] {
        let page = Page::answering(head, "alice");
        let verdict = ask(&mut by_header(&page), &session("abc", None));
        assert!(verdict.starts_with("unavailable"), "{head}: {verdict}");
    }
}

#[test]
fn without_accounts_there_are_sessions_alone() {
    let page = Page::answering(OK, ALICE);
    let mut asked = page.authenticator();
    for request in [password("alice", "x"), vouched("alice")] {
        assert!(ask(&mut asked, &request).starts_with("unavailable"));
    }
    assert!(page.requests().is_empty());
}

#[test]
fn accounts_are_looked_up_where_there_are_any() {
    let tables = include_str!("../../../bin/hallpass/src/demo/tables.sql");
    for (name, expected) in [
        ("alice", "alice"),
        ("bob", "inactive"),
        ("carol", "unknown-user"),
        // Somebody who calls themself like another's address.
        ("alice@example.com", "unknown-user"),
        ("ALICE", "unknown-user"),
    ] {
        let page = Page::answering(OK, &ALICE.replace("alice", name));
        let site = Site::new(&format!(
            "framework = \"django\"\nsession_source = \"http\"\ndatabase = \"sqlite:db\"\n\
             [access]\nlogin = [\"email\", \"username\"]\nignore_case = true\n\
             [http]\nurl = \"http://{}/\"\nusername = \"/user/username\"\ntimeout = \"20s\"",
            page.address
        ));
        let database = site.database("db");
        database.execute_batch(tables).unwrap();
        for (id, user, active) in [(1, "alice", 1), (2, "bob", 0)] {
            let insert = "INSERT INTO auth_user VALUES (?1, '!', NULL, 0, ?2, '', ?2 || \
                          '@example.com', 0, ?3, '2026-01-01 00:00:00', '')";
            database.execute(insert, (id, user, active)).unwrap();
        }
        let mut asked = site.authenticator("");
        assert_eq!(ask(&mut asked, &session("abc", None)), expected, "{name}");
        if expected == "alice" {
            assert_eq!(ask(&mut asked, &session("abc", Some("bob"))), "wrong-user");
            // The cookie has Django's name where nothing else is said.
            assert!(
                page.requests()[0]
                    .to_ascii_lowercase()
                    .contains("cookie: sessionid=abc")
            );
        }
    }
}

#[test]
fn what_makes_no_sense_is_refused() {
    let site = Site::new("");
    let start = "framework = \"custom\"\nsession_source = \"http\"\n[http]\n";
    for (lines, word) in [
        ("cookie = \"c\"\nusername = \"/u\"", "http.url"),
        (
            "url = \"ftp://h/\"\ncookie = \"c\"\nusername = \"/u\"",
            "http.url",
        ),
        (
            "url = \"http://a:b@h/\"\ncookie = \"c\"\nusername = \"/u\"",
            "http.url",
        ),
        ("url = \"http://h/\"\nusername = \"/u\"", "http.cookie"),
        (
            "url = \"http://h/\"\ncookie = \"a;b\"\nusername = \"/u\"",
            "http.cookie",
        ),
        ("url = \"http://h/\"\ncookie = \"c\"", "http.username"),
        (
            "url = \"http://h/\"\ncookie = \"c\"\nusername = \"/u\"\n[access]\nwhere = \"1 = 1\"",
            "access.where",
        ),
        (
            "url = \"http://h/\"\ncookie = \"c\"\nusername = \"user\"",
            "http.username",
        ),
        (
            "url = \"http://h/\"\ncookie = \"c\"\nusername = \"/a~2\"",
            "http.username",
        ),
        (
            "url = \"http://h/\"\ncookie = \"c\"\nusername = 7",
            "http.username",
        ),
        (
            "url = \"http://h/\"\ncookie = \"c\"\nusername = { header = \"a b\" }",
            "header",
        ),
        (
            "url = \"http://h/\"\ncookie = \"c\"\nusername = \"/u\"\ntimeout = \"0s\"",
            "http.timeout",
        ),
        (
            "url = \"http://h/\"\ncookie = \"c\"\nusername = \"/u\"\nsession_id = \"x\"",
            "session_id",
        ),
        (
            "url = \"http://h/\"\ncookie = \"c\"\nusername = \"/u\"\nauthenticated = \"x\"",
            "authenticated",
        ),
        (
            "url = \"http://h/\"\ncookie = []\nusername = \"/u\"",
            "http.cookie",
        ),
        (
            "url = \"http://h/\"\ncookie = [\"a\", \"a\"]\nusername = \"/u\"",
            "twice",
        ),
        (
            "url = \"http://h/\"\ncookie = [\"a\", \"b c\"]\nusername = \"/u\"",
            "http.cookie",
        ),
        (
            "url = \"http://h/\"\ncookie = 7\nusername = \"/u\"",
            "http.cookie",
        ),
        (
            "url = \"http://h/\"\ncookie = \"c\"\nusername = \"/u\"\nno_session = [99]",
            "no_session",
        ),
        (
            "url = \"http://h/\"\ncookie = \"c\"\nusername = \"/u\"\nno_session = [\"4x\"]",
            "no_session",
        ),
        (
            "url = \"http://h/\"\ncookie = \"c\"\nusername = \"/u\"\nno_session = [\"9xx\"]",
            "no_session",
        ),
        (
            "url = \"http://h/\"\ncookie = \"c\"\nusername = \"/u\"\nno_session = 401",
            "no_session",
        ),
        (
            "url = \"http://h/\"\ncookie = \"c\"\nusername = \"/u\"\nheaders = { Cookie = \"a\" }",
            "http.headers.Cookie",
        ),
        (
            "url = \"http://h/\"\ncookie = \"c\"\nusername = \"/u\"\nheaders = { \"a b\" = \"x\" }",
            "header name",
        ),
        (
            "url = \"http://h/\"\ncookie = \"c\"\nusername = \"/u\"\nheaders = { A = \"x\\r\\ny\" }",
            "http.headers.A",
        ),
        (
            "url = \"http://h/\"\ncookie = \"c\"\nusername = \"/u\"\nheaders = { A = { file = \"absent\" } }",
            "http.headers.A",
        ),
        (
            "url = \"http://h/\"\ncookie = \"c\"\nusername = \"/u\"\nheaders = [\"A: b\"]",
            "http.headers",
        ),
    ] {
        let error = site
            .parse(&format!("{start}{lines}"))
            .unwrap_err()
            .to_string();
        assert!(error.contains(word), "{lines}: {error}");
    }
    let by_id = "framework = \"custom\"\ndatabase = \"sqlite:x\"\nsession_source = \"http\"\n[http]\n\
                 url = \"http://h/\"\ncookie = \"c\"\nusername = \"/u\"\n[access]\nwhere = \"1 = 1\"\n\
                 [custom]\nuser_by_id = \"SELECT :id\"";
    let error = site.parse(by_id).unwrap_err().to_string();
    assert!(error.contains("access.where: has no effect"), "{error}");
    let unused = "framework = \"django\"\ndatabase = \"sqlite:x\"\n[http]\nurl = \"http://h/\"";
    assert!(
        site.parse(unused)
            .unwrap_err()
            .to_string()
            .contains("session_source")
    );
}

#[test]
fn the_page_gets_the_headers_that_are_configured() {
    let page = Page::answering(OK, ALICE);
    let site =
        page.site("headers = { X-Api-Key = { file = \"key\" }, Host = \"www.example.org\" }\n");
    std::fs::write(site.path("key"), "s3cret\n").unwrap();
    let mut asked = site.authenticator("");
    assert_eq!(ask(&mut asked, &session("abc", None)), "alice");
    for request in page.requests() {
        let mut lines: Vec<_> = request.lines().map(str::to_ascii_lowercase).collect();
        lines.retain(|line| line.starts_with("x-api-key:") || line.starts_with("host:"));
        lines.sort();
        assert_eq!(
            lines,
            ["host: www.example.org", "x-api-key: s3cret"],
            "{request}"
        );
    }
    assert!(!format!("{asked:?}").contains("s3cret"));
}

#[test]
fn the_statuses_that_mean_nobody_may_be_named() {
    for (status, named, expected) in [
        ("401 No", "[401, 404]", "no-session"),
        ("404 No", "[401, 404]", "no-session"),
        ("403 No", "[401, 404]", "unavailable"),
        ("302 No", "[401, 404]", "unavailable"),
        ("302 No", "[\"3xx\"]", "no-session"),
        ("399 No", "[\"3xx\"]", "no-session"),
        ("400 No", "[\"3xx\"]", "unavailable"),
        ("401 No", "[]", "unavailable"),
        ("200 OK", "[200]", "no-session"),
        ("200 OK", "[\"4xx\", \"5xx\"]", "alice"),
        ("503 No", "[\"4xx\", \"5xx\"]", "no-session"),
        ("503 No", "[401, 403, \"3xx\"]", "unavailable"),
    ] {
        let page = Page::answering(status, ALICE);
        let mut asked = page
            .site(&format!("no_session = {named}\n"))
            .authenticator("");
        let answer = ask(&mut asked, &session("abc", None));
        assert!(answer.starts_with(expected), "{status} {named}: {answer}");
    }
}

#[test]
fn something_else_may_have_to_be_true() {
    for (value, expected) in [
        ("true", "alice"),
        ("1", "alice"),
        ("-1", "alice"),
        ("0.5", "alice"),
        ("\"yes\"", "alice"),
        ("[0]", "alice"),
        ("{\"a\":0}", "alice"),
        ("false", "no-session"),
        ("null", "no-session"),
        ("0", "no-session"),
        ("0.0", "no-session"),
        ("\"\"", "no-session"),
        ("\"0\"", "no-session"),
        ("\"false\"", "no-session"),
        ("[]", "no-session"),
        ("{}", "no-session"),
    ] {
        let body = format!("{{\"user\":{{\"username\":\"alice\"}},\"in\":{value}}}");
        let page = Page::answering(OK, &body);
        let mut asked = page.site("authenticated = \"/in\"\n").authenticator("");
        assert_eq!(ask(&mut asked, &session("abc", None)), expected, "{value}");
        // What is not there is not true.
        let mut asked = page.site("authenticated = \"/out\"\n").authenticator("");
        assert_eq!(ask(&mut asked, &session("abc", None)), "no-session");
    }
    // A name in a header, and no JSON.
    let page = Page::answering("200 OK\r\nX-User: alice", "hello");
    let named = "authenticated = \"/in\"\n";
    let mut asked = page.site(named).authenticator("");
    assert!(ask(&mut asked, &session("abc", None)).starts_with("unavailable"));
}

#[test]
fn a_session_may_need_several_cookies() {
    let page = Page::answering(OK, ALICE);
    let text = format!(
        "framework = \"custom\"\nsession_source = \"http\"\n[http]\n\
         url = \"http://{}/whoami\"\ncookie = [\"sid\", \"pass\"]\nusername = \"/user/username\"\n\
         session_id = \"/sid\"\ntimeout = \"20s\"\ncookie_rule = \"first\"\n",
        page.address
    );
    let site = Site::new(&text);
    let configuration = site.parse(&text).unwrap();
    assert_eq!(configuration.session_cookie_name(), None);
    let mut asked = site.authenticator("");
    for (header, expected, sent) in [
        ("sid=abc; pass=x", "alice", Some("sid=abc; pass=x")),
        ("pass=x; other=y; sid=abc", "alice", Some("sid=abc; pass=x")),
        ("sid=abc", "alice", Some("sid=abc")),
        (
            "sid=abc; sid=evil; pass=x",
            "alice",
            Some("sid=abc; pass=x"),
        ),
        (
            "sid=abd; pass=x",
            "invalid-session",
            Some("sid=abd; pass=x"),
        ),
        (
            "sid=pass=x; pass=abc",
            "invalid-session",
            Some("sid=pass=x; pass=abc"),
        ),
        ("pass=x", "invalid-session", Some("pass=x")),
        ("other=y", "no-session", None),
        ("sid=; pass=", "no-session", None),
        ("sid=a\\b; pass=x", "no-session", None),
        ("Sid=abc; Pass=x", "no-session", None),
    ] {
        let before = page.requests().len();
        let credential = configuration.session_in([header.as_bytes()]);
        let answer: String = match credential {
            Some(credential) => {
                let request =
                    hallpass_core::Request::new(hallpass_core::ClaimedName::Nameless, credential);
                ask(&mut asked, &request)
            }
            None => "no-session".to_owned(),
        };
        assert_eq!(answer, expected, "{header}");
        let requests = page.requests();
        let cookies = requests.get(before).and_then(|request| {
            let mut lines = request.lines();
            lines.find_map(|line| line.strip_prefix("cookie: ").map(str::to_owned))
        });
        assert_eq!(cookies.as_deref(), sent, "{header}");
    }
    // A bare token is the first cookie; a value that no cookie can have is never sent.
    for (token, expected) in [
        ("abc", "alice"),
        ("sid=abc;pass=x", "alice"),
        ("pass=x;sid=abc", "invalid-session"),
        ("abc;pass=x", "no-session"),
        ("sid=abc;evil=x", "no-session"),
        ("sid=abc; pass=x", "no-session"),
        ("sid=abc\r\nX: y", "no-session"),
        ("", "no-session"),
    ] {
        assert_eq!(
            ask(&mut asked, &session(token, None)),
            expected,
            "{token:?}"
        );
    }
}
