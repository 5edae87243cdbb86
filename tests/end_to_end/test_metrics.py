"""/metrics, read as Prometheus reads it."""

import shutil

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from hosts import fastcgi, web
from hosts.accounts import PASSWORDS
from hosts.daemon import hallpassd, write_configuration
from hosts.fixtures import site_with_accounts
from hosts.web import basic
from processes import LOOPBACK, free_port


@pytest.fixture
def site(new_site):
    return site_with_accounts(new_site)


@pytest.fixture
def world(site, directory, hallpass_programs):
    socket, tcp = directory / "http.sock", (LOOPBACK, free_port())
    config = write_configuration(
        site,
        "metrics.toml",
        name="shop",
        limits={"failures": 3},
        daemon={
            "listen": [f"unix:{socket}", "tcp:{}:{}".format(*tcp)],
            "fastcgi": [f"unix:{directory}/fcgi.sock"],
            "queue": 77,
        },
    )
    with hallpassd(hallpass_programs["hallpassd"], config, socket, tcp) as daemon:
        yield daemon


def samples(daemon, family: str) -> dict[tuple, float]:
    """The samples of a family by their names and labels."""
    answer = daemon.ask("/metrics")
    assert answer.status == 200
    content_type = answer.headers["Content-Type"]
    assert content_type == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    families = {found.name: found for found in text_string_to_metric_families(answer.body.decode())}
    assert len({id(found) for found in families.values()}) == len(families)
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for sample in families[family].samples
    }


def labels(name, **labels) -> tuple:
    return (name, *sorted(labels.items()))


def test_questions_are_counted_by_door_verdict_and_reason(world, directory):
    password = PASSWORDS["alice"]
    world.ask("/auth", {"Authorization": basic("alice", password)})
    for _ in range(2):
        world.ask("/auth", {"Authorization": basic("bob", "wrong")})
    world.ask("/auth")
    world.ask("/session", {"Cookie": "sessionid=" + "a" * 32})
    world.check("alice", password)
    world.check("alice", password, groups=["none"])
    fastcgi.ask(directory / "fcgi.sock", {"REMOTE_USER": "alice", "REMOTE_PASSWD": password})
    expected = {
        ("auth", "granted", ""): 1,
        ("auth", "denied", "wrong-password"): 2,
        ("auth", "denied", "no-session"): 1,
        ("session", "denied", "no-session"): 1,
        ("check", "granted", ""): 1,
        ("check", "denied", "not-permitted"): 1,
        ("fastcgi", "granted", ""): 1,
    }
    name = "hallpass_questions_total"
    assert samples(world, "hallpass_questions") == {
        labels(name, site="shop", door=door, verdict=verdict, reason=reason): count
        for (door, verdict, reason), count in expected.items()
    }
    for _ in range(3):
        world.check("carol", "wrong")
    world.check("carol", PASSWORDS["carol"])
    throttled = labels(name, site="shop", door="check", verdict="denied", reason="throttled")
    assert samples(world, "hallpass_questions")[throttled] == 1


def test_durations(world):
    for _ in range(3):
        world.ask("/auth")
    found = samples(world, "hallpass_question_duration_seconds")
    name = "hallpass_question_duration_seconds_count"
    assert found[labels(name, site="shop", door="auth")] == 3
    name = "hallpass_question_duration_seconds_bucket"
    assert found[labels(name, site="shop", door="auth", le="+Inf")] == 3


def test_queue(world):
    limits = samples(world, "hallpass_queue_limit")
    assert set(limits.values()) == {77}
    assert set(samples(world, "hallpass_queue_length").values()) == {0}


def test_stores(world, site):
    def up() -> dict[str, float]:
        found = samples(world, "hallpass_store_up")
        return {dict(key[1:])["store"]: value for key, value in found.items()}

    assert up() == {"database": 1, "sessions": 1}
    away = site.database.with_suffix(".away")
    shutil.move(site.database, away)
    assert up() == {"database": 0, "sessions": 0}
    shutil.move(away, site.database)
    assert up() == {"database": 1, "sessions": 1}


def test_the_version_is_told(world):
    found = samples(world, "hallpass_program")
    assert [dict(key[1:])["version"] for key in found] and set(found.values()) == {1}


def test_nobody_is_named(world):
    world.check("alice", PASSWORDS["alice"], host="imap")
    world.check("nobody at all", "s3cret")
    text = world.ask("/metrics").body.decode()
    for word in ("alice", "nobody", "imap", "s3cret"):
        assert word not in text


def test_metrics_are_for_this_host(world):
    assert web.ask(world.addresses[1], "/metrics").status == 200
    assert web.ask(world.addresses[1], "/readyz").status == 200
