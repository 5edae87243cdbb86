"""Programs that ask by HTTP in a form of their own, at /as/DIALECT.

RabbitMQ is Debian's own. The others are not in Debian: their requests, and what they take for a yes, are
those of their sources and documentation, whose versions `bin/hallpassd/src/dialects/question.rs` names.
"""

import json
import shutil
import signal
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import quote, urlencode

import pytest

import logs
from hosts import web
from hosts.accounts import CASES, PASSWORDS
from hosts.daemon import hallpassd, write_configuration
from hosts.fixtures import site_replacements, site_with_accounts
from hosts.page import snippets
from hosts.rabbitmq import rabbitmq
from hosts.web import Answer, basic
from processes import LOOPBACK, eventually, free_port, give_away

TOKEN = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
JSON = {"Content-Type": "application/json"}
JOIN = {"vernemq-hook": "auth_on_register"} | JSON
CREDENTIALS = "synapse/_matrix-internal/identity/v1/check_credentials"
YES, NO, LATER = "yes", "no", "unavailable"


@dataclass(frozen=True)
class Request:
    """One request of a program's."""

    path: str
    method: str = "POST"
    headers: tuple = ()
    body: bytes = b""

    def __call__(self, address, **headers) -> Answer:
        headers = dict(self.headers) | headers
        return web.ask(address, f"/as/{self.path}", headers, method=self.method, body=self.body)


def form(path: str, **fields) -> Request:
    return Request(path, "POST", tuple(FORM.items()), urlencode(fields).encode())


def json_of(path: str, fields: dict, headers: dict = JSON) -> Request:
    return Request(path, "POST", tuple(headers.items()), json.dumps(fields).encode())


def get(path: str, **fields) -> Request:
    return Request(f"{path}?{urlencode(fields)}", "GET")


def as_text(answer: Answer):
    return answer.body.decode()


def rabbit_reads(answer: Answer) -> str:
    """rabbit_auth_backend_http: a body that begins with `allow`, of any status 2xx but 204."""
    if answer.status >= 500:
        return LATER
    good = answer.status in (200, 201) and as_text(answer).lower().startswith("allow")
    return YES if good else NO


def xmpp_reads(answer: Answer) -> str:
    if answer.status >= 500:
        return LATER
    return YES if answer.status in (201, 204) or as_text(answer) == "true" else NO


def json_reads(good: Callable[[dict], bool], bad: Callable[[dict], bool], denied: int = 200):
    """For programs that read JSON; whatever is neither yes nor no is not to be seen."""

    def read(answer: Answer) -> str:
        if answer.status == 503:
            return LATER
        assert answer.headers["Content-Type"] == "application/json", answer
        said = json.loads(answer.body)
        if answer.status == 200 and good(said):
            return YES
        assert answer.status in (denied, 400) and bad(said), (answer.status, answer.body)
        return NO

    return read


def status_reads(answer: Answer) -> str:
    """rlm_rest: 204 alone; with 200 it would read the body."""
    assert answer.status in (204, 401, 400, 503), answer
    return {204: YES, 503: LATER}.get(answer.status, NO)


@dataclass(frozen=True)
class Dialect:
    """How a program asks about a password, and what it makes of the answer."""

    login: Callable[[str, str], Request]
    reads: Callable[[Answer], str]
    # Whether the program itself makes names lower case.
    folds: bool = False


