"""A name means one account or none, on real Django sites: whoever registers a twin of a name gets
nothing at hosts that go on with the name as typed. And `[access] where`, which keeps accounts out."""

import csv
import io

import pytest

from hosts.daemon import hallpassd
from hosts.extauth import NO, YES, helper
from processes import give_away
from programs import run, toml

VICTIM, MALLORY = "the victim's own", "mallory's own"
ADDRESS = "victim@example.org"
BOTH = {"login": ["username", "email"]}
GRANTED, UNKNOWN, WRONG, UNAVAILABLE = 0, 1, 2, 53
TIMES = 9


@pytest.fixture(scope="module", params=["sqlite", "postgresql", "mariadb"])
def database(request):
    return request.param


@pytest.fixture
def site(request, database, new_site):
    server = None if database == "sqlite" else request.getfixturevalue(database)
    site = new_site(server=server) if server else new_site()
    site.make_accounts(
        {"username": "Victim", "password": VICTIM, "email": ADDRESS},
        {"username": "mallory", "password": MALLORY, "email": "mallory@example.org"},
    )
    return site


class Doors:
    """The programs of hosts that go on with the name as typed."""

    def __init__(self, site, programs, directory, **tables):
        self.programs, self.directory = programs, directory
        self.config = site.write_configuration("doors.toml", **tables)

    def jid(self, name: str, password: str) -> bytes:
        program = self.programs["hallpass-ejabberd"]
        with helper(program, self.config, self.directory / "log") as ejabberd:
            return ejabberd.auth(name.replace("@", "\\40"), password)

    def apache(self, name: str, password: str) -> int:
        command = [self.programs["hallpass-apache"], "--config", self.config, "auth"]
        return run(command, f"{name}\n{password}\n").code

    def pam(self, name: str, password: str) -> int:
        command = [self.programs["hallpass-pam"], "--config", self.config]
        return run(command, password, env={"PAM_TYPE": "auth", "PAM_USER": name}).code

    def group(self, name: str) -> int:
        command = [self.programs["hallpass-apache"], "--config", self.config, "group"]
        return run(command, f"{name}\neditors\n").code


@pytest.fixture
def doors(site, hallpass_programs, directory):
    return lambda **tables: Doors(site, hallpass_programs, directory, **tables)


def test_twin_of_a_jid(site, database, doors):
    hosts = doors()
    assert hosts.jid("victim", VICTIM) == YES
    if database == "mariadb":
        with pytest.raises(AssertionError, match="Duplicate"):
            site.make_accounts({"username": "victim", "password": MALLORY})
        # A letter that the collation takes for the same would be the same name there, too.
        with pytest.raises(AssertionError, match="Duplicate"):
            site.make_accounts({"username": "víctim", "password": MALLORY})
        return
    site.make_accounts({"username": "victim", "password": MALLORY})
    for name in ("victim", "Victim", "VICTIM"):
        assert hosts.jid(name, MALLORY) == hosts.jid(name, VICTIM) == NO
    # Where case counts they are two.
    exact = doors(ejabberd={"ignore_case": False})
    assert exact.jid("Victim", VICTIM) == exact.jid("victim", MALLORY) == YES
    assert exact.jid("victim", VICTIM) == exact.jid("Victim", MALLORY) == NO


@pytest.mark.parametrize("ignore_case", [False, True])
def test_twin_of_an_address(site, database, doors, ignore_case):
    site.ask("grant", "editors", [])
    hosts = doors(access=BOTH | {"ignore_case": ignore_case})
    assert hosts.apache(ADDRESS, VICTIM) == hosts.pam(ADDRESS, VICTIM) == GRANTED
    assert hosts.jid(ADDRESS, VICTIM) == YES
    # Django's own validator takes it for a user name.
    site.make_accounts({"username": ADDRESS, "password": MALLORY, "groups": ["editors"]})
    for password in (VICTIM, MALLORY):
        assert hosts.apache(ADDRESS, password) == UNKNOWN
        assert hosts.pam(ADDRESS, password) != GRANTED
        assert hosts.jid(ADDRESS, password) == NO
    assert hosts.group(ADDRESS) != GRANTED
    # By what is hers alone she gets in, and one account by both fields is one account.
    assert hosts.apache("Victim", VICTIM) == GRANTED
    site.ask("update", ADDRESS, username="another", email="another@example.org")
    site.ask("update", "Victim", username=ADDRESS)
    assert hosts.apache(ADDRESS, VICTIM) == hosts.pam(ADDRESS, VICTIM) == GRANTED


