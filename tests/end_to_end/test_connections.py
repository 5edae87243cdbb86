"""Connections to hallpassd that ask nothing, or too slowly, or go on when all is said."""

import json
import os
import resource
import socket
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from hosts import fastcgi, web
from hosts.accounts import PASSWORDS
from hosts.daemon import hallpassd
from hosts.fastcgi import KEEP, RESPONDER, asked, begin
from hosts.fixtures import site_with_accounts
from hosts.sasl import Dovecot, counted, saslauthd
from hosts.web import basic
from processes import LOOPBACK, free_port

MOST = 4096  # connections of a socket
SILENT = MOST + 104
IDLE = 2000
ALICE = {"REMOTE_USER": "alice", "REMOTE_PASSWD": PASSWORDS["alice"]}


@pytest.fixture(scope="module")
def site(new_site):
    return site_with_accounts(new_site)


class World:
    def __init__(self, site, directory, programs, **daemon):
        self.program = programs["hallpassd"]
        keys = ("listen", "fastcgi", "dovecot_auth", "saslauthd")
        self.paths = {key: directory / f"{key}.sock" for key in keys}
        self.http, self.fcgi = (LOOPBACK, free_port()), (LOOPBACK, free_port())
        listeners = {key: [f"unix:{path}"] for key, path in self.paths.items()}
        listeners["listen"].append("tcp:{}:{}".format(*self.http))
        listeners["fastcgi"].append("tcp:{}:{}".format(*self.fcgi))
        self.config = site.write_configuration(
            f"{directory.name}.toml", limits={"failures": 0}, daemon=listeners | daemon
        )

    @contextmanager
    def running(self):
        addresses = (self.paths["listen"], self.http, self.fcgi)
        with hallpassd(self.program, self.config, *addresses) as self.daemon:
            yield self


@pytest.fixture(scope="module")
def world(new_directory, hallpass_programs, site):
    with World(site, new_directory(), hallpass_programs).running() as world:
        yield world


