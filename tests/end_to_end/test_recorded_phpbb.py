"""A recorded phpBB 3.3.10 in MariaDB and PostgreSQL: its passwords and sessions as phpBB itself
found them, and each of them with something wrong."""

import json
import time

import pytest

from hosts.daemon import hallpassd
from php_doors import REASONS, Site, said, write_configuration
from processes import LOOPBACK, give_away
from recorded import HASHES, Recorded, answered, literal, php_literal
from stores.mariadb import PASSWORD as DATABASE_PASSWORD

PASSWORD = "pässw0rd-ä"
ZOE_NAME = "Zoë Ünïcode"
RECORDED = 1_795_296_489
ALICE, ALICE_KEY = "c4d605fdc47da2e95572818c37c41c93", "zsw3gq8030r5qxtc"
ZOE = "7f114e1da471c2d44d08673d4fb4f2ec"
NOBODY = "bb3d5c626d200f324fca4b3bdc176e57"
BROWSER = "rig/1.0 (weblogin)"
# Where all of them logged in.
HOME = {"User-Agent": BROWSER, "X-Forwarded-For": "127.0.0.1"}


def cookies(sid: str, user: int | str = 62, key: str = "", name: str = "phpbb3_57hpu") -> str:
    return f"{name}_u={user}; {name}_k={key}; {name}_sid={sid}"


def config_php(recorded: Recorded, **more) -> str:
    driver = "mysqli" if recorded.mysql else "postgres"
    settings = {
        "dbms": f"phpbb\\db\\driver\\{driver}",
        "dbhost": LOOPBACK,
        "dbport": str(recorded.server.port),
        "dbname": recorded.name,
        "dbuser": "hallpass",
        "dbpasswd": DATABASE_PASSWORD,
        "table_prefix": "phpbb_",
        "phpbb_adm_relative_path": "adm/",
        "acm_type": "phpbb\\cache\\driver\\file",
    } | more
    lines = [f"${key} = {php_literal(value)};\n" for key, value in settings.items()]
    return "<?php\n// phpBB 3.3.x auto-generated configuration file\n" + "".join(lines) + (
        "\n@define('PHPBB_INSTALLED', true);\n@define('PHPBB_ENVIRONMENT', 'production');\n"
    )


class Board:
    """The recorded board, and ways to ask Hallpass about it."""

    def __init__(self, recorded, directory, shell):
        self.recorded, self.directory, self.make_shell = recorded, directory, shell
        self.run, self.changed = recorded.run, recorded.changed
        config = self.write("site", {"name": recorded.name})
        self.site = Site(recorded.name, config, shell(config), None)

    def write(self, name: str, tables: dict = {}, phpbb: dict = {}, **settings):
        php = self.directory / f"{self.recorded.name}-{name}.php"
        php.write_text(config_php(self.recorded, **settings))
        give_away(php)
        tables = {
            "framework": "phpbb",
            "phpbb": {"configuration": php.name} | phpbb,
            "limits": {"failures": 0},
            # What a denial costs is for others to prove.
            "passwords": {"dummy": "pbkdf2_sha256$1"},
        } | tables
        return write_configuration(self.directory / f"{self.recorded.name}-{name}.toml", tables)

    def asked(self, phpbb: dict = {}, **settings):
        """The shell by another configuration."""
        return self.make_shell(self.write("changed", {}, phpbb, **settings))

    def set(self, name: str, value: str) -> str:
        """A statement that changes one of the board's settings."""
        return (
            f"UPDATE \"phpbb_config\" SET \"config_value\" = '{value}' "
            f"WHERE \"config_name\" = '{name}'"
        )

    def by_header(self, header: str, **headers: str) -> str | None:
        """Whose cookies they are, shown from where all of them were made but for `headers`."""
        there = HOME | {name.replace("_", "-"): value for name, value in headers.items()}
        there = {name: value for name, value in there.items() if value is not None}
        answer = self.site.auth(header, **there)
        assert answer.status in (200, 401), answer
        session = self.site.session(header, **there)
        assert session.status == answer.status
        return json.loads(session.body).get("user")


@pytest.fixture(scope="module")
def boards(new_directory, mariadb, postgresql, hallpass_programs, shell):
    directory = new_directory()
    found = {}
    for kind, server in [("mariadb", mariadb), ("postgresql", postgresql)]:
        tables = ["phpbb_users", "phpbb_sessions", "phpbb_sessions_keys", "phpbb_config"]
        recorded = Recorded(
            server, f"phpbb_{kind}", "phpbb-3.3.10.sql", [*tables, "phpbb_banlist", "phpbb_user_group"]
        )
        found[kind] = Board(recorded, directory, shell)
    with answered(found, directory, hallpass_programs["hallpassd"]):
        yield found


