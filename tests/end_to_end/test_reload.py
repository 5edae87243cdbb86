"""A configuration that changes while programs run: SIGHUP for hallpassd, by itself for helpers."""

import json
import os
import signal
import socket
import threading
import time
from http.client import HTTPException

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from hosts import extauth, web
from hosts.accounts import PASSWORDS
from hosts.daemon import accepts, hallpassd, write_configuration
from hosts.extauth import NO, YES
from hosts.fixtures import site_with_accounts
from hosts.web import basic
from processes import LOOPBACK, eventually, free_port, give_away, running, unprivileged

DONE, REFUSED = "reloaded the configuration", "the old configuration stays in force"


@pytest.fixture(scope="module")
def site(new_site):
    return site_with_accounts(new_site)


class World:
    """A daemon, its sockets, and the file that it reads."""

    def __init__(self, site, directory, programs):
        self.site, self.directory, self.programs = site, directory, programs
        self.socket, self.tcp = directory / "http.sock", (LOOPBACK, free_port())
        self.tables = {}
        self.config = self.write()

    def write(self, **tables):
        """Changes the file: `tables` over those that it has."""
        self.tables |= tables
        listen = [f"unix:{self.socket}", "tcp:{}:{}".format(*self.tcp)]
        daemon = {"listen": listen} | self.tables.get("daemon", {})
        file = f"{self.directory.name}.toml"
        return write_configuration(self.site, file, **self.tables | {"daemon": daemon})

    def reload(self, expected: str = DONE) -> None:
        before = self.daemon.log().count(expected)
        self.daemon.process.send_signal(signal.SIGHUP)
        eventually(lambda: self.daemon.log().count(expected) > before, expected)

    def status(self, user: str = "alice", path: str = "/auth", **headers) -> int:
        login = {"Authorization": basic(user, PASSWORDS[user])} | headers
        return self.daemon.ask(path, login).status

    def metric(self, name: str) -> dict[tuple, float]:
        text = self.daemon.ask("/metrics").body.decode()
        return {
            tuple(sample.labels.values()): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == name
        }


@pytest.fixture
def world(site, directory, hallpass_programs):
    world = World(site, directory, hallpass_programs)
    with hallpassd(
        hallpass_programs["hallpassd"], world.config, world.socket, world.tcp
    ) as world.daemon:
        yield world


def test_a_condition_counts_for_the_next_request_of_an_open_connection(world):
    login = {"Authorization": basic("bob", PASSWORDS["bob"])}
    with web.Connection(world.tcp) as connection:
        connection.send(web.request("/auth", login))
        assert connection.answer().status == 200
        world.write(access={"groups": ["editors"]})
        connection.send(web.request("/auth", login))
        assert connection.answer().status == 200, "nothing has been read again yet"
        world.reload()
        connection.send(web.request("/auth", login))
        assert connection.answer().status == 403
    assert world.status("alice") == 200
    assert world.metric("hallpass_configuration_reloads_total") == {("done",): 1, ("refused",): 0}


