"""Real nginx with auth_request, hallpassd, and an application behind them."""

import json
import shutil
import signal
import urllib.error
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from django_site import Browser
from hosts import example, web
from hosts.accounts import CASES, PASSWORDS
from hosts.application import application
from hosts.fixtures import UNTHROTTLED, site_replacements, site_with_accounts
from hosts.nginx import hallpassd, nginx
from hosts.process_tree import kill, processor_time
from hosts.web import basic
from processes import LOOPBACK, eventually, free_port

LOGIN = "/login/?next="


class World:
    """nginx, hallpassd and the application, with a site behind them."""

    def __init__(self, site, directory, programs, transport="unix", **replacements):
        self.site, self.directory, self.programs = site, directory, programs
        self.transport, self.replacements = transport, replacements

    @contextmanager
    def running(self):
        directory, port = self.directory, free_port()
        if self.transport == "unix":
            socket_path = directory / "http.sock"
            self.daemon_address = socket_path
            listeners = {
                "unix:/run/hallpass/http.sock?mode=0660": f"unix:{socket_path}?mode=0660",
                "unix:/run/hallpass/http.sock;": f"unix:{socket_path};",
            }
        else:
            self.daemon_address = (LOOPBACK, free_port())
            host_and_port = "{}:{}".format(*self.daemon_address)
            listeners = {
                "unix:/run/hallpass/http.sock?mode=0660": f"tcp:{host_and_port}",
                "unix:/run/hallpass/http.sock;": f"{host_and_port};",
            }
        with application() as self.application:
            example.install(
                "nginx-django",
                directory / "etc",
                {
                    "listen 80;": f"listen {LOOPBACK}:{port};",
                    "127.0.0.1:8000": f"{LOOPBACK}:{self.application.port}",
                    "https://shop.example.org/accounts/login/": self.site.url + "/login/",
                }
                | listeners
                | site_replacements(self.site, directory)
                | UNTHROTTLED
                | self.replacements,
            )
            self.config = directory / "etc/hallpass.toml"
            with nginx(directory, port) as self.nginx, self.daemon_runs():
                yield self

    @contextmanager
    def daemon_runs(self):
        with hallpassd(self.programs["hallpassd"], self.config, self.daemon_address) as daemon:
            self.daemon = daemon
            yield daemon

    def ask(self, path, user=None, password="", cookie=None, **options):
        """The answer of nginx, with Basic credentials and a Cookie header as given."""
        headers = list(options.pop("headers", []))
        if user is not None:
            headers.append(("Authorization", basic(user, password)))
        if cookie is not None:
            headers.append(("Cookie", cookie))
        return self.nginx.ask(path, headers, **options)

    def status(self, path, *credentials, **options) -> int:
        return self.ask(path, *credentials, **options).status


@pytest.fixture(scope="module")
def site(new_site):
    return site_with_accounts(new_site)


@pytest.fixture(scope="module", params=["unix", "tcp"])
def world(request, new_directory, hallpass_programs, site):
    with World(site, new_directory(), hallpass_programs, request.param).running() as world:
        yield world


@pytest.fixture
def own(directory, hallpass_programs, new_site):
    """A world for one test that changes things."""
    with World(site_with_accounts(new_site), directory, hallpass_programs).running() as world:
        yield world


@pytest.fixture(scope="module")
def alice(site):
    browser = site.login("alice", PASSWORDS["alice"])
    assert browser.user == "alice"
    return browser


def told(answer) -> dict[str, list[str]]:
    """The headers that the application was sent, by their names."""
    headers: dict[str, list[str]] = {}
    for name, value in json.loads(answer.body)["headers"]:
        headers.setdefault(name, []).append(value)
    return headers


# Passwords


