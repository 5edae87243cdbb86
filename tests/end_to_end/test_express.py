"""Sites in Express: Hallpass says of a session what the shop's own page says, in each of its stores; and
the same of Auth.js."""

import json
import re
import time
from contextlib import ExitStack, contextmanager
from urllib.parse import unquote

import pytest

import logs
from hosts import example
from hosts.application import application
from hosts.daemon import hallpassd
from hosts.nginx import nginx
from hosts.watching import reason, watching
from php_doors import said
from processes import LOOPBACK, free_port, give_away
from sites.express import SECRET, NodeSite, hashes, shop, who
from sites.visitor import Visitor
from test_compare import agrees
from test_flask import said_to

NOBODY = ("-session", "inactive", "unknown-user")


class World:
    """A shop, running, and the configuration that `hallpass init` has written of it."""

    def __init__(self, site, port, shell, store):
        self.site, self.port, self.shell, self.store = site, port, shell, store

    def visit(self, name: str) -> Visitor:
        return Visitor(self.port).log_in(name, f"Pw-{name}")

    def both(self, value: str) -> str:
        """Whom the shop and Hallpass name alike."""
        theirs, ours = who(self.port, "connect.sid", value), said(self.shell.session(value))
        theirs = "nobody" if theirs in ("error", "") else theirs
        assert (theirs == "nobody") == ours.endswith(NOBODY), (theirs, ours)
        assert theirs in ("nobody", ours)
        return theirs


@pytest.fixture(scope="module", params=["redis", "pg", "mysql"])
def world(request, new_directory, shell):
    store = request.param
    server = request.getfixturevalue("mariadb" if store == "mysql" else "postgresql")
    redis = request.getfixturevalue("redis").url(9) if store == "redis" else ""
    name = f"express_{store}"
    directory = new_directory()
    site = shop(directory, store, server, name, hashes(), redis)
    if store == "pg":
        # connect-pg-simple writes the clock of the server's zone, whichever that is.
        server.execute(f"ALTER DATABASE {name} SET timezone = 'America/New_York'")
    config = directory / "hallpass.toml"
    words = ["--active-column", "active", "--email-column", "email", "--output", config]
    result = shell()("init", "express", directory, *words)
    assert result.code == 0, result.stderr
    assert SECRET not in config.read_text()
    with site.run() as port:
        yield World(site, port, shell(config), store)


def test_a_session_is_whose_the_shop_says_it_is(world):
    for name in ["alice", "bob", "zoë ö"]:
        value = world.visit(name).cookie("connect.sid")
        assert world.both(value) == name
        assert world.both(unquote(value)) == name
        assert world.shell.session(value).json["user"] == name
    id, _, signature = unquote(value).removeprefix("s:").partition(".")
    for wrong in [
        id, f"s:{id}", f"s:{id}.", f"{id}.{signature}", f"s:{id}.{signature}=", f"s:{id.swapcase()}.{signature}",
        f"s:x{id}.{signature}", f"s:{id}.{signature.lower()}", f"s%3A{id}.{signature}%", "s:*", "j:{}", "*",
    ]:
        assert world.both(wrong) == "nobody", wrong
    anonymous = Visitor(world.port)
    assert anonymous.ask("/who") == "nobody"
    assert world.both(anonymous.cookie("connect.sid")) == "nobody"


def test_a_logout_and_the_end_of_a_session_end_it(world):
    for way in ("/logout", "/destroy"):
        visitor = world.visit("bob")
        value = visitor.cookie("connect.sid")
        assert world.both(value) == "bob"
        visitor.ask(way)
        assert world.both(value) == "nobody"
    # A login makes a new session.
    visitor = Visitor(world.port)
    visitor.ask("/who")
    before = visitor.cookie("connect.sid")
    after = visitor.log_in("alice", "Pw-alice").cookie("connect.sid")
    assert before != after
    assert (world.both(before), world.both(after)) == ("nobody", "alice")


