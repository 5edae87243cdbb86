"""hallpassd's engine: remembered passwords, full queues, guesses, programs that ask by it."""

import json
import os
import shutil
import signal
import socket
import threading
import time
import urllib.parse
from concurrent.futures import ThreadPoolExecutor

import pytest

from hosts import fastcgi, web
from hosts.accounts import PASSWORDS
from hosts.daemon import hallpassd, write_configuration
from hosts.extauth import FAILED, NO, YES, helper
from hosts.fixtures import site_with_accounts
from hosts.process_tree import processor_time
from hosts.sasl import Dovecot, counted, saslauthd
from hosts.web import basic
from processes import LOOPBACK, eventually, free_port, give_away, unprivileged
from programs import run

SLOW = 4_000_000  # iterations: some hundreds of milliseconds


class World:
    """A site, and a daemon with all its doors."""

    def __init__(self, site, directory, programs, **tables):
        self.site, self.programs, self.directory = site, programs, directory
        self.http = directory / "http.sock"
        self.tcp = (LOOPBACK, free_port())
        self.fastcgi, self.dovecot, self.mux = (
            directory / name for name in ("fcgi.sock", "auth-client", "mux")
        )
        daemon = {
            "listen": [f"unix:{self.http}", "tcp:{}:{}".format(*self.tcp)],
            "fastcgi": [f"unix:{self.fastcgi}"],
            "dovecot_auth": [f"unix:{self.dovecot}"],
            "saslauthd": [f"unix:{self.mux}"],
        }
        tables = {"limits": {"failures": 0}} | tables
        tables["daemon"] = daemon | tables.get("daemon", {})
        self.config = site.write_configuration(f"{directory.name}.toml", **tables)

    def running(self):
        addresses = (self.http, self.tcp, self.fastcgi, self.dovecot, self.mux)
        return hallpassd(self.programs["hallpassd"], self.config, *addresses)

    def session(self, user: str) -> str:
        data = self.site.ask("sign", self.site.ask("login_keys", user))
        return "sessionid=" + self.site.ask("put_session", data)

    def set_password(self, user: str, password: str) -> None:
        self.site.ask("update", user, password=self.site.ask("make_password", password))

    def give_slow_hash(self, user: str, password: str, iterations: int = SLOW) -> None:
        encoded = self.site.ask("make_password", password, "pbkdf2_sha256", iterations=iterations)
        self.site.ask("update", user, password=encoded)

    def cache(self) -> dict:
        return json.loads(self.daemon.ask("/cache/stats").body)

    # The same question at every door: whether alice is let in with this password.

    def check(self, user: str, password: str) -> bool:
        return self.daemon.check(user, password).status == 200

    def auth(self, user: str, password: str) -> bool:
        return self.daemon.ask("/auth", {"Authorization": basic(user, password)}).status == 200

    def by_fastcgi(self, user: str, password: str) -> bool:
        parameters = {"REMOTE_USER": user, "REMOTE_PASSWD": password}
        return fastcgi.ask(self.fastcgi, parameters).status == 200

    def by_dovecot(self, user: str, password: str) -> bool:
        with Dovecot(self.dovecot) as client:
            return client.plain(user, password).startswith("OK")

    def by_saslauthd(self, user: str, password: str) -> bool:
        request = counted(user.encode(), password.encode(), b"imap", b"")
        return saslauthd(self.mux, request) == b"\0\2OK"

    @property
    def doors(self):
        return [self.check, self.auth, self.by_fastcgi, self.by_dovecot, self.by_saslauthd]


@pytest.fixture
def make(directory, hallpass_programs, new_site):
    """Makes a world for one test."""

    def make(**tables) -> World:
        return World(site_with_accounts(new_site), directory, hallpass_programs, **tables)

    return make


# Remembered passwords


def test_right_passwords_are_remembered(make):
    world = make()
    with world.running() as world.daemon:
        for _ in range(3):
            assert all(door("alice", PASSWORDS["alice"]) for door in world.doors)
        told = world.cache()
        assert (told["entries"], told["limit"]) == (1, 10_000)
        assert told["hits"] == 14 and told["misses"] == 1


