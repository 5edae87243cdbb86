"""The story of examples/ejabberd-php: a real ejabberd lets in whoever is logged in to a PHP site
whose sessions are in memcached, by tickets and by the session itself."""

import json
import shutil
import signal
import sqlite3
import time
import urllib.parse
import urllib.request
from contextlib import closing, contextmanager
from http.cookiejar import CookieJar
from pathlib import Path

import pytest

from hosts.daemon import hallpassd
from hosts.ejabberd import DOMAIN, ejabberd
from hosts.process_tree import command_line
from processes import LOOPBACK, eventually, free_port, give_away, listening, running, unprivileged
from stores.memcached import Memcached

CLUB = Path(__file__).with_name("stories") / "club"
# `watch_interval`, and what a busy machine takes on top of it.
INTERVAL, PATIENCE = 0.5, 10
MEMBERS = ["Gonzalo", "alice", "zoë", "joe@example.org"]


class World:
    """The PHP site, hallpassd, which gives out tickets, and ejabberd."""

    def __init__(self, club: str, daemon, chat, database: Path, memcached):
        self.club, self.daemon, self.chat = club, daemon, chat
        self.database, self.memcached = database, memcached
        self.seen: list[str] = []

    def log_in(self, user: str) -> str:
        """The session's id after a login on the site."""
        jar = CookieJar()
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(jar)
        )
        with opener.open(f"{self.club}/login?username={urllib.parse.quote(user)}") as answer:
            assert answer.read().decode() == user
        [cookie] = jar
        self.seen.append(cookie.value)
        return cookie.value

    def log_out(self, session: str) -> None:
        headers = {"Cookie": f"PHPSESSID={session}"}
        with urllib.request.urlopen(urllib.request.Request(f"{self.club}/logout", headers=headers)):
            pass

    def ticket(self, session: str, status: int = 200) -> str:
        """What a page's script is given."""
        headers = {"Cookie": f"PHPSESSID={session}"}
        answer = self.daemon.ask("/ticket", headers, method="POST")
        assert answer.status == status, answer
        ticket = json.loads(answer.body)["ticket"] if status == 200 else ""
        self.seen.append(ticket)
        return ticket


@pytest.fixture
def world(request, directory, new_directory, hallpass_programs):
    """With a parameter, connections are ended by ejabberdctl."""
    database, key = directory / "club.sqlite3", directory / "ticket_key"
    with closing(sqlite3.connect(database)) as rows:
        rows.execute("CREATE TABLE members (id INTEGER PRIMARY KEY, username, email, is_active)")
        people = [(name, "", 1) for name in MEMBERS]
        rows.executemany("INSERT INTO members (username, email, is_active) VALUES (?, ?, ?)", people)
        rows.commit()
    key.touch(mode=0o600)
    key.write_text("k" * 40)
    club_port, socket = free_port(), directory / "http.sock"
    pages = directory / "club"
    shutil.copytree(CLUB, pages)
    with Memcached(new_directory()) as memcached:
        replacements = {
            "/srv/club/club.sqlite3": str(database),
            "127.0.0.1:11211": f"{LOOPBACK}:{memcached.port}",
            "/etc/hallpass/ticket_key": str(key),
            "/run/hallpass/http.sock": str(socket),
            "5443": str(free_port()),
            "negotiation_timeout: 15": "negotiation_timeout: 8",
            "mod_ping: {}": "mod_ping: {}\n  mod_stream_mgmt: {}",
            'accept = ["session"]': f'accept = ["session"]\nwatch_interval = "{int(INTERVAL * 1000)}ms"',
        }
        for path in (database, key, pages):
            give_away(path)
        settings = ["session.save_handler=memcached", "memcached.sess_locking=0",
                    f"session.save_path={LOOPBACK}:{memcached.port}"]
        php = ["php", *(word for setting in settings for word in ("-d", setting))]
        php += ["-S", f"{LOOPBACK}:{club_port}", pages / "router.php"]

        def readable(config: Path) -> None:
            config.chmod(0o600)
            give_away(config)

        with (
            running(php, directory / "php.log", lambda: listening(club_port), **unprivileged()),
            ejabberd(directory, hallpass_programs, replacements, before_start=readable,
                     name="ejabberd-php", by_ejabberdctl=hasattr(request, "param")) as chat,
            hallpassd(hallpass_programs["hallpassd"], directory / "etc/hallpass.toml",
                      socket) as daemon,
        ):
            club = f"http://{LOOPBACK}:{club_port}"
            world = World(club, daemon, chat, database, memcached)
            yield world
            logs = daemon.log() + (directory / "ejabberd.log").read_text(errors="replace")
            logs += (directory / "console.log").read_text(errors="replace")
            for secret in filter(None, world.seen):
                assert secret not in logs


def is_running(*words: str) -> bool:
    pids = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return any(command_line(pid) == [*words] for pid in pids)