@pytest.fixture(params=["mariadb", "postgresql"])
def board(boards, request):
    found = boards[request.param]
    found.run(f'UPDATE "phpbb_sessions" SET "session_time" = {int(time.time())}')
    found.recorded.keep()
    return found


def test_passwords_are_right_or_wrong_as_phpbb_said(board):
    shell = board.site.shell
    for name, typed, expected in [
        ("alice", PASSWORD, "alice"),
        ("ALICE ", PASSWORD, "alice"),
        ("zoë ünïcode", PASSWORD, ZOE_NAME),
        ("alice", " " + PASSWORD, "alice"),
        ("alice", "pässw0rd-a", "wrong-password"),
        ("alice", "", "wrong-password"),
        ("nobody", PASSWORD, "unknown-user"),
        ("zoe unicode", PASSWORD, "unknown-user"),
        ("58", PASSWORD, "unknown-user"),
        ("Anonymous", "", "unusable-password"),
        ("Yahoo [Bot]", "", "unusable-password"),
        ("newbie", "", "unusable-password"),
    ]:
        assert said(shell.check(name, typed)) == expected, name
    for kind in [1, 2]:
        with board.changed(f"UPDATE \"phpbb_users\" SET \"user_type\" = {kind} WHERE \"user_id\" = 59"):
            assert said(shell.check("bob", PASSWORD)) == "inactive"
            assert said(shell.check("bob", "wrong")) == "wrong-password"


@pytest.mark.parametrize("board", ["mariadb"], indirect=True)
def test_recorded_hashes_have_phpbbs_verdict(board):
    """Those of plain ASCII: what phpBB's own function got is what was typed."""
    columns = {"login_name": "SMF", "user_passwd_salt": "salt in user_passwd_salt"}
    for column in columns:
        board.run(f'ALTER TABLE "phpbb_users" ADD "{column}" varchar(60)')
    board.recorded.keep()
    seen = 0
    for vector in HASHES:
        note, typed = vector["note"], vector["plaintext"]
        if not vector["system"].startswith("phpbb") or not vector["encoded"]:
            continue
        if not ("login page" in note or typed == "adminadmin"):
            continue
        if "vBulletin" in note:
            # Which salt it was, nobody wrote down.
            continue
        seen += 1
        encoded = literal(vector["encoded"].replace("\\", "@@"))
        encoded = encoded.replace("@@", "\\\\" if board.recorded.mysql else "\\")
        change = (
            f'UPDATE "phpbb_users" SET "user_password" = {encoded}, "login_name" = \'Alice\' '
            f'WHERE "user_id" = 59'
        )
        with board.changed(change):
            right = said(board.site.shell.check("bob", typed))
            assert (right == "bob") == vector["should_verify"], (note, right)
            assert said(board.site.shell.check("bob", typed + "x")) == "wrong-password", note
    assert seen > 10


def test_recorded_sessions_have_phpbbs_verdict(board):
    for header, expected in [
        (cookies(ALICE, 58, ALICE_KEY), "alice"),
        (cookies(ALICE, 58), "alice"),
        (cookies(ZOE), ZOE_NAME),
        # The row says whose session it is, not the cookie.
        (cookies(ZOE, 58), ZOE_NAME),
        (f"phpbb3_57hpu_sid={ZOE}", ZOE_NAME),
        (cookies(NOBODY, 1), None),
        (cookies("", 58, ALICE_KEY), None),
        (f"phpbb3_57hpu_u=58; phpbb3_57hpu_k={ALICE_KEY}", None),
        (cookies(ZOE.upper()), None),
        (cookies(ZOE[:-1]), None),
        (cookies(f"{ZOE}0"), None),
        (cookies("' OR 1=1 -- "), None),
        (cookies("%" * 32), None),
        (cookies("_" * 32), None),
        (cookies("0" * 32), None),
        (cookies(ZOE, name="phpbb3_other"), None),
        (cookies(ZOE, name="PHPBB3_57HPU"), None),
        (f"sid={ZOE}", None),
        ("", None),
    ]:
        assert board.by_header(header) == expected, header
    shell = board.site.shell
    assert said(shell.session(ZOE)) == ZOE_NAME
    assert said(shell("session", "--json", "--cookie", cookies(ALICE, 58))) == "alice"
    assert said(shell.session(NOBODY)) == "anonymous-session"
    named = board.asked({"cookie_name": "mine"})
    assert said(named("session", "--json", "--cookie", cookies(ZOE, name="mine"))) == ZOE_NAME
    assert said(named("session", "--json", "--cookie", cookies(ZOE))) == "no-session"
    other = board.asked(table_prefix="other_")
    assert said(other.session(ZOE)) == "unavailable"


