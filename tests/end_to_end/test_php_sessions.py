"""Sessions of real PHP, by every save handler and every serialize handler that Debian has.

PHP itself is the oracle: the page `whoami.php` says whose session it is, and our verdict is to be
the same, through the shell and through both doors of hallpassd.
"""

import os
import re
import shutil
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from hosts.daemon import hallpassd
from hosts.events import Events
from hosts.php import php as running_php
from hosts.watching import reason
from php_doors import Site, said, write_configuration
from processes import LOOPBACK, eventually, give_away, running
from stores.redis import PASSWORD

SERIALIZERS = ["php", "php_binary", "php_serialize", "igbinary"]
HANDLERS = ["files", "directories", "memcached", "memcache", "redis"]
USER = "_sf2_attributes.user.username"
LIFETIME = 600
# The same stores by other words: what save_path may say besides.
VARIANTS = ["two-memcacheds", "memcached-socket", "redis-socket", "redis-password", "redis-locks"]
VARIANTS += ["redis-without-a-scheme", "redis-path"]
SITES = [f"{handler}-{serializer}" for handler in HANDLERS for serializer in SERIALIZERS]


class World:
    """PHP with a folder for each way to keep sessions, and one hallpassd for all of them."""

    def __init__(self, php, folders, sites):
        self.php, self.folders, self.sites = php, folders, sites

    def __getitem__(self, name: str):
        return self.folders[name], self.sites[name]


@pytest.fixture(scope="module")
def protected_redis(new_directory):
    from stores.redis import Redis

    with Redis(new_directory(), protected=True) as running_redis:
        yield running_redis


@pytest.fixture(scope="module")
def places(new_directory, redis, protected_redis, memcached, memcached_on_a_socket):
    """Where each way to keep sessions keeps them: PHP's save_handler and save_path."""
    from urllib.parse import quote

    at = f"tcp://{LOOPBACK}:{redis.port}"
    files, directories = new_directory(), new_directory()
    for first in "0123456789abcdefghijklmnopqrstuv":
        (directories / first).mkdir()
        give_away(directories / first)
    password = quote(PASSWORD, safe="")
    return {
        "files": ("files", str(files)),
        "directories": ("files", f"1;0640;{directories}"),
        "memcached": ("memcached", memcached.location),
        "memcache": ("memcache", f"tcp://{memcached.location}?timeout=2"),
        "redis": ("redis", f"{at}?database=3"),
        "two-memcacheds": ("memcached", f"{memcached.location},{memcached_on_a_socket.socket}:0"),
        "memcached-socket": ("memcached", f"{memcached_on_a_socket.socket}:0"),
        "redis-socket": ("redis", f"unix://{redis.socket}?database=4&prefix=shop:"),
        "redis-password": (
            "redis", f"tcp://{LOOPBACK}:{protected_redis.port}?auth={password}&database=1",
        ),
        "redis-locks": ("redis", f"{at}?database=5"),
        "redis-without-a-scheme": ("redis", f"{LOOPBACK}:{redis.port}"),
        "redis-path": ("redis", f"{redis.socket}?database=6"),
    }


@pytest.fixture(scope="module")
def world(new_directory, places, hallpass_programs, shell):
    directory = new_directory()
    socket = directory / "http.sock"
    ways = {site: site.rpartition("-")[::2] for site in SITES}
    ways |= {variant: (variant, "php") for variant in VARIANTS}
    with ExitStack() as open_:
        php = open_.enter_context(running_php(directory))
        folders, configs = {}, {}
        for name, (place, serializer) in ways.items():
            handler, save_path = places[place]
            settings = {
                "session.save_handler": handler,
                "session.save_path": save_path,
                "session.serialize_handler": serializer,
                "session.gc_maxlifetime": LIFETIME,
                "redis.session.locking_enabled": int(name == "redis-locks"),
                "memcached.sess_binary_protocol": int(place != "memcached-socket"),
                # It keeps a lock that it took to read alone.
                "memcache.lock_timeout": 1,
            }
            folders[name] = php.folder(name, settings, "login.php", "whoami.php", "slow.php")
            tables = {
                "name": name,
                "framework": "php",
                "php": {
                    "save_handler": handler,
                    "save_path": save_path,
                    "gc_maxlifetime": LIFETIME,
                    "user": USER,
                },
            }
            if not configs:
                tables["daemon"] = {"listen": [f"unix:{socket}?mode=0660"]}
            configs[name] = write_configuration(directory / f"{name}.toml", tables)
        program = hallpass_programs["hallpassd"]
        daemon = open_.enter_context(hallpassd(program, list(configs.values()), socket))
        sites = {
            name: Site(name, config, shell(config), daemon) for name, config in configs.items()
        }
        yield World(php, folders, sites)


