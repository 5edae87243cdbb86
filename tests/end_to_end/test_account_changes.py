"""hallpass-ejabberd changes accounts, and Django reads what it wrote."""

import sqlite3
from contextlib import closing, contextmanager

import pytest

from hosts.accounts import PASSWORDS
from hosts.ejabberd import DOMAIN, ejabberd
from hosts.extauth import FAILED, NO, YES, helper
from hosts.fixtures import UNTHROTTLED, site_replacements, site_with_accounts
from processes import LOOPBACK, eventually, give_away
from stores.mariadb import MariaDB
from stores.postgresql import PostgreSQL, Standby

ACCOUNT = """
user = User.objects.get_by_natural_key(name)
answer = {
    field.name: str(getattr(user, field.name)) for field in user._meta.fields
    if field.name not in ("password", "id", "uuid")
}
"""


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def server(request):
    """Where the site's tables are; None for a file."""
    return None if request.param == "sqlite" else request.getfixturevalue(request.param)


def new_site_with(new_site, server, **settings):
    site = new_site(server=server, **settings) if server else new_site(**settings)
    # Names of MariaDB have no case, so that it has no twins.
    twins = [] if site.server and "mysql" in site.server.django("x")["ENGINE"] else ["TWIN"]
    site.make_accounts(
        {"username": "alice", "password": "old"},
        {"username": "bob", "password": "bob's", "is_superuser": True},
        {"username": "Walter", "password": "w"},
        {"username": "erin", "password": "e", "is_active": False},
        {"username": "frank", "password": None},
        {"username": "Twin", "password": "t"},
        *({"username": name, "password": "t"} for name in twins),
    )
    return site


def configured(site, **tables):
    tables = {"ejabberd": {"account_changes": True}, "limits": {"failures": 0}} | tables
    if site.server:
        tables["database"] = site.server.hallpass(site.database_name, user="site")
    return site.write_configuration(**tables)


@contextmanager
def asking(programs, config, directory):
    with helper(programs["hallpass-ejabberd"], config, directory / "log") as asked:
        yield asked


def ask(asked, command: str, user: str, *password: str) -> bytes:
    return asked.ask(":".join((command, user, DOMAIN, *password)))


def login(site, name: str, password: str) -> bool:
    return site.ask("modwsgi_check_password", name, password) is True


def rows(site) -> dict:
    return site.shell(
        "answer = {u.get_username(): [u.password, u.is_active] for u in User.objects.all()}"
    )


def test_a_password_is_set_as_django_sets_it(new_site, server, hallpass_programs, directory):
    site = new_site_with(new_site, server)
    before = rows(site)
    with asking(hallpass_programs, configured(site), directory) as asked:
        assert ask(asked, "setpass", "alice", "n:ew pässwörd") == YES
        assert ask(asked, "auth", "alice", "n:ew pässwörd") == YES
        assert ask(asked, "auth", "alice", "old") == NO
        assert ask(asked, "setpass", "walter", "found but for case") == YES
    assert login(site, "alice", "n:ew pässwörd") and not login(site, "alice", "old")
    assert login(site, "Walter", "found but for case")
    after = rows(site)
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {"alice", "Walter"} and after.keys() == before.keys()
    algorithm, iterations, salt, _ = after["alice"][0].split("$")
    hasher = "from django.contrib.auth.hashers import PBKDF2PasswordHasher as P; "
    expected = site.shell(hasher + "answer = [P.algorithm, P.iterations, len(P().salt())]")
    assert [algorithm, int(iterations), len(salt)] == expected
    must_update = site.shell(hasher + "answer = P().must_update(e)", e=after["alice"][0])
    assert must_update is False, "iterations and salt are Django's own"
    log = (directory / "log").read_text()
    assert "pässwörd" not in log and "pbkdf2" not in log


