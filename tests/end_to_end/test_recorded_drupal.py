"""Recorded sites of Drupal 7.105 and 10.3.10 in MariaDB, and in PostgreSQL with the types that Drupal gives its
columns there: passwords and sessions as their own pages took them, in each state in which they were asked, and
each of them with something wrong; and a real nginx."""

import json
from contextlib import contextmanager

import pytest

from hosts import example
from hosts.application import application
from hosts.daemon import hallpassd
from hosts.fixtures import UNTHROTTLED
from hosts.nginx import nginx
from hosts.web import basic
from php_doors import Site, said, write_configuration
from processes import LOOPBACK, free_port, give_away
from recorded import DATA, Recorded, answered, literal, php_literal
from stores.mariadb import PASSWORD as DATABASE_PASSWORD

OLD, NEW = "7.105", "10.3.10"
DRUPALS = json.loads((DATA / "drupal.json").read_text())["versions"]
TABLES = {
    OLD: {"users": "users", "sessions": "sessions", "roles": "users_roles"},
    NEW: {"users": "users_field_data", "sessions": "sessions", "roles": "user__roles"},
}


def state(version: str, name: str) -> dict:
    return next(it for it in DRUPALS[version]["states"] if it["name"].startswith(name))


def cookies(version: str) -> dict[str, str]:
    """The values of the cookies that were good at first, by the names of their owners."""
    good = [it for it in DRUPALS[version]["vectors"] if it["name"].startswith("valid")]
    return {it["verdict"]: it["cookie"].partition("=")[2] for it in good}


def set_up(recorded: Recorded, version: str, name: str) -> None:
    """The rows of a recorded state in place of those that are there."""
    mode = "SET sql_mode = 'ANSI_QUOTES,NO_AUTO_VALUE_ON_ZERO,NO_BACKSLASH_ESCAPES'"
    statements = [mode] if recorded.mysql else []
    for key, table in TABLES[version].items():
        statements.append(f'DELETE FROM "{table}"')
        for row in state(version, name)[key]:
            row = {column: value for column, value in row.items() if (key, column) != ("roles", "name")}
            # What the record leaves out has no default in strict mode.
            row |= {"created": "0"} if table == "users_field_data" else {}
            row |= {"revision_id": "0", "delta": "0"} if table == "user__roles" else {}
            values = ["NULL" if value is None else literal_of(value) for value in row.values()]
            if not recorded.mysql and "session" in row and row["session"] is not None:
                # The column is of bytes there.
                values[list(row).index("session")] = f"decode('{row['session'].encode().hex()}', 'hex')"
            columns = ", ".join(f'"{column}"' for column in row)
            statements.append(f'INSERT INTO "{table}" ({columns}) VALUES ({", ".join(values)})')
    recorded.run(*statements)


