"""Connection poolers between Hallpass and PostgreSQL. In transaction mode they give one program's
sessions to another, so that nothing may depend on what a session keeps: a statement's name, a time
limit, that it only reads. Two sites of equal shape ask at once, and neither ever hears of the
other's accounts."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import count

import pytest

from hosts.daemon import hallpassd
from hosts.ejabberd import DOMAIN
from hosts.extauth import FAILED, NO, YES, helper
from php_doors import write_configuration
from processes import LOOPBACK
from stores.pgbouncer import PgBouncer
from stores.postgresql import PASSWORD

# The mode, and whether the startup parameter `options` is dropped silently or refused.
POOLERS = {
    "transaction": ("transaction", True),
    "transaction-strict": ("transaction", False),
    "session": ("session", True),
    "session-strict": ("session", False),
    "statement": ("statement", True),
}
PEOPLE = 20
QUESTIONS = 400
NAMES = map("pooled{}".format, count(1))


@pytest.fixture(scope="module", params=POOLERS)
def pooler(request, postgresql, new_directory):
    mode, ignores = POOLERS[request.param]
    with PgBouncer(new_directory(), postgresql, mode, ignores) as pooler:
        yield pooler


def is_unmixed(sites: list) -> None:
    """Fails where a site is answered by what another holds, or a hundredth is not answered. `sites`
    are daemons, and what each is to answer to which request."""

    def ask(number: int) -> tuple:
        daemon, requests = sites[number % len(sites)]
        path, headers, expected = requests[number // len(sites) % len(requests)]
        answer = daemon.ask(path, headers)
        return answer.status, answer.headers["Remote-User"], expected, path, headers

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(QUESTIONS * len(sites))))
    unanswered = [answer for answer in answers if answer[0] == 503]
    wrong = [
        answer
        for answer in answers
        if answer[0] != 503 and (answer[1] if answer[0] == 200 else None) != answer[2]
    ]
    assert not wrong, (len(wrong), wrong[:3])
    assert len(unanswered) * 100 <= len(answers), f"{len(unanswered)} of {len(answers)}"


def custom(directory, letter: str, database: dict, socket) -> dict:
    return {
        "framework": "custom",
        "database": database | {"pool": 3},
        "daemon": {"listen": [f"unix:{socket}"]},
        "passwords": {"dummy": "pbkdf2_sha256$1"},
        "custom": {
            "user": f"SELECT id, login AS username, secret AS password, live AS is_active FROM "
            f"people_{letter} WHERE login = :username",
            "user_by_id": f"SELECT id, login AS username, secret AS password, live AS is_active "
            f"FROM people_{letter} WHERE id = :id",
            "groups": f"SELECT title FROM clubs_{letter} WHERE person = :id",
            "session": f"SELECT person AS user_id FROM tokens_{letter} WHERE token = :session AND "
            "until > :now",
            "cookie": "SID",
        },
    }


def test_sites_of_one_shape_are_never_mixed_up(
    pooler, postgresql, new_directory, hallpass_programs
):
    name = next(NAMES)
    postgresql.create_database(name)
    until = int(time.time()) + 6000
    requests = {"a": [], "b": []}
    # Under one token there is somebody else in either site; of the second, half are inactive, and
    # none are chess players.
    for letter in "ab":
        statements = [
            f"CREATE TABLE people_{letter} (id integer, login varchar(80), secret varchar(80), "
            "live boolean)",
            f"CREATE TABLE clubs_{letter} (person integer, title varchar(80))",
            f"CREATE TABLE tokens_{letter} (token varchar(80), person integer, until integer)",
        ]
        for number in range(PEOPLE):
            live = letter == "a" or number % 2 == 0
            login, token = f"{letter}{number}", f"token{number:020}"
            statements += [
                f"INSERT INTO people_{letter} VALUES ({number}, '{login}', '', {live})",
                f"INSERT INTO tokens_{letter} VALUES ('{token}', {number}, {until})",
            ]
            if letter == "a":
                statements.append(f"INSERT INTO clubs_a VALUES ({number}, 'chess')")
            headers = {"Cookie": f"SID={token}"}
            requests[letter] += [
                ("/auth", headers, login if live else None),
                ("/auth?group=chess", headers, login if letter == "a" else None),
            ]
        postgresql.execute(";\n".join(statements), name, "site", PASSWORD, LOOPBACK)
    with ExitStack() as stack:
        sites = []
        for letter in "ab":
            directory = new_directory()
            socket = directory / "http.sock"
            tables = custom(directory, letter, pooler.hallpass(name), socket)
            config = write_configuration(directory / "hallpass.toml", tables)
            daemon = hallpassd(hallpass_programs["hallpassd"], config, socket)
            sites.append((stack.enter_context(daemon), requests[letter]))
        is_unmixed(sites)


def test_djangos_of_one_shape_are_never_mixed_up(
    pooler, postgresql, new_site, new_directory, hallpass_programs
):
    """Two user tables in one database, and the same sessions: as of a site that was copied."""
    site = new_site(server=postgresql)
    site.make_accounts(*({"username": f"own{n}", "password": "s3cret"} for n in range(PEOPLE)))
    tokens = [site.ask("save_session", site.ask("login_keys", f"own{n}")) for n in range(PEOPLE)]
    site.server.execute(
        "CREATE TABLE other_user AS SELECT * FROM auth_user;"
        "UPDATE other_user SET username = replace(username, 'own', 'other');"
        "UPDATE other_user SET is_active = false WHERE id % 2 = 0;"
        "CREATE TABLE other_user_groups AS SELECT *, user_id AS otheruser_id FROM auth_user_groups;"
        "CREATE TABLE other_user_user_permissions AS SELECT *, user_id AS otheruser_id FROM "
        "auth_user_user_permissions",
        site.database_name,
        "site",
        PASSWORD,
        LOOPBACK,
    )
    others = site.server.execute(
        "SELECT CASE WHEN is_active THEN username ELSE '-' END FROM other_user WHERE username LIKE 'other%' "
        "ORDER BY substr(username, 6)::integer",
        site.database_name,
    ).split("\n")
    with ExitStack() as stack:
        sites = []
        own = [f"own{number}" for number in range(PEOPLE)]
        for table, users in [("auth_user", own), ("other_user", others)]:
            directory = new_directory()
            socket = directory / "http.sock"
            config = site.write_configuration(
                f"{directory.name}.toml",
                database=pooler.hallpass(site.database_name, pool=3),
                daemon={"listen": [f"unix:{socket}"]},
                django={"user_table": table},
            )
            requests = [
                ("/auth", {"Cookie": f"sessionid={token}"}, None if user == "-" else user)
                for token, user in zip(tokens, users, strict=True)
            ]
            daemon = hallpassd(hallpass_programs["hallpassd"], config, socket)
            sites.append((stack.enter_context(daemon), requests))
        is_unmixed(sites)


def test_what_was_asked_of_the_session_holds_for_each_statement(
    pooler, postgresql, new_directory, shell
):
    """Whatever the pooler lets pass: nothing is written, and no statement takes too long."""
    name = next(NAMES)
    postgresql.create_database(name)
    postgresql.execute(
        "CREATE TABLE people (id integer, login varchar(80), secret varchar(80), live boolean);"
        "INSERT INTO people VALUES (1, 'alice', '', true);"
        "CREATE TABLE seen (name varchar(80));"
        "GRANT ALL ON seen TO hallpass;"
        "CREATE FUNCTION note(name varchar) RETURNS varchar AS $$ INSERT INTO seen VALUES ($1) "
        "RETURNING name $$ LANGUAGE sql",
        name,
        "site",
        PASSWORD,
        LOOPBACK,
    )
    columns = "id, login AS username, secret AS password, live AS is_active"
    for number, (where, expected) in enumerate(
        [
            ("login = note(:username)", "read-only transaction"),
            ("login = :username AND pg_sleep(30) IS NOT NULL", "`query_timeout`"),
            ("login = :username", None),
        ]
    ):
        tables = {
            "framework": "custom",
            "database": pooler.hallpass(name, query_timeout="500ms"),
            "passwords": {"dummy": "pbkdf2_sha256$1"},
            "custom": {"user": f"SELECT {columns} FROM people WHERE {where}"},
        }
        path = new_directory() / f"hallpass{number}.toml"
        result = shell(write_configuration(path, tables))("user", "alice", "--json")
        if expected:
            causes = [expected]
            if pooler.mode == "statement":
                # What fails leaves a transaction open, which the pooler may hang up upon first.
                causes.append("a connection pooler answered")
            told = result.json["cause"]
            assert result.code == 75 and any(cause in told for cause in causes), told
        else:
            assert result.code == 0, (result, result.stderr)
    assert postgresql.execute("SELECT count(*) FROM seen", name) == "0"


def test_what_another_client_sets_in_the_session_does_not_leak_in(
    postgresql, new_directory, shell
):
    """The only server connection is left with another schema or another role by another client.
    What the role has by itself counts, as by ALTER ROLE."""
    name = next(NAMES)
    postgresql.create_database(name)
    statements = [
        f"CREATE ROLE {name}_guest; GRANT {name}_guest TO hallpass",
        f"ALTER ROLE hallpass IN DATABASE {name} SET search_path TO own",
    ]
    for schema, number in [("own", 1), ("other", 2)]:
        statements += [
            f"CREATE SCHEMA {schema}; GRANT USAGE ON SCHEMA {schema} TO hallpass",
            f"CREATE TABLE {schema}.people (id integer, login varchar(80))",
            f"INSERT INTO {schema}.people VALUES ({number}, 'alice')",
            f"GRANT SELECT ON {schema}.people TO hallpass",
        ]
    postgresql.execute(";\n".join(statements), name)
    with PgBouncer(new_directory(), postgresql, "transaction", size=1) as pooler:
        tables = {
            "framework": "custom",
            "database": pooler.hallpass(name),
            "passwords": {"dummy": "pbkdf2_sha256$1"},
            "custom": {
                "user": "SELECT id, login AS username, true AS is_active FROM people WHERE "
                "login = :username"
            },
        }
        program = shell(write_configuration(new_directory() / "hallpass.toml", tables))
        for setting, shown in [
            ("SET search_path TO other", "SHOW search_path"),
            (f"SET ROLE {name}_guest", "SELECT current_user"),
            ("RESET ROLE; SET search_path TO pg_catalog", "SHOW search_path"),
        ]:
            pooler.execute(setting, name)
            left = pooler.execute(shown, name)
            assert left in ("other", f"{name}_guest", "pg_catalog")
            for _ in range(2):
                result = program("user", "alice", "--json")
                assert result.code == 0, (setting, result, result.stderr)
                assert str(result.json["id"]) == "1", (setting, result)
            # And is left to the client whose it is.
            assert pooler.execute(shown, name) == left


@pytest.mark.parametrize("kind", ["varchar", "inet"])
@pytest.mark.parametrize("pooled", [False, True])
def test_columns_that_change_places_are_read_by_their_names(
    postgresql, new_directory, hallpass_programs, kind, pooled
):
    """A view is made anew, with columns of the same types in another order, of types that are read
    as they are or are cast."""
    name = next(NAMES)
    postgresql.create_database(name)
    own, other = ("10.0.0.1/32", "10.0.0.2/32") if kind == "inet" else ("alice", "mallory")
    columns = [f"'{own}'::{kind} AS username", f"'{other}'::{kind} AS email"]

    def view(columns: list) -> str:
        return f"CREATE VIEW people AS SELECT 1 AS id, {', '.join(columns)}, true AS is_active;"

    grant = "GRANT SELECT ON people TO hallpass;"
    postgresql.execute(view(columns) + grant, name)
    with PgBouncer(new_directory(), postgresql, "transaction", size=1) as pooler:
        directory = new_directory()
        socket = directory / "http.sock"
        tables = {
            "framework": "custom",
            "database": (pooler if pooled else postgresql).hallpass(name, pool=1),
            "daemon": {"listen": [f"unix:{socket}"]},
            "passwords": {"dummy": "pbkdf2_sha256$1"},
            "custom": {
                "user": "SELECT * FROM people WHERE username::text = :username",
                "user_by_id": "SELECT * FROM people WHERE id = :id",
                "session": "SELECT 1 AS user_id WHERE :session <> ''",
                "cookie": "SID",
            },
        }
        config = write_configuration(directory / "hallpass.toml", tables)
        with hallpassd(hallpass_programs["hallpassd"], config, socket) as daemon:
            headers = {"Cookie": "SID=token00000000000000000"}
            for order in (columns, columns[::-1], columns):
                postgresql.execute("DROP VIEW people;" + view(order) + grant, name)
                for _ in range(3):
                    assert daemon.ask("/auth", headers).headers["Remote-User"] == own, order


def test_changes_are_made_through_it(
    pooler, postgresql, new_site, new_directory, hallpass_programs, shell
):
    site = new_site(server=postgresql)
    site.make_accounts({"username": "alice", "password": "old"})
    directory = new_directory()
    config = site.write_configuration(
        f"{directory.name}.toml",
        database=pooler.hallpass(site.database_name, user="site"),
        ejabberd={"account_changes": True},
        limits={"failures": 0},
    )
    program = hallpass_programs["hallpass-ejabberd"]
    with helper(program, config, directory / "log") as asked:
        answer = asked.ask(f"setpass:alice:{DOMAIN}:new")
        if pooler.mode == "statement":
            # It keeps no transaction together.
            assert answer == FAILED
            assert "a connection pooler answered" in (directory / "log").read_text()
            return
        assert answer == YES
        assert asked.ask(f"auth:alice:{DOMAIN}:new") == YES
        assert asked.ask(f"auth:alice:{DOMAIN}:old") == NO
    assert site.ask("modwsgi_check_password", "alice", "new") is True


def test_no_statement_is_left_prepared_in_a_pooler_s_sessions(
    pooler, postgresql, new_directory, shell
):
    """Other programs use the same sessions, and may call theirs the same."""
    name = next(NAMES)
    postgresql.create_database(name)
    tables = {
        "framework": "custom",
        "database": pooler.hallpass(name),
        "passwords": {"dummy": "pbkdf2_sha256$1"},
        "custom": {
            "user": "SELECT count(*) AS id, 'alice' AS username, true AS is_active FROM "
            "pg_prepared_statements WHERE :username <> '' HAVING count(*) > 0"
        },
    }
    program = shell(write_configuration(new_directory() / "hallpass.toml", tables))
    for _ in range(5):
        assert program("user", "alice", "--json").json["reason"] == "unknown-user"


def test_tenants_of_one_database_are_never_mixed_up(pooler, postgresql, new_directory, shell):
    """The same tables in two schemas, which the server's sessions are handed over between."""
    name = next(NAMES)
    postgresql.create_database(name)
    until = int(time.time()) + 6000
    for schema in ("acme", "Zeta"):
        postgresql.execute(
            f'CREATE SCHEMA "{schema}"; GRANT USAGE ON SCHEMA "{schema}" TO hallpass; SET search_path TO "{schema}";'
            "CREATE TABLE people_a (id integer, login text, secret text, live boolean);"
            "CREATE TABLE clubs_a (person integer, title text);"
            "CREATE TABLE tokens_a (token text, person integer, until integer);"
            f"INSERT INTO people_a VALUES (1, 'somebody of {schema}', '', true);"
            f"INSERT INTO tokens_a VALUES ('{'t' * 32}', 1, {until});"
            f'GRANT SELECT ON ALL TABLES IN SCHEMA "{schema}" TO hallpass',
            name,
        )
    directory = new_directory()
    tenants = {}
    for schema in ("acme", "Zeta", None):
        database = pooler.hallpass(name) | ({"schema": [schema, "public"]} if schema else {})
        tables = custom(directory, "a", database, directory / "none.sock")
        tenants[schema] = shell(write_configuration(directory / f"{schema}.toml", tables))
    for _ in range(2):
        for schema in ("acme", "Zeta"):
            result = tenants[schema].session("t" * 32)
            assert result.code == 0, result.stderr
            assert result.json["user"] == f"somebody of {schema}"
        # Nothing of another's search path is left in the session that it gets.
        assert tenants[None].session("t" * 32).code == 75
