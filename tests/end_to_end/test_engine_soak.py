"""All doors of hallpassd for a while, with a database that comes and goes and clients that misbehave.

Half a minute; `HALLPASS_SOAK=3600` for an hour.
"""

import json
import os
import random
import signal
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path

from hosts import fastcgi, web
from hosts.accounts import PASSWORDS
from hosts.fixtures import site_with_accounts
from hosts.sasl import Dovecot, counted, saslauthd
from hosts.web import basic
from test_engine import World

SECONDS = float(os.environ.get("HALLPASS_SOAK", 30))
CLIENTS = 12


class Client(threading.Thread):
    """Asks at random doors, and notes every answer that is wrong."""

    def __init__(self, world: World, cookie: str, seed: int, end: float):
        super().__init__()
        self.world, self.cookie, self.end = world, cookie, end
        self.random = random.Random(seed)
        self.asked, self.unknown, self.wrong = 0, 0, []

    def run(self) -> None:
        questions = [self.password, self.session, self.misbehave]
        while time.monotonic() < self.end:
            question = self.random.choices(questions, [6, 4, 2])[0]
            try:
                question()
            except Exception as error:  # Whatever it is, it is a finding.
                self.wrong.append(f"{question.__name__}: {error!r}")
            self.asked += 1

    def password(self) -> None:
        user = self.random.choice(["alice", "bob", "carol", "nobody"])
        right = user != "nobody" and self.random.random() < 0.5
        password = PASSWORDS[user] if right else f"wrong {self.random.random()}"
        door = self.random.choice(["check", "auth", "fastcgi", "dovecot", "saslauthd"])
        granted = getattr(self, door)(user, password)
        if granted is None:
            self.unknown += 1
        elif granted != right:
            self.wrong.append(f"{door}: {user} {right}: {granted}")

    # Each answers whether they are let in; None when that cannot be said.

    def check(self, user: str, password: str) -> bool | None:
        return {200: True, 401: False, 503: None}[self.world.daemon.check(user, password).status]

    def auth(self, user: str, password: str) -> bool | None:
        header = {"Authorization": basic(user, password)}
        address = self.random.choice([self.world.http, self.world.tcp])
        return {200: True, 401: False, 503: None}[web.ask(address, "/auth", header).status]

    def fastcgi(self, user: str, password: str) -> bool | None:
        parameters = {"REMOTE_USER": user, "REMOTE_PASSWD": password}
        answer = fastcgi.ask(self.world.fastcgi, parameters)
        return {200: True, 401: False, 500: None}[answer.status]

    def dovecot(self, user: str, password: str) -> bool | None:
        with Dovecot(self.world.dovecot) as client:
            answer = client.plain(user, password)
        return None if "temp" in answer.split("\t") else answer.startswith("OK\t")

    def saslauthd(self, user: str, password: str) -> bool | None:
        request = counted(user.encode(), password.encode(), b"imap", b"")
        return {b"\0\2OK": True, b"\0\2NO": False, b"": None}[saslauthd(self.world.mux, request)]

    def session(self) -> None:
        good = self.random.random() < 0.5
        cookie = self.cookie if good else "sessionid=" + "a" * 32
        status = self.world.daemon.ask("/auth", {"Cookie": cookie}).status
        if status == 503:
            self.unknown += 1
        elif status != (200 if good else 401):
            self.wrong.append(f"session: {good}: {status}")

    def misbehave(self) -> None:
        """Hangs up in the middle, or sends nonsense."""
        world = self.world
        sent = {
            world.http: [
                b"",
                b"GET /auth HT",
                web.request("/auth", {"Authorization": basic("alice", "wrong")}),
                web.request("/check", [("Content-Length", "50")], "POST", body=b"{"),
                b"\0" * 1000,
                b"GET /" + b"x" * 70_000,
            ],
            world.fastcgi: [
                b"",
                fastcgi.begin(),
                fastcgi.asked({"REMOTE_USER": "alice", "REMOTE_PASSWD": "wrong"}),
                b"\xff" * 1000,
            ],
            world.dovecot: [b"", Dovecot.HELLO, Dovecot.HELLO + b"AUTH\t1\tLOGIN\n", b"\0\n"],
            world.mux: [b"", b"\0\5ali", counted(b"alice", b"wrong", b"", b""), b"\xff\xff"],
        }
        path = self.random.choice(list(sent))
        with socket.socket(socket.AF_UNIX) as client, suppress(OSError):
            client.settimeout(60)
            client.connect(str(path))
            client.sendall(self.random.choice(sent[path]))


def descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def memory(pid: int) -> int:
    """The memory a process has, in KiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS:")).split()[1])


def test_doors_for_a_while(directory, hallpass_programs, new_site):
    site = site_with_accounts(new_site)
    away = site.database.with_suffix(".away")
    world = World(site, directory, hallpass_programs)
    cookie = world.session("alice")
    with world.running() as world.daemon:
        pid = world.daemon.process.pid
        end = time.monotonic() + SECONDS
        clients = [Client(world, cookie, number, end) for number in range(CLIENTS)]
        for client in clients:
            client.start()
        time.sleep(min(10, SECONDS / 4))
        early = memory(pid)
        chance = random.Random(0)
        while time.monotonic() < end:
            time.sleep(chance.uniform(0.2, 2))
            site.database.rename(away)
            time.sleep(chance.uniform(0.05, 0.5))
            away.rename(site.database)
        for client in clients:
            client.join()
        wrong = [each for client in clients for each in client.wrong]
        assert not wrong, wrong[:10]
        asked = sum(client.asked for client in clients)
        unknown = sum(client.unknown for client in clients)
        assert asked > 10 * CLIENTS and unknown < asked / 2, (asked, unknown)
        # What was opened is closed again, and what was remembered has its bounds.
        time.sleep(2)
        assert descriptors(pid) < 100
        assert memory(pid) < early + 64 * 1024
        answer = world.daemon.check("alice", PASSWORDS["alice"])
        assert json.loads(answer.body)["user"] == "alice"
        world.daemon.process.send_signal(signal.SIGTERM)
        assert world.daemon.process.wait(60) == 0
