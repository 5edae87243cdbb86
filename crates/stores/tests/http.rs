//! A site that is asked by HTTP, and what it may answer.
#![allow(clippy::unwrap_used)]

mod listener;

use std::sync::mpsc;
use std::time::Instant;

use hallpass_stores::http::{Answer, Http, LONGEST_BODY, Settings};
use hallpass_stores::{Address, Deadline, Unavailable};
use listener::{LONG, Listener, SHORT, nobody, soon};

fn page(address: &Address) -> Http {
    Http::new(&Settings {
        url: format!("http://{address}/me?format=json").parse().unwrap(),
        ca: None,
        timeout: LONG,
        headers: Vec::new(),
    })
}

/// A page that answers every question with `answer`, and ends the connection then when told to.
fn answering(answer: &'static [u8], close: bool) -> Listener {
    Listener::new(move |_, mut peer| {
        while peer.head().is_some() {
            peer.send(answer);
            if close {
                return peer.close();
            }
        }
    })
}

fn answered(answer: &'static [u8]) -> Result<Answer, Unavailable> {
    let listener = answering(answer, false);
    page(&listener.address()).get(b"sessionid=abc", Deadline::after(10 * SHORT))
}

fn answered_at_the_end(answer: &'static [u8]) -> Result<Answer, Unavailable> {
    let listener = answering(answer, true);
    page(&listener.address()).get(b"sessionid=abc", soon())
}

#[test]
fn a_page_is_asked_for_with_the_cookie_and_nothing_of_anybody_else() {
    let listener = Listener::new(|_, mut peer| {
        let head = peer.head().unwrap();
        peer.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", head.len()).as_bytes());
        peer.send(head.as_bytes());
    });
    let mut page = page(&listener.address());
    let answer = page.get(b"sessionid=a%20b; x=\"y\"", soon()).unwrap();
    let head = String::from_utf8(answer.body.to_vec())
        .unwrap()
        .to_lowercase();
    let mut lines: Vec<&str> = head.split("\r\n").filter(|line| !line.is_empty()).collect();
    assert_eq!(lines.remove(0), "get /me?format=json http/1.1");
    lines.sort_unstable();
    let agent = format!("user-agent: hallpass/{}", env!("CARGO_PKG_VERSION"));
    let expected = [
        "accept: application/json, */*;q=0.5",
        "cookie: sessionid=a%20b; x=\"y\"",
        &format!("host: 127.0.0.1:{}", listener.port),
        &agent,
    ];
    assert_eq!(lines, expected);
}

#[test]
fn every_status_is_given_back() {
    for (answer, status, body) in [
        (
            &b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"[..],
            200,
            &b"{}"[..],
        ),
        (
            b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}",
            200,
            b"{}",
        ),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b""),
        (
            b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n",
            401,
            b"",
        ),
        (
            b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno",
            403,
            b"no",
        ),
        (b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", 500, b""),
        (b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", 503, b""),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n",
            200,
            b"{}",
        ),
        (
            b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
            302,
            b"",
        ),
    ] {
        let answer = answered(answer).unwrap();
        assert_eq!((answer.status, answer.body.as_slice()), (status, body));
    }
    let at_the_end = answered_at_the_end(b"HTTP/1.1 200 OK\r\n\r\n{\"a\": 1}").unwrap();
    assert_eq!(at_the_end.body.as_slice(), b"{\"a\": 1}");
}

#[test]
fn redirects_are_not_followed() {
    let other = answering(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false);
    let location = format!(
        "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:{}/\r\nContent-Length: 0\r\n\r\n",
        other.port
    );
    let answer = answered(location.leak().as_bytes()).unwrap();
    assert_eq!(answer.status, 302);
    assert!(answer.header("location").is_some());
    assert_eq!(other.accepted(), 0);
}

#[test]
fn headers_are_found_in_any_case_and_never_one_of_several() {
    let answer = answered(
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nx-user: al\xe9\r\nX-Two: a\r\nX-Two: b\r\n\r\n",
    );
    let answer = answer.unwrap();
    assert_eq!(answer.header("X-User"), Some(&b"al\xe9"[..]));
    assert_eq!(answer.header("X-Two"), None);
    assert_eq!(answer.header("X-None"), None);
    assert_eq!(answer.header("no header\r\n"), None);
    assert_eq!(format!("{answer:?}"), "Answer(200, 0 bytes)");
}