@pytest.mark.parametrize("case", CASES, ids=str)
def test_basic_is_as_the_site_says(world, site, case):
    allowed = site.ask("modwsgi_check_password", case.user, case.password) is True
    answer = world.ask("/api/x", case.user, case.password)
    assert answer.status == (200 if allowed else 401)
    if allowed:
        user = told(answer)["remote-user"][0]
        if told(answer).get("remote-user-encoding") == ["percent"]:
            user = urllib.parse.unquote(user, errors="strict")
        assert user == case.user
    else:
        assert answer.headers["WWW-Authenticate"].startswith('Basic realm="Shop account"')


def test_application_is_told_who_it_is_and_not_the_password(world):
    headers = told(world.ask("/api/x", "alice", PASSWORDS["alice"]))
    assert headers["remote-user"] == ["alice"]
    assert headers["remote-email"] == ["alice@example.org"]
    assert headers["remote-name"] == ["Alice Liddell"]
    assert sorted(headers["remote-groups"][0].split(",")) == ["chess", "editors"]
    assert "authorization" not in headers


def test_name_that_cannot_stand_in_a_header(world):
    headers = told(world.ask("/api/x", "zoë", PASSWORDS["zoë"]))
    assert headers["remote-user"] == ["zo%C3%AB"]
    assert headers["remote-user-encoding"] == ["percent"]


def test_no_credentials_for_a_program_are_401(world):
    answer = world.ask("/api/x")
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic ")


# Sessions


def test_session_cookie(world, alice):
    answer = world.ask("/private/page", cookie=alice.cookie_header)
    assert answer.status == 200
    headers = told(answer)
    assert headers["remote-user"] == ["alice"]
    assert headers["remote-session"] != [alice.token]
    assert alice.token not in headers["remote-session"][0]
    assert headers["remote-session-expires"]
    again = told(world.ask("/private/other", cookie=alice.cookie_header))
    assert again["remote-session"] == headers["remote-session"]


@pytest.mark.parametrize(
    "token", ["", "x", "a" * 32, "a" * 5000, "%00", '"', "é", "'; DROP TABLE"]
)
def test_session_that_never_was(world, token):
    answer = world.ask("/private/page", cookie=f"sessionid={token}")
    assert answer.status == 302


def test_anonymous_session(world, site):
    token = site.ask("save_session", {"basket": [1, 2]})
    assert world.status("/private/page", cookie=f"sessionid={token}") == 302


def test_expired_session(world, site):
    data = site.ask("sign", site.ask("login_keys", "alice"))
    assert world.status("/private/x", cookie="sessionid=" + site.ask("put_session", data)) == 200
    expired = site.ask("put_session", data, expires_in=-5)
    assert world.status("/private/x", cookie="sessionid=" + expired) == 302


def test_session_with_a_forged_signature(world, site):
    data = site.ask("sign", site.ask("login_keys", "alice"), key="not the site's secret")
    token = site.ask("put_session", data)
    assert world.status("/private/x", cookie="sessionid=" + token) == 302


def test_browser_is_not_asked_for_a_password(world):
    answer = world.ask("/private/page")
    assert answer.status == 302
    assert "WWW-Authenticate" not in answer.headers


def test_cookie_serves_programs_too(world, alice):
    assert world.status("/api/x", cookie=alice.cookie_header) == 200
    # The cookie is good, whatever the password.
    assert world.status("/api/x", "alice", "wrong", cookie=alice.cookie_header) == 200
    # The password is good, whatever the cookie.
    assert world.status("/api/x", "bob", PASSWORDS["bob"], cookie="sessionid=gone") == 200


def test_duplicate_cookie_headers(world, alice):
    lines = [("Cookie", "a=b"), ("Cookie", f"sessionid={alice.token}"), ("Cookie", "c=d")]
    assert world.status("/private/x", headers=lines) == 200
    lines = [("Cookie", "sessionid=gone"), ("Cookie", f"a={alice.token}")]
    assert world.status("/private/x", headers=lines) == 302


