"""`/session/events` and `/ended`: sessions that were let in, until they end."""

import json
import signal
import sqlite3
import time
from contextlib import closing

import pytest

from hosts import web
from hosts.accounts import PASSWORDS
from hosts.fixtures import site_with_accounts
from hosts.watching import World, reason
from hosts.web import basic
from processes import LOOPBACK, eventually, free_port, give_away, listening, running, unprivileged

NGINX = """
daemon off;
pid {directory}/nginx.pid;
error_log {directory}/nginx.log info;
events {{ worker_connections 64; }}
http {{
    access_log off;
    proxy_temp_path {directory}/proxy;
    client_body_temp_path {directory}/body;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    server {{
        listen {address};
        location / {{ proxy_pass http://unix:{socket}:; }}
    }}
}}
"""


@pytest.fixture(scope="module")
def site(new_site):
    return site_with_accounts(new_site)


@pytest.fixture
def world(site, directory, hallpass_programs):
    with World(site, directory, hallpass_programs).running() as world:
        yield world


def test_the_identity_comes_first_and_the_end_when_it_ends(world):
    alice, other, bob = world.log_in("alice"), world.log_in("alice"), world.log_in("bob")
    cookie = {"Cookie": alice.cookie_header}
    session = web.ask(world.tcp, "/session", cookie)
    with (
        world.events(alice) as stream,
        world.events(alice, address=world.socket) as twin,
        world.events(other) as second,
        world.events(bob) as of_bob,
    ):
        assert stream.status == 200
        headers = stream.headers
        assert headers["Content-Type"] == "text/event-stream"
        assert headers["Cache-Control"] == "no-cache, no-transform"
        assert headers["X-Accel-Buffering"] == "no"
        for one in (stream, twin):
            assert one.next() == ("identity", json.loads(session.body))
        assert stream.retry == 2000
        assert second.next()[1]["user"] == "alice" and of_bob.next()[1]["user"] == "bob"
        assert stream.goes_on()
        begun = time.monotonic()
        alice.logout()
        assert reason(stream) == "logout" and reason(twin) == "logout"
        assert time.monotonic() - begun < 10
        # Others of the same person, and of others.
        assert second.goes_on() and of_bob.goes_on(0.1)
    metrics = web.ask(world.socket, "/metrics").body.decode()
    assert 'hallpass_watch_ended_total{site="",reason="logout"} 2' in metrics, "at two sockets"
    # Whoever was not connected at that moment hears of it; the verdict elsewhere is the usual one.
    with world.events(**cookie) as late:
        assert late.status == 200 and reason(late) == "logout"
    assert web.ask(world.tcp, "/session", cookie).status == 401


def test_who_is_refused(world):
    alice = world.log_in("alice")
    cookie = {"Cookie": alice.cookie_header}
    login = {"Authorization": basic("alice", PASSWORDS["alice"])}
    token = alice.token
    for headers, query, status in [
        ({}, "", 401),
        ({"Cookie": "sessionid=" + "x" * 32}, "", 401),
        ({"Cookie": f"sessionid={token[:-1]}"}, "", 401),
        ({"Authorization": "Bearer x"}, "", 401),
        # A password is no session.
        (login, "", 401),
        (cookie | {"Authorization": basic("bob", PASSWORDS["bob"])}, "", 401),
        (cookie, "?group=nobody", 403),
        (cookie, "?permission=shop.view_report", 403),
        (cookie, "?is=staff", 403),
        (cookie, "?groups=editors", 400),
        (cookie, "?is=x", 400),
    ]:
        answer = web.ask(world.tcp, "/session/events" + query, headers)
        assert answer.status == status, (headers, query)
    for method in ("POST", "HEAD", "DELETE"):
        assert web.ask(world.tcp, "/session/events", cookie, method=method).status == 405
    with world.events(alice, "?group=nobody&group=chess") as stream:
        assert stream.next()[0] == "identity"


