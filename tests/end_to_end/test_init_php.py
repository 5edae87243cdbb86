"""`hallpass init joomla`, `phpbb`, `php` and `custom`: the file that it writes answers right, as it is.

The tables are those of real sites (see crates/core/tests/recorded), in a real MariaDB."""

import os
import shutil
import sqlite3
import stat
import subprocess
import time
from pathlib import Path
from urllib.parse import quote

import pytest

from processes import LOOPBACK
from stores.mariadb import PASSWORD

RECORDED = Path(__file__).parents[2] / "crates" / "core" / "tests" / "data"
JOOMLA_PASSWORD = "pässw0rd-ä"
# What alice's browsers held.
JOOMLA_COOKIE = "40702c4b0b5df7e9e0ca13edb2943794"
JOOMLA_TOKEN = "4c7qc9vb79uef402kj974gqs1j"
PHPBB_TOKEN = "c4d605fdc47da2e95572818c37c41c93"


def php(text: str) -> str:
    """A string of PHP in single quotes."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


@pytest.fixture(scope="module")
def joomla(mariadb):
    """The recorded site, its sessions' times moved to now."""
    mariadb.create_database("joomla")
    mariadb.execute((RECORDED / "joomla-4.4.0.sql").read_text(), "joomla")
    now = int(time.time())
    mariadb.execute(f"UPDATE jos_session SET time = {now}", "joomla")
    return mariadb


@pytest.fixture(scope="module")
def phpbb(mariadb):
    mariadb.create_database("phpbb")
    mariadb.execute((RECORDED / "phpbb-3.3.10.sql").read_text(), "phpbb")
    now = int(time.time())
    mariadb.execute(f"UPDATE phpbb_sessions SET session_time = {now}", "phpbb")
    return mariadb


class Site:
    """A directory with a site's own file, and what init writes about it."""

    def __init__(self, shell, directory, software, name):
        self.shell, self.directory, self.software = shell, directory, software
        self.file = directory / name
        self.output = directory / "hallpass.toml"

    def init(self, *options, path=None):
        return self.shell()(
            "init", self.software, path or self.directory, "-o", self.output, *options
        )

    def hallpass(self, *options):
        result = self.init(*options)
        assert result.code == 0, result.stderr.decode()
        # Nothing but patience is added: the recorded hashes are costly, and machines are shared.
        with self.output.open("a") as output:
            output.write('\n[limits]\ndeadline = "50s"\n')
        return self.shell(self.output)


@pytest.fixture
def joomla_site(shell, directory, joomla):
    """As Joomla 4.4 writes its file, for the tests' own server."""
    site = Site(shell, directory, "joomla", "configuration.php")
    site.lines = {
        "dbtype": "'mysqli'",
        "host": f"'{LOOPBACK}:{joomla.port}'",
        "user": "'hallpass'",
        "password": php(PASSWORD),
        "db": "'joomla'",
        "dbprefix": "'jos_'",
        "secret": "'TK0JI2K0m4hXPWcE'",
        "lifetime": "15",
        "session_handler": "'database'",
        "error_reporting": "'default'",
        "offline": "false",
    }

    def write(before="", inside="", **lines):
        properties = "".join(f"\tpublic ${k} = {v};\n" for k, v in (site.lines | lines).items())
        site.file.write_text(f"<?php\n{before}class JConfig {{\n{inside}{properties}}}\n")

    site.write = write
    manifest = directory / "administrator" / "manifests" / "files" / "joomla.xml"
    manifest.parent.mkdir(parents=True)
    manifest.write_text("<extension>\n\t<name>files_joomla</name>\n\t<version>4.4.0</version>\n")
    site.manifest = manifest
    return site