def test_cookies_of_16_kib(world, alice):
    cookie = "; ".join([f"c{n}=" + "x" * 1000 for n in range(16)])
    assert len(cookie) > 16_000
    assert world.status("/private/x", cookie=f"{cookie}; sessionid={alice.token}") == 200
    assert world.status("/private/x", cookie=f"sessionid={alice.token}; {cookie}") == 200
    assert world.status("/private/x", cookie=cookie) == 302


# What a client makes up


@pytest.mark.parametrize("path", ["/private/x", "/api/x"])
@pytest.mark.parametrize(
    "name",
    "Remote-User Remote-Groups Remote-Email Remote-Name Remote-Session Remote-Session-Expires "
    "Remote-User-Encoding REMOTE-USER X-Remote-User".split(),
)
def test_forged_identity_does_not_reach_the_application(world, alice, path, name):
    assert world.status(path, headers=[(name, "ursula")]) in (302, 401)
    answer = world.ask(path, headers=[(name, "forged-ursula")], cookie=alice.cookie_header)
    assert answer.status == 200
    if name == "X-Remote-User":
        return  # Not one of ours, and the application does not read it.
    assert "forged-ursula" not in json.dumps(told(answer))
    # Somebody without e-mail, groups or session: what is empty is not left to the client.
    answer = world.ask(
        "/api/x", "joe@example.org", "an address", headers=[(name, "forged-ursula")]
    )
    assert answer.status == 200
    assert "forged-ursula" not in json.dumps(told(answer))


def test_questions_cannot_be_asked_from_outside(world, alice):
    for path in ("/_hallpass/session", "/_hallpass/password", "/_hallpass/editors"):
        assert world.status(path, cookie=alice.cookie_header) == 404


def test_client_cannot_choose_where_the_login_leads(world):
    forged = [
        ("X-Original-URI", "//evil.example/"),
        ("X-Original-URL", "https://evil.example/"),
        ("X-Forwarded-Uri", "/evil"),
        ("X-Forwarded-Host", "evil.example"),
        ("X-Forwarded-Proto", "javascript"),
    ]
    for header in forged:
        location = world.ask("/private/x", headers=[header]).headers["Location"]
        assert location == world.site.url + LOGIN + "%2Fprivate%2Fx", header


# Groups and permissions


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/editors/x", {"alice", "carol", "al"}),
        ("/reports/x", {"reporter", "ursula"}),
    ],
)
def test_those_in_the_group_and_no_others(world, site, path, allowed):
    for user in ("alice", "bob", "carol", "dave", "al", "reporter", "stella", "ursula", "mallory"):
        data = site.ask("sign", site.ask("login_keys", user))
        cookie = "sessionid=" + site.ask("put_session", data)
        assert world.status(path, cookie=cookie) == (200 if user in allowed else 403), user
    for user in ("erin", "nobody"):
        # An inactive member has no session; nobody has none either.
        assert world.status(path, cookie="sessionid=" + "b" * 32) == 302
    data = site.ask("sign", site.ask("login_keys", "erin"))
    assert world.status(path, cookie="sessionid=" + site.ask("put_session", data)) == 302


# The way to the login page and back