def test_the_store_says_when_a_session_ends(world, redis):
    value = world.visit("alice").cookie("connect.sid")
    id = unquote(value).removeprefix("s:").partition(".")[0]
    assert world.both(value) == "alice"
    # What the JSON says of it does not count.
    if world.store == "redis":
        raw = redis.read(f"sess:{id}", 9).decode()
        redis.write(f"sess:{id}", raw.replace("20", "19", 1).encode(), 9)
        assert world.both(value) == "alice"
        redis.execute("PEXPIRE", f"sess:{id}", "1", database=9)
        time.sleep(0.1)
        assert world.both(value) == "nobody"
        return
    now = int(time.time())
    for end, expected in [(now + 30, "alice"), (now - 2, "nobody")]:
        if world.store == "pg":
            world.site.sql(f"UPDATE session SET expire = to_timestamp({end}) WHERE sid = '{id}'")
        else:
            world.site.sql(f"UPDATE sessions SET expires = {end} WHERE session_id = '{id}'")
        # It is told first: the shop writes what it has shown.
        assert said(world.shell.session(value)) in (expected, "expired-session")
        assert world.both(value) == expected


def test_what_is_not_a_session_is_nobodys(world, redis):
    value = world.visit("alice").cookie("connect.sid")
    id = unquote(value).removeprefix("s:").partition(".")[0]
    texts = ['{"cookie":{}}', '{"cookie":{},"passport":{}}', '{"cookie":{},"passport":{"user":99}}']
    if world.store == "redis":
        texts += ["{", "null", "[]", '{"passport":{"user":1}}', '{"cookie":"x","passport":{"user":1}}']
    for text in texts:
        if world.store == "redis":
            redis.write(f"sess:{id}", text.encode(), 9)
        elif world.store == "pg":
            world.site.sql(f"UPDATE session SET sess = '{text}' WHERE sid = '{id}'")
        else:
            world.site.sql(f"UPDATE sessions SET data = '{text}' WHERE session_id = '{id}'")
        ours = said(world.shell.session(value))
        assert ours.endswith(NOBODY), (text, ours)
        theirs = who(world.port, "connect.sid", value)
        assert theirs in ("nobody", "error"), (text, theirs)
    if world.store == "redis":
        # The shop answers it with an error page, which other tests do not want.
        redis.execute("DEL", f"sess:{id}", database=9)


def test_a_closed_account_is_out_at_once(world):
    value = world.visit("bob").cookie("connect.sid")
    for change, expected in [
        ("username = 'robert'", "robert"), ("username = 'bob'", "bob"), ("active = false", "nobody"),
        # Passport has thrown the closed account out of the session.
        ("active = true", "nobody"),
    ]:
        world.site.sql(f"UPDATE users SET {change} WHERE id = 2")
        assert world.both(value) == expected
    # A changed password ends nothing in Passport.
    value = world.visit("bob").cookie("connect.sid")
    world.site.sql("UPDATE users SET password = (SELECT password FROM (SELECT * FROM users) u WHERE id = 1) WHERE id = 2")
    assert world.both(value) == "bob"
    assert said(world.shell.check("bob", "Pw-bob")) == "wrong-password"
    assert said(world.shell.check("bob", "Pw-alice")) == "bob"


def test_a_stream_ends_as_the_shop_ends_its_sessions(world, hallpass_programs):
    visitors = [world.visit(name) for name in ("zoë ö", "zoë ö", "alice")]
    cookies = ["connect.sid=" + visitor.cookie("connect.sid") for visitor in visitors]
    with watching(hallpass_programs["hallpassd"], world.shell.config) as stream, ExitStack() as open_:
        one, other, alice = [open_.enter_context(stream(cookie)) for cookie in cookies]
        for each in (one, other, alice):
            assert each.next()[0] == "identity"
        visitors[0].ask("/logout")
        assert reason(one) == "logout"
        assert other.goes_on(0.5)
        world.site.sql("UPDATE users SET active = false WHERE id = 3")
        assert reason(other) == "closed"
        world.site.sql("UPDATE users SET active = true WHERE id = 3")
        visitors[2].ask("/destroy")
        assert reason(alice) == "logout"


def test_passwords(world):
    for name in ["alice", "zoë ö"]:
        assert said(world.shell.check(name, f"Pw-{name}")) == name
        assert said(world.shell.check(name, f"Pw-{name}x")) == "wrong-password"
    assert said(world.shell.check("dora", "Pw-dora")) == "inactive"


def test_compare_by_a_page_finds_no_difference(world):
    for name in ["alice", "zoë ö"]:
        world.visit(name)
    words = ["--url", f"http://{LOOPBACK}:{world.port}/me", "--name-at", "/user/name"]
    report = agrees(world.shell("compare", "--json", *words), sessions=2, accounts=False)
    assert report["sessions"] > 2
    assert "problem" not in world.shell("doctor").text
    tables = {"redis": [], "pg": ["session"], "mysql": ["sessions"]}[world.store]
    assert all(re.search(rf"SELECT ON .*\b{table}\b", world.shell("grants").text) for table in tables)


