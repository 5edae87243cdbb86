"""Stores that fail, for real: nobody is let in who should not be, every answer comes in time, what
could not be asked is said to be unavailable, and all is well again when the store is."""

import threading
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from hosts.extauth import FAILED, NO, YES, helper
from hosts.daemon import hallpassd
from hosts.web import Connection, basic, request
from processes import LOOPBACK, eventually, free_port
from stores.hostile import BEHAVIOURS, full_listener, listener, silent
from stores.mariadb import MariaDB
from stores.memcached import Memcached
from stores.postgresql import PostgreSQL, Standby
from stores.proxy import proxy
from stores.redis import Redis, Sentinel

SECRET = "s3cret"
DEADLINE = 2  # seconds, as configured here
# For stores that will never answer: who asks them need not wait longer.
HOPELESS = {"deadline": "500ms", "failures": 0}
# How much later than that an answer may come on a busy machine before it counts as a hang.
SLACK = 18
KINDS = ["postgresql", "mariadb", "redis", "memcached"]
MAKE = {"postgresql": PostgreSQL, "mariadb": MariaDB, "redis": Redis, "memcached": Memcached}


@dataclass
class Scene:
    """A site, and the store of it that fails."""

    kind: str
    site: object
    server: object
    programs: object
    shell: object
    tokens: dict = field(default_factory=dict)

    def configuration(self, directory: Path, port: int | None = None, **tables) -> Path:
        """A hallpass.toml that finds the store at another port; the daemon listens in the
        directory."""
        port = port or self.server.port
        if self.is_database:
            database = self.server.hallpass(self.site.database_name)
            store = {"database": moved(database, self.server.port, port)}
            accept = {"accept": ["password", "session"]}
        else:
            scheme = "redis://{}/1" if self.kind == "redis" else "memcached://{}"
            store = {"django": {"cache": scheme.format(f"{LOOPBACK}:{port}")}}
            accept = {"accept": ["session"]}
        tables = store | tables
        name = f"{directory.name}.toml"
        return self.site.write_configuration(
            name,
            ejabberd=accept,
            daemon={"listen": [f"unix:{directory}/http.sock"], "accept": ["session", "password"]},
            **{"limits": {"deadline": f"{DEADLINE}s", "failures": 0}} | tables,
        )

    @property
    def is_database(self) -> bool:
        return self.kind in ("postgresql", "mariadb")

    @contextmanager
    def programs_running(self, directory: Path, config: Path):
        """hallpassd and hallpass-ejabberd, as `Asked`."""
        with ExitStack() as stack:
            daemon = hallpassd(self.programs["hallpassd"], config, directory / "http.sock")
            daemon = stack.enter_context(daemon)
            program = self.programs["hallpass-ejabberd"]
            pipe = stack.enter_context(helper(program, config, directory / "ejabberd.log"))
            yield Asked(self, daemon, pipe, self.shell(config))


def moved(database: dict, port: int, other: int) -> dict:
    assert f":{port}/" in database["url"]
    return database | {"url": database["url"].replace(f":{port}/", f":{other}/")}