def test_twin_by_what_xmpp_folds(site, database, doors):
    """nodeprep makes `ss` of `ß` (RFC 3454, table B.2): `strasse` is the JID of both."""
    site.make_accounts({"username": "Straße", "password": VICTIM})
    hosts = doors()
    assert hosts.jid("strasse", VICTIM) == hosts.jid("straße", VICTIM) == YES
    site.make_accounts({"username": "Strasse", "password": MALLORY})
    for password in (VICTIM, MALLORY):
        assert hosts.jid("strasse", password) == hosts.jid("straße", password) == NO
    # Elsewhere they are two, where the site's database takes them for two.
    if database != "mariadb":
        assert hosts.apache("Straße", VICTIM) == hosts.apache("Strasse", MALLORY) == GRANTED
        assert hosts.apache("Strasse", VICTIM) != GRANTED


def test_an_address_without_its_at_sign(site, doors):
    """As clients write it that cannot escape: `victim%example.org`."""
    percent = ADDRESS.replace("@", "%")
    hosts = doors(access=BOTH)
    assert hosts.jid(percent, VICTIM) == YES
    assert hosts.jid(percent, MALLORY) == NO
    assert hosts.apache(percent, VICTIM) == UNKNOWN
    escaped = doors(access=BOTH, ejabberd={"unescape_jid": False})
    assert escaped.jid(percent, VICTIM) == NO
    # A database that cannot be asked has not said no.
    away = doors(access=BOTH, database="sqlite:/nowhere/db.sqlite3")
    assert away.jid(percent, VICTIM) == away.jid(ADDRESS, VICTIM) == b"\x00\x02\x00\x02"


def test_twin_by_a_collation(site, database, doors):
    """What MariaDB takes for equal is equal where Django looks names up."""
    site.make_accounts({"username": "vìctim@example.org", "password": MALLORY})
    hosts = doors(access=BOTH)
    expected = UNKNOWN if database == "mariadb" else GRANTED
    assert hosts.apache(ADDRESS, VICTIM) == expected
    assert hosts.apache(ADDRESS, MALLORY) != GRANTED
    found = doors(access=BOTH)
    audit = run([found.programs["hallpass"], "--config", found.config, "audit", "--json"]).json
    names = [{it["user"] for it in twin["accounts"]} for twin in audit["twins"]]
    assert names == ([{"Victim", "vìctim@example.org"}] if database == "mariadb" else [])


@pytest.mark.parametrize(
    "charset, collation, name",
    [
        ("utf8mb4", "utf8mb4_turkish_ci", "MIRA"),
        ("utf8mb4", "utf8mb4_uca1400_turkish_as_ci", "MIRA"),
        ("latin7", "latin7_general_ci", "TEA"),
        ("cp866", "cp866_general_ci", "JO"),
    ],
)
def test_collation_that_tells_the_cases_of_a_letter_apart(
    mariadb, new_site, shell, charset, collation, name
):
    """`_ci` does not mean that an index finds the name in any case."""
    site = new_site(server=mariadb)
    site.make_accounts({"username": name, "password": VICTIM})
    site.shell(
        "from django.db import connection; connection.cursor().execute(sql); answer = None",
        sql=f"ALTER TABLE auth_user MODIFY username varchar(150) CHARACTER SET {charset} "
        f"COLLATE {collation} NOT NULL",
    )
    hallpass = shell(site.write_configuration(access={"ignore_case": True}))
    assert hallpass.check(name.lower(), VICTIM).granted
    site.make_accounts({"username": name.lower(), "password": MALLORY})
    for password in (VICTIM, MALLORY):
        assert not hallpass.check(name.lower(), password).granted


def test_audit_and_doctor_list_twins(site, database, shell):
    site.make_accounts({"username": ADDRESS, "password": MALLORY})
    if database != "mariadb":
        site.make_accounts({"username": "MALLORY", "password": MALLORY})

    def doctor(**tables):
        findings = shell(site.write_configuration(**tables))("doctor", "--json").json["findings"]
        return [(it["status"], it["seen"]) for it in findings if it["check"] == "twins"]

    def audit(**tables):
        twins = shell(site.write_configuration(**tables))("audit", "--json").json["twins"]
        return {frozenset(it["user"] for it in twin["accounts"]): twin for twin in twins}

    address = frozenset({"Victim", ADDRESS})
    case = frozenset({"mallory", "MALLORY"})
    by_case = set() if database == "mariadb" else {case}
    assert set(audit()) == by_case
    assert set(audit(access=BOTH)) == {address} | by_case
    assert audit(access=BOTH)[address]["xmpp_alone"] is False
    for twins in (audit(), audit(access={"ignore_case": True})):
        assert set(twins) == by_case
    if by_case:
        assert audit()[case]["xmpp_alone"]
        assert not audit(access={"ignore_case": True})[case]["xmpp_alone"]
    assert not audit(ejabberd={"ignore_case": False})

    # Somebody is locked out; or would be, at hosts that nobody has said there are.
    statuses = [status for status, _ in doctor()]
    assert statuses == (["warning"] if by_case else ["ok"])
    for tables in ({"access": {"ignore_case": True}}, {"ejabberd": {"ignore_case": True}}):
        statuses = [status for status, _ in doctor(**tables)]
        assert statuses == (["problem"] if by_case else ["ok"])
    problems = [seen for status, seen in doctor(access=BOTH) if status == "problem"]
    assert len(problems) == 1 and ADDRESS in problems[0] and "Victim" in problems[0]
    assert [status for status, _ in doctor(ejabberd={"ignore_case": False})] == ["ok"]

    hallpass = shell(site.write_configuration(access=BOTH))
    assert f'"{ADDRESS}" could mean' in hallpass("audit").text
    rows = list(csv.DictReader(io.StringIO(hallpass("audit", "--csv").text)))
    twins = [row for row in rows if row["algorithm"] == "twins"]
    assert len(twins) == 1 + len(by_case)
    assert all(None not in row and row["accounts"] == "2" for row in twins)


