"""Redis: TCP, TLS and the unix socket, with and without a password, Sentinel and Cluster."""

from contextlib import ExitStack
from pathlib import Path
from urllib.parse import quote

from processes import LOOPBACK, eventually, free_port, give_away

from .certificates import make_certificates
from .server import Server, ToolFailed

# Characters with a meaning in URLs, which a password may have all the same.
PASSWORD = "p@ss/w:rd?'#&=%41"


class Redis(Server):
    """A server without a disk. With `protected`, the default user has PASSWORD, and so has the
    user `hallpass`, who may read alone."""

    def __init__(
        self,
        directory: Path,
        protected: bool = False,
        replica_of: int | None = None,
        clustered: bool = False,
        tls_of: "Redis | None" = None,
    ):
        super().__init__(directory)
        self.clustered = clustered
        # The node of the same cluster whose certificates are this one's, too: they speak TLS among
        # each other, and name their ports for TLS.
        self.tls_of = tls_of
        self.tls_port = free_port()
        self.protected = protected
        self.replica_of = replica_of

    def prepare(self) -> None:
        if self.tls_of in (None, self):
            self.certificates = make_certificates(self.directory / "tls")
        else:
            self.certificates = self.tls_of.certificates

    @property
    def socket(self) -> Path:
        return self.directory / "redis.sock"

    def command(self) -> list:
        settings = {
            "bind": LOOPBACK,
            "port": self.port,
            "unixsocket": self.socket,
            "tls-port": self.tls_port,
            "tls-cert-file": self.certificates.certificate,
            "tls-key-file": self.certificates.key,
            "tls-ca-cert-file": self.certificates.authority,
            "tls-auth-clients": "no",
            "dir": self.directory,
            "repl-diskless-sync-delay": 0,
        }
        lines = [f"{key} {value}" for key, value in settings.items()] + ['save ""']
        if self.protected:
            # The file's syntax: quoted, with backslashes. The ">" stands for "this password".
            lines += [f'requirepass "{PASSWORD}"']
            lines += [f'user hallpass on ">{PASSWORD}" ~* +@read +@connection']
        if self.clustered:
            lines += ["cluster-enabled yes", f"cluster-port {free_port()}"]
        if self.tls_of:
            lines += ["tls-cluster yes"]
        if self.replica_of:
            lines += [f"replicaof {LOOPBACK} {self.replica_of}"]
        file = self.directory / "redis.conf"
        file.write_text("\n".join(lines) + "\n")
        return ["/usr/bin/redis-server", give_away(file)]

    def ready(self) -> bool:
        try:
            return self.execute("PING") == b"PONG"
        except ToolFailed:
            return False

    def execute(self, *words: str, input: bytes | None = None, database: int = 0) -> bytes:
        """What redis-cli prints of a command, whose last word may be given as `input`."""
        command = ["redis-cli", "--raw", "-e", "-s", self.socket, "-n", str(database)]
        environment = {"PATH": "/usr/bin"}
        if self.protected:
            environment["REDISCLI_AUTH"] = PASSWORD
        command += ["-x"] if input is not None else []
        return self.run([*command, *words], input or b"", env=environment).removesuffix(b"\n")

    def read(self, key: str, database: int = 0) -> bytes:
        return self.execute("GET", key, database=database)

    def write(self, key: str, value: bytes, database: int = 0) -> None:
        """Replaces a value; how long it lives stays."""
        script = "return redis.call('SET', KEYS[1], ARGV[1], 'KEEPTTL')"
        self.execute("EVAL", script, "1", key, input=value, database=database)

    def url(self, database: int = 0, user: str | None = None, tls: bool = False) -> str:
        """As Django's CACHES has it."""
        scheme, port = ("rediss", self.tls_port) if tls else ("redis", self.port)
        login = f"{user or ''}:{quote(PASSWORD, safe='')}@" if self.protected else ""
        return f"{scheme}://{login}{LOOPBACK}:{port}/{database}"