@pytest.mark.parametrize(
    "target",
    [
        "/private/",
        "/private/x?a=b&c=d",
        "/private/x?next=/private/y&next=%2Fz",
        "/private/x?a=%26&b=%23&c=%25&d=%2B&e=+",
        "/private/a%20b/c%20d?e%20f=g%20h",
        "/private/x#y",
        "/private/x?a=b#c&d",
        "/private/%E2%82%AC/%F0%9D%84%9E?q=%C3%A9",
        "/private/%2F%2Fevil.example/..%2f",
        "/private//double//slash",
        "/private/x?url=https://evil.example/?a=b%26c",
        "/private/?q=%22%27%3C%3E%5C%60%7B%7D%7C%5E",
        "/private/?q=\"'<>\\`{}|^",
        "/private/{url}?next={url}",
        "/private/%0D%0ASet-Cookie:%20x=y",
        "/private/100%25?50%25=%2525",
        "/private/;a=b;c?d;e",
        "/private/" + "x" * 3000 + "?" + "y&" * 1000,
        "/private/é€?q=ü",
        b"/private/\xff\xfe?\x80",
    ],
    ids=lambda target: repr(target[:40]),
)
def test_wanted_address_comes_back_whole(world, target):
    answer = world.ask(target)
    assert answer.status == 302
    location = answer.headers["Location"]
    assert location.isascii() and " " not in location
    page, _, query = location.partition("?")
    assert page == world.site.url + "/login/"
    wanted = target if isinstance(target, bytes) else target.encode()
    # As the login page reads it.
    assert urllib.parse.parse_qsl(query, encoding="latin-1") == [("next", wanted.decode("latin-1"))]
    assert "Set-Cookie" not in answer.headers


def test_login_leads_back_to_the_page_that_was_wanted(own):
    wanted = "/private/a%20b?c=d&e=%26%23&f=%C3%A9"
    location = own.ask(wanted).headers["Location"]
    browser = Browser(own.site)
    # The site itself has no such page: that it is asked for it is what counts.
    with pytest.raises(urllib.error.HTTPError) as not_found:
        browser.send_form(
            location.removeprefix(own.site.url), username="bob", password=PASSWORDS["bob"]
        )
    assert not_found.value.url == own.site.url + wanted
    not_found.value.close()
    assert own.status(wanted, cookie=browser.cookie_header) == 200


# Requests of every kind


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_body_reaches_the_application_and_not_the_daemon(world, alice, method):
    body = b"x" * 300_000
    answer = world.ask("/private/form", cookie=alice.cookie_header, method=method, body=body)
    assert answer.status == 200
    assert world.application.requests[-1]["body"] == body.decode()
    # Nothing of one request is left for the next on the same connection to hallpassd.
    for _ in range(5):
        assert world.status("/private/x", cookie=alice.cookie_header) == 200


def test_body_of_somebody_who_may_not(world):
    seen = len(world.application.requests)
    for _ in range(5):
        assert world.status("/private/form", method="POST", body=b"y" * 100_000) == 302
        assert world.status("/api/form", method="POST", body=b"y" * 100_000) == 401
    assert len(world.application.requests) == seen


def test_head(world, alice):
    answer = world.ask("/private/x", cookie=alice.cookie_header, method="HEAD")
    assert (answer.status, answer.body) == (200, b"")
    assert world.status("/private/x", method="HEAD") == 302
    assert world.status("/api/x", method="HEAD") == 401


def test_http_1_0(world, alice):
    assert world.status("/private/x", cookie=alice.cookie_header, version="1.0") == 200
    assert world.status("/private/x", version="1.0") == 302


def test_many_at_once(world, alice):
    def ask(number: int) -> bool:
        kind = number % 4
        if kind == 0:
            return world.status("/private/x", cookie=alice.cookie_header) == 200
        if kind == 1:
            return world.status("/private/x", cookie="sessionid=gone") == 302
        if kind == 2:
            return world.status("/api/x", "bob", PASSWORDS["bob"]) == 200
        return world.status("/api/x", "bob", "wrong") == 401

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(ask, range(400)))


# What changes on the site


def test_logout_counts_at_the_next_request(own):
    browser = own.site.login("alice", PASSWORDS["alice"])
    cookie = browser.cookie_header
    for _ in range(3):
        assert own.status("/private/x", cookie=cookie) == 200
    browser.logout()
    assert own.status("/private/x", cookie=cookie) == 302
    assert own.status("/private/x", cookie=browser.cookie_header) == 302