def test_an_account_is_made_as_django_makes_it(new_site, server, hallpass_programs, directory):
    site = new_site_with(new_site, server)
    with asking(hallpass_programs, configured(site), directory) as asked:
        assert ask(asked, "isuser", "carol") == NO
        assert ask(asked, "tryregister", "carol", "se:cret") == YES
        assert ask(asked, "isuser", "carol") == YES
        assert ask(asked, "auth", "carol", "se:cret") == YES
        assert ask(asked, "tryregister", "zoë", "x") == YES
        assert ask(asked, "tryregister", r"joe\40example.org", "x") == YES
    assert login(site, "carol", "se:cret") and login(site, "zoë", "x")
    assert login(site, "joe@example.org", "x")
    make = "User.objects.create_user('model', password='x')"
    site.shell(make)
    ours, djangos = (site.shell(ACCOUNT, name=name) for name in ("carol", "model"))
    assert site.shell("answer = abs((User.objects.get(username='carol').date_joined - "
                      "User.objects.get(username='model').date_joined).total_seconds()) < 300")
    for row in (ours, djangos):
        del row["username"], row["date_joined"]
    assert ours == djangos
    assert site.ask("groups_for_user", "carol") == []


def test_an_account_is_switched_off_and_kept(new_site, server, hallpass_programs, directory):
    site = new_site_with(new_site, server)
    before = rows(site)
    with asking(hallpass_programs, configured(site), directory) as asked:
        assert ask(asked, "removeuser3", "bob", "wrong") == NO
        assert ask(asked, "removeuser3", "bob", "") == NO
        assert ask(asked, "isuser", "bob") == YES
        assert ask(asked, "removeuser3", "bob", "bob's") == YES
        assert ask(asked, "isuser", "bob") == NO
        assert ask(asked, "removeuser", "alice") == YES
        assert ask(asked, "auth", "alice", "old") == NO
        assert ask(asked, "removeuser", "alice") == NO, "it is off already"
        assert ask(asked, "setpass", "alice", "new") == NO, "and stays so"
        assert ask(asked, "tryregister", "alice", "new") == NO
    after = rows(site)
    for name in before:
        expected = [before[name][0], False] if name in ("alice", "bob") else before[name]
        assert after[name] == expected, name


def test_what_must_not_change_anything(new_site, server, hallpass_programs, directory):
    site = new_site_with(new_site, server)
    config = configured(site, ejabberd={"account_changes": True, "domains": [DOMAIN]})
    before = rows(site)
    twins = "TWIN" in before
    with asking(hallpass_programs, config, directory) as asked:
        for command, user, *password in (
            ("setpass", "nobody", "x"),
            ("setpass", "alice", ""),
            ("setpass", "alice", "l" * 5000),
            ("setpass", "alice", "nul\0"),
            ("setpass", "erin", "x"),
            *([("setpass", "twin", "x"), ("removeuser", "twin")] if twins else []),
            ("setpass", "' OR 1=1 --", "x"),
            ("setpass", "%", "x"),
            ("setpass", "", "x"),
            ("removeuser", "nobody"),
            ("removeuser", "%"),
            ("removeuser3", "alice", "wrong"),
            ("removeuser3", "frank", "!"),
            ("removeuser3", "erin", "e"),
            ("tryregister", "alice", "x"),
            ("tryregister", "ALICE", "x"),
            ("tryregister", "walter", "x"),
            ("tryregister", "twin", "x"),
            ("tryregister", "erin", "x"),
            ("tryregister", "carol", ""),
            ("tryregister", "two words", "x"),
            ("tryregister", "n" * 151, "x"),
            ("tryregister", "a\nb", "x"),
            ("tryregister", "a'b", "x"),
            ("tryregister", "", "x"),
        ):
            assert ask(asked, command, user, *password) == NO, (command, user)
        for message in ("setpass:alice:elsewhere.org:x", "removeuser:alice:elsewhere.org",
                        "tryregister:carol:elsewhere.org:x", "setpass:alice", "removeuser:alice",
                        f"tryregister:carol:{DOMAIN}", f"certauth:alice:{DOMAIN}:x",
                        f"SETPASS:alice:{DOMAIN}:x"):
            assert asked.ask(message) == NO, message
    assert rows(site) == before


def test_without_the_key_every_change_is_refused(new_site, hallpass_programs, directory):
    site = new_site_with(new_site, None)
    before = rows(site)
    with asking(hallpass_programs, site.write_configuration(), directory) as asked:
        assert ask(asked, "setpass", "alice", "new") == NO
        assert ask(asked, "removeuser", "alice") == NO
        assert ask(asked, "removeuser3", "alice", "old") == NO
        assert ask(asked, "tryregister", "carol", "x") == NO
    assert rows(site) == before