#[test]
fn connections_are_kept_and_replaced() {
    let listener = answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", false);
    let mut kept = page(&listener.address());
    for _ in 0..5 {
        assert_eq!(kept.get(b"a=b", soon()).unwrap().status, 200);
    }
    assert_eq!(listener.accepted(), 1);
    let listener = answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", true);
    let mut closed = page(&listener.address());
    for _ in 0..5 {
        assert_eq!(closed.get(b"a=b", soon()).unwrap().status, 200);
    }
    assert_eq!(listener.accepted(), 5);
}

/// The server ends an idle connection at the very moment that the question is sent.
#[test]
fn a_connection_that_ends_instead_of_an_answer_is_replaced_once() {
    const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
    let listener = Listener::new(|index, mut peer| {
        peer.head();
        if index < 2 {
            peer.send(ANSWER);
            peer.head();
        }
        peer.close();
    });
    let mut page = page(&listener.address());
    assert_eq!(page.get(b"a=b", soon()).unwrap().status, 200);
    assert_eq!(page.get(b"a=b", soon()).unwrap().status, 200);
    assert_eq!(listener.accepted(), 2);
    let error = page.get(b"a=b", soon()).unwrap_err();
    assert_eq!(listener.accepted(), 3, "{error}");
}

#[test]
fn what_is_no_answer_is_unavailable() {
    for answer in [
        &b"SSH-2.0-OpenSSH_9.2\r\n\r\n"[..],
        b"\0\0\0\0\0\0\0\0\r\n\r\n",
        b"-ERR unknown command\r\n\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 OK\r\n\r\n",
        b"HTTP/1.1 99999 OK\r\n\r\n",
        b"HTTP/1.1 20",
        b"HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nBad Header\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n{}\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
    ] {
        let shown = String::from_utf8_lossy(answer);
        let error = answered_at_the_end(answer);
        let error = error.map(|_| shown.clone().into_owned()).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("the site's page http://127.0.0.1:"),
            "{error}"
        );
        assert!(!error.to_string().contains("format=json"), "{error}");
    }
}

#[test]
fn long_answers_are_not_read() {
    for (head, words) in [
        ("HTTP/1.1 200 OK\r\n\r\n", "more than 65536 bytes"),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
            "more than 65536 bytes",
        ),
        ("HTTP/1.1 200 OK\r\nX: ", "headers"),
    ] {
        let listener = Listener::new(move |_, mut peer| {
            peer.head();
            peer.send(head.as_bytes());
            peer.flood(&[b'a'; 4096]);
        });
        let error = page(&listener.address()).get(b"a=b", soon()).unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
    }
    let longest = Listener::new(|_, mut peer| {
        peer.head();
        peer.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {LONGEST_BODY}\r\n\r\n").as_bytes());
        peer.send(&vec![b'a'; LONGEST_BODY]);
    });
    let answer = page(&longest.address()).get(b"a=b", soon()).unwrap();
    assert_eq!(answer.body.len(), LONGEST_BODY);
}

/// What a page may send before it is left: what the kernel keeps of a connection at both ends, with
/// room to spare.
const NOTICED: usize = 64 << 20;

#[test]
fn endless_answers_are_left_after_little() {
    const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let letters = "a".repeat(4096);
    for (head, piece) in [
        ("HTTP/1.1 200 OK\r\n\r\n".to_owned(), letters.clone()),
        (CHUNKED.to_owned(), format!("1000\r\n{letters}\r\n")),
        // The line before a chunk, and what comes after the last.
        (format!("{CHUNKED}1;"), letters.clone()),
        (format!("{CHUNKED}{}", "0".repeat(64)), "0".repeat(4096)),
        (format!("{CHUNKED}1\r\na\r\n0\r\n"), "X: y\r\n".repeat(512)),
        (format!("{CHUNKED}1\r\na\r\n0\r\nX: "), letters.clone()),
        // Heads.
        ("HTTP/1.1 ".to_owned(), letters.clone()),
        ("HTTP/1.1 200 OK\r\n".to_owned(), "X: y\r\n".repeat(512)),
        (
            String::new(),
            "HTTP/1.1 103 Early Hints\r\n\r\n".repeat(128),
        ),
        // Not even an answer.
        (String::new(), letters),
    ] {
        let shown = format!("{}{}", head.escape_debug(), piece[..8].escape_debug());
        let (sender, sent) = mpsc::channel();
        let listener = Listener::new(move |_, mut peer| {
            peer.head();
            peer.send(head.as_bytes());
            let pieces = peer.flood(piece.as_bytes());
            let _ = sender.send(pieces * piece.len());
        });
        let begun = Instant::now();
        let answer = page(&listener.address()).get(b"a=b", soon());
        // With trailers that never end, the body may have been read.
        assert!(
            answer.is_err() || answer.is_ok_and(|answer| answer.body.len() <= 1),
            "{shown}"
        );
        assert!(begun.elapsed() < LONG / 2, "{shown}");
        let sent = sent.recv_timeout(LONG).unwrap();
        assert!(sent < NOTICED, "{shown}: {sent}");
    }
}