def test_several_secrets_and_a_path_of_the_sites_own(world):
    value = Visitor(world.port)
    value.ask("/join?name=zo%C3%AB%20%C3%B6")
    old = value.cookie("connect.sid")
    text = world.shell.config.read_text()
    config = world.site.directory / "own.toml"
    own = text.replace('user_id = "passport.user"', 'user = "account.name"')
    logs.note("newer-s3cret")
    for secrets, expected in [("", "zoë ö"), ('"newer-s3cret", ', "zoë ö"), (None, "invalid-session")]:
        line = next(line for line in own.splitlines() if line.startswith("secrets = ["))
        new = 'secrets = ["newer-s3cret"]' if secrets is None else line.replace("[", f"[{secrets}", 1)
        config.touch(mode=0o600)
        config.write_text(own.replace(line, new))
        assert said(type(world.shell)(world.shell.program, config).session(old)) == expected
    # The real one, with both.
    with world.site.run(SECRETS=f"newer-s3cret,{SECRET}") as port:
        mine = world.visit("alice").cookie("connect.sid")
        assert who(port, "connect.sid", mine) == "alice"


@contextmanager
def behind_nginx(name: str, port: int, url: str, new_directory, programs, **replacements: str):
    """nginx with hallpassd, as `examples/nginx-NAME` says, in front of the site on `port` and of an application."""
    directory, own = new_directory(), free_port()
    socket = directory / "http.sock"
    with application() as behind:
        files = example.install(
            f"nginx-{name}",
            directory / "etc",
            {
                "/run/hallpass/http.sock": str(socket),
                "postgres://hallpass@127.0.0.1/shop": url,
                "listen 80;": f"listen {LOOPBACK}:{own};",
                "127.0.0.1:3000": f"{LOOPBACK}:{port}",
                "127.0.0.1:8000": f"{LOOPBACK}:{behind.port}",
            }
            | replacements,
        )
        (files / "hallpass.toml").chmod(0o600)
        give_away(files / "hallpass.toml")
        with hallpassd(programs["hallpassd"], files / "hallpass.toml", socket), nginx(directory, own) as host:
            yield host


def let_in(host, header: str, user: str, wrong: list[str]) -> None:
    """By this Cookie header alone, whatever else a client claims."""
    forged = {"Remote-User": "admin", "X-Remote-User": "admin", "X-Forwarded-For": "192.0.2.1"}
    answer = host.ask("/wiki/", {"Cookie": header} | forged)
    assert (answer.status, said_to(answer)) == (200, [user]), answer
    for other in [{}, forged, *({"Cookie": it} for it in wrong)]:
        answer = host.ask("/wiki/", other)
        assert answer.status == 302, (other, answer)
    assert host.ask("/_hallpass/session", {"Cookie": header}).status == 404


@pytest.mark.parametrize("world", ["pg"], indirect=True)
def test_in_front_of_an_application_by_nginx(world, new_directory, hallpass_programs):
    """examples/nginx-express: whoever is logged in to the shop is let in to the application behind it."""
    secret = new_directory() / "session_secret"
    secret.write_text(SECRET)
    give_away(secret).chmod(0o600)
    url = world.site.variables["DATABASE"]
    files = {"/etc/hallpass/session_secret": str(secret)}
    with behind_nginx("express", world.port, url, new_directory, hallpass_programs, **files) as host:
        visitor = world.visit("alice")
        token = visitor.cookie("connect.sid")
        mine = f"connect.sid={token}"
        wrong = [mine[:-4], f"Connect.sid={token}", f"connect.sid=; {mine}", f"connect.sid={unquote(token)[2:]}"]
        let_in(host, mine, "alice", wrong)
        visitor.ask("/logout")
        assert host.ask("/wiki/", {"Cookie": mine}).status == 302


