"""Real Prosody, by hallpassd's Dovecot socket. The line protocol is in test_generic_protocol.py: what
Prosody needs for it is in Debian for no Lua that Prosody runs on."""

import pytest

from hosts.accounts import PASSWORDS
from hosts.daemon import hallpassd
from hosts.fixtures import site_with_accounts
from hosts.prosody import prosody

REFUSED = "not-authorized"


@pytest.fixture(scope="module")
def site(new_site):
    return site_with_accounts(new_site)


def everybody(server):
    """Those who may in, and those who may not."""
    for user in ("alice", "bob", "carol", "colin", "zoë"):
        assert server.login(user, PASSWORDS[user]) == "success", user
        assert server.login(user, PASSWORDS[user] + "x") == REFUSED, user
    for user, password in {
        "nobody": "x",
        "erin": PASSWORDS["erin"],
        "frank": "!",
        "alice": PASSWORDS["bob"],
    }.items():
        assert server.login(user, password) == REFUSED, user


def test_dovecots_socket(new_directory, hallpass_programs, site):
    socket = new_directory() / "auth"
    http = socket.with_name("http")
    config = site.write_configuration(
        "dovecot.toml",
        limits={"failures": 0},
        daemon={"listen": [f"unix:{http}"], "dovecot_auth": [f"unix:{socket}"]},
    )
    with hallpassd(hallpass_programs["hallpassd"], config, http, socket) as daemon:
        options = {"authentication": "dovecot", "dovecot_auth_socket": str(socket)}
        with prosody(new_directory(), **options) as server:
            everybody(server)
        for user in ("alice", "carol"):
            assert PASSWORDS[user] not in daemon.log() + server.log()