def test_tickets_and_sessions_of_the_right_person_and_nobody_else(world):
    gonzalo, alice = world.log_in("Gonzalo"), world.log_in("alice")
    ticket = world.ticket(gonzalo)
    login = world.chat.login
    for typed in ("gonzalo", "Gonzalo", "GONZALO"):
        assert login(typed, ticket), "XMPP folds names, the site does not"
    assert login("gonzalo", gonzalo)
    assert login("alice", alice) and login("alice", world.ticket(alice))
    assert login("zoë", world.ticket(world.log_in("zoë")))
    assert login(r"joe\40example.org", world.ticket(world.log_in("joe@example.org")))
    # Somebody else's.
    assert not login("alice", ticket) and not login("alice", gonzalo)
    assert not login("gonzalo", alice) and not login("nobody", alice)
    # Tampered with, cut, invented.
    for password in (ticket[:-1], ticket + "A", ticket.swapcase(), gonzalo[:-1], gonzalo + "a",
                     gonzalo.upper(), "x", "../../x", "memc.sess.key." + gonzalo,
                     "lock." + gonzalo, "get x\r\nget y", "l" * 5000):
        assert not login("gonzalo", password), password
    assert world.chat.account_exists("gonzalo") and not world.chat.account_exists("nobody")


def test_logged_out_and_expired_sessions(world):
    first, second = world.log_in("alice"), world.log_in("alice")
    ticket, other = world.ticket(first), world.ticket(second)
    assert world.chat.login("alice", ticket) and world.chat.login("alice", other)
    world.log_out(first)
    assert not world.chat.login("alice", ticket) and not world.chat.login("alice", first)
    world.ticket(first, status=401)
    assert world.chat.login("alice", other), "another session is another session"
    world.memcached.execute(b"delete memc.sess.key.%b\r\n" % second.encode())
    assert not world.chat.login("alice", other) and not world.chat.login("alice", second)


def test_accounts_that_are_no_more(world):
    alice = world.log_in("alice")
    ticket = world.ticket(alice)
    with closing(sqlite3.connect(world.database)) as rows:
        rows.execute("UPDATE members SET is_active = 0 WHERE username = 'alice'")
        rows.commit()
    assert not world.chat.login("alice", ticket) and not world.chat.login("alice", alice)
    stranger = world.log_in("stranger")
    world.ticket(stranger, status=401)
    assert not world.chat.login("stranger", stranger)


def test_while_memcached_is_away_nobody_comes_in(world):
    alice = world.log_in("alice")
    ticket = world.ticket(alice)
    world.memcached.stop()
    assert not world.chat.login("alice", ticket) and not world.chat.login("alice", alice)
    world.ticket(alice, status=503)
    world.memcached.start()
    alice = world.log_in("alice")
    headers = {"Cookie": f"PHPSESSID={alice}"}

    # Each thread of hallpassd leaves a server that failed alone for up to half a second.
    def comes_in() -> bool:
        answer = world.daemon.ask("/ticket", headers, method="POST")
        return answer.status == 200 and world.chat.login("alice", json.loads(answer.body)["ticket"])

    eventually(comes_in, "a login after memcached is back")
    assert DOMAIN in world.chat.configuration.joinpath("ejabberd.yml").read_text()


@contextmanager
def chatting(world, user: str, password: str, resource: str):
    """A client of ejabberd that has logged in and stays."""
    with world.chat.stream() as stream:
        assert stream.authenticate(user.encode(), password.encode()) == "success"
        assert stream.bind(resource) == f"{user}@{DOMAIN}/{resource}"
        yield stream


def test_logged_out_on_the_site_is_out_of_the_chat(world):
    first, second = world.log_in("alice"), world.log_in("alice")
    gonzalo = world.log_in("Gonzalo")
    with (
        chatting(world, "alice", world.ticket(first), "web") as of_first,
        chatting(world, "gonzalo", world.ticket(gonzalo), "web") as other,
    ):
        # Another tab of the same session, and another session of the same person.
        assert of_first.end(2.5) is None
        with (
            chatting(world, "alice", world.ticket(first), "tab") as tab,
            chatting(world, "alice", first, "key") as by_session,
        ):
            assert tab.end(2.5) is None
            with chatting(world, "alice", world.ticket(second), "phone") as of_second:
                assert of_second.end(2.5) is None
                # Authenticated, and not bound yet: in no list of ejabberd's.
                with world.chat.stream() as late:
                    assert late.authenticate(b"alice", world.ticket(first).encode()) == "success"
                    begun = time.monotonic()
                    world.log_out(first)
                    for stream in (of_first, tab, by_session):
                        assert "conflict" in (stream.end(2 * INTERVAL + PATIENCE) or "")
                    assert time.monotonic() - begun < 2 * INTERVAL + PATIENCE
                    late.bind("late")
                    assert late.end(3 * INTERVAL + PATIENCE), "it is ended once it is bound"
                assert of_second.end(1) is None and other.end(0.1) is None
                # A resource that another connection has taken over is that one's.
                with chatting(world, "alice", world.ticket(second), "web") as taken:
                    assert taken.end(2 * INTERVAL) is None
                # Nobody is thrown out because a store is away.
                world.memcached.freeze()
                try:
                    assert of_second.end(3 * INTERVAL) is None
                finally:
                    world.memcached.thaw()
                with closing(sqlite3.connect(world.database)) as rows:
                    rows.execute("UPDATE members SET is_active = 0 WHERE username = 'alice'")
                    rows.commit()
                assert "policy-violation" in (of_second.end(2 * INTERVAL + PATIENCE) or "")
    assert world.chat.login("gonzalo", world.ticket(gonzalo))


