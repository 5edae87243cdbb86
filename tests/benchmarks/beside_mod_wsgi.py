"""Apache asking Hallpass, beside Apache asking Django through mod_wsgi, and what else there is.

    beside_mod_wsgi.py HALLPASSD HALLPASS-APACHE YES

The same users, hashes of one iteration, the same page; all in one run, taking turns. YES is a static
helper that says yes to everything: what mod_authnz_external itself costs. mod_authn_dbd cannot read
Django's hashes: it reads a table of SHA-1 hashes, and asks nothing else.
"""

import base64
import hashlib

import re
import sqlite3
import subprocess
import sys
from contextlib import ExitStack, closing
from pathlib import Path
from statistics import median

from django_site import python_of
from figures import figure, rounds
from hosts.apache import INCLUDE
from hosts.httpd import configuration, httpd
from hosts.mod_wsgi import mod_wsgi
from hosts.web import basic
from processes import LOOPBACK, free_port, give_away, running, unprivileged
from scene import ACCOUNTS, PASSWORD, USER, scene

ROUNDS, SECONDS = rounds(5), 2
NAMES = {
    "yes": "a static helper that says yes",
    "helper": "hallpass-apache",
    "script": "a script in Python",
    "fcgi": "hallpassd by FastCGI",
    "dbd": "mod_authn_dbd",
    "wsgi": "mod_wsgi and Django",
}
GOALS = [
    ("helper", "yes", 0.55),
    ("helper", "script", 25),
    ("fcgi", "wsgi", 5),
    ("fcgi", "dbd", 0),
    ("fcgi", "helper", 6),
]
LOADED = (
    "mpm_prefork authn_core authz_core authz_user auth_basic authnz_external authnz_fcgi dbd authn_dbd "
    "dir mime"
).split()

HOST = """
AuthnzFcgiDefineProvider authn fcgi fcgi://{loopback}:{fastcgi}/
DBDriver sqlite3
DBDParams {directory}/accounts.db
<VirtualHost *:{port}>
    DocumentRoot {directory}/www
    DefineExternalAuth yes pipe "{directory}/yes"
    DefineExternalAuth helper pipe "{directory}/hallpass-apache auth --config {config}"
    DefineExternalAuth script pipe "{python} -I {directory}/script.py {database}"
    <Directory "{directory}/www">
        Require all granted
    </Directory>
    {locations}
</VirtualHost>
MaxKeepAliveRequests 0
StartServers 8
MinSpareServers 8
"""
LOCATION = """
    <Location "/{name}/">
        AuthType Basic
        AuthName "Shop account"
        AuthBasicProvider {provider}
        {more}
        Require valid-user
    </Location>
"""


def wrk(url: str) -> float:
    """Requests a second, all of them answered 200."""
    output = subprocess.run(
        ["wrk", "-t1", "-c8", f"-d{SECONDS}s", "--timeout", "20s", "-H",
         f"Authorization: {basic(USER, PASSWORD)}", url],
        check=True, capture_output=True, text=True,
    ).stdout
    failed = re.search(r"Non-2xx or 3xx responses: (\d+)", output)
    answered = int(re.search(r"(\d+) requests in", output)[1])
    # mod_authnz_external loses one in thousands where the machine is busy.
    if "Socket errors" in output or (failed and int(failed[1]) * 100 > answered):
        sys.exit(output)
    if not answered:
        sys.exit(f"{url}: no answer within {SECONDS} s")
    return float(re.search(r"Requests/sec:\s*([\d.]+)", output)[1])


def location(name: str) -> str:
    provider, more = {
        "fcgi": ("fcgi", ""),
        "dbd": ("dbd", 'AuthDBDUserPWQuery "SELECT password FROM account WHERE name = %s"'),
    }.get(name, ("external", f"AuthExternal {name}"))
    return LOCATION.format(name=name, provider=provider, more=more)


