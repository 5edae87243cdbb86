"""The story of examples/prosody-django: a real Prosody lets in whoever is logged in to a Django site,
by tickets, and out of it whoever logs out there."""

import json
import signal
import time
from contextlib import contextmanager

import pytest

from hosts.accounts import PASSWORDS
from hosts.daemon import hallpassd
from hosts.example import EXAMPLES
from hosts.fixtures import site_replacements, site_with_accounts
from hosts.page import snippets
from hosts.prosody import DOMAIN, prosody_of_example
from processes import LOOPBACK, eventually, free_port, give_away

# `watch_interval`, and what a busy machine takes on top of it.
INTERVAL, PATIENCE = 0.5, 10


class World:
    """The site, and Prosody; hallpassd runs within `hallpassd()`."""

    def __init__(self, site, chat, programs, config, *addresses):
        self.site, self.chat, self.programs = site, chat, programs
        self.config, self.addresses = config, addresses
        self.seen: list[str] = []

    @contextmanager
    def hallpassd(self):
        with hallpassd(self.programs["hallpassd"], self.config, *self.addresses) as self.daemon:
            yield self.daemon

    def log_in(self, user: str):
        browser = self.site.login(user, PASSWORDS[user])
        assert browser.user == user
        return browser

    def ticket(self, browser) -> str:
        """What a page's script is given."""
        return self.ticket_of(browser.cookie_header)

    def ticket_of(self, cookie: str) -> str:
        answer = self.daemon.ask("/ticket", {"Cookie": cookie}, method="POST")
        assert answer.status == 200, answer
        ticket = json.loads(answer.body)["ticket"]
        self.seen.append(ticket)
        return ticket

    def logged_in(self, user: str, ticket: str):
        """A client that has logged in, and has no resource yet."""
        stream = self.chat.stream()
        assert stream.authenticate(user.encode(), ticket.encode()) == "success"
        return stream

    @contextmanager
    def chatting(self, user: str, ticket: str, resource: str):
        with self.logged_in(user, ticket) as stream:
            assert stream.bind(resource) == f"{user}@{DOMAIN}/{resource}"
            yield stream


SECRETS = {"ticket_key": "k" * 40, "dialect_token": "t" * 40}


@contextmanager
def chat(directory, programs, site, replacements, configure=lambda _: None):
    """Prosody and hallpassd, as the example says; `configure` changes the latter's configuration."""
    for name, text in SECRETS.items():
        (directory / name).touch(mode=0o600)
        (directory / name).write_text(text)
    socket, tcp, dialects = directory / "http.sock", free_port(), free_port()
    replacements |= {
        "/etc/hallpass/ticket_key": str(directory / "ticket_key"),
        "/etc/hallpass/dialect_token": str(directory / "dialect_token"),
        "the dialect_token": SECRETS["dialect_token"],
        "/run/hallpass/http.sock": str(socket),
        "8088": str(tcp),
        "8090": str(dialects),
        'accept = ["session"]': f'accept = ["session"]\nwatch_interval = "{int(INTERVAL * 1000)}ms"',
    }
    with prosody_of_example(directory, replacements) as server:
        config = directory / "hallpass.toml"
        config.chmod(0o600)
        configure(config)
        give_away(config)
        addresses = socket, (LOOPBACK, tcp), (LOOPBACK, dialects)
        world = World(site, server, programs, config, *addresses)
        with world.hallpassd():
            yield world
        for secret in [*world.seen, *SECRETS.values()]:
            assert secret not in server.log() + world.daemon.log()


@pytest.fixture
def world(directory, new_site, hallpass_programs):
    site = site_with_accounts(new_site)
    with chat(directory, hallpass_programs, site, site_replacements(site, directory)) as world:
        yield world


def test_tickets_of_the_right_person_and_nothing_else(world):
    alice, bob, walter = (world.log_in(name) for name in ("alice", "bob", "Walter"))
    ticket = world.ticket(alice)
    login = world.chat.login
    assert login("alice", ticket) == login("Alice", ticket) == "success"
    assert login("walter", world.ticket(walter)) == "success", "XMPP folds names"
    for user, password in [
        ("bob", ticket), ("nobody", ticket), ("alice", world.ticket(bob)), ("alice", ticket[:-1]),
        ("alice", ticket + "A"), ("alice", ticket.swapcase()), ("alice", "x"), ("alice", alice.token),
        ("alice", ticket + "\r\nX: y"), ("alice", "x" * 5000), ("alice", "zoë"), ("alice\\40x", ticket),
        ('alice"', ticket), ("kate", world.ticket(world.log_in("kate"))),
    ]:
        assert login(user, password) in ("not-authorized", "malformed-request"), (user, password)
    with world.chat.stream() as stream:
        # A password is no ticket: there would be nothing to watch.
        outcome = stream.authenticate(b"alice", PASSWORDS["alice"].encode())
        assert outcome != "success" or stream.end(PATIENCE)
    alice.logout()
    assert login("alice", ticket) == "not-authorized"