def with_changes(site: Site, tables: dict, shell, **changes) -> Site:
    """Another configuration of the same site, for the shell alone."""
    path = site.config.parent / f"{site.name}-changed.toml"
    write_configuration(path, {"framework": "php", "php": tables | changes})
    return replace(site, config=path, shell=shell(path))


@pytest.mark.parametrize("name", SITES + VARIANTS)
def test_whoever_php_lets_in(world, name):
    folder, site = world[name]
    alice = folder.log_in("alice")
    zoe = folder.log_in("zoë", large="1")
    nobody = folder.log_in(None)
    assert re.fullmatch("[0-9a-v]{26}", alice), alice
    for token, user in [(alice, "alice"), (zoe, "zoë"), (nobody, None)]:
        assert folder.whoami(f"PHPSESSID={token}") == user
        assert site.reason(token) == (user or "anonymous-session")
    answer = site.shell.session(alice).json
    assert answer["user"] == "alice"
    # Ids that PHP did not give, or not like this.
    for token in [alice[:-1], alice.upper(), f"{alice}0", f"lock.{alice}", f"{alice}_LOCK"]:
        assert site.reason(token) == "no-session", token
    # PHP gives a new id at login, and the old one is void.
    renewed = folder.log_in("alice", alice, new="1")
    assert renewed != alice
    assert site.reason(renewed) == folder.whoami(f"PHPSESSID={renewed}") == "alice"
    assert site.reason(alice) == "no-session"
    assert folder.whoami(f"PHPSESSID={alice}") is None
    # Somebody logs out of the session; somebody else logs in to it; and then the session ends.
    assert folder.log_in(None, renewed) == renewed
    assert site.reason(renewed) == "anonymous-session"
    assert folder.log_in("bob", renewed) == renewed
    assert site.reason(renewed) == folder.whoami(f"PHPSESSID={renewed}") == "bob"
    folder.get("login.php", zoe, logout="1")
    assert site.reason(zoe) == "no-session"


@pytest.mark.parametrize("name", ["files-php", "memcached-php", "redis-php"])
def test_a_stream_ends_as_php_ends_its_sessions(world, name):
    folder, site = world[name]
    tokens = [folder.log_in(user) for user in ("alice", "bob", "alice", "alice")]
    with ExitStack() as open_:
        path = f"/{name}/session/events"
        one, two, other, last = [
            open_.enter_context(Events(site.daemon.address, {"Cookie": f"PHPSESSID={token}"}, path))
            for token in tokens
        ]
        for stream in (one, two, other, last):
            assert stream.next()[0] == "identity"
        folder.get("login.php", tokens[0], logout="1")
        folder.log_in(None, tokens[1])
        # Somebody else logs in to the same session.
        folder.log_in("bob", tokens[3])
        assert reason(one) == reason(two) == reason(last) == "logout"
        assert other.goes_on(0.5)


@pytest.mark.parametrize("name", [f"{handler}-php" for handler in HANDLERS])
def test_cookies_are_read_as_php_reads_them(world, name):
    folder, site = world[name]
    alice, bob = folder.log_in("alice"), folder.log_in("bob")
    for cookies in [
        f"PHPSESSID={alice}",
        f"a=b; PHPSESSID={alice}; c=d",
        f"PHPSESSID={alice}; PHPSESSID={bob}",
        f"PHPSESSID={bob};PHPSESSID={alice}",
        f"PHPSESSID; PHPSESSID={alice}",
        f"PHPSESSID=; PHPSESSID={alice}",
        f"PHPSESSID =x; PHPSESSID={alice}",
        f"PHPSESSID={alice} ; b=c",
        f"PHPSESSID= {alice}",
        f'PHPSESSID="{alice}"',
        f"phpsessid={alice}",
        f"XPHPSESSID={alice}",
        f"PHPSESSID2={alice}",
        f"sessionid={alice}",
        f"PHPSESSID={alice}%20",
        f"PHPSESSID={alice}%2",
        f"PHPSESSID={alice},{bob}",
        f"PHPSESSID=..%2F{alice}",
        "PHPSESSID=",
        "=",
        ";",
    ]:
        assert site.by_header(cookies) == folder.whoami(cookies), cookies


