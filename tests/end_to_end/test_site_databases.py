"""Where a Django site has its tables: schemas, tenants, services of libpq, replicas, a database for
sessions. What `init` writes finds them as the site's own software does."""

import json
import os
import shutil
import stat
import subprocess

import pytest

from django_site import python_of
from people import SECRET, compare_everything, fill
from processes import LOOPBACK
from stores.postgresql import PASSWORD
from test_compare import agrees, differs
from test_init import Init, approved
from test_site_values import APPS, PEOPLE, check_session


# Schemas


def moved(new_site, postgresql, statements, **settings):
    """A site whose tables are moved before it is asked anything."""
    site = new_site(server=postgresql, AUTH_USER_MODEL="people.Person", **PEOPLE)
    postgresql.execute(statements, site.database_name)
    site.settings |= settings
    site._write_settings()
    fill(site, {"alice": {"groups": ["editors"]}, "bob": {"is_active": False}})
    return site


MOVE = "".join(
    f'ALTER TABLE {table} SET SCHEMA "Site";'
    for table in ("people", "people_groups", "people_user_permissions")
)


def guest_of(postgresql, site, hallpass):
    """A role that has what `hallpass grants` prints, and a search path of its own."""
    user = f"guest_{site.database_name}"
    statements = hallpass("grants")
    assert statements.code == 0, statements.stderr
    postgresql.execute(statements.text, site.database_name)
    postgresql.execute(f"ALTER ROLE {user} PASSWORD '{PASSWORD.replace(chr(39), chr(39) * 2)}'")
    return statements.text


def as_guest(init, site, shell):
    """The configuration that init wrote, of a user who can read nothing yet."""
    text = init.text.replace("postgres://site@", f"postgres://guest_{site.database_name}@")
    assert text != init.text
    path = init.output.with_name("guest.toml")
    path.touch(mode=0o600)
    path.write_text(text)
    return shell(path)


@pytest.mark.parametrize("table", ['"Site"."people"', 'Site"."people'])
def test_a_table_in_a_schema(new_site, postgresql, shell, verdicts, table):
    """By quotes in db_table, as Django's own users write it."""
    schema = 'CREATE SCHEMA "Site" AUTHORIZATION site;'
    site = moved(new_site, postgresql, schema + MOVE, PEOPLE_TABLE=table)
    init = Init(shell, site)
    hallpass = init.hallpass()
    assert 'user_table = "\\"Site\\".\\"people\\""' in init.text
    for name in ("alice", "bob"):
        compare_everything(site, hallpass, verdicts, name)
    token = check_session(site, hallpass, verdicts, "alice")
    approved(hallpass)
    guest = as_guest(init, site, shell)
    assert guest.check("alice", SECRET).code == 75
    grants = guest_of(postgresql, site, guest)
    assert 'GRANT USAGE ON SCHEMA "Site" TO' in grants
    verdicts.compare(guest.check("alice", SECRET), True)
    verdicts.compare(guest.session(token), True)
    assert guest("groups", "alice").text == "editors\n"
    verdicts.compare(guest("can", "--json", "alice", "wiki.publish"), True)


SEARCH_PATHS = {
    "options": ({"OPTIONS": {"options": "-c search_path=crm"}}, {}),
    "options-and-more": ({"OPTIONS": {"options": "-c statement_timeout=9000 -csearch_path=nowhere,\\ crm"}}, {}),
    "environment": ({}, {"PGOPTIONS": "--search-path=crm"}),
}