def test_wrong_passwords_are_not(make):
    world = make()
    with world.running() as world.daemon:
        for _ in range(3):
            assert not world.check("alice", "wrong")
            assert not world.check("erin", PASSWORDS["erin"])
            assert not world.check("nobody", "x")
        assert world.cache()["entries"] == 0
        assert world.check("alice", PASSWORDS["alice"])
        assert not world.check("alice", "wrong")
        assert not world.check("bob", PASSWORDS["alice"])
        # Whoever may not in is not remembered, even if the password is right.
        answer = world.daemon.check("bob", PASSWORDS["bob"], groups=["none"])
        assert answer.status == 403
        assert world.cache()["entries"] == 1


def test_a_remembered_password_costs_nothing(make):
    world = make(limits={"failures": 0, "deadline": "30s"})
    with world.running() as world.daemon:
        world.give_slow_hash("alice", "slow")
        pid = world.daemon.process.pid
        assert world.check("alice", "slow")
        before = processor_time(pid)
        for _ in range(50):
            assert world.check("alice", "slow")
        # One check takes tens of ticks; fifty would take thousands.
        assert processor_time(pid) - before < 50


@pytest.mark.parametrize("door", range(5))
def test_what_changes_on_the_site_counts_at_once(make, door):
    world = make()
    site = world.site
    with world.running() as world.daemon:
        ask = world.doors[door]
        for number in range(200):
            old, new = f"password {number}", f"password {number + 1}"
            world.set_password("alice", old)
            assert ask("alice", old) and ask("alice", old)
            assert not ask("alice", new)
            world.set_password("alice", new)
            assert not ask("alice", old)
            assert ask("alice", new)
        for _ in range(20):
            site.ask("update", "alice", is_active=False)
            assert not ask("alice", new)
            site.ask("update", "alice", is_active=True)
            assert ask("alice", new)
        site.ask("delete", "alice")
        assert not ask("alice", new)


def test_a_lost_group_counts_at_once(make):
    world = make(access={"groups": ["editors"]})
    with world.running() as world.daemon:
        password = PASSWORDS["alice"]
        for _ in range(5):
            assert all(door("alice", password) for door in world.doors)
            world.site.shell("User.objects.get(username='alice').groups.clear()")
            assert not any(door("alice", password) for door in world.doors)
            world.site.shell(
                "from django.contrib.auth.models import Group\n"
                "User.objects.get(username='alice').groups.add("
                "Group.objects.get(name='editors'))"
            )


def test_changes_count_under_load(make):
    world = make()
    with world.running() as world.daemon:
        stop = threading.Event()

        def load() -> int:
            asked = 0
            while not stop.is_set():
                assert world.check("bob", PASSWORDS["bob"])
                assert not world.check("bob", "wrong")
                asked += 1
            return asked

        with ThreadPoolExecutor(6) as pool:
            loads = [pool.submit(load) for _ in range(6)]
            try:
                for number in range(100):
                    world.set_password("alice", f"new {number}")
                    assert not world.check("alice", f"new {number - 1}")
                    assert world.check("alice", f"new {number}")
            finally:
                stop.set()
            assert all(load.result() for load in loads)


def test_the_cache_is_bounded_and_can_be_flushed(make, shell):
    world = make(daemon={"verified_cache_size": 3})
    hallpass = shell(world.config)
    with world.running() as world.daemon:
        users = ["alice", "bob", "carol", "dave", "zoë"]
        for user in users:
            assert world.check(user, PASSWORDS[user])
        assert world.cache()["entries"] == 3
        result = hallpass("cache", "stats", "--json")
        assert (result.code, result.json["entries"], result.json["limit"]) == (0, 3, 3)
        result = hallpass("cache", "flush", "--json")
        assert (result.code, result.json) == (0, {"flushed": 3})
        assert world.cache()["entries"] == 0
        assert "0 of 3 remembered" in hallpass("cache", "stats").text
        misses = world.cache()["misses"]
        assert world.check("alice", PASSWORDS["alice"])
        assert world.cache()["misses"] == misses + 1
    result = hallpass("cache", "flush")
    assert result.code == 75 and b"is it running?" in result.stderr