HOSTILE = [
    "../{}", "../../{}", "./{}", "..", ".", "/", "{}/", "{}/..", "a/{}", "{}.php", "sess_{}",
    "{}\r\nget x", "{} {}", "{}\t", "{}\n", "{}*", "{}?", "{}'", "{}\" OR 1=1 --", "{}%", "%2e%2e/{}",
    "{}\\", "{}:{}", "{}|", "é{}", "\u202e{}", "{}" * 10, "a" * 257, "a" * 5000, "-", "--help", ",",
]


@pytest.mark.parametrize("handler", HANDLERS)
def test_hostile_ids_find_nothing(world, places, handler):
    folder, site = world[f"{handler}-php"]
    alice = folder.log_in("alice")
    if handler == "files":
        # What a path that leads out would find.
        directory = Path(places["files"][1])
        inside = directory / f"sess_{alice}"
        (directory / "sess_x").mkdir(exist_ok=True)
        for elsewhere in [directory / "sess_x" / alice, directory.parent / f"sess_{alice}"]:
            shutil.copy(inside, elsewhere)
    for form in HOSTILE + (["x/{}", "x/../sess_{}"] if handler == "files" else []):
        token = form.replace("{}", alice)
        assert said(site.shell.session(token)) == "no-session", token
        # White space at the end of a header is none of its value.
        if token == token.strip() and "\n" not in token:
            assert site.by_header(f"PHPSESSID={token}".encode()) is None, token
    assert site.reason(alice) == "alice"


def test_a_nul_never_gets_through(world):
    folder, site = world["files-php"]
    alice = folder.log_in("alice")
    for token in [f"{alice}\0", f"\0{alice}", "\0"]:
        result = site.shell("session", "--json", "-", input=token)
        assert said(result) == "no-session"
    # PHP itself stops reading there.
    assert folder.whoami(f"PHPSESSID={alice}%00") == "alice"
    assert site.by_header(f"PHPSESSID={alice}%00") is None


@pytest.mark.parametrize("name", [f"{handler}-php" for handler in HANDLERS] + ["redis-locks"])
def test_a_page_that_runs_is_not_waited_for(world, name):
    folder, site = world[name]
    alice = folder.log_in("alice")
    command = ["/usr/bin/curl", "-s", "-b", f"PHPSESSID={alice}", folder.url("slow.php")]
    started = folder.path / "started"
    with running(command, folder.path / "curl.log", started.exists) as page:
        assert site.reason(alice) == "alice"
        (folder.path / "go on").touch()
        # The page itself must see it, or it keeps one of php-fpm's few processes for a minute.
        page.wait(60)
    started.unlink()
    (folder.path / "go on").unlink()


@pytest.mark.parametrize("handler", ["files", "directories"])
def test_a_file_lives_for_as_long_as_it_was_not_used(world, places, handler):
    folder, site = world[f"{handler}-php"]
    alice = folder.log_in("alice")
    (file,) = Path(places[handler][1].rpartition(";")[2]).rglob(f"sess_{alice}")
    # A minute in which nothing else happens is enough for any machine.
    for age, expected in [(0, "alice"), (LIFETIME - 60, "alice"), (LIFETIME + 1, "expired-session")]:
        os.utime(file, (time.time() - age,) * 2)
        assert site.reason(alice) == expected, age
    # The next page renews it.
    assert folder.log_in("alice", alice) == alice
    assert site.reason(alice) == "alice"