#[test]
fn nobody_is_waited_for_past_the_deadline() {
    const CHUNKED: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let silent = Listener::new(|_, peer| peer.wait());
    let slow_head = Listener::new(|_, mut peer| {
        peer.send(b"HTTP/1.1 200 OK\r\nX: ");
        peer.drip(b"a");
    });
    let slow_body = Listener::new(|_, mut peer| {
        peer.send(b"HTTP/1.1 200 OK\r\n\r\n");
        peer.drip(b"a");
    });
    let endless = Listener::new(|_, mut peer| {
        peer.send(CHUNKED);
        peer.drip(b"1\r\na\r\n");
    });
    let hints = Listener::new(|_, mut peer| {
        peer.drip(b"HTTP/1.1 103 Early Hints\r\n\r\n");
    });
    for listener in [&silent, &slow_head, &slow_body, &endless, &hints] {
        let begun = Instant::now();
        let mut page = page(&listener.address());
        let error = page.get(b"a=b", Deadline::after(2 * SHORT)).unwrap_err();
        assert!(begun.elapsed() < LONG / 2, "{error}");
        assert!(error.to_string().contains("127.0.0.1"), "{error}");
    }
}

#[test]
fn an_answer_that_was_given_up_is_never_taken_for_another() {
    let listener = Listener::new(|index, mut peer| {
        while peer.head().is_some() {
            if index == 0 {
                std::thread::sleep(2 * SHORT);
            }
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n{index}");
            peer.send(answer.as_bytes());
        }
    });
    let mut page = page(&listener.address());
    assert!(page.get(b"a=b", Deadline::after(SHORT)).is_err());
    let answer = page.get(b"a=b", soon()).unwrap();
    assert_eq!(answer.body.as_slice(), b"1");
}

#[test]
fn more_than_an_answer_is_never_taken_for_another() {
    const TWO: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\naHTTP/1.1 200 OK\r\n\
                         Content-Length: 1\r\n\r\nb";
    let listener = answering(TWO, false);
    let mut page = page(&listener.address());
    for _ in 0..4 {
        let answer = page.get(b"a=b", soon()).unwrap();
        assert_eq!(answer.body.as_slice(), b"a");
    }
}

#[test]
fn who_cannot_be_reached_is_named() {
    let mut page = page(&nobody());
    let error = page.get(b"a=b", soon()).unwrap_err().to_string();
    assert!(error.contains("cannot be reached"), "{error}");
    // At once from now on, and by the same words.
    assert_eq!(page.get(b"a=b", soon()).unwrap_err().to_string(), error);
}

#[test]
fn cookies_that_would_be_more_than_a_cookie_are_not_sent() {
    let listener = answering(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false);
    let mut page = page(&listener.address());
    for cookie in [&b"a=b\r\nX-User: admin"[..], b"a=b\n", b"a=\0"] {
        assert!(page.get(cookie, soon()).is_err());
    }
    assert_eq!(listener.accepted(), 0);
}

#[test]
fn proxies_of_the_environment_are_not_asked() {
    // Other tests of this program have none of their pages there, so it does not matter to them.
    let proxy = Listener::new(|_, peer| peer.wait());
    let listener = answering(b"HTTP/1.1 204 No Content\r\n\r\n", false);
    let program = std::env::current_exe().unwrap();
    let status = std::process::Command::new(program)
        .args(["--exact", "every_status_is_given_back"])
        .env("HTTP_PROXY", format!("http://127.0.0.1:{}", proxy.port))
        .env("http_proxy", format!("http://127.0.0.1:{}", proxy.port))
        .env("ALL_PROXY", format!("http://127.0.0.1:{}", proxy.port))
        .output()
        .unwrap();
    assert!(status.status.success());
    assert_eq!(proxy.accepted(), 0);
    assert_eq!(
        page(&listener.address())
            .get(b"a=b", soon())
            .unwrap()
            .status,
        204
    );
}
