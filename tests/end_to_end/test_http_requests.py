"""Requests of every shape at hallpassd: each is answered, or closed with a status; none hangs.

The shapes are those that RFC 9110 and RFC 9112 rule on, and that test suites of HTTP parsers
(llhttp's above all) are made of. Which answers may come is what the RFC says.
"""

import json
import socket
from dataclasses import dataclass

import pytest

from hosts import web
from hosts.accounts import PASSWORDS
from hosts.daemon import hallpassd
from hosts.fixtures import site_with_accounts
from hosts.web import basic
from processes import LOOPBACK, free_port

REFUSED = {400, 414, 431, 501, 505}
# Where this stands in a request, credentials are put in, or nothing.
PLACE = b"@@\r\n"
HOST = b"Host: shop.example.org\r\n"


def head(line: bytes = b"GET /auth HTTP/1.1", *headers: bytes, end: bytes = b"\r\n") -> bytes:
    """A request's head, whose first headers are Host and whatever credentials there are."""
    lines = b"".join(header + b"\r\n" for header in headers)
    return line + b"\r\n" + HOST + PLACE + lines + end


def chunked(body: bytes, *headers: bytes) -> bytes:
    return head(b"POST /check HTTP/1.1", b"Transfer-Encoding: chunked", *headers) + body