class Sentinel(Server):
    """A sentinel that watches one primary under the name `shop`, and is content with its own
    opinion of it."""

    NAME = "shop"

    def __init__(self, directory: Path, primary: Redis):
        super().__init__(directory)
        self.primary = primary

    def command(self) -> list:
        lines = [f"bind {LOOPBACK}", f"port {self.port}", f"dir {self.directory}"]
        lines += [f"sentinel monitor {self.NAME} {LOOPBACK} {self.primary.port} 1"]
        lines += [f"sentinel down-after-milliseconds {self.NAME} 500"]
        lines += [f"sentinel failover-timeout {self.NAME} 3000"]
        file = self.directory / "sentinel.conf"
        file.write_text("\n".join(lines) + "\n")
        return ["/usr/bin/redis-sentinel", give_away(file)]

    def ready(self) -> bool:
        try:
            return bool(self.master_port())
        except ToolFailed:
            return False

    def execute(self, *words: str) -> bytes:
        command = ["redis-cli", "--raw", "-e", "-h", LOOPBACK, "-p", str(self.port)]
        return self.run([*command, *words], env={"PATH": "/usr/bin"}).removesuffix(b"\n")

    def master_port(self) -> int:
        """The port of the server that is the primary now."""
        return int(self.execute("SENTINEL", "get-master-addr-by-name", self.NAME).split()[1])

    def replicas(self) -> int:
        """How many replicas of the primary it has seen."""
        return self.execute("SENTINEL", "replicas", self.NAME).split(b"\n").count(b"name")


class Cluster:
    """A Redis Cluster of three nodes, each with a third of the slots."""

    def __init__(self, new_directory, protected: bool = False, tls: bool = False):
        self.nodes = [
            Redis(new_directory(), protected=protected, clustered=True) for _ in range(3)
        ]
        for node in self.nodes if tls else ():
            node.tls_of = self.nodes[0]
        self._open = ExitStack()

    def __enter__(self):
        with ExitStack() as open_:
            for node in self.nodes:
                open_.enter_context(node)
            ports = [node.tls_port if node.tls_of else node.port for node in self.nodes]
            tls = ["--tls", "--insecure"] if self.nodes[0].tls_of else []
            places = [f"{LOOPBACK}:{port}" for port in ports]
            self.cli(*tls, "--cluster", "create", *places, "--cluster-yes")
            for node in self.nodes:
                eventually(lambda node=node: self.whole(node), "the cluster is whole")
            self._open = open_.pop_all()
        return self

    def __exit__(self, *_):
        self._open.close()

    @property
    def environment(self) -> dict:
        login = {"REDISCLI_AUTH": PASSWORD} if self.nodes[0].protected else {}
        return {"PATH": "/usr/bin"} | login

    def cli(self, *words: str) -> bytes:
        return self.nodes[0].run(["redis-cli", *words], env=self.environment)

    def whole(self, node: Redis) -> bool:
        """Whether a node knows who has each of the slots."""
        info = node.execute("CLUSTER", "INFO")
        return b"cluster_state:ok" in info and b"cluster_known_nodes:3" in info

    def execute(self, *words: str, input: bytes | None = None) -> bytes:
        """What a command comes to at whichever node has its key."""
        at = ["-c", "--raw", "-e", "-h", LOOPBACK, "-p", str(self.nodes[0].port)]
        at += ["-x"] if input is not None else []
        command = ["redis-cli", *at, *words]
        answer = self.nodes[0].run(command, input or b"", env=self.environment)
        return answer.removesuffix(b"\n")

    def slot(self, key: str) -> int:
        return int(self.nodes[0].execute("CLUSTER", "KEYSLOT", key))

    def owner(self, key: str) -> Redis:
        """The node that has the slot of a key."""
        slot, port = self.slot(key), None
        for line in self.nodes[0].execute("CLUSTER", "NODES").decode().splitlines():
            words = line.split()
            for first, _, last in (word.partition("-") for word in words[8:] if word[0] != "["):
                if int(first) <= slot <= int(last or first):
                    port = int(words[1].partition("@")[0].rpartition(":")[2])
        return next(node for node in self.nodes if node.port == port)

    def begin_migration(self, key: str, target: Redis) -> None:
        """The slot of a key is on its way to another node. The keys stay where they are."""
        slot, source = str(self.slot(key)), self.owner(key)
        ids = [node.execute("CLUSTER", "MYID").decode() for node in (source, target)]
        target.execute("CLUSTER", "SETSLOT", slot, "IMPORTING", ids[0])
        source.execute("CLUSTER", "SETSLOT", slot, "MIGRATING", ids[1])

    def migrate(self, key: str, target: Redis) -> None:
        """Takes a key to the other node, as `redis-cli --cluster reshard` does one by one."""
        words = ["MIGRATE", LOOPBACK, str(target.port), key, "0", "5000"]
        words += ["AUTH", PASSWORD] if target.protected else []
        self.owner(key).execute(*words)

    def end_migration(self, key: str, target: Redis) -> None:
        slot, id = str(self.slot(key)), target.execute("CLUSTER", "MYID").decode()
        source = self.owner(key)
        for node in (target, source, *self.nodes):
            node.execute("CLUSTER", "SETSLOT", slot, "NODE", id)

    def url(self, *nodes: Redis, user: str | None = None) -> str:
        """URLs of some of the nodes, or of the first."""
        return ",".join(node.url(0, user) for node in nodes or self.nodes[:1])
