"""Flask sites: Hallpass says of a session what the shop's own page says, whichever way the shop keeps it."""

import json
import sqlite3
from contextlib import ExitStack, closing
from urllib.parse import quote

import pytest

import logs
from hosts import example
from hosts.application import application
from hosts.daemon import hallpassd
from hosts.nginx import nginx
from hosts.watching import reason, watching
from php_doors import said
from processes import LOOPBACK, free_port, give_away
from sites.flask import NAMES, SECRET, Shop, arguments
from sites.visitor import Visitor
from stores.postgresql import PASSWORD
from test_compare import agrees

# Where the shop keeps sessions, and which Flask-Session does; those in tables are in a test of their own.
STORES = ["cookie", "redis-signer", "redis-0.5"]


class World:
    """The shop, running, and the configuration that `hallpass init` has written of it."""

    def __init__(self, shop, running, shell, config):
        self.shop, self.running, self.shell, self.config = shop, running, shell, config

    def both(self, token: str) -> str:
        """Whom the shop and Hallpass name alike."""
        theirs, ours = self.running.who(token), said(self.shell.session(token))
        assert (theirs == "nobody") == ours.endswith(("-session", "inactive", "unknown-user")), (theirs, ours)
        assert theirs in ("nobody", ours)
        return theirs


@pytest.fixture(scope="module", params=STORES)
def world(request, new_directory, shell):
    store, _, kind = request.param.partition("-")
    directory, more = new_directory(), {}
    if store == "redis":
        redis = request.getfixturevalue("redis")
        more = {"SHOP_STORE": "redis", "SHOP_REDIS": redis.url(7 if kind == "signer" else 6)}
        if kind == "signer":
            more["SHOP_SIGNER"] = "1"
    environment = "flask-session-0.5" if kind == "0.5" else "flask"
    shop = Shop(directory, f"sqlite:///{directory / 'shop.db'}", environment, **more)
    config = directory / "hallpass.toml"
    result = shell()("init", "flask", *arguments(shop), "--output", config)
    assert result.code == 0, result.stderr
    assert SECRET not in config.read_text()
    with shop.run() as running:
        yield World(shop, running, shell(config), config)


def test_a_session_is_whose_the_shop_says_it_is(world):
    for name in ["alice", "bob", "zoë ö"]:
        visitor = world.running.visit(name)
        assert visitor.ask("/who") == name
        token = visitor.cookie("session")
        assert world.both(token) == name
        assert world.shell.session(token).json["user"] == name
    nobody = world.running.visit()
    assert nobody.ask("/who") == "nobody"
    for token in [token[:-4], token + "x", token.upper(), token.swapcase(), "*", "x" * 43, "session:" + token]:
        assert world.both(token) == "nobody", token


def test_a_remembered_login_is_whose_the_shop_says_it_is(world):
    visitor = Visitor(world.running.port)
    assert visitor.ask("/login", username="alice", password="Pw-alice", remember="1") == "alice"
    token, remembered = visitor.cookie("session"), visitor.cookie("remember_token")
    other = world.running.visit("bob").cookie("session")

    def both(header: str) -> str:
        ours = said(world.shell("session", "--json", "--cookie", "-", input=header))
        theirs = Visitor(world.running.port).ask("/who", header)
        assert theirs == (ours if ours in NAMES else "nobody"), (header, ours)
        return theirs

    assert both(f"remember_token={remembered}") == "alice"
    assert both(f"session={token}; remember_token={remembered}") == "alice"
    assert both(f"session={other}; remember_token={remembered}") == "bob"
    assert both(f"session={other[:-4]}; remember_token={remembered}") == "alice"
    assert both(f"remember_token={remembered}; session=") == "alice"
    id, _, code = remembered.partition("|")
    for wrong in [remembered[:-1], f"{remembered}0", f"2|{code}", f"|{code}", code, f"{id}|", "", token, f"{id} |{code}",
                  f"{id}|{code.upper()}", f"{remembered}|", f"{id}||{code}"]:
        assert both(f"remember_token={wrong}") == "nobody", wrong
    assert both(f"remember={remembered}") == "nobody"
    assert both(f"session={remembered}") == "nobody"
    world.shop.sql("UPDATE users SET active = false WHERE username = 'alice'")
    assert both(f"remember_token={remembered}") == "nobody"
    world.shop.sql("UPDATE users SET active = true WHERE username = 'alice'")
    file = world.shop.directory / "remembered"
    file.write_text(f";{remembered}\n{other};{remembered}\n;{remembered[:-1]}\n{token}\n")
    agrees(world.shell("compare", "--json", *arguments(world.shop), "--tokens", file))


def test_groups_are_roles(world):
    assert world.shell("groups", "alice").text == "staff\n"
    assert world.shell("groups", "bob").text == ""
    assert world.shell("user", "dora").code == 1


def test_a_logout_ends_what_the_server_keeps(world):
    visitor = world.running.visit("bob")
    token = visitor.cookie("session")
    assert world.both(token) == "bob"
    visitor.ask("/logout")
    # A signed cookie cannot be called back: to the shop it is as good as before.
    kept = "bob" if "SHOP_STORE" not in world.shop.environment else "nobody"
    assert world.both(token) == kept