def test_a_session_is_bound_to_where_it_was_made(board):
    header = cookies(ZOE)
    for headers, expected in [
        ({}, True),
        ({"X_Forwarded_For": "127.0.0.77"}, True),
        ({"X_Forwarded_For": "192.0.2.1, 127.0.0.1"}, True),
        ({"X_Forwarded_For": "127.0.0.1, 192.0.2.1"}, False),
        ({"X_Forwarded_For": "127.0.1.1"}, False),
        ({"X_Forwarded_For": "::1"}, False),
        ({"User_Agent": "RIG/1.0 (WebLogin)"}, True),
        ({"User_Agent": "rig/1.0"}, False),
        ({"User_Agent": ""}, False),
        # Whoever names no browser gets around nothing.
        ({"User_Agent": None}, False),
        ({"User_Agent": b"rig/1.0 (weblogin)\xff"}, False),
        ({"User_Agent": "rig/1.0 (weblogin)é"}, False),
    ]:
        assert (board.by_header(header, **headers) is not None) == expected, headers
    elsewhere = {"User_Agent": "another", "X_Forwarded_For": "192.0.2.1"}
    with board.changed(board.set("ip_check", "0")):
        assert board.by_header(header, X_Forwarded_For="192.0.2.1") == ZOE_NAME
        assert board.by_header(header, **elsewhere) is None
    with board.changed(board.set("browser_check", "0")):
        assert board.by_header(header, User_Agent=None) == ZOE_NAME
        assert board.by_header(header, **elsewhere) is None
    with board.changed(board.set("ip_check", "0"), board.set("browser_check", "0")):
        assert board.by_header(header, **elsewhere) == ZOE_NAME
    with board.changed(board.set("ip_check", "4")):
        assert board.by_header(header, X_Forwarded_For="127.0.0.2") is None
    # A browser without a name made this one.
    with board.changed('UPDATE "phpbb_sessions" SET "session_browser" = \'\''):
        assert board.by_header(header, User_Agent=None) == ZOE_NAME
        assert board.by_header(header, User_Agent=b"\xff") == ZOE_NAME
        assert board.by_header(header) is None
    # What proxies say, where the board compares it.
    with board.changed(
        board.set("forwarded_for_check", "1"),
        "UPDATE \"phpbb_sessions\" SET \"session_forwarded_for\" = '203.0.113.9'",
    ):
        for hops, expected in [
            ("203.0.113.9, 127.0.0.1", True),
            ("127.0.0.1", False),
            (None, False),
            ("203.0.113.8, 127.0.0.1", False),
            ("203.0.113.9, 203.0.113.9, 127.0.0.1", False),
            ("203.0.113.9, unknown, 127.0.0.1", False),
        ]:
            found = board.by_header(header, X_Forwarded_For=hops)
            assert (found is not None) == expected, hops
    # A persistent login is for any place.
    with_key = cookies(ALICE, 58, ALICE_KEY)
    assert board.by_header(with_key, **elsewhere) == "alice"
    assert board.by_header(cookies(ALICE, 58), **elsewhere) is None


def test_a_session_ends_a_minute_after_its_length(board):
    now = int(time.time())
    for age, expected in [(3600, ZOE_NAME), (3661, "expired-session")]:
        with board.changed(f'UPDATE "phpbb_sessions" SET "session_time" = {now - age}'):
            assert said(board.site.shell.session(ZOE)) == expected, age
            # Alice stays logged in.
            assert said(board.site.shell.session(ALICE)) == "alice"
    day = 86_400
    for age, expected in [(2 * day - 120, "alice"), (2 * day, "expired-session")]:
        change = f'UPDATE "phpbb_sessions" SET "session_time" = {now - age}'
        with board.changed(change, board.set("max_autologin_time", "2")):
            assert said(board.site.shell.session(ALICE)) == expected, age
    with board.changed(board.set("allow_autologin", "0")):
        assert said(board.site.shell.session(ALICE)) == "expired-session"


def test_a_persistent_login_outlives_its_session(board):
    with board.changed('DELETE FROM "phpbb_sessions"'):
        assert board.by_header(cookies(ALICE, 58, ALICE_KEY)) == "alice"
        for user, key in [
            (62, ALICE_KEY), (1, ALICE_KEY), (0, ALICE_KEY), (-58, ALICE_KEY), ("58x", ALICE_KEY),
            (58, ALICE_KEY[:-1] + "d"), (58, ""), (58, "c8a4bdba78cc08f3e532d195242494e0"),
            (58, "' OR 1=1 -- "), (58, ALICE_KEY.upper()),
        ]:
            assert board.by_header(cookies(ALICE, user, key)) is None, (user, key)
        assert said(board.site.shell.session(ALICE)) == "no-session"
    with board.changed(
        'DELETE FROM "phpbb_sessions"', 'UPDATE "phpbb_users" SET "user_type" = 1 WHERE "user_id" = 58'
    ):
        assert board.by_header(cookies(ALICE, 58, ALICE_KEY)) is None
    with board.changed('DELETE FROM "phpbb_sessions"', board.set("allow_autologin", "0")):
        assert board.by_header(cookies(ALICE, 58, ALICE_KEY)) is None