def test_index_that_ends_reading_all_accounts(site, database, shell, request):
    """Of many accounts, the doctor prints the SQL that makes it, and is silent afterwards."""
    site.shell(
        "User.objects.bulk_create(User(username=f'user{n}', password='!') for n in range(12000)); "
        "answer = None"
    )
    hallpass = shell(site.write_configuration(access={"ignore_case": True}))

    def missing():
        findings = hallpass("doctor", "--json").json["findings"]
        return [it for it in findings if it["check"] == "index"]

    if database == "mariadb":
        # Its collation ignores case already.
        assert not missing()
        return
    (finding,) = missing()
    assert finding["status"] == "warning"
    site.shell(
        "from django.db import connection; connection.cursor().execute(sql); answer = None",
        sql=finding["mend"],
    )
    assert not missing()
    plan = site.shell(
        "from django.db import connection; cursor = connection.cursor(); cursor.execute(sql); "
        "answer = str(cursor.fetchall())",
        sql="EXPLAIN QUERY PLAN SELECT id FROM auth_user WHERE username = 'x' COLLATE NOCASE"
        if database == "sqlite"
        else "EXPLAIN SELECT id FROM auth_user WHERE UPPER(username::text) = UPPER('x'::text)",
    )
    assert "auth_user_username_any_case" in plan
    assert hallpass.check("VICTIM", VICTIM).json["user"] == "Victim"


# [access] where

LEFT = {"where": "account.last_name <> 'left'"}


def test_accounts_that_do_not_meet_the_condition(site, shell, verdicts):
    hallpass = shell(site.write_configuration(access=LEFT))
    browser = site.login("Victim", VICTIM)
    assert hallpass.check("Victim", VICTIM).granted
    assert hallpass.session(browser.token).granted
    site.ask("update", "Victim", last_name="left", is_superuser=True)
    for result in (hallpass.check("Victim", VICTIM), hallpass.session(browser.token)):
        assert (result.code, result.json["reason"]) == (1, "inactive")
    assert hallpass.check("Victim", "wrong").json["reason"] == "wrong-password"
    assert hallpass("user", "Victim").code == 1
    assert hallpass("groups", "Victim").text == ""
    assert hallpass("can", "Victim", "auth.add_user").code == 1
    assert hallpass("audit", "--json").json["inactive"] == 1
    assert hallpass.check("mallory", MALLORY).granted


def test_condition_counts_at_once_for_sessions_that_are_known(site, hallpass_programs, directory):
    socket = directory / "http.sock"
    config = site.write_configuration(
        "daemon.toml", access=LEFT, daemon={"listen": [f"unix:{socket}"]}
    )
    token = site.login("Victim", VICTIM).token
    with hallpassd(hallpass_programs["hallpassd"], config, socket) as daemon:
        for name, status in [("", 200), ("left", 401), ("back", 200), ("left", 401)]:
            site.ask("update", "Victim", last_name=name)
            cookie = {"Cookie": f"sessionid={token}"}
            answers = [daemon.ask("/auth", cookie).status for _ in range(TIMES)]
            assert answers == [status] * TIMES, name


@pytest.mark.parametrize("condition", ["no_such_column = 1", "account.id = = 1"])
def test_condition_that_is_no_sql(site, shell, doors, condition):
    access = {"where": condition}
    hallpass = shell(site.write_configuration(access=access))
    token = site.login("Victim", VICTIM).token
    assert hallpass.check("Victim", VICTIM).code == 75
    assert hallpass.session(token).code == 75
    assert doors(access=access).apache("Victim", VICTIM) == UNAVAILABLE
    findings = hallpass("doctor", "--json").json["findings"]
    (finding,) = [it for it in findings if it["check"] == "where"]
    assert finding["status"] == "problem" and "[access] where" in finding["mend"]


def test_condition_is_one_expression(site, directory, shell):
    for condition in ["1 = 1; DROP TABLE auth_user", "1 = 1) OR (1 = 1", "1 = 1 -- x", "'", ""]:
        config = directory / "hallpass.toml"
        config.write_text(toml(site.configuration(access={"where": condition})))
        result = shell(give_away(config)).check("Victim", VICTIM)
        assert result.code == 2 and b"access.where" in result.stderr, condition