def test_a_ticket_stands_for_its_session_after_it_is_void(world):
    alice = world.log_in("alice")
    world.write(tickets={"key": "k" * 40, "lifetime": "1s"})
    world.daemon.process.send_signal(signal.SIGHUP)
    eventually(lambda: "reloaded" in world.daemon.log(), "a reload")
    answer = web.ask(world.tcp, "/ticket", {"Cookie": alice.cookie_header}, method="POST")
    ticket = json.loads(answer.body)["ticket"]
    with world.events(Authorization=f"Bearer {ticket}") as stream:
        assert stream.next()[1]["user"] == "alice"
        assert stream.goes_on(2.5)
        assert web.ask(world.tcp, "/session", {"Authorization": f"Bearer {ticket}"}).status == 401
        alice.logout()
        assert reason(stream) == "logout"


@pytest.mark.parametrize("why", ["expired", "password", "closed", "deleted", "conditions"])
def test_every_reason(world, why):
    browser = world.log_in("dave" if why == "conditions" else "bob")
    query = "?group=words" if why == "conditions" else ""
    with world.events(browser, query) as stream, world.events(browser) as plain:
        assert stream.next()[0] == "identity" == plain.next()[0]
        shell, key = world.site.shell, browser.token
        if why == "expired":
            shell("session_model().objects.filter(session_key=key)"
                  ".update(expire_date=timezone.now())", key=key)
        elif why == "deleted":
            shell("session_model().objects.filter(session_key=key).delete()", key=key)
        elif why == "password":
            encoded = world.site.ask("make_password", "new")
            old = world.site.shell("from django.contrib.auth.models import User\n"
                                   "answer = User.objects.get(username='bob').password")
            world.site.ask("update", "bob", password=encoded)
        elif why == "closed":
            world.site.ask("update", "bob", is_active=False)
        else:
            shell("from django.contrib.auth.models import User\n"
                  "User.objects.get(username='dave').groups.clear()")
        try:
            expected = {"deleted": "logout"}.get(why, why)
            assert reason(stream) == expected
            if why == "conditions":
                assert plain.goes_on()
            else:
                assert reason(plain) == expected
        finally:
            if why == "password":
                world.site.ask("update", "bob", password=old)
            elif why == "closed":
                world.site.ask("update", "bob", is_active=True)


def test_a_site_may_say_so_and_is_not_believed(world):
    alice, bob = world.log_in("alice"), world.log_in("bob")
    with world.events(alice) as stream, world.events(bob) as of_bob:
        assert stream.next() and of_bob.next()
        for body, watched in [
            ({"session": alice.token}, 1),
            ({"user": "alice"}, 1),
            ({"session": "x" * 32}, 0),
            ({"user": "nobody"}, 0),
        ]:
            answer = world.ended(**body)
            assert (answer.status, json.loads(answer.body)) == (200, {"watched": watched})
        assert stream.goes_on() and of_bob.goes_on(0.1), "they are logged in all the same"
        with closing(sqlite3.connect(world.site.database)) as database:
            database.execute("DELETE FROM django_session WHERE session_key = ?", [alice.token])
            database.commit()
        world.ended(user="alice")
        assert reason(stream) == "logout"
        assert of_bob.goes_on()
    for body in ({}, {"session": ""}, {"user": ""}, {"user": "a", "session": "b"}, {"session": 1},
                 {"sessions": "x"}):
        assert world.ended(**body).status == 400, body
    post = {"method": "POST"}
    assert web.ask(world.socket, "/ended", body=b"x", **post).status == 400
    assert web.ask(world.socket, "/ended", body=b"x" * 20_000, **post).status == 413
    assert web.ask(world.socket, "/ended?user=alice", body=b"{}", **post).status == 400
    assert web.ask(world.socket, "/ended").status == 405
    assert web.ask(world.tcp, "/ended", body=b'{"user": "alice"}', **post).status == 403