@contextmanager
def descriptors(count: int):
    """Room for so many files in this process and those that it starts meanwhile."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    if before[1] != resource.RLIM_INFINITY and before[1] < count:
        pytest.skip(f"this system lets a process open {before[1]} files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (count, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def is_open(client: socket.socket) -> bool:
    client.setblocking(False)
    try:
        return client.recv(1) != b""
    except BlockingIOError:
        return True
    except ConnectionResetError:
        return False


@pytest.mark.parametrize("begun", [False, True], ids=["silent", "half a request"])
@pytest.mark.parametrize("protocol", ["http", "fastcgi"])
def test_connections_that_ask_nothing_make_room(world, protocol, begun):
    """A question does not wait until they time out, which takes them half a minute or more."""
    address = world.http if protocol == "http" else world.fcgi
    piece = b"GET /auth HTTP/1.1\r\n" if protocol == "http" else begin()
    with descriptors(SILENT + 512), ExitStack() as open_ones:
        silent = []
        for _ in range(SILENT):
            client = socket.create_connection(address, timeout=60)
            open_ones.callback(client.close)
            if begun:
                client.sendall(piece)
            silent.append(client)
        for _ in range(20):
            if protocol == "http":
                headers = {"Authorization": basic("alice", PASSWORDS["alice"])}
                with web.Connection(address, timeout=20) as connection:
                    connection.send(web.request("/auth", headers))
                    assert connection.answer().status == 200
            else:
                with fastcgi.Connection(address) as connection:
                    connection.socket.settimeout(20)
                    connection.send(asked(ALICE))
                    assert connection.answer().status == 200
        # The first may have timed out while all connected; the last need not have made room.
        assert is_open(silent[-1])


def test_a_kept_connection_goes_on_while_others_connect(world):
    with descriptors(SILENT + 512), ExitStack() as open_ones:
        kept = open_ones.enter_context(fastcgi.Connection(world.fcgi))
        kept.send(asked(ALICE, KEEP))
        assert kept.answer().status == 200
        for _ in range(SILENT):
            client = socket.create_connection(world.fcgi, timeout=60)
            open_ones.callback(client.close)
        kept.send(asked(ALICE, KEEP))
        assert kept.answer().status == 200


def test_a_request_that_comes_in_pieces_behind_another_is_read_whole(world):
    first = web.request("/auth", [("Authorization", basic("alice", PASSWORDS["alice"]))])
    second = web.request("/auth", [("Authorization", basic("bob", PASSWORDS["bob"]))])
    for cut in (1, 5, len(second) // 2, len(second) - 1):
        with web.Connection(world.http, timeout=20) as connection:
            connection.send(first + second[:cut])
            assert connection.answer().headers["Remote-User"] == "alice"
            time.sleep(0.2)
            connection.send(second[cut:] + first + web.request("/auth"))
            received = [connection.answer() for _ in range(3)]
            assert [answer.headers["Remote-User"] for answer in received] == ["bob", "alice", ""]
            assert received[-1].status == 401


def test_a_request_cut_off_behind_another_is_refused(world):
    request = web.request("/auth", [("Authorization", basic("alice", PASSWORDS["alice"]))])
    for cut in (1, len(request) // 2, len(request) - 1):
        with web.Connection(world.http, timeout=20) as connection:
            connection.send(request + request[:cut])
            assert connection.answer().status == 200
            connection.socket.shutdown(socket.SHUT_WR)
            rest = connection.rest()
            assert b" 200 " not in rest and b"Remote-User" not in rest


def test_idle_connections_hold_no_buffers(world):
    def held() -> int:
        statm = Path(f"/proc/{world.daemon.process.pid}/statm").read_text()
        return int(statm.split()[1]) * resource.getpagesize()

    request = web.request("/auth", [("Authorization", basic("alice", PASSWORDS["alice"]))])
    with descriptors(SILENT + 512), ExitStack() as open_ones:
        for number in range(IDLE + 200):
            if number == 200:
                before = held()
            connection = open_ones.enter_context(web.Connection(world.http))
            connection.send(request)
            assert connection.answer().status == 200
        # The buffers for one request alone are 16 KiB.
        assert (held() - before) / IDLE < 10 * 1024


def test_every_core_serves_connections_until_shutdown(new_directory, hallpass_programs, site):
    cores = len(os.sched_getaffinity(0))
    request = web.request("/auth", [("Authorization", basic("alice", PASSWORDS["alice"]))])
    with World(site, new_directory(), hallpass_programs).running() as world, ExitStack() as all_ones:
        process = world.daemon.process
        names = Path(f"/proc/{process.pid}/task").glob("*/comm")
        loops = [name for name in names if name.read_text().startswith("loop ")]
        assert len(loops) <= cores - 1
        asked = []
        for address in [world.http, world.paths["listen"]] * 2 * cores:
            asked.append(all_ones.enter_context(web.Connection(address, timeout=20)))
        for _ in range(3):
            for connection in asked:
                connection.send(request)
            assert {connection.answer().status for connection in asked} == {200}
        silent = all_ones.enter_context(web.Connection(world.http, timeout=20))
        process.terminate()
        assert all(connection.ended() for connection in [*asked, silent])
        assert process.wait(20) == 0


def test_a_fastcgi_connection_without_a_word_is_closed(world):
    for first in (b"", begin(), asked(ALICE)[:-9]):
        with fastcgi.Connection(world.fcgi) as connection:
            connection.send(first)
            assert connection.record() is None


def test_nothing_is_answered_behind_the_request_that_ends_a_connection(world):
    behind = asked(ALICE, KEEP, request=2)
    ends = (
        begin(RESPONDER),
        begin() + fastcgi.record(fastcgi.ABORT),
        asked(ALICE),
        asked({"REMOTE_USER": "alice", "REMOTE_PASSWD": "wrong"}),
    )
    for first in ends:
        with fastcgi.Connection(world.fcgi) as connection:
            connection.send(first + behind)
            received = []
            while (record := connection.record()) is not None:
                received.append(record)
            assert received[-1].kind == fastcgi.END
            assert {record.request for record in received} == {1}


def test_a_dovecot_client_that_says_no_version_is_closed(world):
    with Dovecot(world.paths["dovecot_auth"], hello=b"") as client:
        assert client.line() is None


@pytest.mark.parametrize("trusted", [True, False])
def test_an_address_is_believed_of_trusted_proxies_alone(
    directory, hallpass_programs, site, trusted
):
    proxies = ["unix"] if trusted else ["192.0.2.200"]
    with World(site, directory, hallpass_programs, trusted_proxies=proxies).running() as world:
        address = "192.0.2.77"
        request = counted(b"alice", b"wrong", b"imap", b"", f"{address};993".encode())
        assert saslauthd(world.paths["saslauthd"], request) == b"\0\2NO"
        with Dovecot(world.paths["dovecot_auth"]) as dovecot:
            assert dovecot.plain("alice", "wrong", parameters=f"rip={address}\t").startswith("FAIL")
        fastcgi.ask(world.paths["fastcgi"], ALICE | {"REMOTE_ADDR": address})
        body = json.dumps({"user": "alice", "password": "wrong", "client": address}).encode()
        assert web.ask(world.paths["listen"], "/check", method="POST", body=body).status == 401
        # Other tests have written into this log before.
        doors = [line for line in world.daemon.log().splitlines() if "door=" in line][-4:]
        assert [address in line for line in doors] == [trusted] * 4, doors