@dataclass
class Asked:
    """The running programs, and questions of which the right answers are known."""

    scene: Scene
    daemon: object
    pipe: object
    shell: object
    # Answers come in the order of the requests: one thread asks at a time.
    turn: threading.Lock = field(default_factory=threading.Lock)

    def requests(self) -> dict[str, tuple[dict, bool]]:
        """Headers, and whether they let anybody in."""
        tokens = self.scene.tokens
        found = {
            "live": ({"Cookie": f"sessionid={tokens['live']}"}, True),
            "stale": ({"Cookie": f"sessionid={tokens['stale']}"}, False),
            "inactive": ({"Cookie": f"sessionid={tokens['inactive']}"}, False),
            "nobody": ({"Cookie": f"sessionid={'0' * 32}"}, False),
        }
        if self.scene.is_database:
            found["password"] = ({"Authorization": basic("alice", SECRET)}, True)
            found["wrong"] = ({"Authorization": basic("alice", "wrong")}, False)
            found["dave"] = ({"Authorization": basic("dave", SECRET)}, False)
        return found

    def frames(self) -> dict[str, tuple[tuple[str, str], bool]]:
        """Names and passwords for ejabberd's question."""
        tokens = self.scene.tokens
        found = {
            "live": (("alice", tokens["live"]), True),
            "of-another": (("bob", tokens["live"]), False),
            "stale": (("eve", tokens["stale"]), False),
            "inactive": (("dave", tokens["inactive"]), False),
            "nobody": (("alice", "0" * 32), False),
        }
        if self.scene.is_database:
            found["password"] = (("alice", SECRET), True)
            found["dave"] = (("dave", SECRET), False)
        return found

    def status(self, headers: dict) -> int:
        with in_time():
            answer = self.daemon.ask("/auth", headers)
        if answer.status == 503:
            assert answer.headers["Retry-After"]
            assert not answer.headers.get("Remote-User")
        return answer.status

    def works(self) -> bool:
        """Whether everything is answered as it should be, now."""
        answers = {name: self.status(headers) for name, (headers, _) in self.requests().items()}
        frames = {name: self.frame(*words) for name, (words, _) in self.frames().items()}
        self.check(answers, frames)
        good = all(status != 503 for status in answers.values())
        return good and FAILED not in frames.values()

    def assert_unavailable(self) -> None:
        """Nothing is granted, and nothing is said to be wrong of what could not be asked."""
        for name, (headers, _) in self.requests().items():
            assert self.status(headers) == 503, (name, self.daemon.log()[-2000:])
        for name, (words, _) in self.frames().items():
            assert self.frame(*words) == FAILED, (name, self.pipe.log()[-2000:])

    def frame(self, user: str, password: str) -> bytes:
        with self.turn, in_time():
            return self.pipe.auth(user, password)

    def check(self, answers: dict, frames: dict) -> None:
        """Each answer is the right one, or that there is none."""
        for name, status in answers.items():
            right = 200 if self.requests()[name][1] else 401
            assert status in (right, 503), (name, status, self.daemon.log()[-2000:])
        for name, answer in frames.items():
            right = YES if self.frames()[name][1] else NO
            assert answer in (right, FAILED), (name, answer, self.pipe.log()[-2000:])


@contextmanager
def in_time():
    """Liveness: what happens inside does not hang."""
    start = time.monotonic()
    yield
    assert time.monotonic() - start < DEADLINE + SLACK


def questions(scene: Scene) -> list[tuple[list[str], str, int]]:
    """What the shell is asked, with what on its standard input, and the exit code."""
    tokens = scene.tokens
    found = [
        (["session", tokens["live"]], "", 0),
        (["session", tokens["stale"]], "", 1),
        (["session", "0" * 32], "", 1),
    ]
    if scene.is_database:
        found += [
            (["check", "alice"], SECRET, 0),
            (["check", "alice"], "wrong", 1),
            (["check", "nobody"], SECRET, 1),
            (["user", "alice"], "", 0),
            (["groups", "alice"], "", 0),
        ]
    return found


def assert_shell_is_refused(scene: Scene, config: Path) -> None:
    """The shell says of every question that the store is unavailable, and why."""
    hallpass = scene.shell(config)
    for words, input, _ in questions(scene):
        with in_time():
            result = hallpass(*words, "--json", input=input)
        assert result.code == 75, (words, result, result.stderr)
        assert result.json["verdict"] == result.json["reason"] == "unavailable"
        assert result.json.get("cause") or result.stderr


@pytest.fixture(scope="module", params=KINDS)
def victim(request, new_site, new_directory, hallpass_programs, shell):
    """A site whose users and sessions are on a server that the tests may harm."""
    kind = request.param
    with MAKE[kind](new_directory()) as server:
        if kind in ("postgresql", "mariadb"):
            site = new_site(server=server)
        else:
            backend, location = {
                "redis": lambda: ("redis.RedisCache", server.url(1)),
                "memcached": lambda: ("memcached.PyMemcacheCache", server.location),
            }[kind]()
            backend = f"django.core.cache.backends.{backend}"
            site = new_site(
                CACHES={"default": {"BACKEND": backend, "LOCATION": location}},
                SESSION_ENGINE="django.contrib.sessions.backends.cache",
            )
        site.make_accounts(
            *({"username": name, "password": SECRET} for name in ("alice", "bob", "dave", "eve"))
        )
        yield Scene(kind, site, server, hallpass_programs, shell)