@pytest.mark.parametrize("handler", ["memcached", "memcache", "redis"])
def test_a_cache_lets_a_session_go_by_itself(world, redis, memcached, handler):
    folder, site = world[f"{handler}-php"]
    alice = folder.log_in("alice")
    assert site.reason(alice) == "alice"
    if handler == "redis":
        redis.execute("PEXPIRE", f"PHPREDIS_SESSION:{alice}", "1", database=3)
    else:
        prefix = "memc.sess.key." if handler == "memcached" else ""
        assert memcached.execute(f"touch {prefix}{alice} 1\r\n".encode()) == b"TOUCHED\r\n"
    # One of the two that reason() asks may come before its end, and the other after.
    eventually(lambda: said(site.shell.session(alice)) != "alice", "the session ends")
    assert site.reason(alice) == "no-session"
    assert folder.whoami(f"PHPSESSID={alice}") is None


@pytest.mark.parametrize("handler", ["memcached", "memcache", "redis"])
def test_another_prefix_is_another_site(world, places, shell, handler):
    folder, site = world[f"{handler}-php"]
    name, save_path = places[handler]
    tables = {"save_handler": name, "save_path": save_path, "user": USER}
    alice = folder.log_in("alice")
    other = with_changes(site, tables, shell, prefix="other.")
    assert said(other.shell.session(alice)) == "no-session"
    # The prefix does not become part of an id.
    prefix = {"memcached": "memc.sess.", "memcache": alice[:3], "redis": "PHPREDIS_"}[handler]
    rest = {"memcached": "key.", "memcache": "", "redis": "SESSION:"}[handler]
    split = with_changes(site, tables, shell, prefix=prefix)
    token = alice[3:] if handler == "memcache" else rest + alice
    expected = "alice" if handler == "memcache" else "no-session"
    assert said(split.shell.session(token)) == expected


@pytest.mark.parametrize("serializer", SERIALIZERS)
def test_nobody_gets_in_by_a_damaged_session(world, places, serializer):
    """Whatever bytes there are, whoever we let in is whom PHP takes them for."""
    folder, site = world[f"files-{serializer}"]
    directory = Path(places["files"][1])
    whole = (directory / f"sess_{folder.log_in('alice', plain='1')}").read_bytes()
    other = (directory / f"sess_{folder.log_in('bob-the-builder', plain='1')}").read_bytes()
    at = whole.index(b"alice")
    damaged = [whole[:end] for end in range(0, len(whole), 3)]
    # Torn: the page writes from the start, and shortens the file after that.
    damaged += [whole + other[len(whole) :], whole[:at] + other[at:], other[:at] + whole[at:]]
    damaged += [whole + whole, whole * 2 + b"|", b"\0" + whole, whole[1:], b"", b"|", b"\xff" * 99]
    for index in range(0, len(whole), 2):
        damaged.append(whole[:index] + bytes([whole[index] ^ 1]) + whole[index + 1 :])
    granted = 0
    for number, content in enumerate(damaged):
        token = f"{serializer.replace('_', '')}{number:022}"
        file = directory / f"sess_{token}"
        file.write_bytes(content)
        file.chmod(0o600)
        give_away(file)
        ours = site.by_header(f"PHPSESSID={token}")
        theirs = folder.whoami(f"PHPSESSID={token}")
        if ours is not None:
            granted += 1
            assert ours == theirs, content
    # One bit of another variable's is no damage that anybody sees.
    assert granted > 5
    assert site.by_header(f"PHPSESSID={folder.log_in('alice')}") == "alice"


