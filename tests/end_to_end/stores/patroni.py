"""Patroni: a cluster of PostgreSQL whose members find their leader by etcd."""

import json
import os
import signal
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path

from processes import LOOPBACK, eventually, free_port, give_away, listening

from .certificates import make_certificates
from .postgresql import PASSWORD, PROGRAMS, PostgreSQL
from .server import Server, family

# Seconds. A leader that is not heard of for TTL has lost its place.
TTL, LOOP_WAIT, RETRY_TIMEOUT = 5, 1, 3


class Etcd(Server):
    """A cluster of one node."""

    # Otherwise it waits for its clients to go.
    ending = signal.SIGKILL

    def __init__(self, directory: Path):
        super().__init__(directory)
        self.peers = free_port()

    def prepare(self) -> None:
        (self.directory / "etcd").mkdir(mode=0o700)
        give_away(self.directory / "etcd")

    def command(self) -> list:
        clients, peers = (f"http://{LOOPBACK}:{port}" for port in (self.port, self.peers))
        options = {
            "data-dir": self.directory / "etcd",
            "listen-client-urls": clients,
            "advertise-client-urls": clients,
            "listen-peer-urls": peers,
            "initial-advertise-peer-urls": peers,
            "initial-cluster": f"default={peers}",
        }
        return ["/usr/bin/etcd", "--unsafe-no-fsync", *(f"--{key}={it}" for key, it in options.items())]

    def ready(self) -> bool:
        return listening(self.port)


class Member(PostgreSQL):
    """A PostgreSQL that Patroni starts, promotes and demotes; the first one makes the cluster."""

    ending = signal.SIGTERM

    def __init__(self, directory: Path, name: str, etcd: Etcd, first: "Member | None" = None):
        super().__init__(directory)
        self.name, self.etcd, self.first = name, etcd, first
        self.rest = free_port()

    def prepare(self) -> None:
        if self.first:
            self.certificates = self.first.certificates
        else:
            self.certificates = make_certificates(self.directory / "tls")
        login = {"username": "postgres", "password": PASSWORD}
        replication = {"username": "follower", "password": PASSWORD}
        everywhere = {"ttl": TTL, "loop_wait": LOOP_WAIT, "retry_timeout": RETRY_TIMEOUT}
        settings = {
            "scope": "shop",
            "name": self.name,
            "restapi": dict.fromkeys(["listen", "connect_address"], f"{LOOPBACK}:{self.rest}"),
            "etcd3": {"host": f"{LOOPBACK}:{self.etcd.port}"},
            "bootstrap": {
                "dcs": everywhere | {"postgresql": {"use_pg_rewind": True}},
                "initdb": [{"encoding": "UTF8"}, {"locale": "C.UTF-8"}, "no-sync"],
            },
            "postgresql": {
                "listen": f"{LOOPBACK}:{self.port}",
                "connect_address": f"{LOOPBACK}:{self.port}",
                "data_dir": str(self.data),
                "bin_dir": str(PROGRAMS),
                "pgpass": str(self.directory / "pgpass"),
                "authentication": {"superuser": login, "replication": replication, "rewind": login},
                "pg_hba": [
                    "local all all scram-sha-256",
                    "host all all 127.0.0.1/32 scram-sha-256",
                    "host replication follower 127.0.0.1/32 scram-sha-256",
                ],
                "basebackup": {"checkpoint": "fast"},
                "parameters": {
                    "unix_socket_directories": str(self.directory),
                    "ssl": "on",
                    "ssl_cert_file": str(self.certificates.certificate),
                    "ssl_key_file": str(self.certificates.key),
                    "fsync": "off",
                },
            },
        }
        # JSON is YAML.
        (self.directory / "patroni.yml").write_text(json.dumps(settings))
        give_away(self.directory / "patroni.yml")

    def command(self) -> list:
        return ["/usr/bin/patroni", self.directory / "patroni.yml"]

    def role(self) -> str | None:
        """What Patroni says that it is: `master`, `replica` or something on the way there."""
        try:
            with urllib.request.urlopen(f"http://{LOOPBACK}:{self.rest}/patroni", timeout=5) as answer:
                said = json.load(answer)
        except (urllib.error.URLError, OSError):
            return None
        return said["role"] if said.get("state") == "running" else None

    def ready(self) -> bool:
        return self.role() == ("replica" if self.first else "master")

    def make_roles(self) -> None:
        if not self.first:
            super().make_roles()

    def follows(self, leader: "Member") -> bool:
        """Whether all that the leader has written so far is here."""
        position = leader.execute("SELECT pg_current_wal_lsn()")
        return self.execute(f"SELECT pg_last_wal_replay_lsn() >= '{position}'") == "t"

    def postmaster(self) -> list[int]:
        """PostgreSQL's processes, which are not Patroni's children."""
        try:
            return family(int((self.data / "postmaster.pid").read_text().split()[0]))
        except (FileNotFoundError, IndexError):
            return []

    def kill(self) -> None:
        orphans = self.postmaster()
        # Patroni first, because it would start the server again.
        self._signal(signal.SIGKILL)
        for pid in orphans:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._open.close()
        eventually(lambda: not listening(self.port), "the server is gone")

    def stop(self) -> None:
        if self.process and self.process.returncode is None:
            self.kill()