def test_a_database_that_is_away_ends_nothing(world):
    alice = world.log_in("alice")
    database = world.site.database
    away = database.with_name("away")
    with world.events(alice) as stream:
        assert stream.next()[0] == "identity"
        database.rename(away)
        try:
            eventually(lambda: "ends none of them" in world.daemon.log(), "a warning")
            assert stream.goes_on(2)
            assert web.ask(world.tcp, "/session/events").status == 401
            cookie = {"Cookie": alice.cookie_header}
            assert web.ask(world.tcp, "/session/events", cookie).status == 503
        finally:
            away.rename(database)
        assert stream.goes_on()
        alice.logout()
        assert reason(stream) == "logout"


def test_a_server_in_which_nothing_changes_is_not_asked(new_site, postgresql, directory, hallpass_programs):
    """By a snapshot of its transactions; a logout that is not yet committed is none."""
    site = site_with_accounts(lambda: new_site("5.2", server=postgresql))
    with World(site, directory, hallpass_programs).running() as world:
        def round_took() -> float:
            return world.metric("hallpass_watch_round_seconds")

        alice, bob = world.log_in("alice"), world.log_in("bob")
        with world.events(alice) as stream, world.events(bob) as other:
            assert stream.next()[0] == other.next()[0] == "identity"
            eventually(lambda: round_took() == 0, "nothing is looked at")
            with postgresql.session(site.database_name) as session:
                session.run(f"BEGIN; DELETE FROM django_session WHERE session_key = '{alice.token}'")
                eventually(lambda: round_took() > 0, "a transaction is in progress")
                assert stream.goes_on()
                session.run("COMMIT")
            assert reason(stream) == "logout"
            eventually(lambda: round_took() == 0, "nothing is looked at")
            bob.logout()
            assert reason(other) == "logout"


def test_a_reload_keeps_streams_and_a_stop_ends_them_without_a_word(world):
    alice, bob = world.log_in("alice"), world.log_in("bob")
    with world.events(alice) as stream, world.events(bob) as of_bob:
        assert stream.next() and of_bob.next()
        world.write(access={"groups": ["editors"]})
        world.daemon.process.send_signal(signal.SIGHUP)
        assert reason(of_bob) == "conditions", "the rules of the new configuration count"
        assert stream.goes_on()
        world.daemon.process.send_signal(signal.SIGTERM)
        assert stream.next(10) is None
        assert world.daemon.process.wait(10) == 0


def test_a_restart_says_nothing_of_a_session_and_the_stream_can_be_had_again(world, site):
    alice = world.log_in("alice")
    with world.events(alice) as stream:
        assert stream.next()[0] == "identity"
        world.daemon.process.kill()
        assert stream.next(10) is None
    world.daemon.process.wait()
    with world.running(), world.events(alice) as stream:
        assert stream.next()[0] == "identity" and stream.goes_on()
        alice.logout()
        assert reason(stream) == "logout"


def test_events_come_through_nginx_as_they_happen(world, directory):
    port = free_port()
    config = directory / "nginx.conf"
    config.write_text(
        NGINX.format(directory=directory, address=f"{LOOPBACK}:{port}", socket=world.socket)
    )
    give_away(directory)
    command = ["/usr/sbin/nginx", "-e", directory / "nginx.log", "-p", directory, "-c", config]
    alice = world.log_in("alice")
    with (
        running(command, directory / "nginx-console.log", lambda: listening(port),
                **unprivileged()),
        world.events(alice, address=(LOOPBACK, port)) as stream,
    ):
        begun = time.monotonic()
        assert stream.next()[0] == "identity"
        assert time.monotonic() - begun < 5
        alice.logout()
        assert reason(stream) == "logout"


def test_streams_beat_and_take_no_room_from_others(world):
    """More streams than a socket has connections at once; all others still get answers."""
    alice = world.log_in("alice")
    cookie = {"Cookie": alice.cookie_header}
    streams = []
    try:
        for _ in range(300):
            stream = world.events(alice)
            assert stream.next()[0] == "identity"
            streams.append(stream)
        assert web.ask(world.tcp, "/auth", cookie).status == 200
        assert streams[0].goes_on(17) and streams[0].comments == 1
        alice.logout()
        assert {reason(stream) for stream in streams} == {"logout"}
    finally:
        for stream in streams:
            stream.__exit__()