@pytest.fixture
def scene(victim):
    """The victim in good health, with sessions that a restart may have cost it."""
    server = victim.server
    if server.process.poll() is not None:
        server.start()
    server.thaw()
    victim.site.shell("from django.db import connections; connections.close_all()")
    victim.tokens = make_sessions(victim.site)
    return victim


def make_sessions(site) -> dict[str, str]:
    of = lambda name: site.ask("save_session", site.ask("login_keys", name))
    hash = {"_auth_user_hash": "0" * 64}
    site.ask("update", "dave", is_active=False)
    return {
        "live": of("alice"),
        "inactive": of("dave"),
        "stale": site.ask("save_session", site.ask("login_keys", "eve") | hash),
    }


def same_sessions_again(scene: Scene) -> None:
    """Puts the sessions back, with their keys, into a cache that forgot them."""
    if scene.is_database:
        return
    scene.site.use(CACHES=scene.site.settings["CACHES"])  # by new connections
    for name, username in [("live", "alice"), ("inactive", "dave"), ("stale", "eve")]:
        payload = scene.site.ask("login_keys", username)
        if name == "stale":
            payload["_auth_user_hash"] = "0" * 64
        scene.site.ask("cache_put", scene.tokens[name], payload)


def test_store_in_good_health(scene, directory):
    """What the other tests compare with."""
    config = scene.configuration(directory)
    for words, input, code in questions(scene):
        assert scene.shell(config)(*words, input=input).code == code, words
    with scene.programs_running(directory, config) as asked:
        assert asked.works()
        assert asked.daemon.ask("/readyz").status == 200


def test_store_that_is_not_there_at_the_start(scene, directory):
    scene.server.stop()
    config = scene.configuration(directory)
    assert_shell_is_refused(scene, config)
    with scene.programs_running(directory, config) as asked:
        asked.assert_unavailable()
        assert asked.daemon.ask("/healthz").status == 200
        assert asked.daemon.ask("/readyz").status == 503
        scene.server.start()
        same_sessions_again(scene)
        eventually(asked.works, "all is answered again")
        assert asked.daemon.ask("/readyz").status == 200


@pytest.mark.parametrize("way", ["stop", "kill"])
def test_store_that_stops_and_starts_under_load(scene, directory, way):
    config = scene.configuration(directory)
    with scene.programs_running(directory, config) as asked, load(asked) as seen:
        for _ in range(2):
            eventually(lambda: seen.since("good"), "is answered")
            getattr(scene.server, way)()
            seen.forget()
            eventually(lambda: seen.since("unavailable"), "is said to be unavailable")
            scene.server.start()
            same_sessions_again(scene)
            seen.forget()
            eventually(lambda: seen.since("good"), "is answered again")
        eventually(asked.works, "all is answered")
    assert not seen.wrong, seen.wrong[:5]


class Seen:
    """What threads that ask all the time have been told."""

    def __init__(self):
        self.kinds: dict[str, set[str]] = {}
        self.wrong: list = []
        self.asking: set[str] = set()

    def forget(self) -> None:
        self.kinds = {}

    def since(self, kind: str) -> bool:
        """Whether every thread has been told so since the last `forget`, and none of them
        anything else but the right answer or that there is none."""
        assert not self.wrong, self.wrong[:5]
        kinds = self.kinds
        return all(kind in kinds.get(name, ()) for name in self.asking)

    def add(self, name: str, kind: str) -> None:
        self.kinds.setdefault(name, set()).add(kind)