DIALECTS = {
    "rabbitmq": Dialect(
        lambda user, password: form("rabbitmq/user", username=user, password=password), rabbit_reads
    ),
    "rabbitmq-get": Dialect(
        lambda user, password: get("rabbitmq/user", username=user, password=password), rabbit_reads
    ),
    "rabbitmq-mqtt": Dialect(
        lambda user, password: form(
            "rabbitmq/user", username=user, password=password, vhost="/", client_id="c1"
        ),
        rabbit_reads,
    ),
    "mosquitto-go-auth": Dialect(
        lambda user, password: json_of(
            "mosquitto-go-auth/user", {"username": user, "password": password, "clientid": "c"}
        ),
        json_reads(lambda it: it == {"Ok": True, "Error": ""}, lambda it: not it["Ok"], 401),
    ),
    "mosquitto-go-auth-form": Dialect(
        lambda user, password: form("mosquitto-go-auth/user", username=user, password=password),
        json_reads(lambda it: it == {"Ok": True, "Error": ""}, lambda it: not it["Ok"], 401),
    ),
    "emqx": Dialect(
        lambda user, password: json_of(
            "emqx", {"username": user, "password": password, "clientid": "c"}
        ),
        json_reads(
            lambda it: it == {"result": "allow", "is_superuser": False},
            lambda it: it == {"result": "deny"},
        ),
    ),
    "vernemq": Dialect(
        lambda user, password: json_of(
            "vernemq",
            {"addr": "192.0.2.9", "port": 1, "mountpoint": "", "client_id": "c",
             "username": user, "password": password, "clean_session": True},
            JOIN,
        ),
        json_reads(
            lambda it: it == {"result": "ok"},
            lambda it: it == {"result": {"error": "not_allowed"}},
        ),
    ),
    "mongooseim": Dialect(
        lambda user, password: get(
            "mongooseim/check_password", user=user, server="chat.example.org", **{"pass": password}
        ),
        xmpp_reads,
        folds=True,
    ),
    "prosody": Dialect(
        lambda user, password: get(
            "prosody/check_password", user=user, server="chat.example.org", **{"pass": password}
        ),
        xmpp_reads,
        folds=True,
    ),
    "prosody-custom": Dialect(
        lambda user, password: json_of("prosody", {"username": user, "password": password}, FORM),
        xmpp_reads,
        folds=True,
    ),
    "synapse": Dialect(
        lambda user, password: json_of(
            CREDENTIALS, {"user": {"id": f"@{user}:example.org", "password": password}}
        ),
        json_reads(
            lambda it: it["auth"]["success"] is True and "profile" in it["auth"],
            lambda it: it == {"auth": {"success": False}},
        ),
        folds=True,
    ),
    "freeradius": Dialect(
        lambda user, password: json_of("freeradius", {"user": user, "password": password}),
        status_reads,
    ),
}


@dataclass(frozen=True)
class Served:
    """A daemon that is asked over TCP and at a unix socket."""

    daemon: object
    site: object
    tcp: tuple
    socket: object

    def reads(self, dialect: str, user: str, password: str) -> str:
        logs.note(password)
        asked = DIALECTS[dialect]
        return asked.reads(asked.login(user, password)(self.tcp, **BEARER))


@pytest.fixture(scope="module")
def site(new_site):
    return site_with_accounts(new_site)


@pytest.fixture(scope="module")
def serve(new_directory, hallpass_programs):
    """Runs a daemon for a site; `tables` are more of its configuration."""
    running = []

    def serve(site, **tables) -> Served:
        directory = new_directory()
        http, unix = directory / "http.sock", directory / "dialects.sock"
        tcp = (LOOPBACK, free_port())
        own = {
            "listen": [f"unix:{http}"],
            "dialects": [f"tcp:{LOOPBACK}:{tcp[1]}", f"unix:{unix}"],
            "dialect_token": TOKEN,
            "accept": ["session", "password"],
        }
        tables = {"limits": {"failures": 0}} | tables | {"daemon": own | tables.get("daemon", {})}
        config = site.write_configuration(f"{directory.name}.toml", **tables)
        context = hallpassd(hallpass_programs["hallpassd"], config, http, tcp, unix)
        daemon = context.__enter__()
        running.append(context)
        return Served(daemon, site, tcp, unix)

    yield serve
    for context in reversed(running):
        context.__exit__(None, None, None)


@pytest.fixture(scope="module")
def served(serve, site):
    return serve(site)


# Passwords


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_password_is_as_the_site_says(served, site, dialect):
    for case in CASES:
        right = site.ask("modwsgi_check_password", case.user, case.password) is True
        # An empty password is what a client without one sends.
        expected = YES if right and case.password else NO
        if ":" in case.user or ("@" in case.user and dialect == "synapse"):
            continue
        assert served.reads(dialect, case.user, case.password) == expected, case.why


@pytest.mark.parametrize("dialect", DIALECTS)
def test_names_are_folded_as_the_program_folds_them(served, dialect):
    folds = DIALECTS[dialect].folds
    assert served.reads(dialect, "walter", PASSWORDS["Walter"]) == (YES if folds else NO)
    assert served.reads(dialect, "Walter", PASSWORDS["Walter"]) == YES
    # Two accounts of one folded name are none.
    for name in ("kate", "Kate", "twin", "Twin", "TWIN"):
        password = PASSWORDS.get(name, "one of two")
        expected = NO if folds or name == "twin" else YES
        assert served.reads(dialect, name, password) == expected, name


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    "name", ["", "alice\n", "alice\0", "\0", "a" * 5000, "alice\r\nX: y", " alice", "allow", "true"]
)
def test_a_name_that_is_none_is_refused(served, dialect, name):
    assert served.reads(dialect, name, PASSWORDS["alice"]) == NO


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_password_that_is_too_long_is_refused(served, dialect):
    most = 20_000 if DIALECTS[dialect].login("a", "b").method == "GET" else 300_000
    for length in (4097, most):
        assert served.reads(dialect, "alice", "x" * length) == NO
    assert served.reads(dialect, "alice", PASSWORDS["alice"]) == YES


