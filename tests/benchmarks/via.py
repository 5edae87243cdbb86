"""A Subversion client's requests through Apache, whose helper asks hallpassd or the stores itself.

    via.py HALLPASSD HALLPASS-APACHE YES

One user, one connection, a password at each request, and a hash of a million iterations. YES is a
helper that says yes to everything: what mod_authnz_external itself costs.
"""

import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from figures import figure, rounds
from hosts import web
from hosts.apache import INCLUDE
from hosts.httpd import configuration, httpd
from hosts.web import basic
from processes import LOOPBACK, free_port, give_away, running, unprivileged
from scene import USER, scene

ITERATIONS = 1_000_000
PASSWORD = "of a million iterations"
ROUNDS = rounds(5)
# One round takes a share of these; the slow one need not be asked as often.
REQUESTS = {"via": 200, "yes": 200, "alone": 2}
LOADED = (
    "mpm_prefork authn_core authz_core authz_user auth_basic authnz_external dir mime dav dav_svn"
).split()

HOST = """
<VirtualHost *:{port}>
    DocumentRoot {directory}/www
    DefineExternalAuth via pipe "{directory}/hallpass-apache auth --config {via}"
    DefineExternalAuth alone pipe "{directory}/hallpass-apache auth --config {alone}"
    DefineExternalAuth yes pipe "{directory}/yes"
    {locations}
</VirtualHost>
"""
LOCATION = """
    <Location "/{name}">
        DAV svn
        SVNPath {directory}/repository
        AuthType Basic
        AuthName "Shop account"
        AuthBasicProvider external
        AuthExternal {name}
        Require valid-user
    </Location>
"""


def requests_a_second(connection: web.Connection, name: str, count: int) -> float:
    """As a Subversion client begins: what is there, and which revision is the youngest."""
    headers = {"Authorization": basic(USER, PASSWORD), "Depth": "0"}
    request = web.request(f"/{name}/", headers, "PROPFIND")
    began = time.monotonic()
    for _ in range(count):
        connection.send(request)
        status = connection.answer("PROPFIND").status
        if status != 207:
            sys.exit(f"{name}: status {status}")
    return count / (time.monotonic() - began)


def measure(port: int) -> None:
    rates: dict[str, list[float]] = {name: [] for name in REQUESTS}
    with web.Connection((LOOPBACK, port)) as connection:
        for name in REQUESTS:
            requests_a_second(connection, name, 1)  # To warm up.
        for _ in range(ROUNDS):
            for name, count in REQUESTS.items():
                rates[name].append(requests_a_second(connection, name, count))
    via, yes, alone = (rates[name] for name in ("via", "yes", "alone"))
    print(f"\n{ITERATIONS} iterations, {ROUNDS} rounds, medians")
    own = ("a helper that asks hallpassd", median(via))
    for name, rates_of, goal in (("the helper alone", alone, 100), ("a helper that says yes", yes, 0.6)):
        figure("Subversion, a password at each request", own, (name, median(rates_of)), "requests/s",
               ratio=median(a / b for a, b in zip(via, rates_of, strict=True)), goal=f"at least {goal}")


def main(daemon: str, helper: str, yes: str) -> None:
    with scene() as (directory, site):
        encoded = site.ask("make_password", PASSWORD, "pbkdf2_sha256", iterations=ITERATIONS)
        site.ask("update", USER, password=encoded)
        for name, program in {"hallpassd": daemon, "hallpass-apache": helper, "yes": yes}.items():
            copy = directory / name
            copy.write_bytes(Path(program).read_bytes())
            copy.chmod(0o755)
        socket = directory / "http.sock"
        quiet = {"log": {"level": "warning"}}
        listens = site.write_configuration(
            "daemon.toml", daemon={"listen": [f"unix:{socket}"]}, **quiet
        )
        via = site.write_configuration(
            "via.toml", via=f"unix:{socket}", via_only=True, **quiet
        )
        alone = site.write_configuration("alone.toml", **quiet)
        port = free_port()
        (directory / "www").mkdir()
        subprocess.run(["svnadmin", "create", directory / "repository"], check=True)
        give_away(directory)
        for path in (directory / "repository", *(directory / "repository").rglob("*")):
            give_away(path)
        host = HOST.format(
            directory=directory,
            port=port,
            via=via,
            alone=alone,
            locations="".join(LOCATION.format(name=n, directory=directory) for n in REQUESTS),
        )
        (directory / "etc").mkdir()
        (directory / "etc/hallpass.conf").write_text(host)
        text = configuration(directory, port, LOADED, INCLUDE, "MaxKeepAliveRequests 0")
        with (
            running(
                [directory / "hallpassd", "--config", listens],
                directory / "log",
                socket.exists,
                **unprivileged(),
            ),
            httpd(directory, port, text),
        ):
            measure(port)


if __name__ == "__main__":
    main(*sys.argv[1:])