@contextmanager
def load(asked: Asked):
    """Threads that ask the programs without a pause."""
    seen, stop = Seen(), threading.Event()

    def ask_daemon(name: str, headers: dict, right: int) -> None:
        with Connection(asked.daemon.address, timeout=DEADLINE + SLACK) as connection:
            while not stop.is_set():
                connection.send(request("/auth", headers))
                note(name, connection.answer().status, right, 503)

    def ask_pipe(names: list, frames: dict) -> None:
        while not stop.is_set():
            for name in names:
                words, good = frames[name]
                note(f"pipe-{name}", asked.frame(*words), YES if good else NO, FAILED)

    def note(name: str, answer, right, unavailable) -> None:
        # A cache that has been started again has forgotten who was logged in.
        forgotten = not asked.scene.is_database and answer in (401, NO)
        if answer not in (right, unavailable) and not forgotten:
            seen.wrong.append((name, answer))
        kinds = {right: "good", unavailable: "unavailable"}
        seen.add(name, kinds.get(answer, "forgotten"))

    def guarded(ask, *arguments) -> None:
        try:
            ask(*arguments)
        except Exception as error:
            seen.wrong.append((arguments[0], repr(error)))

    threads = []
    for name, (headers, good) in asked.requests().items():
        right = 200 if good else 401
        threads.append(threading.Thread(target=guarded, args=[ask_daemon, name, headers, right]))
        seen.asking.add(name)
    frames = asked.frames()
    seen.asking |= {f"pipe-{name}" for name in frames}
    threads.append(threading.Thread(target=guarded, args=[ask_pipe, list(frames), frames]))
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        stop.set()
        for thread in threads:
            thread.join(DEADLINE + SLACK)
            assert not thread.is_alive(), "an answer never came"


def test_store_that_is_frozen(scene, directory):
    """It keeps its connections, takes new ones, and says nothing."""
    config = scene.configuration(directory)
    with scene.programs_running(directory, config) as asked:
        assert asked.works()
        scene.server.freeze()
        try:
            assert asked.status(asked.requests()["live"][0]) == 503
            assert asked.frame(*asked.frames()["live"][0]) == FAILED
            assert asked.status(asked.requests()["nobody"][0]) == 503
            statuses = many_at_once(asked)
            with in_time():
                result = scene.shell(config).session(scene.tokens["live"])
            assert result.code == 75
        finally:
            scene.server.thaw()
        assert statuses == {503}
        eventually(asked.works, "all is answered again")


def many_at_once(asked: Asked, count: int = 12) -> set[int]:
    """What so many at the same time are told: nobody's answer waits for the others' to fail."""
    statuses = []
    headers = asked.requests()["live"][0]
    threads = [
        threading.Thread(target=lambda: statuses.append(asked.status(headers)))
        for _ in range(count)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE + SLACK)
    assert len(statuses) == count, "an answer never came, or came too late"
    return set(statuses)


@pytest.mark.parametrize("behaviour", BEHAVIOURS, ids=lambda behaviour: behaviour.__name__)
def test_something_else_at_the_stores_port(scene, directory, behaviour):
    with listener(behaviour) as port:
        config = scene.configuration(directory, port, limits=HOPELESS)
        for token in (scene.tokens["live"], "0" * 32):
            with in_time():
                result = scene.shell(config).session(token)
            assert (result.code, result.json["reason"]) == (75, "unavailable"), result.stderr
        with scene.programs_running(directory, config) as asked:
            assert asked.status(asked.requests()["live"][0]) == 503
            assert asked.frame(*asked.frames()["live"][0]) == FAILED
            assert many_at_once(asked, 4) == {503}


def test_port_where_connecting_takes_for_ever(scene, directory):
    with full_listener() as port:
        assert_shell_is_refused(scene, scene.configuration(directory, port, limits=HOPELESS))


def test_port_where_nobody_listens(scene, directory):
    assert_shell_is_refused(scene, scene.configuration(directory, free_port()))


# Connections that end or stop in the middle of something


@pytest.fixture(scope="module")
def limits():
    """How many bytes pass: up to inside greetings, headers, rows."""
    return [0, 1, 2, 4, 5, 8, 13, 21, 40, 70, 90, 110, 130, 160, 200, 260, 340, 450, 600, 900, 1400]


@pytest.mark.parametrize("direction", ["request_limit", "answer_limit"])
def test_connection_that_is_cut_anywhere(scene, directory, limits, direction):
    with proxy(scene.server.port) as between:
        config = scene.configuration(directory, between.port)
        hallpass = scene.shell(config)
        refused = 0
        for limit in limits:
            setattr(between, direction, limit)
            for words, input, right in questions(scene)[:4]:
                with in_time():
                    code = hallpass(*words, "--json", input=input).code
                assert code in (right, 75), (limit, words)
                refused += code == 75
        assert refused >= 8
        setattr(between, direction, None)
        for words, input, right in questions(scene):
            assert hallpass(*words, input=input).code == right