# What every server must understand.
SOUND = {
    "plain": head(),
    "HTTP/1.0": head(b"GET /auth HTTP/1.0"),
    "HTTP/1.0 kept": head(b"GET /auth HTTP/1.0", b"Connection: keep-alive"),
    "CRLF before": b"\r\n" + head(),
    "CRLFs before": b"\r\n\r\n\r\n" + head(),
    "CRLF after": head() + b"\r\n",
    "CRLFs after": head() + b"\r\n\r\n",
    "another method": head(b"PROPFIND /auth HTTP/1.1"),
    "a method that nobody knows": head(b"BREW-!#$%&'*+.^_`|~ /auth HTTP/1.1"),
    "lower-case method": head(b"get /auth HTTP/1.1"),
    "OPTIONS": head(b"OPTIONS /auth HTTP/1.1"),
    "TRACE": head(b"TRACE /auth HTTP/1.1"),
    "query": head(b"GET /auth?basic=1 HTTP/1.1"),
    "absolute form": head(b"GET http://shop.example.org/auth HTTP/1.1"),
    "absolute form of another scheme": head(b"GET https://shop.example.org:8443/auth HTTP/1.1"),
    "tabs around a value": head(b"GET /auth HTTP/1.1", b"A:\t b \t"),
    "empty value": head(b"GET /auth HTTP/1.1", b"A:"),
    "no space after the colon": head(b"GET /auth HTTP/1.1", b"A:b"),
    "bytes above 127 in a value": head(b"GET /auth HTTP/1.1", b"A: \xe9\xff\xc3\xa9"),
    "every token character": head(b"GET /auth HTTP/1.1", b"!#$%&'*+-.^_`|~09azAZ: b"),
    "a header many times": head(b"GET /auth HTTP/1.1", *[b"A: b"] * 50),
    "a hundred headers": head(b"GET /auth HTTP/1.1", *[b"A%d: b" % each for each in range(98)]),
    "Connection: close": head(b"GET /auth HTTP/1.1", b"Connection: close"),
    "Connection: CLOSE in a list": head(b"GET /auth HTTP/1.1", b"Connection: x, CLOSE"),
    "Connection twice": head(b"GET /auth HTTP/1.1", b"Connection: x", b"Connection: close"),
    "Upgrade": head(b"GET /auth HTTP/1.1", b"Connection: Upgrade", b"Upgrade: websocket"),
    "h2c": head(b"GET /auth HTTP/1.1", b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c"),
    "Upgrade with bytes behind it": head(
        b"GET /auth HTTP/1.1", b"Connection: Upgrade", b"Upgrade: x"
    )
    + b"\x00\x01\x02",
    "Content-Length: 0": head(b"POST /auth HTTP/1.1", b"Content-Length: 0"),
    "Content-Length 0 and CRLF": head(b"POST /auth HTTP/1.1", b"Content-Length: 0") + b"\r\n",
    "a body": head(b"POST /auth HTTP/1.1", b"Content-Length: 4") + b"body",
    "a body that never comes": head(b"GET /auth HTTP/1.1", b"Content-Length: 4"),
    "a body with GET": head(b"GET /auth HTTP/1.1", b"Content-Length: 4") + b"body",
    "a large body": head(b"POST /auth HTTP/1.1", b"Content-Length: 300000") + b"x" * 300_000,
    "a long Content-Length": head(
        b"POST /auth HTTP/1.1", b"Content-Length: 18446744073709551613"
    ),
    "Expect": head(b"PUT /auth HTTP/1.1", b"Content-Length: 4", b"Expect: 100-continue"),
    "chunks": head(b"POST /auth HTTP/1.1", b"Transfer-Encoding: chunked") + b"4\r\nbody\r\n0\r\n\r\n",
    "Chunked": head(b"POST /auth HTTP/1.1", b"Transfer-Encoding: CHUNKED") + b"0\r\n\r\n",
    "chunks that never end": head(b"POST /auth HTTP/1.1", b"Transfer-Encoding: chunked") + b"4\r\n",
    "a head of 32 KiB": head(b"GET /auth HTTP/1.1", b"A: " + b"b" * 32_000),
}

# What a server must refuse, or may not take for what it looks like.
MALFORMED = {
    "nothing but a word": b"x\r\n\r\n",
    "TLS": b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03" + b"\x00" * 64,
    "NULs": b"\x00" * 64,
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/2 and a frame": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00",
    "a FastCGI record": b"\x01\x01\x00\x01\x00\x08\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00",
    "PROXY": b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n" + head(),
    "no version": head(b"GET /auth"),
    "no target": head(b"GET HTTP/1.1"),
    "no method": head(b"/auth HTTP/1.1"),
    "an answer": b"HTTP/1.1 200 OK\r\n" + HOST + PLACE + b"\r\n",
    "HTTP/0.9": head(b"GET /auth HTTP/0.9"),
    "HTTP/1.": head(b"GET /auth HTTP/1."),
    "HTTP/1.11": head(b"GET /auth HTTP/1.11"),
    "HTTP/01.1": head(b"GET /auth HTTP/01.1"),
    "HTTP/2.0": head(b"GET /auth HTTP/2.0"),
    "HTTP/3": head(b"GET /auth HTTP/3"),
    "HTTP/5.6": head(b"GET /auth HTTP/5.6"),
    "http/1.1": head(b"GET /auth http/1.1"),
    "HTTPS/1.1": head(b"GET /auth HTTPS/1.1"),
    "IHTTP/1.0": head(b"GET /auth IHTTP/1.0"),
    "RTSP/1.0": head(b"GET /auth RTSP/1.0"),
    "ICE/1.0": head(b"SOURCE /auth ICE/1.0"),
    "words after the version": head(b"GET /auth HTTP/1.1 and more"),
    "a tab in the line": head(b"GET\t/auth\tHTTP/1.1"),
    "a space before the line": b" " + head(),
    "a tab before the line": b"\t" + head(),
    "a space in the target": head(b"GET /auth x HTTP/1.1"),
    "a NUL in the target": head(b"GET /auth\x00 HTTP/1.1"),
    "a line feed in the target": head(b"GET /au\nth HTTP/1.1"),
    "a delete in the target": head(b"GET /auth\x7f HTTP/1.1"),
    "a parenthesis in the method": head(b"GE(T /auth HTTP/1.1"),
    "a NUL in the method": head(b"GE\x00T /auth HTTP/1.1"),
    "a letter above 127 in the method": head(b"G\xc9T /auth HTTP/1.1"),
    "a space before the colon": head(b"GET /auth HTTP/1.1", b"A : b"),
    "a tab before the colon": head(b"GET /auth HTTP/1.1", b"A\t: b"),
    "a space in a name": head(b"GET /auth HTTP/1.1", b"A B: c"),
    "a name that is empty": head(b"GET /auth HTTP/1.1", b": b"),
    "no colon": head(b"GET /auth HTTP/1.1", b"A"),
    "a name with NUL": head(b"GET /auth HTTP/1.1", b"A\x00: b"),
    "a name above 127": head(b"GET /auth HTTP/1.1", b"\xc9: b"),
    "a value with NUL": head(b"GET /auth HTTP/1.1", b"A: b\x00c"),
    "a value with CR": head(b"GET /auth HTTP/1.1", b"A: b\rB: c"),
    "a value with control characters": head(b"GET /auth HTTP/1.1", b"A: b\x01\x7fc"),
    "CR CR LF": b"GET /auth HTTP/1.1\r\n" + HOST + PLACE + b"A: b\r\r\n\r\n",
    "a CR for each end": b"GET /auth HTTP/1.1\r" + HOST.replace(b"\n", b"") + b"A: b\r\r",
    "a folded value": head(b"GET /auth HTTP/1.1", b"A: b\r\n c"),
    "a first header that is folded": b"GET /auth HTTP/1.1\r\n " + HOST + PLACE + b"\r\n",
    "Content-Length: none": head(b"POST /auth HTTP/1.1", b"Content-Length: x"),
    "Content-Length: nothing": head(b"POST /auth HTTP/1.1", b"Content-Length:"),
    "Content-Length: -1": head(b"POST /auth HTTP/1.1", b"Content-Length: -1"),
    "Content-Length: +1": head(b"POST /auth HTTP/1.1", b"Content-Length: +1") + b"x",
    "Content-Length: 0x1": head(b"POST /auth HTTP/1.1", b"Content-Length: 0x1") + b"x",
    "Content-Length: 4 2": head(b"POST /auth HTTP/1.1", b"Content-Length: 4 2") + b"x" * 42,
    "Content-Length: 1.5": head(b"POST /auth HTTP/1.1", b"Content-Length: 1.5") + b"x" * 42,
    "Content-Length of 2^64": head(
        b"POST /auth HTTP/1.1", b"Content-Length: 18446744073709551616"
    ),
    "Content-Length twice": head(
        b"POST /auth HTTP/1.1", b"Content-Length: 1", b"Content-Length: 2"
    )
    + b"xx",
    "Content-Length of two": head(b"POST /auth HTTP/1.1", b"Content-Length: 1, 2") + b"xx",
    "Transfer-Encoding: identity": head(b"POST /auth HTTP/1.1", b"Transfer-Encoding: identity"),
    "Transfer-Encoding: deflate": head(b"POST /auth HTTP/1.1", b"Transfer-Encoding: deflate"),
    "Transfer-Encoding: xchunked": head(b"POST /auth HTTP/1.1", b"Transfer-Encoding: xchunked"),
    "Transfer-Encoding: chunkedx": head(b"POST /auth HTTP/1.1", b"Transfer-Encoding: chunkedx"),
    "chunked, gzip": head(b"POST /auth HTTP/1.1", b"Transfer-Encoding: chunked, gzip"),
    "chunked and then another": head(
        b"POST /auth HTTP/1.1", b"Transfer-Encoding: chunked", b"Transfer-Encoding: deflate"
    ),
    "chunked in HTTP/1.0": head(b"POST /auth HTTP/1.0", b"Transfer-Encoding: chunked"),
    "101 headers": head(b"GET /auth HTTP/1.1", *[b"A%d: b" % each for each in range(100)]),
    "1000 headers": head(b"GET /auth HTTP/1.1", *[b"A%d: b" % each for each in range(1000)]),
    "a value of 300 KiB": head(b"GET /auth HTTP/1.1", b"A: " + b"b" * 300_000),
    "a value of 1 MiB": head(b"GET /auth HTTP/1.1", b"A: " + b"b" * (1 << 20)),
    "a target of 300 KiB": head(b"GET /auth?" + b"a" * 300_000 + b" HTTP/1.1"),
    "a head that never ends": b"GET /auth HTTP/1.1\r\n" + PLACE + b"A: b\r\n" * 50_000,
}

# Where the RFC leaves the choice.
EITHER = {
    "LF for each end": head().replace(b"\r\n", b"\n"),
    "LF before": b"\n" + head(),
    "LF at the end": head(end=b"\n"),
    "two spaces": head(b"GET  /auth  HTTP/1.1"),
    "spaces at the end of the line": head(b"GET /auth HTTP/1.1  "),
    "no Host": b"GET /auth HTTP/1.1\r\n" + PLACE + b"\r\n",
    "two Hosts": head(b"GET /auth HTTP/1.1", HOST.strip()),
    "bytes above 127 in the target": head(b"GET /auth?original=/\xc3\xa9 HTTP/1.1"),
    "quotes in the target": head(b'GET /auth?original=/"<>\\^`{|} HTTP/1.1'),
    "a fragment": head(b"GET /auth#x HTTP/1.1"),
    "Content-Length twice the same": head(
        b"POST /auth HTTP/1.1", b"Content-Length: 4", b"Content-Length: 4"
    )
    + b"body",
    "Content-Length and chunks": head(
        b"POST /auth HTTP/1.1", b"Content-Length: 4", b"Transfer-Encoding: chunked"
    )
    + b"0\r\n\r\n",
    "gzip, chunked": head(b"POST /auth HTTP/1.1", b"Transfer-Encoding: gzip, chunked"),
    "chunked twice": head(
        b"POST /auth HTTP/1.1", b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"
    ),
}

# Targets that are nobody's.
ELSEWHERE = {
    "CONNECT": head(b"CONNECT shop.example.org:443 HTTP/1.1"),
    "OPTIONS *": head(b"OPTIONS * HTTP/1.1"),
    "a URL as a path": head(b"GET /http://shop.example.org/auth HTTP/1.1"),
    "two slashes": head(b"GET //auth HTTP/1.1"),
    "a dot": head(b"GET /./auth HTTP/1.1"),
    "a letter that is encoded": head(b"GET /%61uth HTTP/1.1"),
    "capitals": head(b"GET /AUTH HTTP/1.1"),
    "a parameter": head(b"GET /auth;x HTTP/1.1"),
}


@dataclass(frozen=True)
class World:
    addresses: tuple
    good: bytes

    def exchange(self, address, raw: bytes, good: bool = False) -> int:
        """The status of the answer to a request, with credentials that are good or without any."""
        raw = raw.replace(PLACE, self.good if good else b"", 1)
        with web.Connection(address) as connection:
            try:
                connection.send(raw)
            except (BrokenPipeError, ConnectionResetError):
                pass  # The answer may have come before all was sent.
            return connection.answer(raw.split(b" ", 1)[0].strip().decode("latin-1")).status


@pytest.fixture(scope="module")
def world(new_directory, hallpass_programs, new_site):
    directory = new_directory()
    site = site_with_accounts(new_site)
    path, tcp = directory / "http.sock", (LOOPBACK, free_port())
    listen = [f"unix:{path}?mode=0660", "tcp:{}:{}".format(*tcp)]
    config = site.write_configuration(
        f"{directory.name}.toml", daemon={"listen": listen}, limits={"failures": 0}
    )
    good = b"Authorization: " + basic("alice", PASSWORDS["alice"]).encode() + b"\r\n"
    with hallpassd(hallpass_programs["hallpassd"], config, path, tcp):
        yield World((path, tcp), good)


@pytest.mark.parametrize("name", SOUND)
def test_what_is_sound_is_answered(world, name):
    for address in world.addresses:
        assert world.exchange(address, SOUND[name]) == 401
        assert world.exchange(address, SOUND[name], good=True) == 200


@pytest.mark.parametrize("name", MALFORMED)
def test_what_is_malformed_is_refused_with_a_status_whatever_it_carries(world, name):
    for address in world.addresses:
        assert world.exchange(address, MALFORMED[name]) in REFUSED
        assert world.exchange(address, MALFORMED[name], good=True) in REFUSED


@pytest.mark.parametrize("name", EITHER)
def test_what_may_be_taken_or_refused_is_one_of_them(world, name):
    for address in world.addresses:
        assert world.exchange(address, EITHER[name]) in {401} | REFUSED
        assert world.exchange(address, EITHER[name], good=True) in {200} | REFUSED


@pytest.mark.parametrize("name", ELSEWHERE)
def test_what_is_asked_elsewhere_lets_nobody_in(world, name):
    for address in world.addresses:
        assert world.exchange(address, ELSEWHERE[name], good=True) in {404} | REFUSED


def test_a_head_that_is_cut_off_is_refused_at_every_byte(world):
    whole = head().replace(PLACE, world.good, 1)
    for address in world.addresses:
        for length in range(1, len(whole)):
            with web.Connection(address) as connection:
                connection.send(whole[:length])
                connection.socket.shutdown(socket.SHUT_WR)
                assert connection.answer().status == 400, whole[:length]
                assert connection.ended()


def test_a_whole_request_of_a_client_that_sends_no_more_is_not_called_malformed(world):
    whole = head().replace(PLACE, world.good, 1)
    for address in world.addresses:
        for _ in range(20):
            with web.Connection(address) as connection:
                connection.send(whole)
                connection.socket.shutdown(socket.SHUT_WR)
                # Without an answer where nobody seems to wait for one.
                said = connection.rest()
                assert said == b"" or said.startswith(b"HTTP/1.1 200 "), said


def test_what_follows_a_request_and_is_cut_off_is_refused(world):
    whole = head().replace(PLACE, world.good, 1)
    for address in world.addresses:
        for length in (1, 5, 20, len(whole) - 1):
            with web.Connection(address) as connection:
                connection.send(whole + whole[:length])
                connection.socket.shutdown(socket.SHUT_WR)
                assert connection.answer().status == 200
                assert connection.answer().status == 400
                assert connection.ended()


def test_nothing_and_empty_lines_are_no_request(world):
    for address in world.addresses:
        for raw in (b"", b"\r\n", b"\n\n", b"\r\n\r\n"):
            with web.Connection(address) as connection:
                connection.send(raw)
                connection.socket.shutdown(socket.SHUT_WR)
                assert connection.rest() == b""


def test_a_head_that_stops_coming_is_refused_in_time(world):
    """This takes as long as hallpassd waits for a head."""
    for address in world.addresses[:1]:
        with web.Connection(address) as connection:
            connection.send(b"GET /auth HTTP/1.1\r\n" + HOST)
            assert connection.answer().status == 408
            assert connection.ended()


def test_requests_that_are_sent_at_once_are_answered_one_by_one(world):
    for address in world.addresses:
        for between in (b"", b"\r\n", b"\r\n\r\n"):
            one, other = (head().replace(PLACE, each, 1) for each in (b"", world.good))
            with web.Connection(address) as connection:
                connection.send(between.join([one, other, one, other]) + between)
                assert [connection.answer().status for _ in range(4)] == [401, 200, 401, 200]


def test_what_follows_a_body_that_is_not_read_is_never_a_request(world):
    inner = head(b"GET /auth HTTP/1.1").replace(PLACE, world.good, 1)
    for address in world.addresses:
        for framing in (b"Content-Length: %d" % len(inner), b"Transfer-Encoding: chunked"):
            with web.Connection(address) as connection:
                connection.send(head(b"POST /auth HTTP/1.1", framing).replace(PLACE, b"") + inner)
                assert connection.answer().status == 401
                assert connection.rest() == b""


def test_a_request_behind_one_that_is_malformed_is_not_answered(world):
    good = head().replace(PLACE, world.good, 1)
    for address in world.addresses:
        with web.Connection(address) as connection:
            connection.send(b"GET /auth HTTP/1.1\r\nA : b\r\n\r\n" + good)
            assert connection.answer().status == 400
            assert connection.rest() == b""


# `POST /check`, the one whose body is read.


def body(user: str = "alice") -> bytes:
    return json.dumps({"user": user, "password": PASSWORDS["alice"]}).encode()


def chunk(content: bytes, end: bytes = b"\r\n") -> bytes:
    return b"%x" % len(content) + end + content + end


def checked(world, raw: bytes) -> int:
    return world.exchange(world.addresses[0], raw)


def test_a_body_is_read_whatever_follows_it(world):
    whole = body()
    length = b"Content-Length: %d" % len(whole)
    for after in (b"", b"\r\n", b"\n", b"\r\n\r\n", b"\n" * 20):
        assert checked(world, head(b"POST /check HTTP/1.1", length) + whole + after) == 200


def test_chunks_are_read(world):
    whole, last = body(), b"0\r\n\r\n"
    for raw in (
        chunk(whole) + last,
        b"".join(chunk(whole[each : each + 1]) for each in range(len(whole))) + last,
        b"00000000" + chunk(whole) + last,
        b"%X" % len(whole) + b";name=value\r\n" + whole + b"\r\n" + last,
        b"%x" % len(whole) + b';name="quoted \xc3\xa9"\r\n' + whole + b"\r\n" + last,
        chunk(whole) + b"0\r\nA: b\r\n\r\n",
        chunk(whole) + last + b"\r\n",
    ):
        assert checked(world, chunked(raw)) == 200, raw


def test_chunks_that_are_malformed_let_nobody_in(world):
    whole, last = body(), b"0\r\n\r\n"
    size = b"%x" % len(whole)
    for raw in (
        b"x\r\n" + whole + b"\r\n" + last,
        b"-" + chunk(whole) + last,
        b"+" + chunk(whole) + last,
        b"0x" + chunk(whole) + last,
        b"\r\n" + chunk(whole) + last,
        b"\r\n\r\n",
        b"1" * 17 + b"\r\n" + whole + b"\r\n" + last,
        b"ffffffffffffffff\r\n" + whole + b"\r\n" + last,  # waited for, but not for ever
        size + b" x\r\n" + whole + b"\r\n" + last,
        size + b"\r" + whole + b"\r\n" + last,
        size + b"\r\n" + whole + last,
        size + b"\r\n" + whole + b"xx" + last,
        b"%x" % (len(whole) - 1) + b"\r\n" + whole + b"\r\n" + last,
        size + b";" + b"x" * 100_000 + b"\r\n" + whole + b"\r\n" + last,
    ):
        assert checked(world, chunked(raw)) in REFUSED | {408}, raw


def test_bodies_that_are_cut_off_let_nobody_in(world):
    whole = body()
    framed = (
        head(b"POST /check HTTP/1.1", b"Content-Length: %d" % len(whole)) + whole,
        chunked(chunk(whole) + b"0\r\n\r\n"),
    )
    for raw in framed:
        raw = raw.replace(PLACE, b"")
        for length in range(raw.index(b"\r\n\r\n") + 4, len(raw), 7):
            with web.Connection(world.addresses[0]) as connection:
                connection.send(raw[:length])
                connection.socket.shutdown(socket.SHUT_WR)
                assert connection.answer().status in REFUSED, raw[:length]