@pytest.mark.parametrize("name", SEARCH_PATHS)
def test_a_search_path(new_site, postgresql, shell, verdicts, name):
    entry, environment = SEARCH_PATHS[name]
    site = new_site(server=postgresql, AUTH_USER_MODEL="people.Person", **PEOPLE)
    # Another table of the same name, which is not the site's.
    postgresql.execute(
        "ALTER SCHEMA public RENAME TO crm; CREATE SCHEMA public; GRANT USAGE ON SCHEMA public TO PUBLIC;"
        "CREATE TABLE public.people (id int, username text, password text, is_active bool);"
        "CREATE TABLE public.django_session (session_key text, session_data text, expire_date timestamptz);"
        "GRANT SELECT ON public.people, public.django_session TO site; CREATE SCHEMA nowhere",
        site.database_name,
    )
    site.settings["DATABASES"]["default"] |= entry
    site._write_settings()
    for key, value in environment.items():
        os.environ[key] = value
    try:
        fill(site, {"alice": {"groups": ["editors"]}})
    finally:
        for key in environment:
            del os.environ[key]
    init = Init(shell, site)
    with open(init.environment, "a") as file:
        file.writelines(f"{key}='{value}'\n" for key, value in environment.items())
    hallpass = init.hallpass()
    schemas = '["nowhere", "crm"]' if "nowhere" in str(entry) else '["crm"]'
    assert f"schema = {schemas}" in init.text
    compare_everything(site, hallpass, verdicts, "alice")
    check_session(site, hallpass, verdicts, "alice")
    approved(hallpass)
    guest = as_guest(init, site, shell)
    grants = guest_of(postgresql, site, guest)
    assert 'crm" TO' in grants and "search_path" in grants and "public" not in grants, grants
    verdicts.compare(guest.check("alice", SECRET), True)
    assert guest("groups", "alice").text == "editors\n"
    # Without it, the other table is found; and the doctor says where the site's own are.
    plain = init.output.with_name("plain.toml")
    plain.touch(mode=0o600)
    plain.write_text(init.text.replace(f"schema = {schemas}", "#"))
    assert not shell(plain).check("alice", SECRET).granted
    postgresql.execute("DROP TABLE public.people, public.django_session", site.database_name)
    findings = shell(plain)("doctor", "--json").json["findings"]
    assert any('schema = "crm"' in (finding.get("mend") or "") for finding in findings), findings


# What libpq knows


@pytest.fixture(scope="module")
def person(new_site, postgresql):
    site = new_site(server=postgresql)
    fill(site, {"alice": {"groups": ["editors"]}})
    return site


def service(site, directory, **entry):
    """pg_service.conf and .pgpass of the site's, and the environment that names them."""
    known = site.server.django(site.database_name)
    lines = {"host": LOOPBACK, "port": known["PORT"], "dbname": site.database_name, "user": "site", **entry}
    lines = [f"{key}={value}\n" for key, value in lines.items() if value]
    (directory / "pg_service.conf").write_text("# ours\n[other]\nhost=nowhere\n\n[shop]\n" + "".join(lines))
    password = PASSWORD.replace("\\", "\\\\").replace(":", "\\:")
    # The first line that fits counts.
    passwords = f"nowhere:*:*:*:wrong\n{LOOPBACK}:{known['PORT']}:{site.database_name}:site:{password}\n*:*:*:*:x\n"
    (directory / "pgpass").write_text(passwords)
    (directory / "pgpass").chmod(0o600)
    return {"PGSERVICEFILE": directory / "pg_service.conf", "PGPASSFILE": directory / "pgpass"}


ENGINE = {"ENGINE": "django.db.backends.postgresql"}
# Of DATABASES, and of the environment.
OF_LIBPQ = {
    "service": (ENGINE | {"OPTIONS": {"service": "shop"}}, ["PGSERVICEFILE", "PGPASSFILE"]),
    "service-and-passfile": (
        ENGINE | {"OPTIONS": {"service": "shop", "passfile": "PGPASSFILE"}},
        ["PGSERVICEFILE"],
    ),
    "settings-before-the-service": (
        ENGINE | {"NAME": "NAME", "USER": "site", "OPTIONS": {"service": "shop"}},
        ["PGSERVICEFILE", "PGPASSFILE"],
    ),
    "passfile": (
        ENGINE | {"NAME": "NAME", "USER": "site", "HOST": LOOPBACK, "PORT": "PORT", "OPTIONS": {"passfile": "PGPASSFILE"}},
        [],
    ),
    "environment": (ENGINE | {"NAME": "NAME"}, ["PGHOST", "PGPORT", "PGUSER", "PGPASSWORD"]),
    "environment-and-its-passfile": (ENGINE | {"NAME": "NAME"}, ["PGHOST", "PGPORT", "PGUSER", "PGPASSFILE"]),
    "service-of-the-environment": (ENGINE | {"NAME": "NAME"}, ["PGSERVICE", "PGSERVICEFILE", "PGPASSFILE"]),
}


