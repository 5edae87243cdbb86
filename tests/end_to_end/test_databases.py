"""The look-up rules on PostgreSQL and MariaDB: whom a typed name, an id and a session key find,
there as on Django's own site."""

import pytest

from django_site import LATEST, VERSIONS
from people import ACCOUNTS, SECRET, compare_everything, fill
from processes import LOOPBACK
from session_cases import EXPIRED, GRANTED
from stores.proxy import proxy
from test_custom_user_models import MEMBER, MEMBER_COLUMNS, MEMBERS, UUIDS
from test_django_accounts import STRANGERS
from test_django_sessions import compare
from test_logins import FOLDED, LOGINS

DATABASES = ["postgresql", "mariadb"]


@pytest.fixture(scope="module", params=DATABASES)
def database(request):
    return request.param


@pytest.fixture(scope="module")
def server(request, database):
    return request.getfixturevalue(database)


@pytest.fixture(scope="module")
def site(new_site, server, database):
    site = new_site(server=server)
    accounts = ACCOUNTS
    if database == "mariadb":
        accounts = {name: fields for name, fields in ACCOUNTS.items() if name != "IVAN"}
    fill(site, accounts)
    return site


@pytest.fixture(scope="module")
def hallpass(site, shell):
    return shell(site.write_configuration())


@pytest.mark.parametrize("name", [name for name in ACCOUNTS if name != "IVAN"], ids=ascii)
def test_account(site, hallpass, verdicts, name):
    compare_everything(site, hallpass, verdicts, name)


# Names that some collation may hold for another's.
LOOK_ALIKES = {
    "capitals-of-many": "ÉLODIE",
    "accents": "älîcé",
    "blanks-after": "alice   ",
    "no-break-space-after": "alice\u00a0",
    "tab-between": "two\twords",
    "another-emoji": "🎉",
    "sharp-s": "ß",
    "full-width-capitals": "ＷＩＤＥ",
    "turkish-i": "aliçe",
    "dotless-i": "alıce",
    "soft-hyphen": "al\u00adice",
    "quote": "o’brien",
}


@pytest.mark.parametrize("name", [*STRANGERS, *LOOK_ALIKES])
def test_name_that_is_typed_otherwise(site, hallpass, verdicts, name):
    """Whom Django finds, we find, and by the name that is stored."""
    typed = (STRANGERS | LOOK_ALIKES)[name]
    found = site.ask("authenticate", typed, SECRET)
    result = hallpass.check(typed, SECRET)
    verdicts.compare(result, found is not None, {"unknown-user", "malformed", "inactive"})
    if found:
        assert result.json["user"] == found
    verdicts.compare(hallpass.check(typed, "wrong"), False)
    groups = site.ask("groups_for_user", typed)
    assert sorted(hallpass("groups", "--", typed).text.splitlines()) == sorted(groups)
    for permission in ("wiki.edit", "wiki.publish"):
        expected = site.ask("has_perms", typed, [permission])
        verdicts.compare(hallpass("can", "--json", "--", typed, permission), expected)


def test_mariadb_finds_names_by_its_collation(site, hallpass, database):
    """The comparisons above are worth something."""
    expected = "alice" if database == "mariadb" else None
    for typed in ("ALICE", "älice", "alice "):
        assert site.ask("authenticate", typed, SECRET) == expected
        assert hallpass.check(typed, SECRET).granted == (expected is not None)


@pytest.mark.parametrize("typed", FOLDED, ids=ascii)
def test_ignoring_case(site, shell, database, typed):
    hallpass = shell(site.write_configuration("case.toml", access={"ignore_case": True}))
    result = hallpass.check(typed, SECRET)
    if database == "postgresql":
        expected = FOLDED[typed]
    else:
        # One of the two, and more that is the same to this database.
        expected = "Ivan" if typed.lower() == "ivan" else FOLDED[typed]
        expected = expected or site.ask("authenticate", typed, SECRET)
    assert result.granted == (expected is not None)
    if expected:
        assert result.json["user"] == expected, "the name as stored, not as typed"
    assert not hallpass.check(typed, "wrong").granted


@pytest.mark.parametrize("login", LOGINS, ids=ascii)
def test_login_by_email(site, shell, database, login):
    hallpass = shell(
        site.write_configuration("email.toml", access={"login": ["username", "email"]})
    )
    result = hallpass.check(login, SECRET)
    expected = LOGINS[login]
    if database == "mariadb" and login.strip() and expected is None:
        # What Django finds there when it is asked for a name or an address.
        expected = site.shell(
            "found = User.objects.filter(username=login) | User.objects.filter(email=login); "
            "answer = found[0].username if len(found) == 1 else None",
            login=login,
        )
    assert result.granted == (expected is not None)
    if expected:
        assert result.json["user"] == expected
    assert not hallpass.check(login, "wrong").granted