@pytest.mark.parametrize(
    ("dependencies", "named"),
    [
        ('"express": "4"', "neither express-session nor Auth.js"),
        ('"express-session": "1", "connect-mongo": "5"', "MongoDB"),
        ('"express-session": "1", "memorystore": "1"', "memory of the site's process"),
        ('"express-session": "1", "connect-pg-simple": "1"', "--user-id"),
        ('"express-session": "1", "connect-redis": "7", "passport": "1"', "REDIS_URL"),
    ],
)
def test_init_names_what_it_cannot_see(dependencies, named, shell, directory):
    (directory / "package.json").write_text(f'{{"dependencies": {{{dependencies}}}}}')
    (directory / ".env").write_text("DATABASE_URL=postgres://u@h/d\n")
    result = shell()("init", "express", directory, "--output", directory / "hallpass.toml")
    assert result.code == 2 and named in result.stderr.decode(), result.stderr
    assert not (directory / "hallpass.toml").exists()


AUTHJS = """
CREATE TABLE verification_token (identifier TEXT NOT NULL, expires TIMESTAMPTZ NOT NULL, token TEXT NOT NULL,
    PRIMARY KEY (identifier, token));
CREATE TABLE accounts (id SERIAL PRIMARY KEY, "userId" INTEGER NOT NULL, type VARCHAR(255) NOT NULL,
    provider VARCHAR(255) NOT NULL, "providerAccountId" VARCHAR(255) NOT NULL, refresh_token TEXT,
    access_token TEXT, expires_at BIGINT, id_token TEXT, scope TEXT, session_state TEXT, token_type TEXT);
CREATE TABLE sessions (id SERIAL PRIMARY KEY, "userId" INTEGER NOT NULL, expires TIMESTAMPTZ NOT NULL,
    "sessionToken" VARCHAR(255) NOT NULL);
CREATE TABLE users (id SERIAL PRIMARY KEY, name VARCHAR(255), email VARCHAR(255), "emailVerified" TIMESTAMPTZ,
    image TEXT);
"""


def test_authjs(new_directory, shell, postgresql, hallpass_programs):
    """The tables are those of @auth/pg-adapter's schema; the site logs in by a link in a mail."""
    directory = new_directory()
    site = NodeSite(directory, "auth.mjs", postgresql, "authjs")
    site.sql(AUTHJS)
    site.write('{"dependencies": {"@auth/express": "*"}}', {"DATABASE_URL": site.variables["DATABASE"]})
    config = directory / "hallpass.toml"
    result = shell()("init", "express", directory, "--table", "users", "--output", config)
    assert result.code == 0, result.stderr
    config.write_text(config.read_text().replace('preset = "authjs"', 'preset = "authjs"\nsession_table = "sessions"'))
    name = "authjs.session-token"
    with site.run() as port:

        def visit(email: str) -> str:
            visitor = Visitor(port)
            token = json.loads(visitor.ask("/auth/csrf"))["csrfToken"]
            visitor.ask("/auth/signin/mail", csrfToken=token, email=email)
            link = visitor.ask("/mail")
            visitor.ask(link.removeprefix(visitor.url))
            return visitor.cookie(name)

        def both(value: str) -> str:
            theirs, ours = who(port, name, value), said(shell(config).session(value))
            assert (theirs == "nobody") == ours.endswith(NOBODY), (theirs, ours)
            assert theirs in ("nobody", ours)
            return theirs

        alice, bob = visit("alice@example.org"), visit("bob@example.org")
        assert (both(alice), both(bob)) == ("alice@example.org", "bob@example.org")
        for wrong in [alice[:-1], alice + "x", alice.upper(), "x", alice.replace("-", "%2D")]:
            if wrong != alice:
                ours = said(shell(config).session(wrong))
                assert ours.endswith(NOBODY), wrong
        url = site.variables["DATABASE"]
        with behind_nginx("authjs", port, url, new_directory, hallpass_programs) as host:
            mine = f"{name}={alice}"
            let_in(host, mine, "alice@example.org", [mine[:-1], f"{mine}x", f"{name}=; {mine}", f"__Secure-{mine}"])
        # To the second, and not by the clock that the database shows.
        postgresql.execute("ALTER DATABASE authjs SET timezone = 'America/New_York'")
        for end, expected in [("interval '20 seconds'", "alice@example.org"), ("interval '-1 second'", "nobody")]:
            site.sql(f"""UPDATE sessions SET expires = now() + {end} WHERE "sessionToken" = '{alice}'""")
            ours = said(shell(config).session(alice))
            assert ours == (expected if expected != "nobody" else "expired-session")
            assert both(alice) == expected
        site.sql("DELETE FROM users WHERE email = 'bob@example.org'")
        assert both(bob) == "nobody"