def test_the_cache_belongs_to_this_host(make):
    world = make()
    with world.running() as world.daemon:
        assert web.ask(world.tcp, "/cache/flush", method="POST").status == 403
        assert web.ask(world.tcp, "/cache/stats").status == 403
        assert web.ask(world.tcp, "/question", method="POST", body=b"{}").status == 403
        assert world.daemon.ask("/cache/flush").status == 405


@pytest.mark.parametrize("daemon", [{"verified_cache": "0s"}, {"verified_cache_size": 0}])
def test_nothing_is_remembered_where_nothing_shall_be(make, daemon):
    world = make(daemon=daemon)
    with world.running() as world.daemon:
        for _ in range(3):
            assert world.check("alice", PASSWORDS["alice"])
        assert world.cache()["entries"] == 0


def test_what_is_remembered_is_forgotten_in_time(make):
    world = make(daemon={"verified_cache": "1s"})
    with world.running() as world.daemon:
        assert world.check("alice", PASSWORDS["alice"])
        eventually(lambda: world.cache()["entries"] == 0, "it is forgotten")
        assert world.check("alice", PASSWORDS["alice"])


# A storm


def test_a_storm_is_answered_and_sessions_go_on(make):
    world = make(limits={"failures": 0, "deadline": "30s"})
    with world.running() as world.daemon:
        people = [f"user{number}" for number in range(40)]
        encoded = {
            name: world.site.ask("make_password", f"{name}'s", "pbkdf2_sha256", iterations=200_000)
            for name in people
        }
        world.site.make_accounts(
            *({"username": name, "encoded": encoded[name]} for name in people)
        )
        cookie = world.session("alice")

        def ask(number: int) -> bool:
            name = people[number % len(people)]
            if number % 3 == 0:
                return world.daemon.ask("/auth", {"Cookie": cookie}).status == 200
            if number % 3 == 1:
                return world.daemon.check(name, f"{name}'s").status == 200
            return world.daemon.check(name, f"{name}!").status == 401

        with ThreadPoolExecutor(32) as pool:
            assert all(pool.map(ask, range(360)))


def test_sessions_are_not_stuck_behind_passwords(make):
    world = make(daemon={"threads": 1}, limits={"failures": 0, "deadline": "30s"})
    with world.running() as world.daemon:
        world.give_slow_hash("bob", "slow", 15_000_000)
        cookie = world.session("alice")
        with ThreadPoolExecutor(4) as pool:
            checks = [pool.submit(world.daemon.check, "bob", f"wrong {n}") for n in range(4)]
            eventually(
                lambda: processor_time(world.daemon.process.pid) > 5, "the checks are running"
            )
            for _ in range(20):
                assert world.daemon.ask("/auth", {"Cookie": cookie}).status == 200
            assert world.daemon.ask("/readyz").status == 200
            assert not all(check.done() for check in checks)
            assert all(check.result().status in (401, 503) for check in checks)


def test_equal_questions_are_computed_once(make):
    world = make(limits={"failures": 0, "deadline": "30s"})
    with world.running() as world.daemon:
        world.give_slow_hash("alice", "slow", 4_000_000)
        pid = world.daemon.process.pid
        before = processor_time(pid)
        assert not world.check("alice", "one wrong password")
        one = processor_time(pid) - before
        before = processor_time(pid)
        with ThreadPoolExecutor(24) as pool:
            assert not any(pool.map(lambda _: world.check("alice", "wrong"), range(24)))
        assert processor_time(pid) - before < 8 * max(one, 10)