def literal_of(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def settings_php(recorded: Recorded, version: str, prefix: str = "''") -> str:
    database = {
        "database": recorded.name,
        "username": "hallpass",
        "password": DATABASE_PASSWORD,
        "host": LOOPBACK,
        "port": str(recorded.server.port),
        "driver": "mysql" if recorded.mysql else "pgsql",
    }
    lines = "".join(f"  {php_literal(key)} => {php_literal(value)},\n" for key, value in database.items())
    lines += f"  'prefix' => {prefix},\n"
    module = "mysql" if recorded.mysql else "pgsql"
    if version == OLD:
        return (
            f"<?php\n$databases = array (\n  'default' => array ('default' => array (\n{lines}  )),\n);\n"
            "$update_free_access = FALSE;\n$drupal_hash_salt = 'x';\nini_set('session.gc_maxlifetime', 200000);\n"
        )
    return (
        "<?php\n$databases = [];\n$settings['hash_salt'] = 'x';\n"
        "$settings['container_yamls'][] = $app_root . '/' . $site_path . '/services.yml';\n"
        f"$databases['default']['default'] = array (\n{lines}  'namespace' => 'Drupal\\\\{module}',\n);\n"
    )


class Drupal:
    """A recorded site as its directory and its database, and ways to ask Hallpass about it."""

    def __init__(self, version, recorded, directory, shell):
        self.version, self.recorded, self.directory = version, recorded, directory
        self.host = DRUPALS[version]["host"]
        root = directory / f"drupal-{version}-{recorded.name}"
        self.sites = root / "sites/default"
        self.sites.mkdir(parents=True)
        self.settings = self.sites / "settings.php"
        self.settings.write_text(settings_php(recorded, version))
        if version == OLD:
            (root / "includes").mkdir()
            (root / "includes/bootstrap.inc").write_text(f"<?php\ndefine('VERSION', '{version}');\n")
        else:
            (root / "core/lib").mkdir(parents=True)
            source = f"<?php\nclass Drupal {{\n  const VERSION = '{version}';\n}}\n"
            (root / "core/lib/Drupal.php").write_text(source)
        for path in (root, root / "sites", self.sites, self.settings):
            give_away(path)
        tables = {
            "framework": "drupal",
            "name": recorded.name,
            "drupal": {
                "configuration": str(self.settings),
                "version": version,
                "base_url": f"http://{self.host}",
            },
            "limits": {"failures": 0},
            "passwords": {"dummy": "pbkdf2_sha256$1"},
        }
        self.root = root
        config = write_configuration(directory / f"{recorded.name}.toml", tables)
        self.site = Site(recorded.name, config, shell(config), None, DRUPALS[version]["cookie_name"])


DUMPS = {OLD: "drupal-7.105.sql", NEW: "drupal-10.3.10.sql"}


@contextmanager
def sites(server, directory, program, shell):
    """Both, in databases of one server, and a daemon for them."""
    found = {}
    for number, (version, dump) in enumerate(DUMPS.items()):
        recorded = Recorded(server, f"drupal_{number}", dump, [])
        found[version] = Drupal(version, recorded, directory, shell)
    # The helper for two databases of one site takes two sites as well.
    with answered({"mariadb": found[OLD], "postgresql": found[NEW]}, directory, program):
        yield found


@pytest.fixture(scope="module")
def drupals(new_directory, mariadb, hallpass_programs, shell):
    with sites(mariadb, new_directory(), hallpass_programs["hallpassd"], shell) as found:
        yield found


@pytest.fixture(scope="module")
def drupals_in_postgresql(new_directory, postgresql, hallpass_programs, shell):
    with sites(postgresql, new_directory(), hallpass_programs["hallpassd"], shell) as found:
        yield found


@pytest.fixture(
    params=[(version, kind) for kind in ("drupals", "drupals_in_postgresql") for version in (OLD, NEW)],
    ids=lambda param: "-".join(param),
)
def drupal(request):
    version, kind = request.param
    drupals = request.getfixturevalue(kind)
    set_up(drupals[version].recorded, version, "s0")
    return drupals[version]


def test_recorded_cookies_have_drupals_verdict(drupal):
    for vector in DRUPALS[drupal.version]["vectors"]:
        set_up(drupal.recorded, drupal.version, vector["state"])
        name, _, value = vector["cookie"].partition("=")
        assert drupal.site.by_header(vector["cookie"]) == vector["verdict"], vector["name"]
        assert drupal.site.by_header(f"a=b; {vector['cookie']}; {name}=x") == vector["verdict"]
        if name == drupal.site.cookie:
            expected = vector["verdict"] or "no-session"
            assert said(drupal.site.shell.session(value)) == expected, vector["name"]


def test_recorded_passwords_have_drupals_verdict(drupal):
    shell, table = drupal.site.shell, TABLES[drupal.version]["users"]
    for vector in DRUPALS[drupal.version]["passwords"]:
        hashed = vector["hash"]
        drupal.recorded.run(f'UPDATE "{table}" SET "pass" = {literal(hashed)} WHERE "name" = \'bob\'')
        right = said(shell.check("bob", vector["typed"]))
        assert (right == "bob") == vector["lets_in"], (vector["kind"], right)
        assert said(shell.check("bob", vector["typed"] + "x")) != "bob", vector["kind"]
    set_up(drupal.recorded, drupal.version, "s4")
    for vector in DRUPALS[drupal.version]["names"]:
        expected = vector["lets_in"] or "unknown-user"
        if drupal.version == OLD and not drupal.recorded.mysql and vector["typed"] != expected:
            # The names were recorded in MariaDB, whose collation folds case; 7 itself compares with `=`.
            expected = "unknown-user"
        assert said(shell.check(vector["typed"], vector["password"])) == expected, vector["typed"]


def test_out_of_the_site_is_out_at_the_next_question(drupal):
    bob = cookies(drupal.version)["bob"]
    users, cookie = TABLES[drupal.version]["users"], f"{drupal.site.cookie}={bob}"
    assert drupal.site.by_header(cookie) == "bob"
    drupal.recorded.run(f'UPDATE "{users}" SET "status" = 0 WHERE "name" = \'bob\'')
    assert drupal.site.by_header(cookie) is None
    drupal.recorded.run(f'UPDATE "{users}" SET "status" = 1 WHERE "name" = \'bob\'')
    assert drupal.site.by_header(cookie) == "bob"
    drupal.recorded.run('DELETE FROM "sessions" WHERE "uid" = 3')
    assert drupal.site.by_header(cookie) is None


def test_init_of_the_site_answers_as_the_site_does(drupal, directory, shell):
    output = directory / "hallpass.toml"
    url = f"http://{drupal.host}"
    made = shell()("init", "drupal", drupal.root, "--base-url", url, "-o", output)
    assert made.code == 0, made.stderr
    assert DATABASE_PASSWORD not in output.read_text()
    with output.open("a") as more:
        more.write('\n[limits]\ndeadline = "50s"\n')
    hallpass = shell(output)
    for name, value in cookies(drupal.version).items():
        assert said(hallpass.session(value)) == name
    assert said(hallpass.check("bob", "Pw-bob")) == "bob"
    assert said(hallpass.check("bob", "Pw-Bob")) == "wrong-password"
    for path in (drupal.settings, drupal.sites, drupal.root.parent / drupal.root.name):
        again = shell()("init", "drupal", path, "-o", directory / "again.toml", "--force")
        assert again.code == 0 and b"base_url" in again.stderr, again.stderr
    denied = shell(directory / "again.toml")
    value = cookies(drupal.version)["bob"]
    assert denied("session", value).code == 2, "the cookie's name is not known"


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("$conf['session_inc'] = 'sites/all/modules/redis/session.inc';", "session_inc"),
        ("$conf['password_inc'] = getenv('X');", "password_inc"),
        ("include 'settings.local.php';", "session_inc"),
    ],
)
def test_init_refuses_rules_that_it_cannot_express(drupals, directory, shell, line, word):
    drupal = drupals[OLD]
    before = drupal.settings.read_text()
    output = directory / "hallpass.toml"
    try:
        drupal.settings.write_text(before + line + "\n")
        made = shell()("init", "drupal", drupal.root, "-o", output)
    finally:
        drupal.settings.write_text(before)
    assert made.code == 2 and word.encode() in made.stderr, made.stderr
    assert not output.exists()