def test_password_change_counts_at_the_next_request(own):
    browsers = [own.site.login("alice", PASSWORDS["alice"]) for _ in range(2)]
    before = [browser.cookie_header for browser in browsers]
    assert own.status("/api/x", "alice", PASSWORDS["alice"]) == 200
    assert [own.status("/private/x", cookie=cookie) for cookie in before] == [200, 200]
    new = "entirely new 4 alice"
    browsers[0].change_password(PASSWORDS["alice"], new)
    assert [own.status("/private/x", cookie=cookie) for cookie in before] == [302, 302]
    assert own.status("/private/x", cookie=browsers[0].cookie_header) == 200
    assert own.status("/api/x", "alice", PASSWORDS["alice"]) == 401
    assert own.status("/api/x", "alice", new) == 200


def test_deactivation_and_lost_groups_count_at_the_next_request(own):
    cookie = own.site.login("alice", PASSWORDS["alice"]).cookie_header
    assert own.status("/editors/x", cookie=cookie) == 200
    assert own.status("/api/x", "alice", PASSWORDS["alice"]) == 200
    own.site.shell("User.objects.get(username='alice').groups.clear()")
    assert own.status("/editors/x", cookie=cookie) == 403
    assert own.status("/private/x", cookie=cookie) == 200
    own.site.deactivate("alice")
    assert own.status("/editors/x", cookie=cookie) == 302
    assert own.status("/private/x", cookie=cookie) == 302
    assert own.status("/api/x", "alice", PASSWORDS["alice"]) == 401


# When something is down


def test_daemon_that_is_down_lets_nobody_in(own):
    cookie = own.site.login("alice", PASSWORDS["alice"]).cookie_header
    assert own.status("/private/x", cookie=cookie) == 200
    kill(own.daemon.process.pid)
    own.daemon.process.wait()
    for _ in range(3):
        assert own.status("/private/x", cookie=cookie) in (500, 502)
        assert own.status("/api/x", "alice", PASSWORDS["alice"]) in (500, 502)
    # A socket that was left behind is no obstacle to a new start.
    with own.daemon_runs():
        assert own.status("/private/x", cookie=cookie) == 200
        assert own.status("/private/x") == 302


def test_database_that_is_away_lets_nobody_in(own):
    cookie = own.site.login("alice", PASSWORDS["alice"]).cookie_header
    assert own.status("/private/x", cookie=cookie) == 200
    away = own.site.database.with_suffix(".away")
    shutil.move(own.site.database, away)
    assert own.status("/private/x", cookie=cookie) == 500
    assert own.status("/api/x", "alice", PASSWORDS["alice"]) == 500
    # nginx knows 401 and 403 alone; whoever asks hallpassd itself is told to come again.
    answer = own.daemon.ask("/auth", [("Cookie", cookie)])
    assert answer.status == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert "unavailable" in own.daemon.log()
    shutil.move(away, own.site.database)
    assert own.status("/private/x", cookie=cookie) == 200
    assert own.status("/api/x", "alice", PASSWORDS["alice"]) == 200
    assert own.status("/api/x", "alice", "wrong") == 401


def test_guessing_is_throttled(directory, hallpass_programs, new_site):
    site = site_with_accounts(new_site)
    as_written = {"failures = 10": "failures = 10"}
    with World(site, directory, hallpass_programs, **as_written).running() as world:
        cookie = site.login("alice", PASSWORDS["alice"]).cookie_header
        for number in range(10):
            assert world.status("/api/x", "alice", f"guess {number}") == 401
        # The right one is not told from the wrong ones any more, nor by anybody there.
        assert world.status("/api/x", "alice", PASSWORDS["alice"]) != 200
        assert world.status("/api/x", "bob", PASSWORDS["bob"]) != 200
        assert "throttled" in world.daemon.log()
        # Whoever is logged in on the site is not a guesser.
        assert world.status("/private/x", cookie=cookie) == 200