def test_a_store_that_is_away_is_unavailable_everywhere(serve, new_site):
    site = site_with_accounts(new_site)
    served = serve(site)
    away = site.database.with_suffix(".away")
    shutil.move(site.database, away)
    for dialect in DIALECTS:
        assert served.reads(dialect, "alice", PASSWORDS["alice"]) == LATER, dialect
        assert served.reads(dialect, "nobody", "x") == LATER, dialect
    for request in QUESTIONS:
        answer = request(served.tcp, **BEARER)
        # By `Retry-After`, Erlang's httpc would ask again and again, and the client wait.
        assert answer.status == 503 and not answer.headers["Retry-After"], (request, answer)
    shutil.move(away, site.database)
    for dialect in DIALECTS:
        assert served.reads(dialect, "alice", PASSWORDS["alice"]) == YES, dialect


# Questions about a name


QUESTIONS = [
    form("rabbitmq/vhost", username="alice", vhost="/", ip="192.0.2.1", tags="administrator"),
    form("rabbitmq/vhost", username="alice", vhost="/", client_id="c1"),
    form("rabbitmq/resource", username="alice", vhost="/", resource="queue", name="allow",
         permission="configure", tags=""),
    form("rabbitmq/topic", username="alice", vhost="/", resource="topic", name="amq.topic",
         permission="write", tags="", routing_key="a.b", **{"variable_map.username": "alice"}),
    json_of("mosquitto-go-auth/acl",
            {"username": "alice", "clientid": "c", "topic": "a/b", "acc": 2}),
    get("mongooseim/user_exists", user="alice", server="chat.example.org"),
    get("prosody/user_exists", user="alice", server="chat.example.org", **{"pass": ""}),
]


def verdict(answer: Answer) -> str:
    """For the answers of QUESTIONS."""
    if answer.status == 503:
        return LATER
    good = answer.body in (b"allow", b"true", b'{"Ok":true,"Error":""}')
    assert good or answer.body in (b"deny", b"false", b'{"Ok":false,"Error":"denied"}'), answer
    return YES if good and answer.status == 200 else NO


def about(request: Request, name: str) -> Request:
    """The same question about another account."""
    put = quote(name) if request.body[:1] != b"{" else json.dumps(name)[1:-1]
    body = request.body.replace(b"alice", put.encode())
    return Request(request.path.replace("alice", quote(name)), request.method, request.headers, body)


@pytest.mark.parametrize("request_", QUESTIONS, ids=lambda it: it.path.split("?")[0])
def test_a_name_is_let_in_as_the_site_says(served, request_):
    for name, expected in [
        ("alice", YES), ("zoë", YES), ("frank", YES), ("zoe smith", YES),
        ("erin", NO), ("nobody", NO), ("", NO), ("alice%", NO), ("*", NO), ("alice\n", NO),
        ("' OR 1=1 --", NO),
    ]:
        assert verdict(about(request_, name)(served.tcp, **BEARER)) == expected, name


def test_conditions_of_the_url_hold_at_every_question(served):
    for request in [*QUESTIONS[:5], DIALECTS["rabbitmq"].login("NAME", "PASSWORD")]:
        for query, names in [
            ("group=editors", {"alice"}),
            ("group=editors&group=two%20words", {"alice", "carol"}),
            ("is=superuser", {"ursula"}),
            ("permission=shop.view_report", {"reporter", "ursula"}),
            ("group=perm:shop.view_report", {"reporter", "ursula"}),
            ("group=none", set()),
        ]:
            for name in ("alice", "carol", "reporter", "ursula", "bob"):
                asked = about(request, name)
                if b"PASSWORD" in request.body:
                    asked = DIALECTS["rabbitmq"].login(name, PASSWORDS[name])
                asked = Request(f"{asked.path}?{query}", "POST", asked.headers, asked.body)
                found = verdict(asked(served.tcp, **BEARER))
                assert found == (YES if name in names else NO), (asked, name)
        for query in ("groups=editors", "is=admin", "group=is:staf", "permission=", "x"):
            asked = Request(f"{request.path}?{query}", "POST", request.headers, request.body)
            answer = asked(served.tcp, **BEARER)
            assert answer.status == 400 and verdict(answer) == NO, query
    # Not even where a refusal with a status would be taken for "ask the next one".
    for query in ("groups=editors", "group=nobody-is-in"):
        asked = DIALECTS["emqx"].login("alice", PASSWORDS["alice"])
        answer = Request(f"emqx?{query}", "POST", asked.headers, asked.body)(served.tcp, **BEARER)
        assert (answer.status, answer.body) == (200, b'{"result":"deny"}')