def test_what_cannot_be_done_in_time_is_refused_at_once(make):
    world = make(daemon={"threads": 1}, limits={"failures": 0, "deadline": "2s"})
    with world.running() as world.daemon:
        world.give_slow_hash("alice", "slow", 20_000_000)
        world.give_slow_hash("bob", "slow", 20_000_000)

        def ask(number: int) -> tuple[int, float]:
            began = time.monotonic()
            status = world.daemon.check(("alice", "bob")[number % 2], f"wrong {number}").status
            return status, time.monotonic() - began

        with ThreadPoolExecutor(64) as pool:
            answers = list(pool.map(ask, range(200)))
        assert {status for status, _ in answers} <= {401, 503}
        refused = [took for status, took in answers if status == 503]
        assert refused
        # Most of them did not have to wait for it.
        assert sorted(refused)[len(refused) // 2] < 2
        log = world.daemon.log()
        assert "wrong-password" in log or "unavailable" in log
        # And then it serves again.
        assert world.check("carol", PASSWORDS["carol"])


def test_the_right_password_is_never_refused_for_a_wrong_reason(make):
    world = make(daemon={"threads": 1, "queue": 4}, limits={"failures": 0, "deadline": "3s"})
    with world.running() as world.daemon:
        world.give_slow_hash("alice", "slow")
        with ThreadPoolExecutor(32) as pool:
            answers = list(
                pool.map(
                    lambda n: (n % 2, world.daemon.check("alice", ("slow", f"wrong {n}")[n % 2])),
                    range(128),
                )
            )
        for wrong, answer in answers:
            assert answer.status in ((401, 503) if wrong else (200, 503))


def test_clients_that_give_up_cost_no_more(make):
    world = make(daemon={"threads": 1}, limits={"failures": 0, "deadline": "30s"})
    with world.running() as world.daemon:
        world.give_slow_hash("alice", "slow", 20_000_000)
        for number in range(20):
            body = json.dumps({"user": "alice", "password": f"wrong {number}"}).encode()
            length = [("Content-Length", str(len(body)))]
            with web.Connection(world.http) as connection:
                connection.send(web.request("/check", length, "POST", body=body))
        # Twenty of these checks would take longer than that.
        assert world.daemon.check("carol", PASSWORDS["carol"]).status == 200


# Guesses


def test_guesses_are_counted_across_all_doors(make):
    world = make(limits={"failures": 5})
    with world.running() as world.daemon:
        cookie = world.session("alice")
        for door in world.doors:
            assert not door("alice", "a guess")
        for door in world.doors:
            assert not door("alice", PASSWORDS["alice"])
        assert world.daemon.log().count("reason=throttled") == 5
        # Others are not meant, and whoever is logged in stays so.
        assert world.check("bob", PASSWORDS["bob"])
        assert world.daemon.ask("/auth", {"Cookie": cookie}).status == 200


def test_many_guesses_at_once_are_no_more_than_one_after_the_other(make):
    world = make(limits={"failures": 5, "deadline": "30s"})
    with world.running() as world.daemon:
        world.give_slow_hash("alice", "slow", 1_000_000)
        with ThreadPoolExecutor(40) as pool:
            answers = list(
                pool.map(lambda n: world.daemon.check("alice", f"guess {n}"), range(40))
            )
        reasons = [json.loads(answer.body)["reason"] for answer in answers]
        assert reasons.count("wrong-password") == 5
        assert reasons.count("throttled") == 35


def test_fail2ban_finds_those_who_guess(make, directory):
    world = make(limits={"failures": 3})
    with world.running() as world.daemon:
        def ask(user: str, client: str) -> None:
            world.daemon.check(user, "wrong", client=client)

        for user in ("alice", "nobody", 'eve" client=192.0.2.66 x="'):
            ask(user, "192.0.2.1")
        ask("alice", "192.0.2.1")
        ask("alice", "2001:db8::7")
        world.daemon.check("alice", PASSWORDS["alice"], client="192.0.2.9")
        world.daemon.check("bob", PASSWORDS["bob"], client="192.0.2.10")
        world.daemon.check("alice", "wrong")
        log = directory / "found.log"
        log.write_text(world.daemon.log())
    filter = os.path.join(
        os.path.dirname(__file__), "../../examples/fail2ban/filter.d/hallpass.conf"
    )
    found = run(["/usr/bin/fail2ban-regex", "-o", "ip", log, filter])
    assert found.code == 0, found
    clients = found.text.split()
    assert sorted(clients) == ["192.0.2.1"] * 4 + ["192.0.2.9"] * 0 + ["2001:db8::7"], found


# Programs that ask the daemon


def asking(world, name: str, **tables):
    """The configuration of a program that asks the daemon and cannot open the database."""
    return world.site.write_configuration(
        name,
        **{"database": "sqlite:/nowhere/db.sqlite3", "via": f"unix:{world.http}"} | tables,
    )


def apache(world, config, user: str, password: str):
    program = world.programs["hallpass-apache"]
    return run([program, "auth", "--config", config], f"{user}\n{password}\n", **unprivileged())


def test_apaches_program_asks_the_daemon(make):
    world = make()
    config = asking(world, "via.toml")
    with world.running() as world.daemon:
        codes = {
            ("alice", PASSWORDS["alice"]): 0,
            ("alice", "wrong"): 2,
            ("nobody", "x"): 1,
            ("erin", PASSWORDS["erin"]): 3,
            ("frank", "x"): 2,
        }
        for (user, password), code in codes.items():
            assert apache(world, config, user, password).code == code, user
        assert apache(world, config, "zoë", PASSWORDS["zoë"]).code == 0
        group = [world.programs["hallpass-apache"], "group", "--config", config]
        assert run(group, "alice\nnone editors\n").code == 0
        assert run(group, "bob\neditors\n").code != 0
        line = next(line for line in world.daemon.log().splitlines() if "nobody" in line)
        assert " door=via " in line and 'host="hallpass-apache"' in line
    # Without the daemon there is nobody left to ask.
    assert apache(world, config, "alice", PASSWORDS["alice"]).code == 53


def test_every_program_asks_the_daemon(make, directory):
    """The programs that answer once, and those that a host keeps running."""
    world = make()
    alice = world.session("alice")
    config = asking(world, "via.toml", via_only=True)
    programs = world.programs

    def checkpassword(user, password):
        read, write = os.pipe()
        os.write(write, f"{user}\0{password}\0\0".encode())
        os.close(write)
        command = [programs["hallpass-checkpassword"], "--config", config, "/bin/sh", "-c",
                   'echo "$USER"']

        def onto_descriptor_three():
            os.dup2(read, 3)

        try:
            return run(command, pass_fds=[3], preexec_fn=onto_descriptor_three)
        finally:
            os.close(read)

    def pam(user, password, kind="auth"):
        command = [programs["hallpass-pam"], "--config", config]
        return run(command, password, env={"PAM_TYPE": kind, "PAM_USER": user}).code

    def squid(question, line):
        return run([programs["hallpass-squid"], question, "--config", config], line + "\n").text

    def rewritemap(line):
        command = [programs["hallpass-apache"], "rewritemap", "--config", config]
        return run(command, line + "\n").text

    right = PASSWORDS["alice"]
    with world.running() as world.daemon:
        assert pam("alice", right) == 0
        assert pam("alice", "wrong") == 1
        assert pam("alice", "", "account") == 0
        assert pam("nobody", "", "account") == 1
        assert squid("basic", f"alice {urllib.parse.quote(right)}") == "OK user=alice\n"
        assert squid("basic", "alice wrong") == "ERR\n"
        assert squid("group", "alice editors") == "OK\n"
        assert squid("group", "bob editors") == "ERR\n"
        assert squid("session", urllib.parse.quote(alice)) == "OK user=alice\n"
        assert squid("session", "sessionid%3Dx") == "ERR\n"
        assert rewritemap(alice) == "u:alice\n"
        assert rewritemap("sessionid=x") == "NULL\n"
        assert checkpassword("alice", right).text == "alice\n"
        assert checkpassword("alice", "wrong").code == 1
        log = world.daemon.log()
        for host in ("pam", "squid", "apache", "checkpassword"):
            assert f'host="hallpass-{host}"' in log
        assert right not in log and alice.partition("=")[2] not in log
    # Without the daemon there is nobody left to ask.
    assert pam("alice", right) == 75
    assert checkpassword("alice", right).code == 111
    assert squid("basic", "alice x").startswith("BH ")
    assert rewritemap(alice) == "NULL\n"


def test_without_the_daemon_the_stores_are_asked(make):
    world = make()
    database = world.site.configuration()["database"]
    config = asking(world, "fallback.toml", database=database)
    only = asking(world, "only.toml", database=database, via_only=True)
    password = PASSWORDS["alice"]
    assert apache(world, config, "alice", password).code == 0
    assert apache(world, config, "alice", "wrong").code == 2
    assert apache(world, only, "alice", password).code == 53
    with world.running() as world.daemon:
        assert apache(world, only, "alice", password).code == 0
        world.daemon.process.send_signal(signal.SIGSTOP)
        # It is there and says nothing: in the end nobody knows.
        assert apache(world, only, "alice", password).code == 53
        world.daemon.process.send_signal(signal.SIGCONT)


def test_something_else_at_the_socket(make, directory):
    world = make()
    database = world.site.configuration()["database"]
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(directory / "else"))
    listener.listen()
    give_away(directory / "else")
    answers = [b"", b"SSH-2.0\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
               b'HTTP/1.1 200 OK\r\n\r\n{"granted": true}', b"HTTP/1.1 404 Not Found\r\n\r\n"]

    def serve() -> None:
        for answer in answers:
            connection, _ = listener.accept()
            connection.recv(65536)
            connection.sendall(answer)
            connection.close()

    thread = threading.Thread(target=serve)
    thread.start()
    via = f"unix:{directory}/else"
    only = asking(world, "else.toml", via=via, via_only=True)
    config = asking(world, "else2.toml", via=via, database=database)
    for number in range(len(answers)):
        if number % 2:
            assert apache(world, only, "alice", PASSWORDS["alice"]).code == 53
        else:
            assert apache(world, config, "alice", "wrong").code == 2
    thread.join()
    listener.close()


