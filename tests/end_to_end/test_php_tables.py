"""Sessions that PHP frameworks keep in tables: read with a preset, and no other key but the path to the
name, as the framework's own handler reads them."""

import json
import subprocess
from pathlib import Path

import pytest

from php_doors import said, write_configuration
from processes import LOOPBACK
from stores.postgresql import PASSWORD

SCRIPT = Path(__file__).parent / "pages" / "session_tables.php"

OWN = {
    "table": "visits",
    "id_column": "sid",
    "data_column": "payload",
    "lifetime_column": "",
    "time_column": "touched",
    "time_zone": "Europe/Warsaw",
}
SITES = [
    ("codeigniter3", "mariadb"),
    ("codeigniter3", "postgresql"),
    ("codeigniter4", "mariadb"),
    ("codeigniter4", "postgresql"),
    ("yii2", "sqlite"),
    ("yii2", "mariadb"),
    ("yii2", "postgresql"),
    ("cakephp", "sqlite"),
    ("cakephp", "postgresql"),
    ("laminas", "sqlite"),
    ("laminas", "mariadb"),
    ("own", "sqlite"),
    ("own", "mariadb"),
    ("own", "postgresql"),
]
LIVE = {"live", "nearly-ended"}
NOBODY = {"ended", "long-ended", "anonymous", "unknown", "of-another-cookie"}


class Site:
    """A table of sessions, what the framework says of each, and Hallpass beside it."""

    def __init__(self, request, shell, directory, framework, database):
        self.directory, self.shell = directory, shell
        if database == "sqlite":
            file = directory / "site.sqlite3"
            login, self.database = [f"sqlite:{file}", "", ""], f"sqlite:{file}"
        else:
            server = request.getfixturevalue(database)
            name = f"php_{framework}"
            server.create_database(name)
            driver = "pgsql" if database == "postgresql" else "mysql"
            login = [f"{driver}:host={LOOPBACK};port={server.port};dbname={name}", "site", PASSWORD]
            self.database = server.hallpass(name, user="site")
        done = subprocess.run(
            ["php", SCRIPT, framework, *login], capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stdout + done.stderr
        self.sessions = json.loads(done.stdout)

    def hallpass(self, **php):
        tables = {"framework": "php", "database": self.database}
        tables["php"] = {"save_handler": "pdo", "user": "user", **php}
        return self.shell(write_configuration(self.directory / "hallpass.toml", tables))


@pytest.mark.parametrize("framework,database", SITES, ids=map("-".join, SITES))
def test_whom_the_framework_lets_in(request, shell, directory, framework, database):
    site = Site(request, shell, directory, framework, database)
    keys = OWN if framework == "own" else {"preset": framework}
    hallpass = site.hallpass(**keys)
    for name, session in site.sessions.items():
        verdict = said(hallpass.session(session["id"]))
        assert (verdict == "alice") == (session["user"] == "alice") == (name in LIVE), (name, verdict)
        assert verdict == "alice" or name in NOBODY
        # No id is somebody's by half.
        assert said(hallpass.session(session["id"][:-1])) == "no-session"
    findings = hallpass("doctor", "--json").json["findings"]
    assert not [finding for finding in findings if finding["status"] == "problem"], findings


def test_an_end_is_not_taken_for_a_last_use(request, shell, directory):
    """By Symfony's columns Yii's sessions would live twice as long: that cannot be written."""
    site = Site(request, shell, directory, "yii2", "sqlite")
    columns = {"table": "session", "id_column": "id", "data_column": "data", "lifetime_column": ""}
    ends = site.hallpass(**columns, expires_column="expire")
    for name, session in site.sessions.items():
        assert (said(ends.session(session["id"])) == "alice") == (name in LIVE), name
    for wrong, words in [
        ({"time_column": ""}, "no session would ever end"),
        ({"time_column": "expire", "expires_column": "expire"}, "beside `time_column`"),
        ({"preset": "yii"}, "preset"),
        ({"preset": "yii2", "id_column": ""}, "id_column"),
        ({"preset": "yii2", "time_zone": "Mars/Olympus"}, "time_zone"),
    ]:
        result = site.hallpass(**columns | wrong).session("0" * 32)
        assert result.code == 2 and words in result.stderr.decode(), (wrong, result)