@pytest.mark.parametrize("name", OF_LIBPQ)
def test_what_libpq_knows(person, shell, verdicts, new_directory, name):
    entry, variables = OF_LIBPQ[name]
    directory = new_directory()
    known = person.server.django(person.database_name)
    values = service(person, directory) | {
        "NAME": person.database_name,
        "PORT": str(known["PORT"]),
        "PGHOST": LOOPBACK,
        "PGPORT": str(known["PORT"]),
        "PGUSER": "site",
        "PGPASSWORD": PASSWORD,
        "PGSERVICE": "shop",
    }
    options = {key: str(values.get(value, value)) for key, value in entry.get("OPTIONS", {}).items()}
    entry = {key: str(values.get(value, value)) for key, value in entry.items() if key != "OPTIONS"}
    site = OfLibpq(person, directory, {"DATABASES": {"default": entry | {"OPTIONS": options}}})
    init = Init(shell, site)
    with open(init.environment, "a") as file:
        file.writelines(f'{key}="{values[key]}"\n' for key in variables)
    # Django itself, with nothing else in its environment.
    environment = {key: str(values[key]) for key in variables}
    assert site.asks_django(environment) == "alice"
    hallpass = init.hallpass()
    for typed in (SECRET, "wrong"):
        verdicts.compare(hallpass.check("alice", typed), typed == SECRET)
    password = directory / "hallpass.database_password"
    assert password.read_text() == PASSWORD + "\n"
    assert stat.S_IMODE(password.stat().st_mode) == 0o600
    assert PASSWORD not in init.text
    approved(hallpass)


class OfLibpq:
    """The settings of a site in another directory."""

    def __init__(self, site, directory, settings):
        self.directory, self.version = directory, site.version
        (directory / "settings.json").write_text(json.dumps(settings))
        self.environment = site.environment | {"SITE_DIRECTORY": str(directory)}

    def asks_django(self, environment):
        code = "import django; django.setup(); from django.contrib.auth.models import User; "
        code += "print(User.objects.get(username='alice').username)"
        done = subprocess.run(
            [python_of(self.version), "-c", code],
            env=self.environment | environment,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


def test_a_service_that_there_is_not(person, shell, new_directory):
    directory = new_directory()
    service(person, directory)
    site = OfLibpq(person, directory, {"DATABASES": {"default": ENGINE | {"OPTIONS": {"service": "shops"}}}})
    init = Init(shell, site)
    with open(init.environment, "a") as file:
        file.write(f"PGSERVICEFILE={directory}/pg_service.conf\n")
    result = init()
    assert result.code == 2 and not init.output.exists()
    assert b'service "shops" not found' in result.stderr, result.stderr


# Two databases


def test_a_router_that_chooses_a_replica_by_chance(new_site, shell, verdicts):
    """What the site writes to is what has the rows; a replica may be behind."""
    site = new_site()
    fill(site, {"alice": {}})
    stale = site.directory / "stale.sqlite3"
    shutil.copyfile(site.database, stale)
    replica = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(stale)}
    default = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(site.database)}
    token = site.ask("save_session", site.ask("login_keys", "alice"))
    site.deactivate("alice")
    site.settings |= {
        "DATABASES": {"default": default, "replica1": replica, "replica2": replica},
        "DATABASE_ROUTERS": ["website.own.ReplicaRouter"],
    }
    site._write_settings()
    init = Init(shell, site)
    for _ in range(3):
        hallpass = init.hallpass()
        assert f'"sqlite:{site.database}"' in init.text and "secret_key" in init.text
        verdicts.compare(hallpass.session(token), False, {"inactive"})
        verdicts.compare(hallpass.check("alice", SECRET), False, {"inactive"})


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_accounts_and_sessions_in_two_databases(new_site, postgresql, shell, verdicts, kind):
    server = postgresql if kind == "postgresql" else None
    site, other = new_site(server=server), new_site()
    fill(site, {"alice": {}, "bob": {}})
    elsewhere = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(other.database)}
    here = site.settings.get("DATABASES", {}).get("default") or {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(site.database),
    }
    # A session in the table that the site does not look into.
    wrong = site.ask("save_session", site.ask("login_keys", "bob"))
    site.close()
    site.__dict__.pop("_oracle")
    site.settings |= {
        "DATABASES": {"default": here, "sessions": elsewhere},
        "DATABASE_ROUTERS": ["website.own.SessionsElsewhere"],
    }
    site._write_settings()
    init = Init(shell, site)
    hallpass = init.hallpass()
    assert "[session_database]" in init.text
    compare_everything(site, hallpass, verdicts, "alice")
    token = check_session(site, hallpass, verdicts, "alice")
    assert site.ask("session_user", wrong) is None
    verdicts.compare(hallpass.session(wrong), False, {"no-session"})
    approved(hallpass)
    grants = hallpass("grants").text
    assert "In the database of the sessions" in grants
    site.deactivate("alice")
    verdicts.compare(hallpass.session(token), False, {"inactive"})
    other.database.rename(other.database.with_suffix(".away"))
    result = hallpass.session(token)
    assert result.code == 75, "no store is asked in the other's place"
    assert hallpass.check("bob", SECRET).granted