def test_an_account_without_the_right_to_write_says_so(
    new_site, postgresql, mariadb, hallpass_programs, directory
):
    for server in (postgresql, mariadb):
        site = new_site_with(new_site, server)
        before = rows(site)
        config = site.write_configuration(ejabberd={"account_changes": True})
        with asking(hallpass_programs, config, directory) as asked:
            assert ask(asked, "setpass", "alice", "new") == FAILED
            assert ask(asked, "tryregister", "carol", "x") == FAILED
            assert ask(asked, "removeuser", "alice") == FAILED
            assert ask(asked, "auth", "alice", "old") == YES, "reading goes on"
        assert rows(site) == before
    assert "denied" in (directory / "log").read_text()


def test_a_locked_database_is_no_success(new_site, hallpass_programs, directory):
    site = new_site_with(new_site, None)
    config = configured(site, limits={"deadline": "500ms"})
    before = rows(site)
    with asking(hallpass_programs, config, directory) as asked:
        with closing(sqlite3.connect(site.database, isolation_level=None)) as database:
            database.execute("BEGIN IMMEDIATE")
            assert ask(asked, "removeuser", "alice") == FAILED
            assert ask(asked, "auth", "bob", "bob's") == YES, "readers need not wait"
        assert rows(site) == before
        assert ask(asked, "removeuser", "alice") == YES


def test_groups_of_access_guard_changes_too(new_site, hallpass_programs, directory):
    site = site_with_accounts(new_site)
    config = configured(site, access={"groups": ["editors"]})
    with asking(hallpass_programs, config, directory) as asked:
        assert ask(asked, "setpass", "bob", "new") == NO
        assert ask(asked, "removeuser", "ursula") == NO
        assert ask(asked, "setpass", "alice", "new") == YES
    assert login(site, "bob", PASSWORDS["bob"]) and login(site, "alice", "new")


@pytest.mark.parametrize("model", ["people.Member", "people.Subscriber", "people.Customer"])
def test_custom_user_models(new_site, hallpass_programs, directory, model):
    apps = ["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions"]
    site = new_site(AUTH_USER_MODEL=model, INSTALLED_APPS=[*apps, "website.people"])
    site.make_accounts({"username": "a@example.org", "password": "old"})
    user = site.shell("""answer = {
        "user_table": User._meta.db_table, "user_id_column": User._meta.pk.column,
        "username_column": User._meta.get_field(User.USERNAME_FIELD).column,
        "password_column": User._meta.get_field("password").column,
        "active_column": User._meta.get_field("is_active").column,
        "user_foreign_key": User._meta.model_name + "_id",
    }""")
    config = configured(site, django=user)
    with asking(hallpass_programs, config, directory) as asked:
        assert ask(asked, "setpass", r"a\40example.org", "new") == YES
        assert ask(asked, "tryregister", r"b\40example.org", "made") == YES
        assert ask(asked, "auth", r"b\40example.org", "made") == YES
        assert login(site, "a@example.org", "new") and login(site, "b@example.org", "made")
        assert ask(asked, "removeuser", r"b\40example.org") == YES
        assert not login(site, "b@example.org", "made")


@pytest.mark.parametrize("version", ["2.2", "3.2", "4.2"])
def test_hashes_are_those_of_the_version(new_site, hallpass_programs, directory, version):
    site = new_site(version)
    site.make_accounts({"username": "alice", "password": "old"})
    with asking(hallpass_programs, configured(site), directory) as asked:
        assert ask(asked, "setpass", "alice", "new") == YES
    assert login(site, "alice", "new")
    hasher = "from django.contrib.auth.hashers import PBKDF2PasswordHasher as P; "
    iterations = site.shell(hasher + "answer = P.iterations")
    assert site.ask("encoded_password", "alice").split("$")[1] == str(iterations)


