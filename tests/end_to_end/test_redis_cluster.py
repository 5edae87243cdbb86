"""Sessions in a Redis Cluster of three nodes: Django's, by django-redis with a client of the site's
own, and PHP's, by phpredis. Each is found whichever node is asked, and wherever its slot goes."""

import json
import time
from urllib.parse import quote

import pytest

from hosts.daemon import hallpassd
from hosts.php import php as running_php
from php_doors import write_configuration
from processes import LOOPBACK, eventually
from session_cases import HASH, NO_SESSION, SECRET, STALE
from stores.certificates import make_certificates
from stores.redis import PASSWORD, Cluster
from stores.server import ToolFailed
from test_faults import DEADLINE
from test_init import Init, approved

DJANGO_REDIS = "django_redis.cache.RedisCache"
# Enough for each node to have some.
MANY = 24


@pytest.fixture(scope="module", params=[False, True], ids=["open", "protected"])
def cluster(request, new_directory):
    with Cluster(new_directory, protected=request.param) as running:
        yield running


def site_in(new_site, cluster, version="5.2", **options):
    options = {"CLIENT_CLASS": "website.cluster.ClusterClient"} | options
    if cluster.nodes[0].protected:
        options["PASSWORD"] = PASSWORD
    location = f"redis://{LOOPBACK}:{cluster.nodes[0].port}"
    site = new_site(
        version,
        CACHES={
            "default": {"BACKEND": DJANGO_REDIS, "LOCATION": location, "OPTIONS": options},
        },
        SESSION_ENGINE="django.contrib.sessions.backends.cache",
    )
    site.make_accounts({"username": "alice", "password": SECRET})
    return site


@pytest.fixture(scope="module")
def site(new_site, cluster):
    return site_in(new_site, cluster)


def session_on(site, cluster, node) -> tuple[str, str]:
    """A session whose key is on that node: its token and its key."""
    keys = site.ask("login_keys", "alice")
    for _ in range(10 * MANY):
        token = site.ask("save_session", keys)
        key = site.ask("stored_key", token)
        if cluster.owner(key) is node:
            return token, key
    raise AssertionError("no session comes to this node")


def test_every_session_is_found_by_every_node(site, cluster, shell, verdicts):
    keys = site.ask("login_keys", "alice")
    tokens = [site.ask("save_session", keys) for _ in range(MANY)]
    owners = {cluster.owner(site.ask("stored_key", token)).port for token in tokens}
    assert len(owners) == 3
    for node in cluster.nodes:
        hallpass = shell(site.write_configuration(django={"cache": cluster.url(node)}))
        for token in tokens:
            verdicts.compare(hallpass.session(token), True)
        for number in range(MANY):
            verdicts.compare(hallpass.session(f"{number:032}"), False, NO_SESSION)
    stale = [site.ask("save_session", keys | {HASH: "0" * 64}) for _ in range(4)]
    for token in stale:
        verdicts.compare(hallpass.session(token), False, STALE)
    browser = site.login("alice", SECRET)
    token = browser.token
    verdicts.compare(hallpass.session(token), True)
    browser.logout()
    verdicts.compare(hallpass.session(token), False, NO_SESSION)


def test_a_slot_on_its_way_to_another_node(site, cluster, shell, hallpass_programs, directory):
    """Asked by a program that has asked before, and by one that has not, at each step."""
    source, target = cluster.nodes[0], cluster.nodes[1]
    token, key = session_on(site, cluster, source)
    socket = directory / "http.sock"
    config = site.write_configuration(
        django={"cache": cluster.url(cluster.nodes[2])},
        daemon={"listen": [f"unix:{socket}"]},
        limits={"failures": 0},
    )

    def status(session: str) -> int:
        return daemon.ask("/auth", {"Cookie": f"sessionid={session}"}).status

    def found(expected: bool) -> None:
        assert (site.ask("session_user", token) is not None) == expected, "as Django has it"
        # More than hallpassd has threads.
        for _ in range(16):
            assert status(token) == (200 if expected else 401), daemon.log()
        assert shell(config).session(token).code == (0 if expected else 1)

    with hallpassd(hallpass_programs["hallpassd"], config, socket) as daemon:
        found(True)
        cluster.begin_migration(key, target)
        found(True)
        cluster.migrate(key, target)
        with pytest.raises(ToolFailed, match=f"ASK .*:{target.port}"):
            source.read(key)
        with pytest.raises(ToolFailed, match=f"MOVED .*:{source.port}"):
            target.read(key)
        found(True)
        cluster.end_migration(key, target)
        assert cluster.owner(key) is target
        found(True)
        # Ended while its slot goes back.
        cluster.begin_migration(key, source)
        cluster.execute("DEL", key)
        found(False)
        cluster.end_migration(key, source)
        found(False)