@pytest.mark.parametrize(
    "wrong",
    [
        {"access": {"group": ["editors"]}},
        {"database": "sqlite:"},
        {"django": {"secret_key": {"file": "absent"}}},
        {"daemon": {"listen": []}},
        {"daemon": {"listen": ["unix:/proc/none/http.sock"]}},
        {"daemon": {"fastcgi": ["unix:{directory}/http.sock"]}},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_what_is_wrong_is_logged_and_the_old_one_stays_in_force(world, wrong):
    text = json.dumps(wrong).replace("{directory}", str(world.directory))
    loaded = world.metric("hallpass_configuration_loaded_timestamp_seconds")
    world.write(**json.loads(text))
    world.reload(REFUSED)
    assert world.status("bob") == 200 and accepts(world.socket) and accepts(world.tcp)
    assert world.metric("hallpass_configuration_reloads_total") == {("done",): 0, ("refused",): 1}
    assert world.metric("hallpass_configuration_loaded_timestamp_seconds") == loaded


def test_a_file_that_is_gone_changes_nothing(world):
    world.config.unlink()
    world.reload(REFUSED)
    assert world.status("bob") == 200


def test_secrets_are_read_again(world):
    cookie = world.site.login("alice", PASSWORDS["alice"]).cookie_header
    assert world.daemon.ask("/auth", {"Cookie": cookie}).status == 200
    secret = world.directory / "key"
    secret.write_text("another key, with which nothing is signed")
    give_away(secret)
    django = world.site.configuration()["django"]
    world.write(django=django | {"secret_key": {"file": str(secret)}})
    world.reload()
    assert world.daemon.ask("/auth", {"Cookie": cookie}).status == 401
    secret.write_text(django["secret_key"])
    world.reload()
    assert world.daemon.ask("/auth", {"Cookie": cookie}).status == 200


def test_listeners_come_and_go(world):
    other, more = world.directory / "other.sock", world.directory / "more.sock"
    with web.Connection(world.socket) as kept, web.Connection(world.tcp) as left:
        for connection in (kept, left):
            connection.send(web.request("/healthz"))
            assert connection.answer().status == 200
        listen = [f"unix:{world.socket}?mode=0600", f"unix:{other}"]
        world.write(daemon={"listen": listen, "status": [f"unix:{more}"]})
        world.reload()
        assert accepts(other) and accepts(more) and not accepts(world.tcp)
        assert left.ended()
        assert world.socket.stat().st_mode & 0o777 == 0o600
        kept.send(web.request("/healthz"))
        assert kept.answer().status == 200
    world.write(daemon={"listen": [f"unix:{world.socket}"]})
    world.reload()
    assert accepts(world.socket)
    # Each is removed when what it accepted has been answered.
    eventually(lambda: not other.exists() and not more.exists(), "those that left are removed")


def test_guesses_are_counted_on(world):
    world.write(limits={"failures": 3, "failure_window": "1h"})
    world.reload()
    wrong = {"Authorization": basic("alice", "wrong")}
    for _ in range(3):
        assert world.daemon.ask("/auth", wrong).status == 401
    assert world.status("alice") == 401, "throttled"
    world.reload()
    assert world.status("alice") == 401, "throttled"
    assert "reason=throttled" in world.daemon.log()


def test_no_request_is_lost_under_load(world):
    """2,000 requests a second are asked for; how many there are depends on the machine."""
    login = {"Authorization": basic("alice", PASSWORDS["alice"])}
    raw, stop, seen = web.request("/auth", login), threading.Event(), []

    def ask() -> None:
        with web.Connection(world.socket) as connection:
            while not stop.is_set():
                connection.send(raw)
                seen.append(connection.answer().status)
                time.sleep(0.004)

    askers = [threading.Thread(target=ask) for _ in range(8)]
    for asker in askers:
        asker.start()
    for number in range(10):
        world.write(access={"groups": ["editors"] if number % 2 else []})
        before = len(seen)
        world.reload()
        eventually(lambda before=before: len(seen) >= before + 10, "requests go on")
    stop.set()
    for asker in askers:
        asker.join()
    assert set(seen) == {200}


def test_status_listeners_tell_the_state_and_nothing_else(world):
    status = world.directory / "status.sock"
    world.write(name="shop", daemon={"status": [f"unix:{status}"]})
    world.reload()
    login = {"Authorization": basic("alice", PASSWORDS["alice"])}
    for path in ("/healthz", "/readyz", "/metrics", "/shop/readyz"):
        assert web.ask(status, path, login).status == 200, path
    for path in ("/auth", "/session", "/ticket", "/check", "/shop/auth", "/cache/stats", "/cache/flush",
                 "/question", "/", "/readyz/", "/shop/metrics", "/other/readyz", "//readyz"):
        assert web.ask(status, path, login).status == 404, path
        assert web.ask(status, path, login, "POST", b"{}").status == 404, path
    text = web.ask(status, "/metrics").body.decode()
    families = {family.name for family in text_string_to_metric_families(text)}
    assert {
        "hallpass_store_up",
        "hallpass_store_answer_duration_seconds",
        "process_cpu_seconds",
        "process_resident_memory_bytes",
        "process_virtual_memory_bytes",
        "process_open_fds",
        "process_max_fds",
        "process_start_time_seconds",
    } <= families
    numbers = world.metric("process_open_fds") | world.metric("process_resident_memory_bytes")
    assert all(number > 0 for number in numbers.values())


def test_status_listeners_say_that_a_store_is_away(world):
    status = world.directory / "status.sock"
    world.write(daemon={"status": [f"unix:{status}"]})
    world.reload()
    assert web.ask(status, "/readyz").status == 200
    away = world.site.database.with_name("away.sqlite3")
    world.site.database.rename(away)
    try:
        # What was told within the last second may be told again.
        eventually(lambda: web.ask(status, "/readyz").status == 503, "the store is away")
        assert web.ask(status, "/healthz").status == 200
    finally:
        away.rename(world.site.database)
    eventually(lambda: web.ask(status, "/readyz").status == 200, "the store is back")


def test_a_restart_under_socket_activation_loses_nothing(site, directory, hallpass_programs):
    listener = socket.socket(socket.AF_UNIX)
    path = directory / "activated.sock"
    listener.bind(str(path))
    listener.listen(1024)
    give_away(path)
    config = site.write_configuration("activated.toml")
    shell = f"exec 3<&{listener.fileno()}; export LISTEN_PID=$$ LISTEN_FDS=1; "
    shell += 'export LISTEN_FDNAMES=hallpassd.socket; exec "$@"'
    command = ["/bin/bash", "-c", shell, "bash", hallpass_programs["hallpassd"], "--config", config]
    raw = web.request("/auth", {"Authorization": basic("alice", PASSWORDS["alice"])})
    stop, seen = threading.Event(), []

    def ask() -> None:
        while not stop.is_set():
            with web.Connection(path) as connection:
                try:
                    connection.send(raw)
                    seen.append(connection.answer().status)
                except (OSError, HTTPException) as error:
                    seen.append(repr(error))

    askers = [threading.Thread(target=ask) for _ in range(4)]
    for round_ in range(4):
        with running(
            command,
            directory / "activated.log",
            lambda: web.ask(path, "/healthz").status == 200,
            pass_fds=[listener.fileno()],
            **unprivileged(),
        ) as process:
            if not round_:
                for asker in askers:
                    asker.start()
            before = len(seen)
            eventually(lambda: len(seen) > before + 20, "answers")
            if round_ == 3:
                stop.set()
                for asker in askers:
                    asker.join()
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
    listener.close()
    assert set(seen) == {200}


def test_systemd_is_told_of_a_reload(site, directory, hallpass_programs):
    notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notify.bind(str(directory / "notify"))
    notify.settimeout(60)
    give_away(directory / "notify")
    daemon = {"listen": [f"unix:{directory}/http.sock"]}
    config = site.write_configuration("notified.toml", daemon=daemon)
    with running(
        [hallpass_programs["hallpassd"], "--config", config],
        directory / "log",
        env=os.environ | {"NOTIFY_SOCKET": str(directory / "notify")},
        **unprivileged(),
    ) as process:
        told = [notify.recv(4096).strip()]
        process.send_signal(signal.SIGHUP)
        told += [notify.recv(4096).strip() for _ in range(2)]
        assert told == [b"READY=1", b"RELOADING=1", b"READY=1"]


# Helpers that run long


def older(path) -> None:
    """As if it had been written a while ago, and nothing more were to come."""
    settled = path.stat().st_mtime - 10
    os.utime(path, (settled, settled))


@pytest.fixture
def helper(site, directory, hallpass_programs):
    config = site.write_configuration("helper.toml")
    older(config)
    program = hallpass_programs["hallpass-ejabberd"]
    with extauth.helper(program, config, directory / "helper.log") as helper:
        helper.config = config
        yield helper


def test_a_helper_reads_a_changed_file_by_itself(site, helper):
    assert helper.auth("bob", PASSWORDS["bob"]) == YES
    site.write_configuration("helper.toml", access={"groups": ["editors"]})
    eventually(lambda: helper.auth("bob", PASSWORDS["bob"]) == NO, "the condition counts")
    assert helper.auth("alice", PASSWORDS["alice"]) == YES


def test_a_helper_goes_on_with_the_old_one_where_the_new_one_is_wrong(site, helper):
    site.write_configuration("helper.toml", access={"groups": ["editors"]})
    eventually(lambda: helper.auth("bob", PASSWORDS["bob"]) == NO, "the condition counts")
    helper.config.write_text("[access]\ngroup = []\n")
    older(helper.config)
    assert helper.auth("bob", PASSWORDS["bob"]) == NO
    assert helper.auth("alice", PASSWORDS["alice"]) == YES
    assert helper.log().count(REFUSED) == 1


def test_a_file_that_is_being_written_does_not_count(site, helper):
    site.write_configuration("helper.toml", access={"groups": ["editors"]})
    eventually(lambda: helper.auth("bob", PASSWORDS["bob"]) == NO, "the condition counts")
    whole = helper.config.read_text()
    assert "[access]" in whole
    # Everything but the condition, which is still to come.
    begun = whole[: whole.index("[access]")]
    end = time.monotonic() + 3
    while time.monotonic() < end:
        helper.config.write_text(begun)
        assert helper.auth("bob", PASSWORDS["bob"]) == NO
    helper.config.write_text(whole)
    assert helper.auth("bob", PASSWORDS["bob"]) == NO