def write_accounts(path: Path) -> None:
    """The table that mod_authn_dbd reads."""
    digest = base64.b64encode(hashlib.sha1(PASSWORD.encode()).digest()).decode()
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE account (name TEXT PRIMARY KEY, password TEXT)")
        names = ((f"user{number}", f"{{SHA}}{digest}") for number in range(ACCOUNTS))
        database.executemany("INSERT INTO account VALUES (?, ?)", names)
    give_away(path)


def small_apache(directory: Path, config: Path, database: Path, fastcgi: int, port: int):
    """An Apache without mod_wsgi: a large process takes longer to fork."""
    names = [name for name in NAMES if name != "wsgi"]
    for name in names:
        page = directory / "www" / name / "page.txt"
        page.parent.mkdir(parents=True)
        page.write_text("x" * 1024)
    write_accounts(directory / "accounts.db")
    (directory / "etc").mkdir()
    (directory / "etc/hallpass.conf").write_text(
        HOST.format(
            directory=directory, loopback=LOOPBACK, port=port, fastcgi=fastcgi, config=config,
            database=database, python=python_of("5.2").resolve(),
            locations="".join(map(location, names)),
        )
    )
    return httpd(directory, port, configuration(directory, port, LOADED, INCLUDE))


def warm_up(url: str) -> None:
    """Asks once, and sees that the answer is the page."""
    command = ["curl", "-sS", "-u", f"{USER}:{PASSWORD}", "-o", "/dev/null", "-w", "%{http_code}"]
    status = subprocess.run([*command, url], check=True, capture_output=True, text=True).stdout
    if status != "200":
        sys.exit(f"{url}: {status}")


def measure(urls: dict[str, str]) -> None:
    for name in NAMES:
        for _ in range(16):
            warm_up(urls[name])
    rates: dict[str, list[float]] = {name: [] for name in NAMES}
    for round_number in range(ROUNDS + 1):
        for name in NAMES:
            rate = wrk(urls[name])
            if round_number:  # The first is to warm up.
                rates[name].append(rate)
    print(f"\n{ROUNDS} rounds of {SECONDS} s, medians    requests/s")
    for name, title in NAMES.items():
        print(f"{title:31} {median(rates[name]):13.0f}")
    for ours, other, goal in GOALS:
        ratio = median(a / b for a, b in zip(rates[ours], rates[other], strict=True))
        own, peer = ((NAMES[name], median(rates[name])) for name in (ours, other))
        figure("Apache, a password at each request", own, peer, "requests/s", ratio=ratio,
               goal=f"at least {goal}" if goal else "")


def main(daemon: str, helper: str, yes: str) -> None:
    with scene() as (directory, site), ExitStack() as stack:
        script = Path(__file__).with_name("script.py")
        for name, program in {"hallpassd": daemon, "hallpass-apache": helper, "yes": yes,
                              "script.py": script}.items():
            copy = directory / name
            copy.write_bytes(Path(program).read_bytes())
            copy.chmod(0o755)
        fastcgi, port, socket = free_port(), free_port(), directory / "http.sock"
        config = site.write_configuration(
            daemon={"listen": [f"unix:{socket}"], "fastcgi": [f"tcp:{LOOPBACK}:{fastcgi}"]},
            log={"level": "warning"},
        )
        for path in (directory, site.directory, site.database):
            give_away(path)
        stack.enter_context(
            running([directory / "hallpassd", "--config", config], directory / "log",
                    socket.exists, **unprivileged())
        )
        stack.enter_context(small_apache(directory, config, site.database, fastcgi, port))
        big = directory / "big"
        big.mkdir()
        wsgi = stack.enter_context(mod_wsgi(big, site))
        urls = {name: f"http://{LOOPBACK}:{port}/{name}/page.txt" for name in NAMES}
        measure(urls | {"wsgi": f"{wsgi.url}/wsgi/page.txt"})


if __name__ == "__main__":
    main(*sys.argv[1:])
