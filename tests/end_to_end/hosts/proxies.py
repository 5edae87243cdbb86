"""HAProxy, Traefik and Envoy, and Caddy in several versions, as `processes.running` runs them."""

import os
import sys
import sysconfig
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from processes import LOOPBACK, listening, running, unprivileged

from . import web

SETUP = Path(sys.executable).parents[2]
# Debian's; the last but a few that keep the client's header where the answer's is empty; the newest.
CADDY = {
    "2.6": Path("/usr/bin/caddy"),
    "2.10.0": SETUP / "caddy-2.10.0/bin/caddy",
    "newest": SETUP / "venv/bin/caddy",
}
TRAEFIK = SETUP / "venv/bin/traefik"
# What the package's own script runs.
ENVOY = Path(sysconfig.get_path("platlib")) / "envoy/_bin/envoy"

BOOTSTRAP = """
static_resources:
  listeners:
  - address: {{ socket_address: {{ address: {host}, port_value: {port} }} }}
    filter_chains:
    - filters:
      -
{manager}
  clusters:
  - name: hallpass
    load_assignment:
      cluster_name: hallpass
      endpoints:
      - lb_endpoints:
        - endpoint: {{ address: {{ socket_address: {{ address: {host}, port_value: {daemon} }} }} }}
  - name: application
    load_assignment:
      cluster_name: application
      endpoints:
      - lb_endpoints:
        - endpoint: {{ address: {{ socket_address: {{ address: {host}, port_value: {application} }} }} }}
"""

ROUTER = """
http:
  routers:
    web: {{ rule: "PathPrefix(`/`)", entryPoints: [web], middlewares: [hallpass], service: application }}
  services:
    application: {{ loadBalancer: {{ servers: [{{ url: "http://{host}:{port}" }}] }} }}
"""


@contextmanager
def haproxy(directory: Path, port: int, configuration: Path) -> Iterator[None]:
    with running(
        ["/usr/sbin/haproxy", "-db", "-f", configuration],
        directory / "haproxy.log",
        lambda: listening(port),
        cwd=directory,
        **unprivileged(),
    ):
        yield


@contextmanager
def traefik(directory: Path, port: int, middlewares: str, application: int) -> Iterator[None]:
    """Runs Traefik with these middlewares, of which `hallpass` stands before the application."""
    files = directory / "traefik"
    files.mkdir()
    (files / "middlewares.yml").write_text(middlewares)
    (files / "router.yml").write_text(ROUTER.format(host=LOOPBACK, port=application))
    with running(
        [TRAEFIK, f"--entrypoints.web.address={LOOPBACK}:{port}"]
        + [f"--providers.file.directory={files}", "--providers.file.watch=false"]
        + ["--global.checknewversion=false", "--global.sendanonymoususage=false"],
        directory / "traefik.log",
        # It listens before it has read its files.
        lambda: listening(port) and web.ask((LOOPBACK, port)).status != 404,
        # Nobody's own settings.
        env=os.environ | {"HOME": str(directory), "XDG_CONFIG_HOME": str(directory)},
        cwd=directory,
        **unprivileged(),
    ):
        yield


@contextmanager
def envoy(
    directory: Path, port: int, manager: str, daemon: int, application: int
) -> Iterator[None]:
    """Runs Envoy with this connection manager, the ports of hallpassd and of the application."""
    file = directory / "envoy.yaml"
    names = {"host": LOOPBACK, "port": port, "daemon": daemon, "application": application}
    file.write_text(BOOTSTRAP.format(manager=textwrap.indent(manager, " " * 8), **names))
    with running(
        [ENVOY, "-c", file, "--use-dynamic-base-id", "--concurrency", "1"],
        directory / "envoy.log",
        lambda: listening(port),
        cwd=directory,
        **unprivileged(),
    ):
        yield