def test_links_are_not_followed(world, places):
    folder, site = world["files-php"]
    directory = Path(places["files"][1])
    alice = folder.log_in("alice")
    for number, target in enumerate([f"sess_{alice}", directory / f"sess_{alice}", "/dev/zero"]):
        token = f"{'l' * 20}{number:06}"
        (directory / f"sess_{token}").symlink_to(target)
        # Whoever put it there, the administrator is to know.
        assert site.auth(f"PHPSESSID={token}").status == 503
        assert said(site.shell.session(token)) == "unavailable"
        assert folder.whoami(f"PHPSESSID={token}") is None
    for number, make in enumerate([Path.mkdir, os.mkfifo]):
        token = f"{'m' * 20}{number:06}"
        make(directory / f"sess_{token}")
        assert said(site.shell.session(token)) == "unavailable"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_nobody_else_can_put_a_session(world, places, shell, new_directory):
    folder, site = world["files-php"]
    alice = folder.log_in("alice")
    directory = new_directory()
    copy = directory / f"sess_{alice}"
    shutil.copy(Path(places["files"][1]) / f"sess_{alice}", copy)
    tables = {"save_handler": "files", "save_path": directory, "user": USER}
    plain = with_changes(site, tables, shell)
    for mode, owner, expected in [
        (0o1733, 0, "alice"),
        (0o1733, 12345, "invalid-session"),
        (0o755, 12345, "alice"),
    ]:
        directory.chmod(mode)
        os.chown(copy, owner, owner)
        assert said(plain.shell.session(alice)) == expected, (mode, owner)
    owned = with_changes(site, tables, shell, owner="12345")
    assert said(owned.shell.session(alice)) == "alice"
    os.chown(copy, 12346, 12346)
    assert said(owned.shell.session(alice)) == "invalid-session"


def test_what_must_be_true_as_well(world, places, shell):
    folder, site = world["files-php"]
    alice = folder.log_in("alice")
    tables = {"save_handler": "files", "save_path": places["files"][1], "user": USER}
    for path, expected in [
        ("_sf2_attributes.user.id", "alice"),
        ("cart", "alice"),
        ("cart.1", "alice"),
        ("cart.2", "anonymous-session"),
        ("cart.9", "anonymous-session"),
        ("nothing", "anonymous-session"),
    ]:
        asked = with_changes(site, tables, shell, authenticated=path)
        assert said(asked.shell.session(alice)) == expected, path
    for path, expected in [
        ("_sf2_attributes.user", "invalid-session"),
        ("_sf2_attributes.user.id", "7"),
        ("cart.1", "invalid-session"),
        # References lead where PHP's own do.
        ("cart.self.self.self.0", 'a|b;"'),
        ("cart.3.date", "2026-01-01 00:00:00.000000"),
        ("user", "anonymous-session"),
    ]:
        asked = with_changes(site, tables, shell, user=path)
        assert said(asked.shell.session(alice)) == expected, path
    # Another serialize_handler than the session's.
    for handler in ["php_binary", "php_serialize", "igbinary"]:
        asked = with_changes(site, tables, shell, serialize_handler=handler)
        assert said(asked.shell.session(alice)) in ("invalid-session", "anonymous-session")


def test_a_store_that_is_away_is_unavailable(world, shell, new_directory):
    folder, site = world["files-php"]
    alice = folder.log_in("alice")
    tables = {"user": USER, "save_path": f"{LOOPBACK}:1"}
    for changes in [
        {"save_handler": "memcached"},
        {"save_handler": "memcache", "save_path": f"tcp://{LOOPBACK}:1"},
        {"save_handler": "redis", "save_path": f"tcp://{LOOPBACK}:1"},
        {"save_handler": "files", "save_path": new_directory() / "absent"},
    ]:
        asked = with_changes(site, tables, shell, **changes)
        assert said(asked.shell.session(alice)) == "unavailable", changes


# `hallpass compare`


# Where sessions are kept that no other test makes, how they are written, and whether they can be listed.
COMPARED = {
    "files": ("files", "{directory}", "php", True),
    "directories": ("files", "1;0640;{directory}", "php_serialize", True),
    "memcached": ("memcached", "{memcached}", "igbinary", False),
    "redis": ("redis", "tcp://{redis}?database=7", "php_binary", True),
    "redis-locks": ("redis", "tcp://{redis}?database=8", "php", True),
}