def answers_as_joomla_does(hallpass):
    result = hallpass.check("alice", JOOMLA_PASSWORD)
    assert result.granted and result.json["user"] == "alice", result
    assert not hallpass.check("alice", "wrong").granted
    assert hallpass.check("bob", JOOMLA_PASSWORD).json["reason"] == "inactive"
    result = hallpass.session(JOOMLA_TOKEN)
    assert result.granted and result.json["user"] == "alice"
    assert not hallpass.session("0" * 26).granted
    header = hallpass("session", "--json", "--cookie", f"{JOOMLA_COOKIE}={JOOMLA_TOKEN}")
    assert header.granted and header.json["user"] == "alice"


def test_joomla(joomla_site):
    joomla_site.write()
    answers_as_joomla_does(joomla_site.hallpass())
    text = joomla_site.output.read_text()
    assert 'version = "4.4.0"' in text
    # Nothing secret is copied.
    assert PASSWORD not in text and "TK0JI2K0m4hXPWcE" not in text
    assert os.listdir(joomla_site.directory).count("hallpass.toml") == 1


JOOMLA_VARIATIONS = {
    "double-quotes": dict(password='"' + PASSWORD.replace("\\", "\\\\") + '"'),
    "escapes": dict(password='"p\\x40ss/w:rd?\'#&=%41"', db='"joo\\155la"'),
    "concatenation": dict(dbprefix="'jos' . '_'", db="'joo'.'mla'"),
    "comments": dict(db="/* 'another' */ 'joomla' // $db = 'another';\n\t\t# and more\n"),
    "heredoc": dict(db="<<<'END'\n\tjoomla\n\tEND"),
    "arrays": dict(offset="['a' => [1, 2, 'x;y}']]", cors="array('*', \"}\")"),
    "inside": dict(inside="\t/** class JConfig { public $db = 'another'; } */\n\tprivate $_x = null;\n"),
    "old-style": dict(inside="\tvar $helpurl = 'http://x/?a=b&c=//d';\n"),
    # Of a handler that is not in use: nothing of it is looked at.
    "unused": dict(
        session_redis_server_host="'/run/redis.sock'",
        session_redis_server_port="-1",
        session_redis_server_db="'none'",
        session_memcached_server_port="'70000'",
    ),
}


@pytest.mark.parametrize("name", JOOMLA_VARIATIONS)
def test_joomla_with_variations(joomla_site, name):
    joomla_site.write(**JOOMLA_VARIATIONS[name])
    answers_as_joomla_does(joomla_site.hallpass())


def test_php_in_the_file_is_not_run(joomla_site):
    proof = joomla_site.directory / "proof"
    code = f"file_put_contents('{proof}', 'x'); system('touch {proof}'); `touch {proof}`;\n"
    joomla_site.write(before=code)
    result = joomla_site.init()
    assert not proof.exists()
    if result.code == 0:
        answers_as_joomla_does(joomla_site.hallpass("--force"))


@pytest.mark.parametrize(
    "key, value", [("password", "getenv('PASSWORD')"), ("dbprefix", "PREFIX . '_'"), ("db", "$name")]
)
def test_what_php_would_compute_is_not_guessed(joomla_site, key, value):
    joomla_site.write(**{key: value})
    result = joomla_site.init()
    assert result.code == 2
    assert f"`${key}`".encode() in result.stderr and b"not a literal" in result.stderr
    assert not joomla_site.output.exists()


def test_joomla_before_4(joomla_site):
    joomla_site.manifest.unlink()
    joomla_site.write()
    assert b"version" in joomla_site.init().stderr
    version = joomla_site.directory / "libraries" / "cms" / "version" / "version.php"
    version.parent.mkdir(parents=True)
    version.write_text("<?php\nfinal class JVersion\n{\n\tpublic $RELEASE = '3.4';\n}\n")
    result = joomla_site.init("--force")
    assert result.code == 0 and result.stderr == b""
    assert 'version = "3.4"' in joomla_site.output.read_text()