def test_sessions_have_no_database_where_they_have_no_tables(new_site, shell):
    site = new_site(SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies")
    path = site.write_configuration(session_database="sqlite:/nowhere")
    result = shell(path).check("alice", SECRET)
    assert result.code == 2 and b"session_database" in result.stderr


# Tenants


def test_each_tenant_is_a_site(new_site, postgresql, shell, verdicts):
    """django-tenants: the same names in two schemas are other people."""
    site = new_site(server=postgresql)
    entry = site.settings["DATABASES"]["default"] | {"ENGINE": "django_tenants.postgresql_backend"}
    tenants = ["website.tenants"]
    site.settings |= {
        "DATABASES": {"default": entry},
        "DATABASE_ROUTERS": ["django_tenants.routers.TenantSyncRouter"],
        "INSTALLED_APPS": ["django_tenants", *APPS, *tenants],
        "SHARED_APPS": ["django_tenants", "website.tenants", *APPS],
        "TENANT_APPS": APPS,
        "TENANT_MODEL": "tenants.Club",
        "TENANT_DOMAIN_MODEL": "tenants.Domain",
        "CACHES": {
            "default": {
                "BACKEND": "django.core.cache.backends.db.DatabaseCache",
                "LOCATION": "cache_table",
                "KEY_FUNCTION": "django_tenants.cache.make_key",
            }
        },
    }
    site._write_settings()
    site.manage("migrate_schemas", "--shared", "--run-syncdb")
    made = (
        "from website.tenants.models import Club\n"
        "from django.db import connection\n"
        "for name in ('acme', 'Zeta'):\n"
        "    Club(schema_name=name, name=name).save(verbosity=0)\n"
        "    connection.set_schema(name)\n"
        "    User.objects.create_user('alice', password=name + '!')\n"
        "    connection.set_schema_to_public()\n"
        "answer = None"
    )
    site.shell(made)
    init = Init(shell, site)
    result = init()
    assert result.code == 2 and not init.output.exists()
    assert b"each tenant of this site is a site by itself" in result.stderr and b"--schema" in result.stderr
    for name, other in [("acme", "Zeta"), ("Zeta", "acme")]:
        hallpass = init.hallpass("--schema", name)
        assert f'schema = ["{name}", "public"]' in init.text
        verdicts.compare(hallpass.check("alice", f"{name}!"), True)
        verdicts.compare(hallpass.check("alice", f"{other}!"), False, {"wrong-password"})
        token = site.shell(
            "from django.db import connection\nconnection.set_schema(name)\n"
            "answer = save_session(login_keys('alice'))\nconnection.set_schema_to_public()",
            name=name,
        )
        verdicts.compare(hallpass.session(token), True)
        approved(hallpass)
        grants = hallpass("grants").text
        assert f'GRANT USAGE ON SCHEMA "{name}"' in grants
        agrees(init.compare("--schema", name), sessions=1)
        differs(init.compare("--schema", other), "sessions", "narrower" if name == "Zeta" else "wider")
        assert "--schema names one" in init.compare().json["cause"]
    verdicts.compare(init.hallpass("--schema", "acme").session(token), False, {"no-session"})


def test_a_schema_of_a_site_without_tenants(new_site, shell):
    result = Init(shell, new_site())("--schema", "acme")
    assert result.code == 2 and b"the site has no tenants" in result.stderr