def test_a_node_that_is_away_is_unavailable_and_comes_back(
    site, cluster, hallpass_programs, directory
):
    away = cluster.nodes[2]
    kept, lost = (session_on(site, cluster, node)[0] for node in (cluster.nodes[0], away))
    socket = directory / "http.sock"
    config = site.write_configuration(
        django={"cache": cluster.url(*reversed(cluster.nodes))},
        daemon={"listen": [f"unix:{socket}"]},
        limits={"deadline": f"{DEADLINE}s", "failures": 0},
    )
    with hallpassd(hallpass_programs["hallpassd"], config, socket) as daemon:

        def status(session: str) -> int:
            return daemon.ask("/auth", {"Cookie": f"sessionid={session}"}).status

        assert (status(kept), status(lost)) == (200, 200), daemon.log()
        away.freeze()
        try:
            # The first seed is silent. The others answer for what they have.
            eventually(lambda: status(kept) == 200, "the next seed is asked")
            begun = time.monotonic()
            assert status(lost) == 503
            assert time.monotonic() - begun < 2 * DEADLINE + 10
        finally:
            away.thaw()
        eventually(lambda: all(cluster.whole(node) for node in cluster.nodes), "all are back")
        eventually(lambda: status(lost) == 200, "it is found again")
        eventually(lambda: status("0" * 32) == 401, "who has no session has none")


def test_a_user_who_may_read_and_no_more(site, cluster, shell):
    if not cluster.nodes[0].protected:
        pytest.skip("there are no users")
    sessions = [session_on(site, cluster, node)[0] for node in cluster.nodes]
    urls = [f"redis://{LOOPBACK}:{node.port}" for node in cluster.nodes]
    for user, password, code in [
        ("hallpass", PASSWORD, 0),
        (None, PASSWORD, 0),
        ("hallpass", "wrong", 75),
        (None, None, 75),
    ]:
        keys = {"username": user, "password": password}
        cache = {"url": ",".join(urls)} | {key: text for key, text in keys.items() if text}
        hallpass = shell(site.write_configuration("user.toml", django={"cache": cache}))
        for token in sessions:
            result = hallpass.session(token)
            assert result.code == code, result
            assert PASSWORD.encode() not in result.stdout + result.stderr


def test_every_node_is_spoken_to_by_tls(new_directory, new_site, shell):
    with Cluster(new_directory, protected=True, tls=True) as cluster:
        site = site_in(new_site, cluster)
        sessions = [session_on(site, cluster, node)[0] for node in cluster.nodes]
        first = cluster.nodes[0]
        other = new_directory() / "other"

        def codes(port: int = first.tls_port, **more) -> list[int]:
            cache = {"url": f"rediss://{LOOPBACK}:{port}", "password": PASSWORD} | more
            hallpass = shell(site.write_configuration("tls.toml", django={"cache": cache}))
            return [hallpass.session(token).code for token in sessions]

        assert codes(ca=first.certificates.authority) == [0, 0, 0]
        assert codes(tls="require") == [0, 0, 0]
        assert codes(ca=make_certificates(other).authority) == [75, 75, 75]
        assert codes() == [75, 75, 75]
        assert codes(port=first.port, tls="require") == [75, 75, 75]


def test_tls_is_never_left_on_the_way_to_another_node(site, cluster, shell):
    """Without `tls-cluster`, nodes name each other's ports without TLS to whoever asks."""
    sessions = [session_on(site, cluster, node)[0] for node in cluster.nodes]
    first = cluster.nodes[0]
    cache = {"url": f"rediss://{LOOPBACK}:{first.tls_port}", "tls": "require"}
    if first.protected:
        cache["password"] = PASSWORD
    hallpass = shell(site.write_configuration("tls.toml", django={"cache": cache}))
    results = [hallpass.session(token) for token in sessions]
    assert [result.code for result in results] == [0, 75, 75]
    assert "by TLS" in results[1].json["cause"], results[1]