def test_logged_out_on_the_site_is_out_of_the_chat(world):
    alice, again, bob = world.log_in("alice"), world.log_in("alice"), world.log_in("bob")
    with (
        # All in one moment: each connection is known by its own ticket.
        world.chatting("alice", world.ticket(alice), "web") as web,
        world.chatting("alice", world.ticket(again), "phone") as phone,
        world.chatting("alice", world.ticket(alice), "tab") as tab,
        world.chatting("bob", world.ticket(bob), "web") as of_bob,
        # Authenticated, and not bound yet.
        world.logged_in("alice", world.ticket(alice)) as late,
    ):
        late.restart()
        assert web.end(1) is None
        begun = time.monotonic()
        alice.logout()
        for stream in (web, tab, late):
            assert "conflict" in (stream.end(2 * INTERVAL + PATIENCE) or "")
        assert time.monotonic() - begun < 2 * INTERVAL + PATIENCE
        assert phone.end(1) is None and of_bob.end(0.1) is None
        world.site.ask("update", "alice", is_active=False)
        assert "conflict" in (phone.end(2 * INTERVAL + PATIENCE) or "")
        encoded = world.site.ask("make_password", "another")
        world.site.ask("update", "bob", password=encoded)
        assert "conflict" in (of_bob.end(2 * INTERVAL + PATIENCE) or "")


def test_a_stream_that_can_be_resumed_is_its_last_login_s(world):
    first, second, third = (world.log_in("alice") for _ in range(3))
    with (
        world.logged_in("alice", world.ticket(first)) as lost,
        world.logged_in("alice", world.ticket(first)) as moved,
        world.chatting("alice", world.ticket(third), "other") as other,
    ):
        identifiers = []
        for stream, resource in ((lost, "lost"), (moved, "moved")):
            stream.bind(resource)
            identifiers.append(stream.make_resumable())
            stream.lose()
        with world.logged_in("alice", world.ticket(second)) as taken:
            assert taken.resume(identifiers[1])
            first.logout()
            eventually(lambda: "the session of a connection of alice has ended" in world.chat.log(), "an end")
            assert taken.end(3 * INTERVAL + 1) is None
            with world.logged_in("alice", world.ticket(second)) as new:
                assert not new.resume(identifiers[0]), "its session has ended while it was lost"
            second.logout()
            assert "conflict" in (taken.end(2 * INTERVAL + PATIENCE) or "")
        with world.logged_in("alice", world.ticket(third)) as new:
            assert not new.resume(identifiers[1])
        assert other.end(1) is None


def test_while_hallpassd_or_the_database_is_away(world):
    alice = world.log_in("alice")
    ticket = world.ticket(alice)
    database = world.site.database
    away = database.with_suffix(".away")
    with world.chatting("alice", ticket, "web") as web:
        database.rename(away)
        try:
            assert world.chat.login("alice", ticket) == "temporary-auth-failure"
            assert web.end(3 * INTERVAL) is None, "nobody is thrown out"
        finally:
            away.rename(database)
        # One that hangs, and one that is not there.
        world.daemon.process.send_signal(signal.SIGSTOP)
        assert web.end(1) is None
        with world.chat.stream() as new:
            assert new.authenticate(b"alice", ticket.encode()) == "temporary-auth-failure"
        world.daemon.process.kill()
        world.daemon.process.wait()
        assert world.chat.login("alice", ticket) == "temporary-auth-failure"
        alice.logout()
        assert web.end(3) is None
        with world.hallpassd():
            assert "conflict" in (web.end(PATIENCE) or ""), "what ended meanwhile counts"
            assert world.chat.login("alice", ticket) == "not-authorized"
            bob = world.log_in("bob")
            assert world.chat.login("bob", world.ticket(bob)) == "success"


def test_the_same_for_wordpress(wordpress, shell, directory, hallpass_programs):
    def configure(config):
        tables = config.read_text().partition("[tickets]")[2]
        config.unlink()
        result = shell()("init", "wordpress", wordpress.root, "--output", config)
        assert result.code == 0, result.stderr.decode()
        with config.open("a") as file:
            file.write(f'\n[limits]\ndeadline = "50s"\n\n[tickets]{tables}')

    absent = {'version = "5.2"': "", "sqlite:/srv/shop/db.sqlite3": "", "/etc/hallpass/secret_key": ""}
    with chat(directory, hallpass_programs, wordpress, absent, configure) as world:
        alice, again = wordpress.log_in("alice"), wordpress.log_in("alice")
        with (
            world.chatting("alice", world.ticket_of(alice.cookie), "web") as web,
            world.chatting("alice", world.ticket_of(again.cookie), "phone") as phone,
        ):
            assert world.chat.login("bob", world.ticket_of(alice.cookie)) == "not-authorized"
            assert web.end(3 * INTERVAL) is None
            ticket = world.ticket_of(alice.cookie)
            alice.log_out()
            assert "conflict" in (web.end(2 * INTERVAL + PATIENCE) or "")
            assert world.chat.login("alice", ticket) == "not-authorized"
            assert phone.end(1) is None


def test_the_page_shows_what_the_example_does():
    for language, file in (("lua", "prosody.cfg.lua"), ("toml", "hallpass.toml")):
        words = " ".join((EXAMPLES / "prosody-django" / file).read_text().split())
        for snippet in snippets("prosody.md", language):
            for line in snippet.splitlines():
                line = " ".join(line.split())
                assert line in words or line.startswith(("--", "#")), line