def test_a_closed_account_is_out_at_once_and_a_role_goes(world):
    token = world.running.visit("bob").cookie("session")
    assert world.both(token) == "bob"
    world.shop.sql("UPDATE users SET active = false WHERE username = 'bob'")
    assert world.both(token) == "nobody"
    world.shop.sql("UPDATE users SET active = true WHERE username = 'bob'")
    assert world.both(token) == "bob"
    world.shop.sql("DELETE FROM roles_users")
    assert world.shell("groups", "alice").text == ""
    world.shop.sql("INSERT INTO roles_users SELECT u.id, r.id FROM users u, role r WHERE u.username = 'alice'")


def test_a_stream_ends_as_the_shop_ends_its_sessions(world, hallpass_programs):
    visitors = [world.running.visit(name) for name in ("bob", "bob", "alice")]
    with watching(hallpass_programs["hallpassd"], world.config) as stream, ExitStack() as open_:
        cookies = ["session=" + visitor.cookie("session") for visitor in visitors]
        one, other, alice = [open_.enter_context(stream(cookie)) for cookie in cookies]
        staff = open_.enter_context(stream(cookies[2], "?group=staff"))
        for each in (one, other, alice, staff):
            assert each.next()[0] == "identity"
        visitors[0].ask("/logout")
        # A signed cookie cannot be called back.
        if "SHOP_STORE" in world.shop.environment:
            assert reason(one) == "logout"
        else:
            assert one.goes_on()
        world.shop.sql("UPDATE users SET active = false WHERE username = 'bob'")
        assert reason(other) == "closed"
        world.shop.sql("UPDATE users SET active = true WHERE username = 'bob'")
        world.shop.sql("DELETE FROM roles_users")
        assert reason(staff) == "conditions"
        world.shop.sql("INSERT INTO roles_users SELECT u.id, r.id FROM users u, role r WHERE u.username = 'alice'")
        assert alice.goes_on(0.5)


def test_compare_finds_no_difference(world):
    tokens = [world.running.visit(name).cookie("session") for name in ("alice", "bob")]
    file = world.shop.directory / "tokens"
    file.write_text("\n".join(tokens))
    words = [*arguments(world.shop), "--tokens", file, "--accounts", "100", "--sessions", "100"]
    report = agrees(world.shell("compare", "--json", *words), sessions=2)
    assert report["software"].startswith("Flask ")


def test_passwords(world):
    for name in NAMES:
        password = f"Pw-{name}"
        expected = "inactive" if name == "dora" else name
        assert said(world.shell.check(name, password)) == expected
        assert said(world.shell.check(name, password + "x")) in ("wrong-password", "inactive")
    # A changed password ends no session of Flask-Login's.
    token = world.running.visit("alice").cookie("session")
    old = sqlite_value(world, "SELECT password_hash FROM users WHERE username = 'alice'")
    world.shop.sql("UPDATE users SET password_hash = (SELECT password_hash FROM users WHERE username = 'bob') "
                   "WHERE username = 'alice'")
    assert world.both(token) == "alice"
    assert said(world.shell.check("alice", "Pw-alice")) == "wrong-password"
    assert said(world.shell.check("alice", "Pw-bob")) == "alice"
    world.shop.sql(f"UPDATE users SET password_hash = '{old}' WHERE username = 'alice'")


def sqlite_value(world, statement):
    with closing(sqlite3.connect(world.shop.directory / "shop.db")) as connection:
        return connection.execute(statement).fetchone()[0]


def test_older_keys_and_strong_protection(new_directory, shell):
    directory = new_directory()
    shop = Shop(directory, f"sqlite:///{directory / 'shop.db'}")
    with shop.run() as running:
        old = running.visit("alice").cookie("session")
    shop.environment |= {"SHOP_SECRET": "an0ther-s3cret", "SHOP_FALLBACK": SECRET, "SHOP_PROTECTION": "strong"}
    logs.note("an0ther-s3cret")
    config = directory / "hallpass.toml"
    assert shell()("init", "flask", *arguments(shop), "--output", config).code == 0
    text = config.read_text()
    assert 'session_protection = "strong"' in text and "secret_key_fallbacks = [" in text
    with shop.run() as running:
        new = running.visit("bob").cookie("session")
        assert running.who(old) == "alice"
        assert running.who(new) == "bob"
        assert running.who(old[:-4]) == "nobody"
    # Where nothing is known of the browser, a session that is bound to one is nobody's.
    assert said(shell(config).session(old)) == "invalid-session"
    config.write_text(text.replace('"strong"', '"basic"'))
    assert said(shell(config).session(old)) == "alice"
    assert said(shell(config).session(new)) == "bob"
    config.write_text(text.replace('"strong"', '"basic"').replace("secret_key_fallbacks", "#"))
    assert said(shell(config).session(old)) == "invalid-session"