def test_ejabberds_program_asks_the_daemon(make, directory):
    world = make()
    config = asking(world, "ejabberd.toml")
    program = world.programs["hallpass-ejabberd"]
    with helper(program, config, directory / "ejabberd.log", **unprivileged()) as asks:
        assert asks.auth("alice", PASSWORDS["alice"]) == FAILED
        with world.running() as world.daemon:
            assert asks.auth("alice", PASSWORDS["alice"]) == YES
            assert asks.auth("alice", "wrong") == NO
            assert asks.ask("isuser:alice:h") == YES
            assert asks.ask("isuser:nobody:h") == NO
            # XMPP servers fold names to lower case; the daemon's own file says nothing of that.
            assert asks.auth("walter", "capital W") == YES
            assert not world.check("walter", "capital W")
            assert asks.auth("twin", "one of two") == NO
        assert asks.ask("isuser:alice:h") == FAILED


def test_the_daemon_is_asked_about_the_right_site(make, new_site, directory, hallpass_programs):
    world = make()
    other = new_site()
    other.make_accounts({"username": "alice", "password": "of the other"})
    configs = [
        write_configuration(world.site, "one.toml", name="one",
                            daemon={"listen": [f"unix:{world.http}"]}),
        write_configuration(other, "two.toml", name="two"),
    ]
    asks_two = write_configuration(other, "asks.toml", name="two", via=f"unix:{world.http}",
                                   via_only=True)
    asks_none = write_configuration(other, "none.toml", name="three", via=f"unix:{world.http}",
                                    via_only=True)
    with hallpassd(hallpass_programs["hallpassd"], configs, world.http):
        assert apache(world, asks_two, "alice", "of the other").code == 0
        assert apache(world, asks_two, "alice", PASSWORDS["alice"]).code == 2
        assert apache(world, asks_none, "alice", "of the other").code == 53


def test_the_database_comes_and_goes(make):
    world = make()
    away = world.site.database.with_suffix(".away")
    with world.running() as world.daemon:
        assert world.check("alice", PASSWORDS["alice"])
        for _ in range(3):
            shutil.move(world.site.database, away)
            # A remembered password helps nobody in: the account cannot be read.
            assert world.daemon.check("alice", PASSWORDS["alice"]).status == 503
            assert not any(door("alice", PASSWORDS["alice"]) for door in world.doors)
            shutil.move(away, world.site.database)
            assert all(door("alice", PASSWORDS["alice"]) for door in world.doors)