@pytest.mark.parametrize(
    ("services", "php", "expected"),
    [
        ("services:\n  session_handler.storage:\n    class: Redis\n", "", None),
        ("", "$config['user.role.editor']['is_admin'] = TRUE;\n", None),
        ("    cookie_domain: { a: b }\n", "", None),
        ("    cookie_domain: '.example.org'\n", "", 'cookie_domain = ".example.org"'),
        ("  security.enable_super_user: false\n", "", "enable_super_user = false"),
        ("#   cookie_domain: '.example.org'\n", "", "version = "),
    ],
)
def test_init_reads_services(drupals, directory, shell, services, php, expected):
    drupal = drupals[NEW]
    before = drupal.settings.read_text()
    output, file = directory / "hallpass.toml", drupal.sites / "services.yml"
    try:
        file.write_text(services)
        drupal.settings.write_text(before + php)
        made = shell()("init", "drupal", drupal.root, "--base-url", "https://x.example.org", "-o", output)
    finally:
        drupal.settings.write_text(before)
        file.unlink()
    if expected is None:
        assert made.code == 2 and not output.exists(), made.stderr
    else:
        assert expected in output.read_text()


def test_a_file_that_settings_php_includes_counts(drupals, directory, shell):
    drupal = drupals[NEW]
    before, output = drupal.settings.read_text(), directory / "hallpass.toml"
    local = drupal.sites / "settings.local.php"
    name = "$app_root . '/' . $site_path . '/settings.local.php'"

    def made():
        return shell()("init", "drupal", drupal.root, "--base-url", f"http://{drupal.host}", "-o", output)

    set_up(drupal.recorded, NEW, "s1")
    try:
        # The database's name is right in the included file alone.
        wrong = before.replace(f"'{drupal.recorded.name}'", "'absent'")
        assert wrong != before
        drupal.settings.write_text(f"{wrong}if (file_exists({name})) {{\n  include {name};\n}}\n")
        right = f"$databases['default']['default']['database'] = {php_literal(drupal.recorded.name)};"
        rule = "$config['user.role.editor']['is_admin'] = TRUE;"
        local.write_text(f"<?php\n{right}\n{rule}\n")
        assert made().code == 2 and not output.exists()
        local.write_text(f"<?php\n{right}\n")
        result = made()
        assert result.code == 0, result.stderr
        ask = shell(output)
        assert ask("user", "bob").code == 0
        local.write_text("<?php\n$databases['default']['default']['database'] = getenv('NAME');\n")
        told = ask("user", "bob")
        assert told.code == 2 and b"['database']" in told.stderr, told.stderr
        local.unlink()
        assert ask("user", "bob").code == 75
    finally:
        drupal.settings.write_text(before)
        local.unlink(missing_ok=True)