@pytest.mark.parametrize("name", COMPARED)
def test_php_itself_agrees(world, redis, memcached, shell, directory, new_directory, name):
    handler, path, serializer, listed = COMPARED[name]
    servers = {"memcached": memcached.location, "redis": f"{LOOPBACK}:{redis.port}"}
    path = path.format(directory=directory, **servers)
    for first in "0123456789abcdefghijklmnopqrstuv" if name == "directories" else "":
        (directory / first).mkdir()
        give_away(directory / first)
    settings = {
        "session.save_handler": handler,
        "session.save_path": path,
        "session.serialize_handler": serializer,
        "session.gc_maxlifetime": LIFETIME,
        "redis.session.locking_enabled": int(name == "redis-locks"),
    }
    folder = world.php.folder(f"compared-{name}", settings, "login.php")
    config = new_directory() / "hallpass.toml"
    php = {"save_handler": handler, "save_path": path, "gc_maxlifetime": LIFETIME, "user": USER}
    hallpass = shell(write_configuration(config, {"framework": "php", "php": php}))
    tokens = [folder.log_in("alice"), folder.log_in("bob", large="1"), folder.log_in(None)]
    named = config.with_name("tokens")
    named.write_text("\n".join(tokens))
    options = [] if listed else ["--tokens", named]
    if name == "files":
        # PHP destroys one that it cannot decode, where it is not kept from it.
        damaged = directory / f"sess_{'d' * 26}"
        damaged.write_text('_sf2_attributes|a:1:{s:4:"us')
        give_away(damaged)

    def stored():
        return {file: file.stat().st_mtime_ns for file in directory.rglob("sess_*")}

    before = stored()
    result = hallpass("compare", "--json", folder.path, *options)
    report = result.json
    assert result.code == 0, (report, result.stderr)
    assert (report["verdict"], report["percent"]) == ("agree", 100)
    counts = {it["question"]: (it["granted"], it["denied"]) for it in report["questions"]}
    assert counts["sessions"] == (2, 2 if name == "files" else 1), report
    assert counts["changed sessions"] == (0, sum(counts["sessions"]) + 1)
    # No session was made, ended or written.
    assert stored() == before and (len(before) > 2) == (handler == "files")
    for token in tokens:
        assert token.encode() not in result.stdout + result.stderr
    if name == "files":
        # One session alone that cannot be read is no answer, and stops nothing.
        (directory / f"sess_{'e' * 26}").symlink_to(directory / f"sess_{tokens[0]}")
        result = hallpass("compare", "--json", folder.path)
        assert result.code == 75 and result.json["differences"] == [], result.json
        (sessions,) = [it for it in result.json["questions"] if it["question"] == "sessions"]
        assert (sessions["granted"], sessions["unanswered"]) == (2, 1), sessions
        # Another directory: PHP lists what is not found.
        php["save_path"] = str(new_directory())
        wrong = shell(write_configuration(config.with_name("wrong.toml"), {"framework": "php", "php": php}))
        found = wrong("compare", "--json", folder.path).json["differences"]
        assert [it["effect"] for it in found] == ["narrower"] * 2, found


def test_php_says_why_it_is_not_asked(world, directory):
    folder, site = world["memcache-php"]
    result = site.shell("compare", "--json", folder.path)
    assert result.code == 75 and "locks each session" in result.json["cause"], result.json
    folder, site = world["files-php"]
    result = site.shell("compare", "--json", folder.path, "--php", directory / "php")
    assert result.code == 75 and "--php names the site's own" in result.json["cause"], result.json
    assert site.shell("compare", directory / "nowhere").code == 2


def test_a_page_of_the_site_is_compared(world, shell, directory):
    """Where the software cannot be asked: memcache's handler locks what it reads."""
    folder, site = world["memcache-php"]
    tokens = [folder.log_in("alice"), folder.log_in("bob"), folder.log_in(None)]
    named = directory / "tokens"
    named.write_text("\n".join(tokens))
    page = ["compare", "--json", "--tokens", named, "--url", folder.url("whoami.php")]
    result = site.shell(*page)
    report = result.json
    assert result.code == 0 and report["percent"] == 100, (report, result.stderr)
    counts = {it["question"]: (it["granted"], it["denied"]) for it in report["questions"]}
    assert counts["sessions"] == (2, 1) and counts["changed sessions"] == (0, 4)
    assert site.shell(*page, "--name-at", "header:X-User").code == 0
    # Another key is nobody's.
    config = directory / "wrong.toml"
    config.write_text(site.config.read_text().replace(USER, "_sf2_attributes.user.nothing"))
    found = shell(config)(*page).json["differences"]
    assert [(it["question"], it["effect"], it["hallpass"]) for it in found] == [
        ("sessions", "narrower", "anonymous-session")
    ] * 2
    for token in tokens:
        assert token.encode() not in result.stdout + result.stderr
