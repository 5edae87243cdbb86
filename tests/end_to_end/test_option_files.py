"""`hallpass init django` reads MySQL's option files as the site's own driver does."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from people import SECRET, fill
from processes import LOOPBACK
from stores.postgresql import PASSWORD
from test_init import Init, approved

CODE = Path(__file__).parents[2] / "crates/sites/src/django/discover/database.py"

# What `init` runs in the site's Python, asked for one option file; the driver says who it is.
ASK = """
import json, sys, types
driver = types.ModuleType("MySQLdb")
driver.get_client_info = lambda: sys.argv[2]
sys.modules["MySQLdb"] = driver
exec(open(sys.argv[1]).read())
print(json.dumps(option_file(sys.argv[3], sys.argv[4] or None)))
"""


def ours(path, client, group=""):
    done = subprocess.run(
        [sys.executable, "-c", ASK, CODE, client, path, group], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


LINES = {
    "plain": "user=site\npassword = secret\n",
    "white-space": "  user   =   site  \n\tpassword\t=\ta b  \n",
    "comments": "# user=a\n; user=b\nuser=site # a comment\npassword=pa#ss\n",
    "quotes": "user='si te'\npassword=\"pa#ss\" # a comment\n",
    "other-quotes": "user='it''s'\npassword=\"a'b\"\n",
    "open-quote": "user=\"a\npassword=b'\n",
    "escapes": "user=a\\sb\\tc\\\\d\\e\npassword='it\\'s \\#1'\n",
    "dashes": "default-character-set=utf8\nuser=site\n",
    "later-groups": "user=first\n[client-server]\nuser=second\n[mysqld]\nuser=nobody\n[client]\npassword=x\n",
    "empty": "user=\npassword\n",
    "equals": "password=a=b=c\n",
    "other-group": "[mine]\nuser=mine\n[other]\nuser=other\n",
}


@pytest.mark.parametrize("name", LINES)
def test_mysqls_own_rules(directory, name):
    """As `my_print_defaults` reads it, whose code the servers' own clients share."""
    path = directory / "my.cnf"
    path.write_text("[client]\n" + LINES[name])
    asked = ["my_print_defaults", f"--defaults-file={path}", "client", "client-server", "client-mariadb", "mine"]
    done = subprocess.run(asked, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    expected = {}
    for line in done.stdout.splitlines():
        key, _, value = line.removeprefix("--").partition("=")
        expected[key.replace("-", "_")] = value
    assert ours(path, "8.0.36", "mine") == expected


# What libmariadb 3.3.20 sent to a server, for these lines.
CONNECTOR = {
    "user = 'si te'\npassword = pa#ss   # comment\n": {"user": "si te", "password": "pa#ss   # comment"},
    'password = "pa#ss"   # comment\n': {"password": 'pa#ss"   # comment'},
    "password = 'a\\sb\\tc\\\\d\\e\\'f'\n": {"password": "a b\tc\\d\\e'f"},
    "password = a'b\"c\n": {"password": "a'b\"c"},
    "password = \"a'\n": {"password": "a"},
    "user=first\n[client-server]\nuser = second\n[client-mariadb]\nuser=third\n[mysqld]\nuser=nope\n": {"user": "third"},
}


@pytest.mark.parametrize("lines", CONNECTOR, ids=range(len(CONNECTOR)))
def test_the_rules_of_mariadbs_connector(directory, lines):
    path = directory / "my.cnf"
    path.write_text("[client]\n" + lines)
    assert ours(path, "3.3.20") == CONNECTOR[lines]


def test_included_files(directory):
    more = directory / "more"
    more.mkdir()
    (more / "b.cnf").write_text("[client]\nuser=last\n")
    (more / "a.cnf").write_text("[client]\nuser=first\nhost=h\n")
    (more / "c.txt").write_text("[client]\nuser=nobody\n")
    (directory / "one.cnf").write_text("[client]\npassword=one\n")
    path = directory / "my.cnf"
    path.write_text(f"!include {directory}/one.cnf\n[client]\nport=1\n!includedir {more}\n")
    expected = {"password": "one", "port": "1", "user": "last", "host": "h"}
    assert ours(path, "8.0.36") == expected
    # One that includes itself ends.
    path.write_text(f"!include {path}\n[client]\nport=1\n")
    assert ours(path, "8.0.36") == {"port": "1"}


def test_a_site_whose_login_is_in_an_option_file(new_site, mariadb, shell, verdicts):
    """PyMySQL in MySQLdb's place, which reads them by rules of its own."""
    site = new_site(server=mariadb)
    fill(site, {"alice": {}})
    path = site.directory / "my.cnf"
    path.write_text(
        f"[client]\nhost={LOOPBACK}\nport={mariadb.port}\nuser=site\npassword=\"{PASSWORD}\"\n"
        f"database={site.database_name}\n[mine]\nuser=nobody\n"
    )
    path.chmod(0o600)
    entry = {"ENGINE": "django.db.backends.mysql", "OPTIONS": {"read_default_file": str(path), "ssl_disabled": True}}
    site.settings["DATABASES"] = {"default": entry | {"NAME": site.database_name}}
    site._write_settings()
    init = Init(shell, site)
    hallpass = init.hallpass()
    verdicts.compare(hallpass.check("alice", SECRET), True)
    verdicts.compare(hallpass.check("alice", "wrong"), False)
    assert PASSWORD not in init.text
    approved(hallpass)