def test_what_is_not_configured_is_not_given(served):
    superuser = json_of("mosquitto-go-auth/superuser", {"username": "ursula"})
    assert superuser(served.tcp, **BEARER).status == 403
    for path, name, expected in [("is=superuser", "ursula", 200), ("is=superuser", "alice", 403)]:
        asked = json_of(f"mosquitto-go-auth/superuser?{path}", {"username": name})
        assert asked(served.tcp, **BEARER).status == expected
    for acc, expected in [(1, 200), (2, 200), (4, 200), (0, 401), (7, 401), (255, 401)]:
        asked = json_of("mosquitto-go-auth/acl", {"username": "alice", "topic": "a", "acc": acc})
        assert asked(served.tcp, **BEARER).status == expected, acc
    for hook, query, expected in [
        ("auth_on_publish", "", {"result": "next"}),
        ("auth_on_subscribe_m5", "", {"result": "next"}),
        ("auth_on_publish", "?group=editors", {"result": "ok"}),
        ("auth_on_publish", "?group=none", {"result": {"error": "not_allowed"}}),
        ("auth_on_register", "", {"result": {"error": "not_allowed"}}),
    ]:
        asked = json_of(f"vernemq{query}", {"username": "alice", "password": None, "topic": "a"},
                        JSON | {"vernemq-hook": hook})
        assert json.loads(asked(served.tcp, **BEARER).body) == expected, hook
    for hook in (None, "", "on_publish", "auth_on_register_m6"):
        headers = JSON | ({"vernemq-hook": hook} if hook is not None else {})
        asked = json_of("vernemq", {"username": "alice", "password": PASSWORDS["alice"]}, headers)
        assert asked(served.tcp, **BEARER).status == 400
    for dialect in ("mongooseim", "prosody"):
        fields = {"user": "alice", "server": "chat.example.org"}
        assert get(f"{dialect}/get_password", **fields)(served.tcp, **BEARER).status == 404
        for change in ("set_password", "register", "remove_user"):
            answer = form(f"{dialect}/{change}", **fields, **{"pass": "new"})(served.tcp, **BEARER)
            assert answer.status == 403
    assert served.reads("prosody", "alice", PASSWORDS["alice"]) == YES


def test_synapse_gets_a_profile(served):
    def auth(user: str, password: str) -> dict:
        answer = DIALECTS["synapse"].login(user, password)(served.tcp, **BEARER)
        return json.loads(answer.body)["auth"]

    assert auth("alice", PASSWORDS["alice"]) == {
        "success": True,
        "mxid": "@alice:example.org",
        "profile": {
            "display_name": "Alice Liddell",
            "three_pids": [{"medium": "email", "address": "alice@example.org"}],
        },
    }
    assert auth("bob", PASSWORDS["bob"])["profile"] == {"display_name": "bob"}


def test_xmpp_names_are_read_as_ejabberds_are(serve, site):
    served = serve(site, ejabberd={"domains": ["chat.example.org"]})

    def ask(user: str, password: str, server: str = "chat.example.org") -> str:
        fields = {"user": user, "server": server, "pass": password}
        return xmpp_reads(get("mongooseim/check_password", **fields)(served.tcp, **BEARER))

    assert ask("alice", PASSWORDS["alice"]) == ask("alice", PASSWORDS["alice"], "CHAT.example.org") == YES
    for server in ("other.example.org", "", "chat.example.org.", "example.org"):
        assert ask("alice", PASSWORDS["alice"], server) == NO, server
    assert ask(r"zoe\20smith", PASSWORDS["zoe smith"]) == YES
    assert ask(r"joe\40example.org", PASSWORDS["joe@example.org"]) == YES
    assert ask(r"al\5c20ice", PASSWORDS["alice"]) == NO