def test_guessing_under_many_addresses_is_throttled(directory, hallpass_programs, new_site):
    site = site_with_accounts(new_site)
    as_written = {"failures = 10": "failures = 10"}
    with World(site, directory, hallpass_programs, **as_written).running() as world:
        for number in range(10):
            claims = [
                ("X-Forwarded-For", f"203.0.113.{number}"),
                ("X-Real-IP", f"203.0.113.{number}"),
            ]
            guess = world.status("/api/x", f"nobody {number}", "guess", headers=claims)
            assert guess == 401
        claims = [("X-Forwarded-For", "203.0.113.99")]
        assert world.status("/api/x", "bob", PASSWORDS["bob"], headers=claims) != 200
        log = world.daemon.log()
        assert "throttled" in log and "203.0.113" not in log


SLOW = 4_000_000  # iterations: some hundreds of milliseconds


def give_slow_hash(site, user: str, password: str) -> None:
    encoded = site.ask("make_password", password, "pbkdf2_sha256", iterations=SLOW)
    site.ask("update", user, password=encoded)


def test_answer_in_progress_is_finished_at_sigterm(own):
    give_slow_hash(own.site, "alice", "slow")
    with ThreadPoolExecutor(1) as pool:
        with web.Connection(own.daemon_address) as connection:
            request = web.request("/auth", [("Authorization", basic("alice", "slow"))])
            answer = pool.submit(lambda: (connection.send(request), connection.answer())[1])
            # It has begun to work on it: the processor says so.
            eventually(lambda: processor_time(own.daemon.process.pid) > 5, "a check is running")
            own.daemon.process.send_signal(signal.SIGTERM)
            assert answer.result().status == 200
    assert own.daemon.process.wait(60) == 0
    with pytest.raises(OSError):
        web.Connection(own.daemon_address)


def test_sigterm_while_idle_connections_are_kept(own):
    with web.Connection(own.daemon_address) as idle, web.Connection(own.daemon_address) as half:
        idle.send(web.request("/healthz"))
        assert idle.answer().status == 200
        half.send(b"GET /auth HTTP/1.1\r\nHost: x\r\n")
        own.daemon.process.send_signal(signal.SIGTERM)
        assert own.daemon.process.wait(60) == 0


def test_queue_that_is_full_says_so_at_once(directory, hallpass_programs, new_site):
    site = site_with_accounts(new_site)
    give_slow_hash(site, "alice", "slow")
    replacements = {"[daemon]\n": "[daemon]\nthreads = 1\nqueue = 2\n"}
    with World(site, directory, hallpass_programs, **replacements).running() as world:
        header = [("Authorization", basic("alice", "slow"))]
        with ThreadPoolExecutor(24) as pool:
            answers = list(pool.map(lambda _: world.daemon.ask("/auth", header), range(24)))
        statuses = sorted({answer.status for answer in answers})
        # Those in time are answered; the rest are told so, and none is told a lie.
        assert statuses == [200, 503]
        for answer in answers:
            assert (answer.status == 503) == ("Retry-After" in answer.headers)
        assert "queue" in world.daemon.log()
        # And then it serves again.
        assert world.daemon.ask("/auth", header).status == 200
        assert world.daemon.ask("/healthz").status == 200


def test_log_has_a_line_for_each_decision_and_no_secret(own):
    cookie = own.site.login("alice", PASSWORDS["alice"])
    own.status("/private/x", cookie=cookie.cookie_header)
    own.status("/api/x", "alice", PASSWORDS["alice"])
    own.status("/api/x", "alice", "a wrong s3cret")
    own.status("/api/x", "nobody", "s3cret")
    log = own.daemon.log()
    assert "granted" in log and "wrong-password" in log and "unknown-user" in log
    assert "127.0.0.1" in log, "the client's address, as nginx told it"
    assert cookie.token not in log
    assert PASSWORDS["alice"] not in log
    assert "s3cret" not in log
    assert basic("alice", PASSWORDS["alice"])[6:] not in log