@pytest.mark.parametrize("typed", ["ａｌｉｃｅ", "ⓐlice", "alice", "ﬁ", "alice2", "ＡＬＩＣＥ"])
def test_folding_names_as_the_login_form_does(site, shell, verdicts, typed):
    hallpass = shell(site.write_configuration("nfkc.toml", django={"normalize": "nfkc"}))
    name = site.ask("login_form", typed, SECRET)
    result = hallpass.check(typed, SECRET)
    verdicts.compare(result, name is not None, {"unknown-user"})
    if name:
        assert result.json["user"] == name


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago", "Europe/Warsaw"])
def test_site_that_keeps_local_time(new_site, server, shell, verdicts, zone):
    site = new_site(server=server, USE_TZ=False, TIME_ZONE=zone)
    site.make_accounts({"username": "alice", "password": SECRET})
    hallpass = shell(site.write_configuration(django={"time_zone": zone}))
    text = site.ask("sign", site.ask("login_keys", "alice"))
    for seconds, reasons in [(60, GRANTED), (-60, EXPIRED), (7200, GRANTED), (-7200, EXPIRED)]:
        token = site.ask("put_session", text, expires_in=seconds)
        compare(site, hallpass, verdicts, token, reasons)


# Users in other tables, with ids of other types


@pytest.fixture(scope="module", params=VERSIONS)
def members(request, new_site, server, database):
    if database == "postgresql" and request.param != LATEST:
        pytest.skip("the same type of column")
    site = new_site(request.param, server, **MEMBER)
    fill(site, MEMBERS)
    return site


def test_type_of_uuid(members, server, database):
    """The comparisons below are about what they say: MariaDB has both types of columns."""
    columns = {"postgresql": "uuid", "mariadb": "char" if members.version < "5" else "uuid"}
    schema = "table_name = 'Club members' AND column_name = 'member_uuid'"
    sql = f"SELECT data_type FROM information_schema.columns WHERE {schema}"
    if database == "mariadb":
        sql += f" AND table_schema = '{members.database_name}'"
        assert server.execute(sql) == columns[database]
    else:
        assert server.execute(sql, members.database_name) == columns[database]


def test_custom_user_model(members, shell, verdicts):
    hallpass = shell(members.write_configuration(django=MEMBER_COLUMNS))
    for name in [*MEMBERS, "alice"]:
        compare_everything(members, hallpass, verdicts, name)


@pytest.mark.parametrize("name", UUIDS)
def test_uuid_in_a_session(members, shell, verdicts, name):
    write, expected = UUIDS[name]
    keys = members.ask("login_keys", "alice@example.org")
    keys["_auth_user_id"] = write(keys["_auth_user_id"])
    token = members.ask("save_session", keys)
    django = members.ask("session_user", token)
    assert (django is not None) == expected
    hallpass = shell(members.write_configuration(django=MEMBER_COLUMNS))
    result = hallpass.session(token)
    verdicts.compare(result, expected)
    if expected:
        assert (result.json["user"], result.json["id"]) == (django["user"], django["id"])


PEOPLE = {"INSTALLED_APPS": MEMBER["INSTALLED_APPS"]}
NUMBERS = ["1000", "01000", "k-17", "K-18", "0x10", "9" * 20, "ä", "1e3", " 7"]


def test_names_as_ids(new_site, server, shell, verdicts):
    """Primary keys that look like numbers, and are none."""
    site = new_site(server=server, AUTH_USER_MODEL="people.Customer", **PEOPLE)
    fill(site, {number: {"groups": ["editors"]} for number in NUMBERS})
    table = {
        "user_table": "people_customer",
        "user_id_column": "number",
        "username_column": "number",
        "user_foreign_key": "customer_id",
    }
    hallpass = shell(site.write_configuration(django=table))
    for number in NUMBERS:
        assert hallpass("groups", "--", number).text == "editors\n"
        token = site.ask("save_session", site.ask("login_keys", number))
        result = hallpass.session(token)
        django = site.ask("session_user", token)
        verdicts.compare(result, django is not None)
        assert (result.json["user"], result.json["id"]) == (number, number)
    compare_everything(site, hallpass, verdicts, "1e3")
    keys = site.ask("login_keys", "1000")
    for other in ("1000.0", "+1000", " 1000", "1000 ", "1e3", "01000", "", 1000, None, True):
        token = site.ask("save_session", keys | {"_auth_user_id": other})
        result = hallpass.session(token)
        verdicts.compare(result, site.ask("session_user", token) is not None)


BIG = 2**63 - 1