@contextmanager
def reader_and_writer(kind: str, new_directory, new_site):
    """A server that only reads, one that writes, and a site on the second."""
    make = PostgreSQL if kind == "postgresql" else MariaDB
    with make(new_directory()) as writer:
        site = new_site_with(new_site, writer)
        if kind == "postgresql":
            with Standby(new_directory(), writer) as reader:
                eventually(reader.has_caught_up, "the standby has all of it")
                yield reader, writer, site
        else:
            with MariaDB(new_directory()) as reader:
                reader.create_database(site.database_name)
                reader.execute("SET GLOBAL read_only = 1")
                yield reader, writer, site


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_who_can_write_is_found(kind, new_directory, new_site, hallpass_programs, directory):
    """The replica is named first, and reads are answered by it; a change goes past it."""
    with reader_and_writer(kind, new_directory, new_site) as (reader, writer, site):
        database = writer.hallpass(site.database_name, user="site")
        one, both = f"{LOOPBACK}:{writer.port}", f"{LOOPBACK}:{reader.port},{LOOPBACK}:{writer.port}"
        database["url"] = database["url"].replace(one, both)
        config = site.write_configuration(
            ejabberd={"account_changes": True}, limits={"failures": 0}, database=database
        )
        before = rows(site)
        with asking(hallpass_programs, config, directory) as asked:
            assert ask(asked, "setpass", "alice", "new") == YES
            assert ask(asked, "tryregister", "newcomer", "n") == YES
            assert login(site, "alice", "new") and login(site, "newcomer", "n")
            changed = rows(site)
            assert changed["bob"] == before["bob"]
            writer.freeze()
            try:
                assert ask(asked, "setpass", "alice", "newer") == FAILED
                assert ask(asked, "removeuser", "bob") == FAILED
            finally:
                writer.thaw()
            assert rows(site) == changed
            writer.kill()
            assert ask(asked, "setpass", "alice", "newer") == FAILED
            writer.start()
            site.shell("from django.db import connection; connection.close()")  # the lost one
            assert rows(site) == changed
            eventually(lambda: ask(asked, "setpass", "alice", "newer") == YES, "it is back")
        assert login(site, "alice", "newer")


def test_real_ejabberd(new_site, directory, hallpass_programs):
    site = site_with_accounts(new_site)
    replacements = site_replacements(site) | UNTHROTTLED
    more = ["register", "change_password", "unregister"]
    replacements["- check_password"] = "\n      - ".join(["- check_password", *more])
    # ejabberd's user must be able to write the file, and beside it.
    give_away(site.directory)
    give_away(site.database)
    replacements['accept = ["password"]'] = 'accept = ["password"]\naccount_changes = true'
    with ejabberd(directory, hallpass_programs, replacements) as server:
        assert server.api("register", user="newcomer", host=DOMAIN, password="x1") is not None
        assert server.login("newcomer", "x1") and login(site, "newcomer", "x1")
        assert server.api("register", user="alice", host=DOMAIN, password="x") is None
        assert server.login("alice", PASSWORDS["alice"])
        server.api("change_password", user="alice", host=DOMAIN, newpass="n:ew")
        assert server.login("alice", "n:ew") and login(site, "alice", "n:ew")
        assert not server.login("alice", PASSWORDS["alice"])
        server.api("unregister", user="newcomer", host=DOMAIN)
        assert not server.login("newcomer", "x1") and not login(site, "newcomer", "x1")
        assert site.shell("answer = User.objects.filter(username='newcomer').exists()")


def test_tickets_and_sessions_as_passwords(new_site, directory, hallpass_programs, shell):
    site = site_with_accounts(new_site)
    sessions = {
        user: site.ask("save_session", site.ask("login_keys", user)) for user in ("alice", "bob")
    }
    config = site.write_configuration(
        ejabberd={"accept": ["ticket", "session", "password"]},
        tickets={"key": "k" * 32, "lifetime": "60s"},
        limits={"failures": 0},
    )
    issue = shell(config)("ticket", "issue", "--session", sessions["alice"])
    ticket = issue.text.strip()
    assert ticket
    with asking(hallpass_programs, config, directory) as asked:
        assert ask(asked, "auth", "alice", ticket) == YES
        assert ask(asked, "auth", "ALICE", ticket) == YES
        assert ask(asked, "auth", "bob", ticket) == NO
        assert ask(asked, "auth", "alice", ticket[:-1]) == NO
        assert ask(asked, "auth", "alice", ticket + "x") == NO
        assert ask(asked, "auth", "alice", sessions["alice"]) == YES
        assert ask(asked, "auth", "alice", sessions["bob"]) == NO
        assert ask(asked, "auth", "alice", PASSWORDS["alice"]) == YES
        site.shell("session_model().objects.filter(session_key=key).delete()",
                   key=sessions["alice"])
        assert ask(asked, "auth", "alice", ticket) == NO, "logged out"
    log = (directory / "log").read_text()
    assert ticket not in log and sessions["alice"] not in log
    result = shell(site.write_configuration("keyless.toml", ejabberd={"accept": ["ticket"]}))
    assert result("user", "alice").code == 2
