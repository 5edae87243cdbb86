"""Binds and searches at hallpassd, beside OpenLDAP's slapd with its own database (mdb).

    beside_slapd.py HALLPASSD

Both know ten thousand accounts. Passwords are hashed as cheaply as each can, and hallpassd remembers
those that it has verified, as it does by default. Clients send many searches at a time on a few
connections, and binds one by one, because slapd takes no other. The servers take turns. Names of LDAP have
no case, so a site without the index that the doctor proposes is searched for each name; this one is.
"""

import base64
import hashlib
import os
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

from hosts import ldap
from hosts.daemon import hallpassd
from hosts.ldap import BASE, Raw, message, person
from processes import LOOPBACK, free_port, give_away, listening, running, unprivileged
from scene import ACCOUNTS, PASSWORD, USER, scene

CONNECTIONS, ROUNDS = 4, 5
SECONDS = 2
# The result of a response: the code 0, and no text.
SUCCESS = b"\x07\x0a\x01\x00\x04\x00\x04\x00"

SLAPD = """
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
database mdb
suffix "{base}"
directory {directory}/mdb
maxsize 1073741824
index objectClass,uid eq
dbnosync
access to attrs=userPassword by anonymous auth
access to * by * read
"""


def ldif() -> str:
    digest = base64.b64encode(hashlib.sha1(PASSWORD.encode() + b"salt").digest() + b"salt").decode()
    lines = [f"dn: {BASE}\nobjectClass: dcObject\nobjectClass: organization\no: x\ndc: example\n"]
    lines.append(f"dn: ou=people,{BASE}\nobjectClass: organizationalUnit\nou: people\n")
    for number in range(ACCOUNTS):
        name = f"user{number}"
        lines.append(
            f"dn: {person(name)}\nobjectClass: inetOrgPerson\nuid: {name}\ncn: {name}\nsn: {name}\n"
            f"userPassword: {{SSHA}}{digest}\n"
        )
    return "\n".join(lines)


@contextmanager
def slapd(directory: Path):
    (directory / "mdb").mkdir(parents=True)
    configuration = directory / "slapd.conf"
    configuration.write_text(SLAPD.format(base=BASE, directory=directory))
    subprocess.run(["slapadd", "-q", "-f", configuration], input=ldif().encode(), check=True)
    for path in (directory, directory / "mdb", *(directory / "mdb").iterdir()):
        give_away(path)
    port = free_port()
    with running(
        ["/usr/sbin/slapd", "-d", "0", "-f", configuration, "-h", f"ldap://{LOOPBACK}:{port}"],
        directory / "slapd.log",
        lambda: listening(port),
        **unprivileged(),
    ) as process:
        yield port, process.pid


def spent(process: int) -> float:
    """The processor's time of a process so far, in seconds."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rate(server: tuple[int, int], request: bytes, responses: int, at_once: int) -> tuple[float, float]:
    """Requests answered a second, and microseconds of the server's processor for each."""
    port, process = server
    begun_at = spent(process)
    counts = [0] * CONNECTIONS
    end = time.monotonic() + SECONDS
    many = b"".join(message(number, request) for number in range(1, at_once + 1))

    def work(place):
        with Raw(port) as raw:
            raw.send(many)
            answer = b""
            for _ in range(at_once * responses):
                _, _, code = raw.response()
                assert code in (0, None)
                answer += raw.whole
            # The same requests have as long an answer, in any order: taking each apart would measure
            # Python.
            while time.monotonic() < end:
                raw.send(many)
                assert raw.exactly(len(answer)).count(SUCCESS) == at_once
                counts[place] += at_once

    begun = time.monotonic()
    threads = [threading.Thread(target=work, args=(place,)) for place in range(CONNECTIONS)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    took, count = time.monotonic() - begun, sum(counts)
    return count / took, (spent(process) - begun_at) * 1e6 / count


def main() -> None:
    requests = {
        "searches": (ldap.find(BASE, ldap.equal("uid", USER), attributes=["uid", "cn"]), 2, 50),
        "binds": (ldap.bind(person(USER), PASSWORD), 1, 1),
    }
    with scene() as (directory, site), slapd(directory / "slapd") as beside:
        site.shell(
            "from django.db import connection\n"
            "connection.cursor().execute('CREATE INDEX auth_user_username_any_case '\n"
            "    'ON auth_user (username COLLATE NOCASE)')"
        )
        own = free_port()
        config = site.write_configuration(
            "ldap.toml",
            daemon={"listen": [], "ldap": [f"tcp:{LOOPBACK}:{own}"]},
            ldap={"base": BASE},
        )
        with hallpassd(Path(sys.argv[1]), config, (LOOPBACK, own)) as daemon:
            for what, request in requests.items():
                found = {(own, daemon.process.pid): [], beside: []}
                for _ in range(ROUNDS):
                    for server, rates in found.items():
                        rates.append(rate(server, *request))
                middle = lambda rates, place: sorted(it[place] for it in rates)[ROUNDS // 2]
                (ours, our_time), (theirs, their_time) = (
                    (middle(rates, 0), middle(rates, 1)) for rates in found.values()
                )
                print(f"{what}: hallpassd {ours:,.0f}/s, slapd {theirs:,.0f}/s: {ours / theirs:.2f}; processor "
                      f"{our_time:.0f} and {their_time:.0f} us: {our_time / their_time:.1f}")


if __name__ == "__main__":
    main()