def test_ids_of_64_bits(new_site, server, shell, verdicts):
    site = new_site(server=server, AUTH_USER_MODEL="people.Subscriber", **PEOPLE)
    site.make_accounts(
        {"username": "first", "id": 2**31, "password": SECRET, "groups": ["editors"]},
        {"username": "last", "id": BIG, "password": SECRET, "groups": ["editors"]},
        {"username": "off", "id": 2**40, "password": SECRET, "is_active": False},
    )
    columns = {"user_table": "people_subscriber", "user_foreign_key": "subscriber_id"}
    hallpass = shell(site.write_configuration(django=columns))
    for name in ("first", "last", "off"):
        compare_everything(site, hallpass, verdicts, name)
        token = site.ask("save_session", site.ask("login_keys", name))
        result = hallpass.session(token)
        django = site.ask("session_user", token)
        verdicts.compare(result, django is not None)
        if django:
            assert (result.json["user"], str(result.json["id"])) == (name, django["id"])
    keys = site.ask("login_keys", "last")
    for other in (BIG, str(BIG - 1), str(BIG + 1), str(-BIG - 1), str(-BIG - 2), "9" * 40, 2**31):
        token = site.ask("save_session", keys | {"_auth_user_id": other})
        result = hallpass.session(token)
        verdicts.compare(result, site.ask("session_user", token) is not None)


# Ways to the server


def url_forms(server, name):
    """The keys of `database`, for each way to a server."""
    authority = str(server.certificates.authority)
    both = {
        "tcp": server.hallpass(name),
        "unix-socket": server.hallpass(name, socket=True),
        "without-tls": server.hallpass(name, tls="disable"),
        "tls": server.hallpass(name, user="hallpass_tls", tls="require"),
        "tls-as-it-is-offered": server.hallpass(name, user="hallpass_tls"),
        "tls-preferred": server.hallpass(name, user="hallpass_tls", tls="prefer"),
        "tls-verified": server.hallpass(
            name, user="hallpass_tls", tls="verify-full", ca=authority
        ),
        "one-connection": server.hallpass(name, pool=1),
    }
    if hasattr(server, "socket"):
        both["ed25519"] = server.hallpass(name, user="hallpass25519")
        both["ed25519-tls"] = server.hallpass(name, user="hallpass25519", tls="require")
        both["mariadb-url"] = both["tcp"] | {"url": both["tcp"]["url"].replace("mysql", "mariadb")}
    return both


WAYS = [
    "tcp",
    "unix-socket",
    "without-tls",
    "tls",
    "tls-as-it-is-offered",
    "tls-preferred",
    "tls-verified",
    "one-connection",
    "ed25519",
    "ed25519-tls",
    "mariadb-url",
]


@pytest.mark.parametrize("way", WAYS)
def test_way_to_the_server(site, server, shell, way):
    if way not in (forms := url_forms(server, site.database_name)):
        pytest.skip("MariaDB's own")
    hallpass = shell(site.write_configuration("way.toml", database=forms[way]))
    assert hallpass.check("alice", SECRET).code == 0
    assert hallpass.check("alice", "wrong").code == 1
    hallpass = shell(
        site.write_configuration("way.toml", database=forms[way] | {"password": "wrong"})
    )
    assert hallpass.check("alice", SECRET).code == 75, "the server's refusal, not alice's"


@pytest.mark.parametrize("refused, code, connections", [(0, 0, 1), (1, 0, 2), (2, 75, 2)])
def test_refused_login_is_tried_once_more(site, server, shell, refused, code, connections):
    """The driver drops a zero byte at the end of what it is to sign: one login in 256 with ed25519
    is refused. Here the last byte is another than the server's."""
    if not hasattr(server, "socket"):
        pytest.skip("MariaDB's own")

    def spoil(connection, piece):
        before, plugin, challenge = piece.partition(b"client_ed25519\0")
        if connection > refused or not plugin:
            return piece
        return before + plugin + challenge[:31] + bytes([challenge[31] ^ 1]) + challenge[32:]

    with proxy(server.port) as between:
        between.change = spoil
        url = f"mysql://hallpass25519@{LOOPBACK}:{between.port}/{site.database_name}"
        database = server.hallpass(site.database_name, tls="disable") | {"url": url}
        hallpass = shell(site.write_configuration("refused.toml", database=database))
        assert hallpass.check("alice", SECRET).code == code
        assert between.connections == connections


def test_password_in_a_file(site, server, shell, directory):
    database = server.hallpass(site.database_name)
    file = directory / "password"
    file.touch(mode=0o600)
    file.write_text(database["password"] + "\n")
    database["password"] = {"file": str(file)}
    assert shell(site.write_configuration("file.toml", database=database)).check(
        "alice", SECRET
    ).code == 0


def test_nothing_is_written(site, server, database, hallpass):
    """Not even where the role might."""
    everything = {
        "postgresql": lambda: server.execute(
            "SELECT sum(n_tup_ins + n_tup_upd + n_tup_del) FROM pg_stat_user_tables",
            site.database_name,
        ),
        "mariadb": lambda: server.execute(
            "CHECKSUM TABLE auth_user, django_session, auth_user_groups", site.database_name
        ),
    }[database]
    token = site.ask("save_session", site.ask("login_keys", "alice"))
    server.execute("SELECT 1")
    before = everything()
    for _ in range(3):
        assert hallpass.session(token).code == 0
        assert hallpass.check("alice", SECRET).code == 0
        assert hallpass.check("alice", "wrong").code == 1
    assert everything() == before