# Sessions


def centrifugo(cookie: str = "", path: str = "centrifugo", **fields) -> Request:
    body = {"client": "c", "transport": "websocket", "protocol": "json", "encoding": "json"}
    headers = JSON | ({"Cookie": cookie} if cookie else {})
    return json_of(path, body | fields, headers)


DISCONNECT = {"disconnect": {"code": 4501, "reason": "unauthorized"}}


def test_a_connection_of_centrifugos_is_of_the_session_in_its_cookie(served, site):
    alice, bob = (site.login(name, PASSWORDS[name]) for name in ("alice", "bob"))

    def connect(cookie: str) -> dict:
        answer = centrifugo(cookie)(served.tcp, **BEARER)
        assert answer.status == 200
        return json.loads(answer.body)

    result = connect(alice.cookie_header)["result"]
    assert result["user"] == "alice" and time.time() < result["expire_at"] < time.time() + 15 * 86400
    assert connect(bob.cookie_header)["result"]["user"] == "bob"
    for cookie in ("", "sessionid=", "sessionid=" + "a" * 32, "sessionid=alice", alice.token,
                   f"other={alice.token}"):
        assert connect(cookie) == DISCONNECT, cookie
    for name, expected in [("alice", False), ("bob", True), ("Alice", True), ("", True)]:
        answer = centrifugo(alice.cookie_header, "centrifugo/refresh", user=name)(served.tcp, **BEARER)
        found = json.loads(answer.body)["result"]
        assert answer.status == 200 and found.get("expired", False) == expected, (name, found)
        assert expected or found["expire_at"] == result["expire_at"]
    header = alice.cookie_header
    alice.logout()
    assert connect(header) == DISCONNECT
    answer = centrifugo(header, "centrifugo/refresh", user="alice")(served.tcp, **BEARER)
    assert json.loads(answer.body) == {"result": {"expired": True}}
    # A password is no session, and no cookie comes by itself.
    headers = {"Authorization": basic("bob", PASSWORDS["bob"])}
    assert centrifugo()(served.socket, **headers).body == json.dumps(DISCONNECT, separators=(",", ":")).encode()


# Who may ask


def test_over_tcp_the_token_is_shown_and_at_a_unix_socket_none_is_needed(served):
    login = DIALECTS["rabbitmq"].login("alice", PASSWORDS["alice"])
    assert rabbit_reads(login(served.socket)) == YES
    assert rabbit_reads(login(served.socket, Authorization="Bearer wrong")) == YES
    # The socket of `listen` answers, too: whoever may open it may ask /check.
    assert rabbit_reads(login(served.daemon.address)) == YES
    for good in (f"Bearer {TOKEN}", f"bearer {TOKEN}", basic("rabbitmq", TOKEN), basic("", TOKEN)):
        assert rabbit_reads(login(served.tcp, Authorization=good)) == YES, good
    bad = ["", "Bearer", "Bearer ", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", f"Bearer {TOKEN.upper()}",
           TOKEN, basic(TOKEN, ""), basic("alice", PASSWORDS["alice"]), f"Token {TOKEN}",
           f"Basic {TOKEN}"]
    for value in bad:
        for request in [login, *QUESTIONS, centrifugo("sessionid=x"), Request("unknown")]:
            answer = request(served.tcp, Authorization=value)
            assert answer.status == 401 and b"allow" not in answer.body, (value, answer)
    assert login(served.tcp).status == 401
    twice = [*login.headers, *BEARER.items(), *BEARER.items()]
    assert web.ask(served.tcp, "/as/rabbitmq/user", twice, "POST", login.body).status == 401
    assert served.daemon.log().count("without daemon.dialect_token") == 1


def test_a_listener_of_dialects_answers_nothing_else(served):
    for address in (served.tcp, served.socket):
        for path in ("/auth", "/session", "/check", "/ticket", "/question", "/healthz", "/metrics",
                     "/readyz", "/cache/flush", "/", "/as", "/as/", "/as/rabbitmq", "/AS/rabbitmq/user",
                     "/as//rabbitmq/user", "/as/rabbitmq/user/", "/as/emqx/../rabbitmq/user"):
            for method in ("GET", "POST"):
                answer = web.ask(address, path, BEARER | {"Cookie": "sessionid=x"}, method)
                assert answer.status == 404, (path, answer)
    for path, method, allowed in [
        ("rabbitmq/user", "PUT", "POST"), ("emqx", "GET", "POST"), ("emqx", "HEAD", "POST"),
        ("mongooseim/check_password", "POST", "GET"), ("mongooseim/register", "GET", "POST"),
    ]:
        answer = web.ask(served.tcp, f"/as/{path}", BEARER, method)
        assert (answer.status, answer.headers["Allow"]) == (405, allowed)


