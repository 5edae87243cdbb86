"""RabbitMQ with rabbitmq_auth_backend_http, from `examples/rabbitmq-django`."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pika
import pika.exceptions

import logs
from processes import LOOPBACK, free_port, give_away, listening, running, unprivileged

from . import example

PROGRAM = "/usr/lib/rabbitmq/bin/rabbitmq-server"


@dataclass(frozen=True)
class RabbitMQ:
    """A running RabbitMQ."""

    port: int
    directory: Path

    def connect(self, user: str, password: str, vhost: str = "/") -> pika.BlockingConnection:
        """A client's connection. A refusal raises."""
        logs.note(password)
        return pika.BlockingConnection(pika.ConnectionParameters(
            LOOPBACK, self.port, vhost, pika.PlainCredentials(user, password),
            socket_timeout=30, stack_timeout=60, blocked_connection_timeout=30,
        ))

    def login(self, user: str, password: str, vhost: str = "/") -> bool:
        """Whether a client gets in."""
        try:
            self.connect(user, password, vhost).close()
        except (pika.exceptions.ProbableAuthenticationError,
                pika.exceptions.ProbableAccessDeniedError):
            return False
        return True

    def uses(self, user: str, password: str) -> bool:
        """Whether a client that is in may declare a queue, and send and receive by it."""
        connection = self.connect(user, password)
        try:
            channel = connection.channel()
            channel.queue_declare(f"of-{os.getpid()}", auto_delete=True)
            channel.basic_publish("", f"of-{os.getpid()}", b"hello")
            got = channel.basic_get(f"of-{os.getpid()}", auto_ack=True)
            return got[2] == b"hello"
        except pika.exceptions.ChannelClosedByBroker as refusal:
            assert refusal.reply_code == 403, refusal
            return False
        finally:
            if connection.is_open:
                connection.close()


@contextmanager
def rabbitmq(directory: Path, replacements: dict[str, str], configuration: str = "") -> Iterator[RabbitMQ]:
    """Runs RabbitMQ in `directory`, as the example says, or with this `configuration` and the pages of
    management; `replacements` are those of the example's files."""
    port, epmd_port, distribution_port = free_port(), free_port(), free_port()
    example.install("rabbitmq-django", directory / "etc", {"5672": str(port)} | replacements)
    plugins = "rabbitmq_auth_backend_http"
    if configuration:
        listener = f"listeners.tcp.1 = {LOOPBACK}:{port}\n"
        (directory / "etc/rabbitmq.conf").write_text(listener + configuration)
        plugins += ",rabbitmq_management"
    (directory / "enabled_plugins").write_text(f"[{plugins}].\n")
    for path in (directory / "etc/hallpass.toml", directory / "etc/rabbitmq.conf"):
        path.chmod(0o600)
        give_away(path)
    environment = {
        "PATH": "/usr/lib/rabbitmq/bin:/usr/bin:/bin",
        "HOME": str(directory),
        "LANG": "C.UTF-8",
        "ERL_EPMD_PORT": str(epmd_port),
        "ERL_EPMD_ADDRESS": LOOPBACK,
        "RABBITMQ_NODENAME": "hallpass@localhost",
        "RABBITMQ_DIST_PORT": str(distribution_port),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        "RABBITMQ_CONFIG_FILE": str(directory / "etc/rabbitmq.conf"),
        "RABBITMQ_CONF_ENV_FILE": str(directory / "none"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(directory / "enabled_plugins"),
        "RABBITMQ_MNESIA_BASE": str(directory / "mnesia"),
        "RABBITMQ_LOG_BASE": str(directory / "log"),
        "RABBITMQ_PID_FILE": str(directory / "rabbitmq.pid"),
    }
    options = {"env": environment, "cwd": directory} | unprivileged()
    # Where none runs, RabbitMQ starts one that outlives it.
    epmd = ["epmd", "-port", epmd_port, "-address", LOOPBACK]
    epmd = [str(word) for word in epmd]
    with (
        running(epmd, directory / "epmd.log", lambda: listening(epmd_port), **options),
        # It takes seconds, or a minute where other tests run.
        running([PROGRAM], directory / "console.log", lambda: listening(port), 240, **options),
    ):
        yield RabbitMQ(port, directory)