def test_joomla_with_sessions_nobody_else_can_read(joomla_site):
    joomla_site.write(session_handler="'apcu'")
    result = joomla_site.init()
    assert result.code == 0 and b"apcu" in result.stderr
    hallpass = joomla_site.shell(joomla_site.output)
    assert hallpass.check("alice", JOOMLA_PASSWORD).granted
    assert hallpass("session", JOOMLA_TOKEN).code in (1, 2)


# The frameworks whose sites have a file in PHP that says where their tables are, and its name.
OWN_FILES = {
    "joomla": "configuration.php",
    "phpbb": "config.php",
    "wordpress": "wp-config.php",
    "drupal": "settings.php",
}

BROKEN = {
    "absent": None,
    "empty": "",
    "no-class": "<?php $db = 'joomla';",
    "another-class": "<?php class Config { public $dbprefix = 'jos_'; }",
    "cut": "<?php class JConfig { public $db = 'joom",
    "no-database": "<?php class JConfig { public $dbprefix = 'jos_'; }",
    "wordpress": "<?php define('DB_NAME', 'x'); $table_prefix = 'wp_';",
    "binary": "\0\1\2<?php",
}


@pytest.mark.parametrize("software", OWN_FILES)
@pytest.mark.parametrize("name", BROKEN)
def test_files_that_are_none(shell, directory, software, name):
    if name == software:
        pytest.skip("this one is its own")
    file = OWN_FILES[software]
    site = Site(shell, directory, software, file)
    if BROKEN[name] is not None:
        site.file.write_text(BROKEN[name])
    result = site.init()
    assert result.code == 2 and file.encode() in result.stderr, result.stderr
    assert os.listdir(directory) == ([] if BROKEN[name] is None else [file])


@pytest.fixture
def phpbb_site(shell, directory, phpbb):
    """As phpBB 3.3 writes its file."""
    site = Site(shell, directory, "phpbb", "config.php")
    site.lines = {
        "dbms": "'phpbb\\\\db\\\\driver\\\\mysqli'",
        "dbhost": f"'{LOOPBACK}'",
        "dbport": f"'{phpbb.port}'",
        "dbname": "'phpbb'",
        "dbuser": "'hallpass'",
        "dbpasswd": php(PASSWORD),
        "table_prefix": "'phpbb_'",
        "phpbb_adm_relative_path": "'adm/'",
        "acm_type": "'phpbb\\\\cache\\\\driver\\\\file'",
    }

    def write(more="", **lines):
        variables = "".join(f"${k} = {v};\n" for k, v in (site.lines | lines).items())
        end = "@define('PHPBB_INSTALLED', true);\n@define('PHPBB_ENVIRONMENT', 'production');\n"
        site.file.write_text(f"<?php\n// phpBB 3.3.x auto-generated configuration file\n{variables}{end}{more}")

    site.write = write
    return site


def answers_as_phpbb_does(hallpass):
    result = hallpass.check("ALICE", JOOMLA_PASSWORD)
    assert result.granted and result.json["user"] == "alice"
    assert not hallpass.check("alice", "wrong").granted
    assert not hallpass.check("nobody at all", JOOMLA_PASSWORD).granted
    result = hallpass.session(PHPBB_TOKEN)
    assert result.granted and result.json["user"] == "alice", result
    assert not hallpass.session("0" * 32).granted


PHPBB_VARIATIONS = {
    "plain": {},
    "double-quotes": dict(dbpasswd='"' + PASSWORD + '"', dbname='"phpb\\x62"'),
    "comments": dict(dbname="'phpbb' /* ; $dbname = 'x'; */"),
    "closed": dict(more="?>\n"),
    "before-3.1": dict(dbms="'mysqli'"),
}


@pytest.mark.parametrize("name", PHPBB_VARIATIONS)
def test_phpbb(phpbb_site, name):
    phpbb_site.write(**PHPBB_VARIATIONS[name])
    answers_as_phpbb_does(phpbb_site.hallpass())
    assert PASSWORD not in phpbb_site.output.read_text()