def test_a_tcp_listener_without_a_token_is_an_error(site, hallpass_programs, shell):
    for daemon, word in [
        ({"dialects": ["tcp:127.0.0.1:1"]}, "dialects"),
        ({"dialects": ["tcp:127.0.0.1:1"], "dialect_token": ""}, "dialect_token"),
    ]:
        config = site.write_configuration("refused.toml", daemon=daemon)
        refused = shell(config)("config")
        assert refused.code == 2 and f"daemon.{word}" in refused.stderr.decode()


def test_a_listener_of_http_wants_the_token_too(new_directory, hallpass_programs, site):
    directory, port = new_directory(), free_port()
    tcp = (LOOPBACK, port)
    login = DIALECTS["emqx"].login("alice", PASSWORDS["alice"])
    for token in (TOKEN, None):
        daemon = {"listen": [f"tcp:{LOOPBACK}:{port}"], "dialect_token": token}
        config = site.write_configuration(f"{directory.name}.toml", daemon=daemon)
        with hallpassd(hallpass_programs["hallpassd"], config, tcp):
            assert login(tcp).status == 401
            assert login(tcp, **BEARER).status == (200 if token else 401)
            assert login(tcp, Authorization="Bearer ").status == 401


def test_a_name_without_a_password_is_asked_about_where_vouch_allows_it(serve, site):
    served = serve(site, daemon={"vouch": []})
    for request in QUESTIONS:
        # The token says that it is the operator's program.
        assert verdict(request(served.tcp, **BEARER)) == YES
        assert verdict(request(served.socket)) == NO


# Hostile requests


def test_what_can_be_read_in_two_ways_is_refused(served):
    password = quote(PASSWORDS["alice"])
    object_ = json.dumps({"username": "alice", "password": PASSWORDS["alice"]})
    twice = object_[:-1] + ', "username": "bob"}'
    for path, headers, bodies in [
        ("rabbitmq/user", FORM, [
            f"username=bob&username=alice&password={password}",
            f"username=alice&password=x&password={password}",
            f"username=alice&%75sername=bob&password={password}",
            f"username=alice&password={password}%",
            f"username=alice&password={password}%zz",
            f"username[]=alice&password={password}",
            f"username=alice;password={password}",
            f"username=%61lice%00&password={password}",
            "", "&", "=", "allow", object_,
        ]),
        ("emqx", JSON, [
            twice, object_[:-1], object_ + object_, object_.encode("utf-16"), f"[{object_}]",
            object_.replace("alice", "\\ud800"), "null", "true", '"allow"', "",
            object_.replace('"alice"', '["alice"]'), object_.replace('"alice"', "1"),
            '{"a":' * 5000 + "1" + "}" * 5000,
        ]),
        ("vernemq", JOIN, [twice, "", "{}", object_[:-2]]),
        ("prosody", JSON, [twice, "", "{}", f"username=alice&password={password}"]),
        ("mosquitto-go-auth/user", FORM, [object_]),
        ("mosquitto-go-auth/user", JSON, [f"username=alice&password={password}", twice]),
        (CREDENTIALS, JSON, [object_, '{"user":' + twice + "}"]),
        ("freeradius", JSON, [twice, object_]),
    ]:
        for body in bodies:
            body = body if isinstance(body, bytes) else body.encode()
            answer = web.ask(served.tcp, f"/as/{path}", headers | BEARER, "POST", body)
            assert answer.status in (200, 400, 401), (path, body, answer)
            text = answer.body.decode()
            assert not text.lower().startswith(("allow", "true", "ok")) and '"result":"ok"' not in text
            assert "success\":true" not in text and '"Ok":true' not in text and ":\"allow\"" not in text