# The example


@pytest.fixture(scope="module")
def world(drupals, new_directory, hallpass_programs):
    directory, port, socket = new_directory(), free_port(), None
    drupal = drupals[NEW]
    socket = directory / "http.sock"
    with application() as behind:
        example.install(
            "nginx-drupal",
            directory / "etc",
            {
                "listen 80;": f"listen {LOOPBACK}:{port};",
                "127.0.0.1:8000": f"{LOOPBACK}:{behind.port}",
                "/run/hallpass/http.sock": str(socket),
                "/var/www/drupal/web/sites/default/settings.php": str(drupal.settings),
                'base_url = "https://www.example.org"': f'base_url = "http://{drupal.host}"',
                'deadline = "4s"': 'deadline = "50s"',
            }
            | UNTHROTTLED,
        )
        config = give_away(directory / "etc/hallpass.toml")
        with nginx(directory, port) as server, hallpassd(hallpass_programs["hallpassd"], config, socket):
            yield server


def test_nginx_asks_the_recorded_site(world, drupals):
    drupal = drupals[NEW]
    set_up(drupal.recorded, NEW, "s5")
    own = f"{drupal.site.cookie}="
    second = state(NEW, "s5")
    assert len(second["sessions"]) == 8
    forged = [("Remote-User", "admin"), ("Remote_User", "admin"), ("Remote-Groups", "editor")]

    def seen(path, *headers):
        answer = world.ask(path, [*headers, *forged])
        if answer.status != 200:
            return answer.status
        told = [value for name, value in json.loads(answer.body)["headers"] if name == "remote-user"]
        assert len(told) == 1
        return told[0]

    good = cookies(NEW)
    assert seen("/", ("Cookie", own + good["bob"])) == "bob"
    assert seen("/", ("Cookie", own + good["admin"])) == "admin"
    # erin is blocked, and carl is logged in.
    assert seen("/", ("Cookie", own + good["erin"])) == 302
    assert seen("/", ("Cookie", own + good["carl@example.org"])) == "carl@example.org"
    assert seen("/", ("Cookie", own + "x")) == seen("/") == 302
    assert seen("/_hallpass/session", ("Cookie", own + good["bob"])) == 404
    # bob is no editor, and alice is one.
    assert seen("/editors/x", ("Cookie", own + good["bob"])) == 403
    alice = ("Authorization", basic("alice", "Neu-alice"))
    assert seen("/api/x", alice) == "alice"
    assert seen("/api/x", ("Authorization", basic("alice", "neu-alice"))) == 401
    # Somebody's session under another's name lets in neither.
    assert seen("/api/x", ("Authorization", basic("alice", "wrong")), ("Cookie", own + good["bob"])) == 401
    drupal.recorded.run('DELETE FROM "sessions" WHERE "uid" = 3')
    assert seen("/", ("Cookie", own + good["bob"])) == 302