@pytest.mark.parametrize("direction", ["request_limit", "answer_limit"])
def test_connection_that_stops_anywhere(scene, directory, limits, direction):
    with proxy(scene.server.port) as between:
        between.at_limit = "wait"
        hallpass = scene.shell(scene.configuration(directory, between.port, limits=HOPELESS))
        codes = set()
        for limit in limits[1::4]:
            setattr(between, direction, limit)
            for token, right in ((scene.tokens["live"], 0), (scene.tokens["stale"], 1)):
                with in_time():
                    code = hallpass.session(token).code
                assert code in (right, 75), limit
                codes.add(code)
        assert 75 in codes


def test_connection_that_ended_between_two_questions(scene, directory):
    """Somebody's firewall cuts what is idle: nobody notices, for a new one is made."""
    with proxy(scene.server.port) as between:
        config = scene.configuration(directory, between.port)
        with scene.programs_running(directory, config) as asked:
            assert asked.works()
            before = between.connections
            for _ in range(3):
                between.cut()
                assert asked.status(asked.requests()["live"][0]) == 200
                between.cut()
                assert asked.frame(*asked.frames()["live"][0]) == YES
                between.cut()
                assert asked.status(asked.requests()["stale"][0]) == 401
            assert between.connections > before


def test_connection_that_is_frozen_and_refused(scene, directory):
    with proxy(scene.server.port) as between:
        config = scene.configuration(directory, between.port)
        with scene.programs_running(directory, config) as asked:
            assert asked.works()
            between.freeze()
            assert asked.status(asked.requests()["live"][0]) == 503
            assert asked.frame(*asked.frames()["live"][0]) == FAILED
            assert asked.status(asked.requests()["nobody"][0]) == 503
            between.thaw()
            eventually(asked.works, "all is answered again")
            between.refuse()
            asked.assert_unavailable()
            between.refuse(False)
            eventually(asked.works, "all is answered again")


def test_connections_are_kept(scene, directory):
    """A hundred questions do not take a hundred connections."""
    with proxy(scene.server.port) as between:
        config = scene.configuration(directory, between.port)
        with scene.programs_running(directory, config) as asked:
            for _ in range(50):
                assert asked.status(asked.requests()["live"][0]) == 200
                assert asked.frame(*asked.frames()["live"][0]) == YES
            assert between.connections <= 10


# What the database itself refuses


@pytest.mark.parametrize(
    "table", ["auth_user", "django_session", "auth_group", "auth_user_groups"]
)
def test_table_is_missing(scene, directory, table):
    if not scene.is_database:
        pytest.skip("no tables there")
    server, name = scene.server, scene.site.database_name
    config = scene.configuration(directory)
    with scene.programs_running(directory, config) as asked:
        assert asked.works()
        server.execute(f"ALTER TABLE {table} RENAME TO gone", name)
        try:
            asked_for = ["session", scene.tokens["live"]]
            result = scene.shell(config)(*asked_for, "--json")
            if table in ("auth_user", "django_session"):
                assert result.code == 75, result
                assert asked.status(asked.requests()["live"][0]) == 503
                assert asked.frame(*asked.frames()["live"][0]) == FAILED
            else:
                # Of a model without groups nothing is missing.
                assert result.code in (0, 75)
            result = scene.shell(config).check("alice", SECRET, "--groups", "editors")
            assert result.code != 0
        finally:
            server.execute(f"ALTER TABLE gone RENAME TO {table}", name)
        eventually(asked.works, "all is answered again")


def test_wrong_password_for_the_database(scene, directory):
    if not scene.is_database:
        pytest.skip("no password there")
    database = scene.server.hallpass(scene.site.database_name) | {"password": "not it"}
    config = scene.configuration(directory, database=database)
    assert_shell_is_refused(scene, config)
    with scene.programs_running(directory, config) as asked:
        asked.assert_unavailable()
    assert "not it" not in asked.daemon.log() + asked.pipe.log()


@pytest.mark.parametrize("keys", [{"user": "nobody_here"}, {"name": "no_such_database"}])
def test_database_or_role_that_is_not_there(scene, directory, keys):
    if not scene.is_database:
        pytest.skip("no databases there")
    database = scene.server.hallpass(**{"name": scene.site.database_name} | keys)
    assert_shell_is_refused(scene, scene.configuration(directory, database=database))