def test_a_stream_that_can_be_resumed_is_its_last_login_s(world):
    first, second, third = (world.log_in("alice") for _ in range(3))

    def logged_in(session: str):
        stream = world.chat.stream()
        assert stream.authenticate(b"alice", world.ticket(session).encode()) == "success"
        return stream

    def resources() -> set[str]:
        return {it["resource"] for it in world.chat.api("user_sessions_info", user="alice", host=DOMAIN)}

    with (
        chatting(world, "alice", world.ticket(third), "other") as other,
        logged_in(first) as lost,
        logged_in(first) as moved,
    ):
        assert other.end(2.5) is None
        lost.bind("lost")
        lost_id = lost.make_resumable()
        moved.bind("moved")
        moved_id = moved.make_resumable()
        assert other.end(2) is None
        lost.lose()
        moved.lose()
        with logged_in(second) as taken:
            assert taken.resume(moved_id), "any session of the same person may"
            assert taken.end(2) is None
            world.log_out(first)
            eventually(lambda: resources() == {"moved", "other"}, "the lost stream is gone")
            assert taken.end(3 * INTERVAL) is None and other.end(0.1) is None
            with logged_in(second) as again:
                assert not again.resume(lost_id)
            world.log_out(second)
            assert "conflict" in (taken.end(2 * INTERVAL + PATIENCE) or "")
            with logged_in(third) as again:
                assert not again.resume(moved_id)
            assert other.end(1) is None


def test_names_and_late_resources_hide_no_stream(world):
    first, second = world.log_in("alice"), world.log_in("alice")
    with (
        chatting(world, "alice", world.ticket(second), "phone") as of_second,
        # What would be another session's name.
        chatting(world, "alice", world.ticket(first), "hp-ffffffffffff") as named,
        world.chat.stream() as late,
        world.chat.stream() as never,
    ):
        assert named.end(2.5) is None
        for stream in (late, never):
            assert stream.authenticate(b"alice", world.ticket(first).encode()) == "success"
        assert named.end(4) is None
        late.bind("late")
        assert late.end(1) is None
        begun = time.monotonic()
        world.log_out(first)
        for stream in (named, late):
            assert "conflict" in (stream.end(2 * INTERVAL + PATIENCE) or "")
        # ejabberd itself gives up what does not get a resource (`negotiation_timeout`).
        assert never.end(30) and time.monotonic() - begun < 30
        assert of_second.end(1) is None


@pytest.mark.parametrize("world", ["ejabberdctl"], indirect=True)
def test_logged_out_by_ejabberdctl(world):
    first, second = world.log_in("alice"), world.log_in("alice")
    ctl = world.chat.configuration.parent / "bin/ejabberdctl"
    calls, real, longest = ctl.with_name("calls"), ctl.with_name("real"), 180
    ctl.rename(real)
    right = f'#!/bin/sh\n{real} "$@"\ncode=$?\necho "$1 $2" >>{calls}\nexit $code\n'

    def use(script: str) -> None:
        new = ctl.with_name("new")
        new.write_text(script)
        new.chmod(0o755)
        new.replace(ctl)

    def seen(user: str) -> None:
        """Waits until the connections of this user have been listed."""
        calls.unlink(missing_ok=True)
        eventually(lambda: calls.exists() and f"user_resources {user}\n" in calls.read_text(), "a list")

    use(right)
    give_away(ctl.parent)
    with (
        chatting(world, "alice", world.ticket(first), "Büro -n \\\\x{fc}") as of_first,
        chatting(world, "gonzalo", world.ticket(world.log_in("Gonzalo")), "-n") as other,
    ):
        # Lines that look as if they were those of other connections.
        of_first.say("x\nc2s\t1.2.3.4\t5\t0\tn\t0\tavailable\tghost\t\n\n=ERROR REPORT====\n\t\t\n")
        seen("alice")
        assert of_first.end(3) is None
        with chatting(world, "alice", world.ticket(second), "phone") as of_second:
            seen("alice")
            assert of_second.end(1) is None
            # One that fails, and one that hangs, with what it has started.
            use("#!/bin/sh\nexit 1\n")
            world.log_out(first)
            assert of_first.end(3) is None
            use("#!/bin/bash\nsleep 86399; true\n")
            assert world.chat.login("gonzalo", world.ticket(world.log_in("Gonzalo")))
            assert of_first.end(3) is None
            use(right)
            assert "conflict" in (of_first.end(longest) or "")
            assert not is_running("sleep", "86399"), "what it had started has ended with it"
            assert of_second.end(3) is None and other.end(0.1) is None
            with closing(sqlite3.connect(world.database)) as rows:
                rows.execute("UPDATE members SET is_active = 0 WHERE username = 'alice'")
                rows.commit()
            assert "policy-violation" in (of_second.end(longest) or "")
            assert other.end(1) is None