@pytest.mark.parametrize("port", ["''", "'3306'"])
def test_phpbb_with_the_port_in_the_host(phpbb_site, phpbb, port):
    """As PHP's mysqli takes it: it counts before another."""
    phpbb_site.write(dbhost=f"'{LOOPBACK}:{phpbb.port}'", dbport=port)
    answers_as_phpbb_does(phpbb_site.hallpass())


def test_phpbb_that_reads_the_environment(phpbb_site):
    phpbb_site.write(dbpasswd="getenv('PASSWORD')")
    result = phpbb_site.init()
    assert result.code == 2 and b"$dbpasswd" in result.stderr
    assert not phpbb_site.output.exists()


# php.ini


PHP_INI = """[PHP]
engine = On
memory_limit = 128M
; session.save_path = "/nowhere"
[Session]
session.save_handler = files
session.save_path = "{directory}" ; why
session.name = 'SHOPSESSID'
session.gc_maxlifetime = 600
session.cookie_httponly =
session.serialize_handler = php
[HOST=other.example]
session.save_path = /nowhere
"""


@pytest.fixture
def php_site(shell, directory):
    """Settings as Debian lays them out, and one session."""
    site = Site(shell, directory, "php", "php.ini")
    site.sessions = directory / "sessions"
    site.sessions.mkdir()
    site.token = "a" * 26
    (site.sessions / f"sess_{site.token}").write_text(
        'user|a:1:{s:8:"username";s:5:"alice";}'
    )
    site.file.write_text(PHP_INI.format(directory=site.sessions))
    (directory / "conf.d").mkdir()
    (directory / "pool.d").mkdir()
    return site


def test_php(php_site):
    hallpass = php_site.hallpass("--user", "user.username")
    result = hallpass.session(php_site.token)
    assert result.granted and result.json["user"] == "alice", result.stderr
    assert not hallpass.session("b" * 26).granted
    header = hallpass("session", "--json", "--cookie", f"SHOPSESSID={php_site.token}")
    assert header.granted
    ten_minutes = time.time() - 601
    os.utime(php_site.sessions / f"sess_{php_site.token}", (ten_minutes, ten_minutes))
    assert not hallpass.session(php_site.token).granted


def test_later_files_win(php_site):
    other = php_site.directory / "other"
    shutil.copytree(php_site.sessions, other)
    (php_site.sessions / f"sess_{php_site.token}").unlink()
    ini = php_site.directory / "conf.d" / "20-sessions.ini"
    ini.write_text(f"session.save_path={other}\n")
    assert php_site.hallpass("--user", "user.username").session(php_site.token).granted
    # A pool's own setting wins over that, and an admin's over everybody's.
    pool = php_site.directory / "pool.d" / "www.conf"
    pool.write_text(f"[www]\nuser = nobody\nphp_admin_value[session.save_path] = {other}\n")
    ini.write_text("session.save_path=/nowhere\n")
    user_ini = php_site.directory / ".user.ini"
    user_ini.write_text("session.save_path=/nowhere\nsession.name=OWN\n")
    hallpass = php_site.hallpass("--user", "user.username", "--force")
    assert hallpass.session(php_site.token).granted
    assert 'name = "OWN"' in php_site.output.read_text()


def test_pools_that_differ(php_site):
    pools = php_site.directory / "pool.d"
    (pools / "a.conf").write_text("[a]\nphp_value[session.save_path] = /a\n")
    (pools / "b.conf").write_text("[b]\nphp_value[session.save_path] = /b\n")
    result = php_site.init("--user", "user.username")
    assert result.code == 2 and b"the pools a and b differ" in result.stderr


