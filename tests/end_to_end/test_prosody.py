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


@pytest.fixture(scope="module")
def server(new_directory, hallpass_programs, site):
    socket = new_directory() / "auth"
    http = socket.with_name("http")
    config = site.write_configuration(
        "dovecot.toml",
        limits={"failures": 0},
        daemon={"listen": [f"unix:{http}"], "dovecot_auth": [f"unix:{socket}"]},
    )
    with hallpassd(hallpass_programs["hallpassd"], config, http, socket):
        options = {"authentication": "dovecot", "dovecot_auth_socket": str(socket)}
        with prosody(new_directory(), **options) as server:
            yield server


@pytest.mark.parametrize("user", ["alice", "bob", "carol", "colin", "zoë"])
def test_passwords(server, user):
    assert server.login(user, PASSWORDS[user]) == "success"
    assert server.login(user, PASSWORDS[user] + "x") == REFUSED


def test_nobody_else_is_let_in(server, site):
    token = site.login("alice", PASSWORDS["alice"]).token
    for user, password in [
        ("nobody", "x"),
        ("erin", PASSWORDS["erin"]),
        ("frank", "!"),
        ("alice", PASSWORDS["bob"]),
        ("alice", token),
        ("bob", token),
        ("' OR 1=1 --", "x"),
        ("alice", "\t" + PASSWORDS["alice"]),
        ("alice", PASSWORDS["alice"] + "\nOK\t1\tuser=alice"),
        ("alice", "x" * 5000),
    ]:
        assert server.login(user, password) != "success", user
    assert server.login("alice", PASSWORDS["alice"]) == "success"


def test_a_store_that_is_away(server, site):
    site.database.rename(site.database.with_suffix(".away"))
    try:
        assert server.login("alice", PASSWORDS["alice"]) != "success"
    finally:
        site.database.with_suffix(".away").rename(site.database)
    assert server.login("alice", PASSWORDS["alice"]) == "success"