def test_whatever_is_wrong_with_a_row_lets_nobody_in(board):
    for change, expected in [
        ('DELETE FROM "phpbb_sessions"', "no-session"),
        ('UPDATE "phpbb_sessions" SET "session_user_id" = 1', "anonymous-session"),
        ('UPDATE "phpbb_sessions" SET "session_user_id" = 0', "anonymous-session"),
        ('UPDATE "phpbb_sessions" SET "session_user_id" = 9999', "unknown-user"),
        ('UPDATE "phpbb_sessions" SET "session_user_id" = 55', "inactive"),
        ('UPDATE "phpbb_users" SET "user_type" = 1', "inactive"),
        ('UPDATE "phpbb_users" SET "user_type" = 2', "inactive"),
        ('DELETE FROM "phpbb_users"', "unknown-user"),
    ]:
        with board.changed(change):
            assert said(board.site.shell.session(ZOE)) == expected, change
            assert board.by_header(cookies(ZOE)) is None, change
    assert said(board.site.shell.session(ZOE)) == ZOE_NAME


def test_no_password_is_good_that_the_board_does_not_check_itself(board):
    change = "UPDATE \"phpbb_config\" SET \"config_value\" = '%s' WHERE \"config_name\" = 'auth_method'"
    try:
        for method, expected in [("ldap", "unusable-password"), ("apache", "unusable-password"),
                                 ("oauth", ZOE_NAME), ("db", ZOE_NAME)]:
            board.run(change % method)
            assert said(board.site.shell.check(ZOE_NAME, PASSWORD)) == expected, method
            assert said(board.site.shell.session(ZOE)) == ZOE_NAME, method
    finally:
        board.run(change % "db")


def test_the_banned_stay_out(board):
    insert = (
        'INSERT INTO "phpbb_banlist" ("ban_id", "ban_userid", "ban_ip", "ban_email", "ban_start", '
        '"ban_end", "ban_exclude", "ban_reason", "ban_give_reason") VALUES '
    )
    soon, past = int(time.time()) + 1000, int(time.time()) - 10
    for bans, banned_here, banned_anywhere in [
        (["62, '', '', 0, 0, 0"], True, True),
        ([f"62, '', '', 0, {soon}, 0"], True, True),
        ([f"62, '', '', 0, {past}, 0"], False, False),
        (["58, '', '', 0, 0, 0"], False, False),
        (["0, '127.0.*', '', 0, 0, 0"], True, False),
        (["0, '127.0.0.2', '', 0, 0, 0"], False, False),
        # The board asks for these at registration alone.
        (["0, '', '*@example.org', 0, 0, 0"], False, False),
        (["0, '', '*', 0, 0, 0"], False, False),
        (["62, '', '', 0, 0, 0", "0, '', '*@example.org', 0, 0, 1"], True, True),
        (["0, '127.*', '', 0, 0, 0", "62, '', '', 0, 0, 1"], False, False),
    ]:
        rows = [f"({number}, {ban}, '', '')" for number, ban in enumerate(bans, 1000)]
        with board.changed(insert + ", ".join(rows)):
            assert (board.by_header(cookies(ZOE)) is None) == banned_here, bans
            user = board.site.shell("user", "--json", ZOE_NAME)
            assert (user.json.get("reason") == "inactive") == banned_anywhere, bans
            assert user.json["active"] == (not banned_anywhere)
            assert (said(board.site.shell.check(ZOE_NAME, PASSWORD)) in REASONS) == banned_anywhere


def test_invisible_letters_give_no_more_guesses(board, hallpass_programs):
    """phpBB leaves characters without a width out of names, and folds what looks alike."""
    spellings = ["alice", "al\u200bice", "a\u200dlice", "\u2060alice", "ALICE", "ａlice", "alice\u00ad"]
    socket = board.directory / "guesses.sock"
    limits = {"limits": {"failures": 4}, "daemon": {"listen": [f"unix:{socket}"]}}
    config = board.write("guesses", limits)
    with hallpassd(hallpass_programs["hallpassd"], config, socket) as daemon:
        def reason(name: str, password: str) -> str:
            answer = daemon.check(name, password)
            return "granted" if answer.status == 200 else json.loads(answer.body)["reason"]

        assert [reason(name, PASSWORD) for name in spellings] == ["granted"] * len(spellings)
        guesses = [reason(name, f"guess {number}") for number, name in enumerate(spellings)]
        assert guesses == ["wrong-password"] * 4 + ["throttled"] * 3
        assert all(reason(name, PASSWORD) == "throttled" for name in spellings)
        assert reason(ZOE_NAME, PASSWORD) == "granted"