def test_role_that_may_not_read(scene, directory):
    if not scene.is_database:
        pytest.skip("no roles there")
    server, name = scene.server, scene.site.database_name
    config = scene.configuration(directory)
    if scene.kind == "postgresql":
        take = "REVOKE SELECT ON auth_user, django_session FROM hallpass"
        give = "GRANT SELECT ON auth_user, django_session TO hallpass"
    else:
        take = f"REVOKE ALL ON {name}.* FROM hallpass"
        give = f"GRANT SELECT ON {name}.* TO hallpass"
    with scene.programs_running(directory, config) as asked:
        assert asked.works()
        server.execute(take, name)
        try:
            result = scene.shell(config).check("alice", SECRET)
            assert result.code == 75
            assert "grants" in result.json.get("cause", "") + result.stderr.decode()
            if scene.kind == "postgresql":  # MariaDB asks once for each connection
                asked.assert_unavailable()
        finally:
            server.execute(give, name)
        eventually(asked.works, "all is answered again")


# Several servers


def test_standby_goes_on_answering(new_directory, new_site, hallpass_programs, shell, directory):
    """The primary is killed while people log in; the hot standby, named second, knows them."""
    with ExitStack() as stack:
        primary = stack.enter_context(PostgreSQL(new_directory()))
        site = new_site(server=primary)
        site.make_accounts(
            *({"username": name, "password": SECRET} for name in ("alice", "bob", "dave", "eve"))
        )
        standby = stack.enter_context(Standby(new_directory(), primary))
        scene = Scene("postgresql", site, primary, hallpass_programs, shell, make_sessions(site))
        eventually(standby.has_caught_up, "the standby has all of it")
        both = primary.hallpass(site.database_name)
        hosts = f"{LOOPBACK}:{primary.port},{LOOPBACK}:{standby.port}"
        both["url"] = both["url"].replace(f"{LOOPBACK}:{primary.port}", hosts)
        config = scene.configuration(directory, database=both)
        with scene.programs_running(directory, config) as asked, load(asked) as seen:
            eventually(lambda: seen.since("good"), "is answered")
            primary.kill()
            seen.forget()
            eventually(lambda: seen.since("good"), "is answered by the standby")
            eventually(asked.works, "all is answered by the standby")
            for words, input, code in questions(scene):
                assert shell(config)(*words, input=input).code == code, words
            standby.freeze()
            eventually(lambda: asked.status(asked.requests()["live"][0]) == 503, "neither")
            standby.thaw()
            eventually(asked.works, "the standby is back")
            primary.start()
            standby.kill()
            eventually(asked.works, "the primary is back")
        assert not seen.wrong, seen.wrong[:5]


def test_frozen_primary_keeps_nobody_from_the_standby(
    new_directory, new_site, hallpass_programs, shell, directory
):
    with ExitStack() as stack:
        primary = stack.enter_context(PostgreSQL(new_directory()))
        site = new_site(server=primary)
        site.make_accounts({"username": "alice", "password": SECRET})
        standby = stack.enter_context(Standby(new_directory(), primary))
        eventually(standby.has_caught_up, "the standby has all of it")
        both = primary.hallpass(site.database_name, connect_timeout="500ms")
        hosts = f"{LOOPBACK}:{primary.port},{LOOPBACK}:{standby.port}"
        both["url"] = both["url"].replace(f"{LOOPBACK}:{primary.port}", hosts)
        hallpass = shell(site.write_configuration(database=both))
        primary.freeze()
        try:
            assert hallpass.check("alice", SECRET).code == 0
            assert hallpass.check("alice", "wrong").code == 1
        finally:
            primary.thaw()


