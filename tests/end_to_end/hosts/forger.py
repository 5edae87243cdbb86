"""A hostile client, and an application behind a proxy that reads headers as CGI has them.

PHP behind FastCGI, gunicorn, wsgiref and mod_wsgi make `HTTP_REMOTE_USER` of `Remote-User` and of
`Remote_User` alike (RFC 3875, section 4.1.18). The client sends every spelling of every header by
which hallpassd says who somebody is.
"""

import itertools
import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from processes import LOOPBACK

from .web import Answer, basic

IDENTITY = (
    "Remote-User Remote-User-Encoding Remote-Email Remote-Name Remote-Groups Remote-Session "
    "Remote-Session-Expires"
).split()

# Whom the client claims to be, and where it claims to be, wherever it can.
FORGED = "forged-ursula"
FORGED_ADDRESS = "203.0.113.66"
FORGED_PLACE = "forged.example"
# What is not about an identity, and hallpassd reads.
PLACES = [
    ("X-Forwarded-For", FORGED_ADDRESS),
    ("X-Real-IP", FORGED_ADDRESS),
    ("Forwarded", f"for={FORGED_ADDRESS};host={FORGED_PLACE}"),
    ("X-Original-URI", f"//{FORGED_PLACE}/"),
    ("X-Original-URL", f"https://{FORGED_PLACE}/"),
    ("X_Original_URI", f"//{FORGED_PLACE}/"),
    ("X-Forwarded-Uri", f"/{FORGED_PLACE}"),
    ("X-Forwarded-Host", FORGED_PLACE),
    ("X-Forwarded-Proto", "javascript"),
    ("X-Forwarded-Method", "POST"),
]


def spellings(name: str) -> list[str]:
    """`Remote-User-Encoding`, `Remote_User-Encoding` …"""
    words = name.split("-")
    joints = itertools.product("-_", repeat=len(words) - 1)
    return ["".join(map("".join, zip(words, (*between, "")))) for between in joints]


def forgeries() -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """What the client claims to be, request by request, and a word for it: all headers in all
    spellings each time, which are fewer than the hundred lines that servers take."""
    names = [spelling for name in IDENTITY for spelling in spellings(name)]
    for case in (str, str.lower, str.upper, str.swapcase):
        cased = [case(name) for name in names]
        word = cased[1]
        yield word, [(name, FORGED) for name in cased]
        yield f"{word}, twice", [(name, FORGED) for name in cased for _ in range(2)]
        yield f"{word}, empty", [(name, "") for name in cased]
        yield f"{word}, empty first", [(name, value) for name in cased for value in ("", FORGED)]
    # Those with an underscore alone, which the others might hide.
    yield "underscores", [(name, FORGED) for name in names if "_" in name]
    yield "encoding alone", [("Remote-User-Encoding", "percent"), ("Remote_User_Encoding", "percent")]
    # A header that belongs to the connection is not passed on (RFC 9110, section 7.6.1).
    yield "connection", [("Connection", ", ".join(["close", *IDENTITY])), ("Remote_User", FORGED)]


def attack(
    ask: Callable[[list[tuple[str, str]]], Answer],
    credential: tuple[str, str],
    expected: dict[str, str],
    variables: tuple[str, ...] = (),
) -> None:
    """Asks by `ask`, with a good credential and everything forged: the application behind must see
    `expected`, by hallpassd's own names, and nothing else of an identity. These `variables` must
    hold the name, too."""
    # A name by Basic beside a session: of an account, of none, and what proxies read otherwise.
    basics = [basic("ursula", "anything"), basic("forged", "x"), "Basic dXJzdWxhOg", "basic  dXJzdWxhOng="]
    # Where the name and the password themselves are the credential, they stand alone.
    others = [("Authorization", value) for value in basics if credential[0] == "Cookie"]
    for word, claims in forgeries():
        for other in (None, *others):
            more = [other] if other else []
            answer = ask([credential, *claims, *PLACES, *more])
            assert answer.status == 200, (word, other, answer)
            check(json.loads(answer.body), expected, word, variables)


def check(
    seen: dict[str, str], expected: dict[str, str], word: str, variables: tuple[str, ...] = ()
) -> None:
    """Whether the variables `seen` tell of the identity in `expected` and of no other."""
    assert FORGED not in json.dumps(seen), (word, seen)
    for name in IDENTITY:
        value = seen.get(variable(name), "")
        if word == "connection" and not value:
            continue
        assert value == expected[name], (word, name, seen)
    # Not even under a name that is none of the seven.
    known = {variable(name) for name in IDENTITY}
    others = {name for name in seen if name.startswith("HTTP_REMOTE")} - known
    assert not others, (word, others)
    # A name that nobody has checked is in none of the variables that applications read.
    assert not seen.get("HTTP_AUTHORIZATION"), (word, seen)
    for name in ("REMOTE_USER", "PHP_AUTH_USER"):
        allowed = [expected["Remote-User"]]
        if name not in variables or word == "connection":
            allowed.append("")
        assert seen.get(name, "") in allowed, (word, name, seen)
    assert not seen.get("PHP_AUTH_PW"), (word, seen)
    # Who asks, as the proxy found it: Envoy has another address of this machine for it.
    last = seen["HTTP_X_FORWARDED_FOR"].split(",")[-1].strip()
    assert last not in ("", FORGED_ADDRESS), (word, seen)


def variable(name: str) -> str:
    """A header's name as CGI has it."""
    return "HTTP_" + name.upper().replace("-", "_")


def identity(daemon, credential: tuple[str, str]) -> dict[str, str]:
    """What hallpassd says of a credential, asked by nobody but the test."""
    answer = daemon.ask("/auth", [credential])
    assert answer.status == 200
    return {name: answer.headers[name] for name in IDENTITY}


@contextmanager
def cgi_application() -> Iterator[int]:
    """Runs a WSGI application, in a thread, that answers with its environment as JSON; its port.

    wsgiref joins headers of one name by commas, in the order in which they came.
    """

    def application(environ, start_response):
        start_response("200 OK", [("Content-Type", "application/json")])
        # What the environment of the tests holds is none of the application's.
        told = {k: v for k, v in environ.items() if isinstance(v, str) and k not in os.environ}
        return [json.dumps(told).encode()]

    class Handler(WSGIRequestHandler):
        def log_message(self, *_: object) -> None:
            """Nothing: the answers tell it all."""

    class Server(ThreadingMixIn, WSGIServer):
        daemon_threads = True

    server = make_server(LOOPBACK, 0, application, Server, Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


# The same in PHP: a page for php-fpm.
PAGE = "<?php header('Content-Type: application/json'); echo json_encode($_SERVER);\n"