def test_a_body_is_bounded_and_the_next_request_is_another(served):
    login = DIALECTS["rabbitmq"].login("alice", PASSWORDS["alice"])
    long = Request(login.path, "POST", login.headers, login.body + b"&x=" + b"y" * 200_000)
    answer = long(served.tcp, **BEARER)
    assert answer.headers["Connection"] == "close" and rabbit_reads(answer) == NO
    # Many questions on one connection, as RabbitMQ asks.
    headers = list((dict(login.headers) | BEARER | {"Content-Length": str(len(login.body))}).items())
    with web.Connection(served.tcp) as connection:
        for _ in range(5):
            connection.send(web.request("/as/rabbitmq/user", headers, "POST", body=login.body))
            assert connection.answer("POST").body == b"allow"
        # One that announces a body and hangs up.
        connection.send(web.request("/as/rabbitmq/user", headers, "POST"))
    assert rabbit_reads(login(served.tcp, **BEARER)) == YES


def test_a_body_that_does_not_come_is_waited_for_until_the_deadline(serve, site):
    served = serve(site, limits={"failures": 0, "deadline": "1s"})
    for path, refused in [("rabbitmq/user", b"deny"), ("emqx", b'{"result":"deny"}')]:
        headers = BEARER | FORM | {"Content-Length": "100"}
        with web.Connection(served.tcp) as connection:
            begun = time.monotonic()
            connection.send(web.request(f"/as/{path}", headers, "POST", body=b"username=alice"))
            answer = connection.answer("POST")
            assert answer.body == refused and answer.headers["Connection"] == "close"
            assert 0.9 < time.monotonic() - begun < 20
            assert connection.ended()


def test_each_site_has_a_token_of_its_own(new_directory, hallpass_programs, site):
    directory, port = new_directory(), free_port()
    tcp, configs = (LOOPBACK, port), []
    tokens = {"shop": TOKEN, "forum": "1" + TOKEN[1:], "club": None}
    for name, token in tokens.items():
        configs.append(write_configuration(
            site, f"{directory.name}-{name}.toml", name=name,
            daemon={
                "listen": [f"unix:{directory}/http.sock"],
                "dialects": [f"tcp:{LOOPBACK}:{port}"] if token else None,
                "dialect_token": token,
            },
        ))
    login = DIALECTS["emqx"].login("alice", PASSWORDS["alice"])
    with hallpassd(hallpass_programs["hallpassd"], configs, directory / "http.sock", tcp):
        for path in ("", "shop", "forum", "club"):
            for token in (TOKEN, tokens["forum"], "", None):
                own = tokens[path or "shop"]
                headers = dict(login.headers)
                headers |= {} if token is None else {"Authorization": f"Bearer {token}"}
                path_ = f"/{path}/as/emqx" if path else "/as/emqx"
                answer = web.ask(tcp, path_, headers, "POST", login.body)
                assert answer.status == (200 if token and token == own else 401), (path, token)


def test_guesses_are_counted_by_name_and_by_the_address_that_the_program_says(serve, site):
    served = serve(site, limits={"failures": 3})

    def emqx(user: str, password: str, address: str) -> str:
        fields = {"username": user, "password": password, "peerhost": address}
        logs.note(password)
        return json.loads(json_of("emqx", fields)(served.tcp, **BEARER).body)["result"]

    for number in range(4):
        assert emqx(f"nobody-{number}", "a guess", "192.0.2.1") == "deny"
    assert emqx("alice", PASSWORDS["alice"], "192.0.2.1") == "deny"
    # Another address is another client, and the program itself is none.
    assert emqx("alice", PASSWORDS["alice"], "192.0.2.2") == "allow"
    assert served.reads("rabbitmq", "bob", PASSWORDS["bob"]) == YES
    for _ in range(4):
        served.reads("rabbitmq", "carol", "a guess")
    assert served.reads("rabbitmq", "carol", PASSWORDS["carol"]) == NO
    assert served.reads("rabbitmq", "bob", PASSWORDS["bob"]) == YES
    log = served.daemon.log()
    assert "client=192.0.2.1" in log and "reason=throttled" in log


def test_a_reload_takes_a_new_token(serve, new_site):
    site = site_with_accounts(new_site)
    served = serve(site)
    login = DIALECTS["rabbitmq"].login("alice", PASSWORDS["alice"])
    config = next(site.directory.glob("*.toml"))
    new = "1" + TOKEN[1:]
    config.write_text(config.read_text().replace(TOKEN, new))
    served.daemon.process.send_signal(signal.SIGHUP)
    eventually(lambda: login(served.tcp, Authorization=f"Bearer {new}").status == 200, "the new token counts")
    assert login(served.tcp, **BEARER).status == 401