@pytest.mark.parametrize(
    "handler, path",
    [
        ("redis", "tcp://127.0.0.1:6379?auth=s3cret&database=2"),
        ("rediscluster", "seed[]=127.0.0.1:7000&seed[]=127.0.0.1:7001&auth=s3cret&timeout=2"),
    ],
)
def test_php_with_redis_has_its_secret_in_a_private_file(php_site, handler, path):
    php_site.file.write_text(
        f'session.save_handler = {handler}\nsession.save_path = "{path}"\n'
    )
    assert php_site.init("--user", "user").code == 0
    assert f'save_handler = "{handler}"' in php_site.output.read_text()
    assert stat.S_IMODE(php_site.output.stat().st_mode) == 0o600


NOT_PHP = {
    "handler": ("session.save_handler = user\n", b"session.save_handler is user"),
    "computed": ("session.save_path = ${SESSIONS}/x\n", b"php.ini:1"),
    "open": ('session.save_path = "/a\n', b"php.ini:1"),
    "lifetime": ("session.gc_maxlifetime = 1d\n", b"gc_maxlifetime"),
    "seeds": ('session.save_handler = rediscluster\nsession.save_path = "a:1"\n', b"seed[]="),
    "depth": ('session.save_path = "x;/a"\n', b"save_path"),
    "name": ('session.name = "a b"\n', b"name"),
}


@pytest.mark.parametrize("name", NOT_PHP)
def test_settings_that_cannot_be_said(php_site, name):
    text, words = NOT_PHP[name]
    php_site.file.write_text(text)
    result = php_site.init("--user", "user")
    assert result.code == 2 and words in result.stderr, result.stderr
    assert not php_site.output.exists()


def test_php_must_be_told_where_the_name_is(php_site):
    result = php_site.init()
    assert result.code == 2 and b"--user" in result.stderr
    assert php_site.init("--user", "").code == 2
    assert php_site.init("--user", "user", path=php_site.directory / "nowhere").code == 2
    empty = php_site.directory / "empty"
    empty.mkdir()
    assert php_site.init("--user", "user", path=empty).code == 2


# Any other site


@pytest.fixture(scope="module")
def php_hash():
    """As PHP makes it."""
    code = 'echo password_hash("s3cret", PASSWORD_BCRYPT, ["cost" => 4]);'
    return subprocess.run(["php", "-r", code], capture_output=True, text=True, check=True).stdout


# Names that are words of SQL, or have a blank in them.
ACCOUNTS = (
    'CREATE TABLE "user" (id integer PRIMARY KEY, "e mail" varchar(99), "select" varchar(99), '
    "active integer);"
    "INSERT INTO \"user\" VALUES (7, 'alice@example.org', '{0}', 1), "
    "(8, 'bob@example.org', '{0}', 0);"
)
COLUMNS = (
    "--table user --password-column select --active-column active --username-column".split()
    + ["e mail", "--email-column", "e mail"]
)


def answers_right(hallpass):
    result = hallpass.check("alice@example.org", "s3cret")
    assert result.granted, (result, result.stderr)
    assert (result.json["id"], result.json["email"]) == ("7", "alice@example.org")
    assert not hallpass.check("alice@example.org", "wrong").granted
    assert hallpass.check("bob@example.org", "s3cret").json["reason"] == "inactive"
    assert not hallpass.check("alice", "s3cret").granted


def test_custom_by_an_sqlite_file(shell, directory, php_hash):
    database = directory / "app.db"
    with sqlite3.connect(database) as connection:
        connection.executescript(ACCOUNTS.format(php_hash))
    connection.close()
    site = Site(shell, directory, "custom", "app.db")
    answers_right(written_for(site, database))
    # The same by the ways in which frameworks name it.
    for text in [
        f"DATABASE_URL=sqlite:///{database}\n",
        "DATABASE_URL=sqlite:///app.db\n",
        "DATABASE_URL=sqlite3:app.db\n",
        "DATABASE_URL=spatialite:///app.db\n",
        "DATABASE_URL=sqlite+pysqlite:///app.db\n",
        "DB_URL=sqlite:///app.db\nDB_CONNECTION=mysql\n",
        'DATABASE_URL="sqlite:///%kernel.project_dir%/app.db"\n',
        "DB_CONNECTION=sqlite\nDB_DATABASE=app.db\n",
    ]:
        (directory / ".env").write_text("APP_ENV=prod\n" + text)
        answers_right(written_for(site, directory))


