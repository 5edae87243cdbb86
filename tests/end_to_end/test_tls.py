"""TLS to PostgreSQL and MariaDB: what each mode asks of the server, and that nothing less will do."""

from ipaddress import ip_address
from pathlib import Path

import pytest

from people import SECRET
from processes import LOOPBACK
from stores.certificates import make_certificates
from stores.mariadb import MariaDB
from stores.postgresql import PostgreSQL
from stores.proxy import proxy

MAKE = {"postgresql": PostgreSQL, "mariadb": MariaDB}
# The server as well, but its certificate does not say so.
OTHER_NAME = str(ip_address(LOOPBACK) + 1)


@pytest.fixture(scope="module", params=MAKE)
def server(request):
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def site(new_site, server):
    return with_alice(new_site(server=server))


def with_alice(site):
    site.make_accounts({"username": "alice", "password": SECRET})
    return site


@pytest.fixture(scope="module")
def authorities(server, new_directory):
    """What `ca` may be."""
    stranger = make_certificates(new_directory() / "tls")
    return {
        None: {},
        "right": {"ca": str(server.certificates.authority)},
        "stranger": {"ca": str(stranger.authority)},
        "missing": {"ca": "nowhere.pem"},
    }


def exit_code(site, shell, database) -> int:
    """0 for a right answer, 75 for none: and then the cause is TLS, and alice's password not
    called wrong."""
    hallpass = shell(site.write_configuration("tls.toml", database=database))
    result = hallpass.check("alice", SECRET)
    assert hallpass.check("alice", "wrong").code == (result.code or 1)
    if result.code:
        said = (result.json.get("cause") or "") + result.stderr.decode()
        assert any(word in said for word in ("certificate", "TLS", "SSL", "no encryption")), said
    return result.code


ASKED = [
    # `tls`, `ca`, and whether the certificate names the server
    (None, None, True, 0),
    ("prefer", None, True, 0),
    ("prefer", "right", True, 0),
    ("require", None, True, 0),
    ("require", "right", True, 0),
    ("verify-full", "right", True, 0),
    # The chain alone is looked at.
    ("require", None, False, 0),
    ("require", "right", False, 0),
    ("verify-full", "right", False, 75),
    ("verify-full", None, True, 75),
    ("verify-full", "stranger", True, 75),
    ("require", "stranger", True, 75),
    # Whoever names an authority does not want somebody else's server, nor no TLS with it.
    ("prefer", "stranger", True, 75),
    ("verify-full", "missing", True, 75),
    ("require", "missing", True, 75),
]


@pytest.mark.parametrize(("mode", "ca", "named", "code"), ASKED)
def test_server_with_tls(site, server, shell, authorities, mode, ca, named, code):
    keys = authorities[ca] | ({"tls": mode} if mode else {})
    # Who gets in at all has come by TLS: this role may not otherwise.
    database = server.hallpass(site.database_name, user="hallpass_tls", **keys)
    if named:
        assert exit_code(site, shell, database) == code
        return
    with proxy(server.port, OTHER_NAME) as other:
        here, there = f"{LOOPBACK}:{server.port}/", f"{OTHER_NAME}:{other.port}/"
        database["url"] = database["url"].replace(here, there)
        assert exit_code(site, shell, database) == code
        assert other.connections


@pytest.mark.skipif(not Path("/proc/net/if_inet6").exists(), reason="there is no IPv6 here")
def test_address_of_version_6(site, server, shell):
    with proxy(server.port, "::1") as other:
        database = server.hallpass(site.database_name, user="hallpass_tls", tls="require")
        here, there = f"{LOOPBACK}:{server.port}/", f"[::1]:{other.port}/"
        database["url"] = database["url"].replace(here, there)
        assert exit_code(site, shell, database) == 0
        assert other.connections


def test_no_tls_where_it_is_switched_off(site, server, shell):
    for user, code in (("hallpass", 0), ("hallpass_tls", 75)):
        database = server.hallpass(site.database_name, user=user, tls="disable")
        hallpass = shell(site.write_configuration("tls.toml", database=database))
        assert hallpass.check("alice", SECRET).code == code


@pytest.mark.parametrize("kind", MAKE)
def test_server_without_tls(kind, new_site, new_directory, shell):
    with MAKE[kind](new_directory(), tls=False) as server:
        site = with_alice(new_site(server=server))
        authority = str(server.certificates.authority)
        for keys, code in [
            ({}, 0),
            ({"tls": "disable"}, 0),
            ({"tls": "prefer"}, 0),
            ({"tls": "prefer", "ca": authority}, 75),
            ({"tls": "require"}, 75),
            ({"tls": "require", "ca": authority}, 75),
            ({"tls": "verify-full", "ca": authority}, 75),
        ]:
            database = server.hallpass(site.database_name, **keys)
            assert exit_code(site, shell, database) == code, keys