# RabbitMQ


@contextmanager
def brokered(directory, hallpass_programs, site, configuration=""):
    """RabbitMQ and a daemon, as the example has them, or with this configuration of RabbitMQ."""
    port, socket = free_port(), directory / "http.sock"
    logs.note(TOKEN)
    token = directory / "token"
    token.touch(mode=0o600)
    token.write_text(TOKEN + "\n")
    give_away(token)
    replacements = site_replacements(site) | {
        "/etc/hallpass/dialect_token": str(token),
        "unix:/run/hallpass/http.sock": f"unix:{socket}",
        "8090": str(port),
        "TOKEN": TOKEN,
    }
    for old, new in {"8090": str(port), "TOKEN": TOKEN}.items():
        configuration = configuration.replace(old, new)
    with rabbitmq(directory, replacements, configuration) as running:
        config = directory / "etc/hallpass.toml"
        with hallpassd(hallpass_programs["hallpassd"], config, socket, (LOOPBACK, port)) as daemon:
            yield running, daemon


@pytest.fixture(scope="module")
def broker(new_directory, hallpass_programs, site):
    with brokered(new_directory(), hallpass_programs, site) as both:
        yield both


def test_rabbitmq_lets_in_whom_the_site_lets_in(broker):
    rabbit, _ = broker
    for user, password, expected in [
        ("alice", PASSWORDS["alice"], True),
        ("zoë", PASSWORDS["zoë"], True),
        ("carol", PASSWORDS["carol"], True),
        ("alice", "wrong & allow", False),
        ("alice", "", False),
        ("empty", "", False),
        ("erin", PASSWORDS["erin"], False),
        ("frank", "x", False),
        ("allow", "allow", False),
        ("guest", "guest", False),
        ("alice&username=bob", PASSWORDS["bob"], False),
        ("alice\n", PASSWORDS["alice"], False),
    ]:
        assert rabbit.login(user, password) == expected, user
    # The condition in the URL of resources: editors and chess, alice alone is in both.
    for user, expected in [("alice", True), ("bob", False), ("carol", False)]:
        assert rabbit.uses(user, PASSWORDS[user]) == expected, user


def test_rabbitmq_lets_nobody_in_without_the_site(broker, site):
    rabbit, daemon = broker
    away = site.database.with_suffix(".away")
    shutil.move(site.database, away)
    try:
        assert not rabbit.login("alice", PASSWORDS["alice"])
        assert "verdict=unavailable" in daemon.log()
    finally:
        shutil.move(away, site.database)
    assert rabbit.login("alice", PASSWORDS["alice"])


def test_rabbitmq_itself_says_what_each_may_do(directory, hallpass_programs, site):
    """With the configuration of the page; users as its commands make them."""
    (configuration,) = snippets("dialects.md", "rabbitmq")
    user = lambda name, tags: {"name": name, "password_hash": "", "tags": tags}
    may = {"user": "alice", "vhost": "/", "configure": ".*", "write": ".*", "read": ".*"}
    definitions = directory / "definitions.json"
    definitions.write_text(json.dumps({
        "vhosts": [{"name": "/"}],
        "users": [user("alice", "administrator"), user("bob", "")],
        "permissions": [may, may | {"user": "bob", "configure": "^$"}],
    }))
    give_away(definitions)
    pages = free_port()
    configuration += f"load_definitions = {definitions}\nmanagement.tcp.ip = {LOOPBACK}\nmanagement.tcp.port = {pages}\n"
    with brokered(directory, hallpass_programs, site, configuration) as (rabbit, _):
        # Those whom RabbitMQ does not know, and those whom the site does not let in.
        for name, password, expected in [
            ("alice", PASSWORDS["alice"], True),
            ("bob", PASSWORDS["bob"], True),
            ("carol", PASSWORDS["carol"], False),
            ("alice", "wrong", False),
            ("alice", "", False),
            ("guest", "guest", False),
        ]:
            assert rabbit.login(name, password) == expected, name
        assert rabbit.uses("alice", PASSWORDS["alice"])
        assert not rabbit.uses("bob", PASSWORDS["bob"])
        for name, password, status in [
            ("alice", PASSWORDS["alice"], 200), ("bob", PASSWORDS["bob"], 401), ("alice", "wrong", 401),
        ]:
            answer = web.ask((LOOPBACK, pages), "/api/overview", {"Authorization": basic(name, password)})
            assert answer.status == status, name