def written_for(site, path):
    result = site.init(*COLUMNS, "--force", path=path)
    assert result.code == 0, result.stderr.decode()
    return site.shell(site.output)


def test_custom_by_a_doctrine_url(shell, directory, mariadb, php_hash):
    mariadb.create_database("custom_app")
    mariadb.execute("SET sql_mode = 'ANSI_QUOTES';" + ACCOUNTS.format(php_hash), "custom_app")
    url = f"mysql://hallpass:{quote(PASSWORD, safe='')}@{LOOPBACK}:{mariadb.port}/custom_app"
    # What is in .env counts as far as .env.local does not say otherwise.
    (directory / ".env").write_text("DATABASE_URL=postgresql://app@nowhere/app\n")
    local = f"DATABASE_URL='{url}?serverVersion=10.11.2-MariaDB&charset=utf8mb4'\n"
    (directory / ".env.local").write_text(local)
    site = Site(shell, directory, "custom", ".env")
    answers_right(written_for(site, directory))
    assert PASSWORD not in site.output.read_text()
    secret = directory / "hallpass.database_password"
    assert secret.read_text() == PASSWORD + "\n" and stat.S_IMODE(secret.stat().st_mode) == 0o600


def test_custom_by_laravels_names(shell, directory, postgresql, php_hash):
    postgresql.create_database("custom_app")
    sql = ACCOUNTS.format(php_hash)
    postgresql.execute(sql, "custom_app", user="site", host=LOOPBACK)
    (directory / ".env").write_text(
        f"APP_KEY=base64:x\nDB_CONNECTION=pgsql\nDB_HOST={LOOPBACK}\nDB_PORT={postgresql.port}\n"
        f'DB_DATABASE=custom_app\nDB_USERNAME=hallpass\nDB_PASSWORD="{PASSWORD}"\n'
    )
    answers_right(written_for(Site(shell, directory, "custom", ".env"), directory / ".env"))


NOT_CUSTOM = {
    "nothing": ("", b"neither DATABASE_URL, DB_URL nor DB_CONNECTION"),
    "absent": (None, b"there is no .env"),
    "refers": ("DATABASE_URL=mysql://${USER}@h/n\n", b"refers to other variables"),
    "no-url": ("DATABASE_URL=shop\n", b"not a URL"),
    "another": ("DATABASE_URL=oci8://h/n\n", b"oci8"),
    "sqlsrv": ("DB_CONNECTION=sqlsrv\n", b"sqlsrv"),
    "no-lines": ("this is none\n", b".env:1"),
    "port": ("DATABASE_URL=mysql://h:x/n\n", b"port"),
}


@pytest.mark.parametrize("name", NOT_CUSTOM)
def test_custom_that_cannot_be_said(shell, directory, name):
    text, words = NOT_CUSTOM[name]
    if text is not None:
        (directory / ".env").write_text(text)
    site = Site(shell, directory, "custom", ".env")
    result = site.init(*COLUMNS)
    assert result.code == 2 and words in result.stderr, result.stderr
    assert not site.output.exists()


@pytest.mark.parametrize("name", ["", 'a"b', "a:b", "a\nb", "a?"])
def test_custom_names_do_not_end_their_quotes(shell, directory, name):
    (directory / ".env").write_text("DATABASE_URL=postgres://h/n\n")
    site = Site(shell, directory, "custom", ".env")
    assert site.init("--table", name).code == 2
    assert site.init("--username-column", name).code == 2
    assert not site.output.exists()