def test_sessions_of_flask_session_in_postgresql(new_directory, shell, postgresql):
    directory = new_directory()
    postgresql.create_database("flask_shop")
    # By another clock than UTC's, which Flask-Session does not look at.
    postgresql.execute("ALTER DATABASE flask_shop SET timezone = 'America/New_York'")
    url = f"postgresql+psycopg://site:{quote(PASSWORD, safe='')}@127.0.0.1:{postgresql.port}/flask_shop"
    shop = Shop(directory, url, SHOP_STORE="sqlalchemy")
    config = directory / "hallpass.toml"
    result = shell()("init", "flask", *arguments(shop), "--output", config)
    assert result.code == 0, result.stderr
    with shop.run() as running:
        world = World(shop, running, shell(config), config)
        token = running.visit("alice").cookie("session")
        assert world.both(token) == "alice"
        for end, expected in [("interval '5 seconds'", "alice"), ("interval '-1 second'", "nobody")]:
            shop.sql(f"UPDATE sessions SET expiry = (now() AT TIME ZONE 'UTC') + {end}")
            theirs = said(shell(config).session(token))
            assert ("nobody" if theirs == "expired-session" else theirs) == expected
            assert running.who(token) == expected
    agrees(shell(config)("compare", "--json", *arguments(shop)))


RULES = {
    "get_id": ("def get_id(self):\n        return 'u-' + str(self.id)", "get_id gives what is in no column"),
    "is_active": (
        "is_active = property(lambda self: self.active and self.email != 'b@example.org')",
        "refuses accounts that no column tells",
    ),
    "loader": ("", "refuses accounts that no column tells"),
}


@pytest.mark.parametrize("rule", RULES)
def test_what_no_configuration_can_say_is_named(rule, new_directory, shell):
    directory = new_directory()
    shop = Shop(directory, f"sqlite:///{directory / 'shop.db'}")
    code, named = RULES[rule]
    source = (directory / "shop.py").read_text()
    if rule == "loader":
        source = source.replace("return user if user and user.is_active else None", "return user if user and user.id != 2 else None")
    else:
        source = source.replace("    def check_password", f"    {code}\n\n    def check_password")
    (directory / "shop.py").write_text(source)
    config = directory / "hallpass.toml"
    result = shell()("init", "flask", *arguments(shop), "--output", config)
    assert result.code == 2 and named in result.stderr.decode(), result.stderr
    assert not config.exists()


def said_to(answer) -> list[str]:
    """All that the application was told of the user."""
    return [value for name, value in json.loads(answer.body)["headers"] if name == "remote-user"]


def test_in_front_of_an_application_by_nginx(new_directory, hallpass_programs):
    """examples/nginx-flask: whoever is logged in to the shop is let in to the application behind it."""
    directory = new_directory()
    shop = Shop(directory, f"sqlite:///{directory / 'shop.db'}")
    give_away(directory / "shop.db")
    socket, port = directory / "http.sock", free_port()
    key = directory / "secret_key"
    key.write_text(SECRET)
    give_away(key).chmod(0o600)
    with shop.run() as running, application() as behind:
        files = example.install(
            "nginx-flask",
            directory / "etc",
            {
                "/run/hallpass/http.sock": str(socket),
                "/etc/hallpass/secret_key": str(key),
                "/srv/shop/shop.db": str(directory / "shop.db"),
                "listen 80;": f"listen {LOOPBACK}:{port};",
                "127.0.0.1:5000": f"{LOOPBACK}:{running.port}",
                "127.0.0.1:8000": f"{LOOPBACK}:{behind.port}",
            },
        )
        (files / "hallpass.toml").chmod(0o600)
        give_away(files / "hallpass.toml")
        with (
            hallpassd(hallpass_programs["hallpassd"], files / "hallpass.toml", socket),
            nginx(directory, port) as host,
        ):
            visitor = Visitor(port).log_in("alice", "Pw-alice")
            token = visitor.cookie("session")
            mine = {"Cookie": f"session={token}"}
            forged = {"Remote-User": "admin", "X-Remote-User": "admin", "X-Forwarded-For": "192.0.2.1"}
            for path in ("/wiki/", "/staff/"):
                answer = host.ask(path, mine | forged)
                assert (answer.status, said_to(answer)) == (200, ["alice"]), answer
            bob = Visitor(port).log_in("bob", "Pw-bob").cookie("session")
            assert said_to(host.ask("/wiki/", {"Cookie": f"session={bob}"})) == ["bob"]
            assert host.ask("/staff/", {"Cookie": f"session={bob}"}).status == 403
            for wrong in [{}, forged, {"Cookie": f"session={token[:-4]}"}, {"Cookie": f"Session={token}"},
                          {"Cookie": f"session=; session={token}"}, {"Cookie": f"session; session={token}"}]:
                answer = host.ask("/wiki/", wrong)
                assert answer.status == 302, (wrong, answer)
            assert host.ask("/_hallpass/session", mine).status == 404
            shop.sql("UPDATE users SET active = false WHERE username = 'alice'")
            assert host.ask("/wiki/", mine).status == 302