def test_sentinel_points_to_the_new_primary(
    new_directory, new_site, hallpass_programs, shell, directory
):
    with ExitStack() as stack:
        first = stack.enter_context(Redis(new_directory()))
        second = stack.enter_context(Redis(new_directory(), replica_of=first.port))
        sentinel = stack.enter_context(Sentinel(new_directory(), first))
        eventually(lambda: sentinel.replicas() == 1, "the sentinel knows the replica")
        redis = "django.core.cache.backends.redis.RedisCache"
        site = new_site(
            CACHES={"default": {"BACKEND": redis, "LOCATION": first.url(1)}},
            SESSION_ENGINE="django.contrib.sessions.backends.cache",
        )
        site.make_accounts({"username": "alice", "password": SECRET})
        token = site.ask("save_session", site.ask("login_keys", "alice"))
        key = site.ask("stored_key", token)
        eventually(lambda: second.read(key, 1) == first.read(key, 1), "the replica has it")
        url = f"redis+sentinel://{LOOPBACK}:{sentinel.port}/{Sentinel.NAME}/1"
        socket = directory / "http.sock"
        config = site.write_configuration(
            django={"cache": url},
            daemon={"listen": [f"unix:{socket}"]},
            limits={"deadline": f"{DEADLINE}s", "failures": 0},
        )
        with hallpassd(hallpass_programs["hallpassd"], config, socket) as daemon:

            def status(token) -> int:
                with in_time():
                    return daemon.ask("/auth", {"Cookie": f"sessionid={token}"}).status

            assert status(token) == 200, daemon.log()
            assert status("0" * 32) == 401
            findings = shell(config)("doctor", "--json").json["findings"]
            assert ("sessions", "1 live") in [(it["check"], it["seen"]) for it in findings]
            first.kill()
            assert status("0" * 32) in (401, 503)
            eventually(lambda: status(token) == 200, "the new primary is asked")
            # Each thread has a connection, and a pause after failures, of its own.
            eventually(lambda: status("0" * 32) == 401, "it is asked by the other threads")
            second.kill()
            eventually(lambda: status(token) == 503, "there is none")


@pytest.mark.parametrize("client", ["PyMemcacheCache", "PyLibMCCache"])
def test_several_memcached_servers(new_directory, new_site, shell, client):
    """The site spreads its sessions over them; each is found, wherever it is."""
    with ExitStack() as stack:
        servers = [stack.enter_context(Memcached(new_directory())) for _ in range(3)]
        locations = [server.location for server in servers]
        backend = f"django.core.cache.backends.memcached.{client}"
        site = new_site(
            CACHES={"default": {"BACKEND": backend, "LOCATION": locations}},
            SESSION_ENGINE="django.contrib.sessions.backends.cache",
        )
        site.make_accounts({"username": "alice", "password": SECRET})
        keys = site.ask("login_keys", "alice")
        tokens = [site.ask("save_session", keys) for _ in range(24)]
        held = {token: holder(servers, site.ask("stored_key", token)) for token in tokens}
        assert len(set(held.values())) == 3
        hallpass = shell(site.write_configuration())
        for token in tokens:
            assert hallpass.session(token).code == 0
        assert hallpass.session("0" * 32).code == 1
        servers[0].kill()
        for token in tokens:
            code = hallpass.session(token).code
            # What is not on the others may have been on the one that is away.
            assert code in ((75,) if held[token] == 0 else (0, 75)), held[token]
        assert hallpass.session("0" * 32).code == 75


def holder(servers, key: str) -> int:
    """The number of the server that has a key."""
    request = f"get {key}\r\n".encode()
    return next(
        number
        for number, server in enumerate(servers)
        if server.execute(request, b"END\r\n").startswith(b"VALUE")
    )


def test_silent_cache_of_a_cached_database(new_site, shell, postgresql):
    """Its copy might say something else than the row: nobody gets in by the row alone."""
    with listener(silent) as port:
        redis = "django.core.cache.backends.redis.RedisCache"
        site = new_site(
            server=postgresql,
            CACHES={"default": {"BACKEND": redis, "LOCATION": f"redis://{LOOPBACK}:{port}/0"}},
        )
        site.make_accounts({"username": "alice", "password": SECRET})
        token = site.ask("save_session", site.ask("login_keys", "alice"))
        cached = {"session_engine": "cached_db"}
        limits = {"deadline": f"{DEADLINE}s"}
        hallpass = shell(site.write_configuration(django=cached, limits=limits))
        with in_time():
            assert hallpass.session(token).code == 75
        assert hallpass.check("alice", SECRET).code == 0, "passwords need no cache"