def test_another_database_than_0_is_named(site, cluster, shell):
    url = cluster.url().removesuffix("/0") + "/1"
    result = shell(site.write_configuration("one.toml", django={"cache": url})).session("0" * 32)
    assert result.code == 75
    assert "database 0 alone" in result.json["cause"], result


def test_init_and_the_doctor_know_a_cluster(new_site, cluster, shell, verdicts):
    # Without a client of the site's own, django-redis is told of redis-py's, by one setting.
    site = site_in(new_site, cluster, REDIS_CLIENT_CLASS="redis.cluster.RedisCluster")
    init = Init(shell, site)
    hallpass = init.hallpass()
    assert "Redis Cluster" in init.text
    browser = site.login("alice", SECRET)
    verdicts.compare(hallpass.session(browser.token), True)
    approved(hallpass)


def test_the_doctor_says_what_a_cluster_needs(site, cluster, shell):
    away = cluster.owner("hallpass:doctor")  # the key that it asks for
    seeds = [node for node in cluster.nodes if node is not away]
    hallpass = shell(site.write_configuration(django={"cache": cluster.url(*seeds)}))
    away.freeze()
    try:
        findings = hallpass("doctor", "--json").json["findings"]
    finally:
        away.thaw()
    eventually(lambda: all(cluster.whole(node) for node in cluster.nodes), "all are back")
    findings = [finding for finding in findings if finding["check"] == "cache"]
    assert {finding["status"] for finding in findings} == {"problem"}, findings
    for finding in findings:
        assert f"{LOOPBACK}:{away.port}" in json.dumps(finding), finding
        assert "this machine must reach every node" in json.dumps(finding), finding


def test_the_doctor_finds_sessions_at_every_node(site, cluster, shell):
    for node in cluster.nodes:
        node.execute("FLUSHALL")
    session_on(site, cluster, cluster.nodes[1])
    for node in (cluster.nodes[0], cluster.nodes[2]):
        node.execute("FLUSHALL")

    def seen(url, **more):
        hallpass = shell(site.write_configuration("doctor.toml", django={"cache": url} | more))
        findings = hallpass("doctor", "--json").json["findings"]
        return [(it["check"], it["seen"]) for it in findings if "session" in it["check"]]

    for node in cluster.nodes:
        assert ("sessions", "1 live") in seen(cluster.url(node))
        checks = [check for check, _ in seen(cluster.url(node), cache_key_prefix="another")]
        assert "session-cache-key" in checks
    if cluster.nodes[0].protected:
        # Who may not ask for the other nodes does not know that there is no session.
        words = dict(seen(cluster.url(cluster.nodes[2], user="hallpass")))["sessions"]
        assert "cannot tell" in words


# PHP


@pytest.fixture(scope="module")
def php_site(new_directory, cluster, hallpass_programs, shell):
    directory = new_directory()
    seeds = "&".join(f"seed[]={LOOPBACK}:{node.port}" for node in cluster.nodes)
    if cluster.nodes[0].protected:
        seeds += f"&auth={quote(PASSWORD, safe='')}"
    save_path = f"{seeds}&timeout=2&read_timeout=2&failover=error"
    with running_php(directory) as php:
        settings = {"session.save_handler": "rediscluster", "session.gc_maxlifetime": 600}
        sites = {}
        for name, path in {"usual": save_path, "prefix": f"{save_path}&prefix=shop%3A"}.items():
            folder = php.folder(
                name, settings | {"session.save_path": path}, "login.php", "whoami.php"
            )
            tables = {
                "framework": "php",
                "php": {
                    "save_handler": "rediscluster",
                    "save_path": path,
                    "user": "_sf2_attributes.user.username",
                },
            }
            config = write_configuration(directory / f"{name}.toml", tables)
            sites[name] = folder, shell(config)
        yield sites


@pytest.mark.parametrize("name", ["usual", "prefix"])
def test_whoever_php_lets_in(php_site, name):
    folder, hallpass = php_site[name]
    for _ in range(MANY):
        alice = folder.log_in("alice")
        assert folder.whoami(f"PHPSESSID={alice}") == "alice"
        assert hallpass.session(alice).json["user"] == "alice"
        assert hallpass.session(alice[:-1]).code == 1
    zoe = folder.log_in("zoë", large="1")
    assert hallpass.session(zoe).json["user"] == "zoë"
    nobody = folder.log_in(None)
    assert hallpass.session(nobody).code == 1
