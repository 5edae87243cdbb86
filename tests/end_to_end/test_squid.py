"""Real Squid with Basic authentication, groups and sessions; and the program by itself."""

import os
import re
import shutil
import signal
import subprocess
import time
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from hosts.accounts import CASES, PASSWORDS
from hosts.fixtures import UNTHROTTLED, site_replacements, site_with_accounts
from hosts.process_tree import kill
from hosts.squid import squid
from processes import eventually
from programs import HANGS

ANYWHERE = "elsewhere.example.org"
SHOP, OFFICE = "shop.example.org", "office.shop.example.org"
WIKI, CLUB, REPORTS = "wiki.example.org", "club.example.org", "reports.example.org"
# Squid counts in whole seconds, and says no to a request whose password it has forgotten before it
# is told the group, as with programs that are slow to start: so not too soon.
SOON_FORGOTTEN = {"credentialsttl 1 minute": "credentialsttl 4 seconds", "ttl=60": "ttl=4"}


@pytest.fixture(scope="module")
def site(new_site):
    return site_with_accounts(new_site)


@pytest.fixture(scope="module")
def server(new_directory, hallpass_programs, site):
    directory = new_directory()
    replacements = site_replacements(site, directory) | UNTHROTTLED
    with squid(directory, hallpass_programs, replacements) as server:
        yield server


@pytest.fixture
def start(directory, hallpass_programs, new_site):
    """Starts a Squid of one's own, which soon forgets, with a site of one's own."""

    def start(before_start=lambda file: None, **replacements):
        site = site_with_accounts(new_site)
        replaced = site_replacements(site, directory) | UNTHROTTLED | SOON_FORGOTTEN | replacements
        return squid(directory, hallpass_programs, replaced, before_start), site

    return start


def forget() -> None:
    """Waits until Squid no longer believes what it was told."""
    time.sleep(5.5)


def as_(name: str) -> tuple[str, str]:
    return name, PASSWORDS[name]


def cookie(site, user: str) -> dict[str, str]:
    """The header that a browser sends which is logged in to the site."""
    token = site.ask("save_session", site.ask("login_keys", user))
    return {"Cookie": f"csrftoken=x; sessionid={token}"}


# Passwords


@pytest.mark.parametrize("case", CASES, ids=str)
def test_password_is_as_the_site_says(server, site, case):
    expected = site.ask("modwsgi_check_password", case.user, case.password) is True
    if not case.password or len(urllib.parse.quote(case.password)) > 4000:
        # Squid asks about neither: no empty password, and no line of 8 kB.
        expected = expected and server.status(ANYWHERE, case.user, case.password) == 200
    assert server.status(ANYWHERE, case.user, case.password) == (200 if expected else 407)


def test_nothing_without_credentials(server):
    answer = server.ask(ANYWHERE)
    assert answer.status == 407
    assert answer.headers["Proxy-Authenticate"] == 'Basic realm="Shop account"'
    # Those for the site itself are none for the proxy.
    assert server.status(ANYWHERE, Authorization="Basic YWxpY2U6") == 407
    assert server.status(ANYWHERE, **cookie_of_nobody()) == 407


def cookie_of_nobody() -> dict[str, str]:
    return {"Cookie": "sessionid=" + "k" * 32}


def test_application_is_reached_by_nobody_who_may_not(server):
    before = len(server.application.requests)
    server.ask(ANYWHERE, "alice", "wrong")
    server.ask(WIKI, *as_("bob"))
    server.ask(SHOP)
    assert len(server.application.requests) == before
    server.ask(ANYWHERE, *as_("alice"))
    assert len(server.application.requests) == before + 1
    # Nor is the password passed on.
    headers = dict(server.application.requests[-1]["headers"])
    assert "proxy-authorization" not in headers


@pytest.mark.parametrize(
    ("user", "password"),
    [
        ("alice\n", PASSWORDS["alice"]),
        ("al\nice", "x"),
        ("alice correct", "horse battery"),
        ("alice%20", PASSWORDS["alice"]),
        ("alice%0A", PASSWORDS["alice"]),
        ("0 alice", PASSWORDS["alice"]),
        ("0", f"alice {PASSWORDS['alice']}"),
        ("\\alice", PASSWORDS["alice"]),
        ("alice", PASSWORDS["alice"] + "\n"),
        ("alice", PASSWORDS["alice"] + " 127.0.0.1"),
        ("alice", urllib.parse.quote(PASSWORDS["alice"])),
        (b"alice", b"\xff\xfe"),
        (b"\xff\xfe", b"x"),
        ("zoë".encode("utf-16"), b"x"),
        ("", "x"),
        ("-", "x"),
    ],
    ids=repr,
)
def test_what_no_account_has_is_refused(server, user, password):
    assert server.status(ANYWHERE, user, password) == 407
    assert server.status(ANYWHERE, *as_("alice")) == 200


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_names_that_are_not_ascii_in_either_encoding(server, site, encoding):
    site.ask("make_accounts", [{"username": f"jürgen {encoding}", "password": "pässwörd"}])
    user = f"jürgen {encoding}".encode(encoding)
    assert server.status(ANYWHERE, user, "pässwörd".encode(encoding)) == 200
    assert server.status(ANYWHERE, user, "passwörd".encode(encoding)) == 407


def test_guessing_is_throttled_by_address(start):
    running, _ = start(**{"failures = 10": "failures = 3", "children 4": "children 1"})
    with running as server:
        for name in ("x", "y", "z"):
            assert server.status(ANYWHERE, name, "guess") == 407
        assert server.status(ANYWHERE, *as_("alice")) == 407
        assert "reason=throttled user=\"alice\" client=127.0.0.1" in server.log()


def test_concurrent_questions_get_their_own_answers(start):
    running, site = start(
        **{"children 4 startup=0 idle=1": "children 2 startup=0 idle=1 concurrency=20"}
    )
    with running as server, ThreadPoolExecutor(20) as pool:
        people = ["alice", "bob", "carol", "zoë", "joe@example.org", "ursula"]

        def ask(number: int) -> tuple[int, int]:
            user, wrong = people[number % len(people)], number % 4 == 0
            password = PASSWORDS[user] + f" {number}" * wrong
            return server.status(ANYWHERE, user, password), 407 if wrong else 200

        answers = list(pool.map(ask, range(200)))
        assert [got for got, _ in answers] == [expected for _, expected in answers]
        assert "unexpected reply" not in server.log()


# Groups


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        (WIKI, {"alice", "al", "ursula"}),
        (CLUB, {"alice", "carol"}),
        (REPORTS, {"reporter", "ursula"}),
    ],
)
def test_those_in_the_group_and_no_others(server, host, allowed):
    for user in ("alice", "bob", "carol", "dave", "al", "reporter", "stella", "ursula", "zoë"):
        expected = 200 if user in allowed else 403
        assert server.status(host, *as_(user)) == expected, user
        assert server.status(host, user, "wrong") == 407, user
    # A group does not help who may not log in.
    for user in ("erin", "frank", "garbled", "nobody"):
        assert server.status(host, user, PASSWORDS.get(user) or "x") == 407, user


@pytest.mark.parametrize("user", ["mallory editors", "mallory%20editors", "mallory\neditors"])
def test_user_cannot_name_his_own_groups(server, site, user):
    site.ask("make_accounts", [{"username": user, "password": "s3cret"}])
    assert server.status(WIKI, user, "s3cret") in (403, 407)
    assert server.status(WIKI, user, PASSWORDS["mallory"]) == 407
    assert server.status(WIKI, *as_("mallory")) == 403


@pytest.mark.parametrize("user", ["7", "0"])
def test_user_whose_name_is_a_number(server, site, user):
    site.ask("make_accounts", [{"username": user, "password": "s3cret"}])
    assert server.status(ANYWHERE, user, "s3cret") == 200
    assert server.status(ANYWHERE, user, "wrong") == 407
    assert server.status(WIKI, user, "s3cret") == 403
    site.shell(
        "User.objects.get(username=user).groups.add(Group.objects.get(name='chess'))", user=user
    )
    assert server.status(CLUB, user, "s3cret") == 200


# Sessions


def test_session_lets_its_owner_in(server, site):
    answer = server.ask(SHOP, **cookie(site, "alice"))
    assert answer.status == 200
    assert server.status(OFFICE, **cookie(site, "alice")) == 200
    assert server.status(OFFICE, **cookie(site, "bob")) == 403
    # Only for the site's own hosts.
    assert server.status(ANYWHERE, **cookie(site, "alice")) == 407


def test_user_of_the_session_is_in_the_access_log(start):
    running, site = start()
    users = ["alice", "zoë", "joe@example.org", "zoe smith"]
    with running as server:
        for user in users:
            assert server.status(SHOP, **cookie(site, user)) == 200

        def named() -> list[str]:
            return re.findall(r"^TCP_MISS 200 (.*) http:", server.access(), re.MULTILINE)

        eventually(lambda: named() == users, "they are in the log")


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "-",
        "sessionid",
        "sessionid=",
        "sessionid=" + "k" * 32,
        "sessionid=../../etc/passwd",
        "sessionid=' OR 1=1 --",
        "sessionid=\x01\x02",
        "sessionid=%00",
        "sessionid=" + "x" * 20_000,
        "0 sessionid=x",
        "a=b c=d e",
        b"sessionid=\xff\xfe",
    ],
    ids=lambda value: repr(value)[:30],
)
def test_cookie_of_no_session_lets_nobody_in(server, header):
    headers = {} if header is None else {"Cookie": header}
    assert server.status(SHOP, **headers) in (400, 403)
    assert server.status(OFFICE, **headers) in (400, 403)


def test_session_that_is_over_lets_nobody_in(start):
    running, site = start()
    with running as server:
        mine = cookie(site, "alice")
        assert server.status(SHOP, **mine) == 200
        # Another password ends the sessions made before it.
        site.shell(
            "user = User.objects.get(username='alice'); user.set_password('new'); user.save()"
        )
        assert server.status(SHOP, **mine) == 403
        mine = cookie(site, "alice")
        assert server.status(SHOP, **mine) == 200
        site.deactivate("alice")
        assert server.status(SHOP, **mine) == 403
        site.ask("update", "alice", is_active=True)
        assert server.status(SHOP, **mine) == 200
        site.shell("from django.contrib.sessions.models import Session; Session.objects.all().delete()")
        assert server.status(SHOP, **mine) == 403
        expired = site.ask("save_session", site.ask("login_keys", "alice"), -60)
        assert server.status(SHOP, Cookie=f"sessionid={expired}") == 403
        anonymous = site.ask("save_session", {})
        assert server.status(SHOP, Cookie=f"sessionid={anonymous}") == 403


# What changes, and what breaks


def test_changes_on_the_site_count_as_soon_as_squid_asks(start):
    running, site = start()
    with running as server:
        assert server.status(WIKI, *as_("alice")) == 200
        site.shell("User.objects.get(username='alice').groups.clear()")
        forget()
        assert server.status(WIKI, *as_("alice")) == 403
        assert server.status(ANYWHERE, *as_("alice")) == 200
        site.shell(
            "user = User.objects.get(username='alice'); user.set_password('new'); user.save()"
        )
        forget()
        assert server.status(ANYWHERE, *as_("alice")) == 407
        assert server.status(ANYWHERE, "alice", "new") == 200
        site.deactivate("alice")
        forget()
        assert server.status(ANYWHERE, "alice", "new") == 407


def test_database_that_goes_away_and_comes_back(start):
    running, site = start()
    with running as server:
        mine = cookie(site, "alice")
        # The first answers wait for the programs to start, of which Squid tires on a busy machine.
        eventually(lambda: server.status(WIKI, *as_("alice")) == 200, "alice gets in")
        eventually(lambda: server.status(SHOP, **mine) == 200, "alice gets in by her session")
        before = server.helpers()
        away = site.database.with_suffix(".away")
        shutil.move(site.database, away)
        forget()
        for _ in range(3):
            assert server.status(ANYWHERE, *as_("alice")) == 407
            assert server.status(SHOP, **mine) != 200
        assert "verdict=unavailable" in server.log()
        assert "wrong-password" not in server.log()
        shutil.move(away, site.database)
        assert server.status(WIKI, *as_("alice")) == 200
        assert server.status(WIKI, "alice", "wrong") == 407
        assert server.status(SHOP, **mine) == 200
        assert set(before) <= set(server.helpers()), "no program ended"


def test_group_that_cannot_be_asked_about_lets_nobody_in(start):
    # Where being in a group keeps people out, "not in it" would be the wrong answer.
    running, site = start(
        **{
            "http_access deny wiki !editors all": "http_access deny wiki editors all",
            # The password is believed, the group is asked about.
            "credentialsttl 1 minute": "credentialsttl 1 hour",
        }
    )
    with running as server:
        assert server.status(WIKI, *as_("alice")) == 403
        assert server.status(WIKI, *as_("bob")) == 200
        site.database.unlink()
        forget()
        assert server.status(ANYWHERE, *as_("bob")) == 200
        assert server.status(WIKI, *as_("bob")) != 200
        assert server.status(WIKI, *as_("alice")) != 200


def make_absent(file):
    file.unlink()


def misspell_a_key(file):
    file.write_text(file.read_text() + "\ndeadlien = 1\n")


def replace_by_a_directory(file):
    file.unlink()
    file.mkdir()


@pytest.mark.parametrize("spoil", [make_absent, misspell_a_key, replace_by_a_directory])
def test_configuration_that_is_wrong_at_start_and_mended(start, spoil):
    right = []

    def before_start(file):
        right.append(file.read_text())
        spoil(file)

    running, _ = start(before_start)
    with running as server:
        file = server.directory / "etc/hallpass.toml"
        for _ in range(4):
            assert server.status(ANYWHERE, *as_("alice")) == 407
        before = set(server.helpers())
        assert before
        assert str(file) in server.log()
        if file.is_dir():
            file.rmdir()
        file.write_text(*right)
        assert server.status(WIKI, *as_("alice")) == 200
        assert server.status(ANYWHERE, "alice", "wrong") == 407
        assert before <= set(server.helpers()), "no program ended"


def test_killed_programs_are_started_again(start):
    running, _ = start()
    with running as server:
        assert server.status(WIKI, *as_("alice")) == 200
        before = server.helpers()
        for pid in before:
            kill(pid)
        forget()
        eventually(lambda: server.status(WIKI, *as_("alice")) == 200, "alice gets in again")
        assert server.status(WIKI, "alice", "wrong") == 407
        assert server.status(WIKI, *as_("bob")) == 403
        assert not set(before) & set(server.helpers())


def test_programs_end_with_squid(start):
    running, _ = start()
    with running as server:
        assert server.status(WIKI, *as_("alice")) == 200
        assert server.helpers()
        directory = server.directory
        pid = int((directory / "squid.pid").read_text())
        os.kill(pid, signal.SIGTERM)
        eventually(lambda: not server.helpers(), "no program is left")


def test_log_tells_the_decision_and_no_secret(start):
    running, site = start()
    with running as server:
        server.ask(WIKI, "alice", "a wrong s3cret")
        server.ask(WIKI, *as_("alice"))
        mine = cookie(site, "alice")
        server.ask(SHOP, **mine)
        log = server.log()
        assert 'verdict=denied reason=wrong-password user="alice" client=127.0.0.1' in log
        assert 'verdict=granted user="alice"' in log
        assert "s3cret" not in log and PASSWORDS["alice"] not in log
        assert urllib.parse.quote(PASSWORDS["alice"]) not in log
        assert mine["Cookie"].rpartition("=")[2] not in log


# The program


class Helper:
    """A running hallpass-squid."""

    def __init__(self, process: subprocess.Popen):
        self.process = process

    def write(self, data: bytes) -> None:
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def ask(self, line: str | bytes) -> str:
        """The answer to one line."""
        self.write((line.encode() if isinstance(line, str) else line) + b"\n")
        return self.read()

    def read(self) -> str:
        answer = self.process.stdout.readline()
        assert answer.endswith(b"\n"), answer
        return answer[:-1].decode()

    def rest(self) -> bytes:
        """Ends its input; what it still writes."""
        return self.process.communicate(timeout=HANGS)[0]


@pytest.fixture
def helper(hallpass_programs, site, tmp_path):
    """Starts hallpass-squid with words on its command line."""

    @contextmanager
    def start(*words, config=None):
        config = config or site.write_configuration("squid.toml", limits={"failures": 0})
        command = [hallpass_programs["hallpass-squid"], "--config", config, *words]
        with (tmp_path / "log").open("ab") as log:
            process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log
            )
        try:
            yield Helper(process)
        finally:
            process.kill()
            process.wait()
            process.stdout.close()
            if not process.stdin.closed:
                process.stdin.close()

    return start


GOOD, WRONG = "alice correct%20horse%20battery", "alice wrong"
BROKEN = re.compile(r'(\d+ )?BH message="[^"]*"')


@pytest.mark.parametrize("words", [[], ["basic"]])
def test_basic_with_and_without_channel(helper, words):
    with helper(*words) as program:
        assert program.ask(GOOD) == "OK user=alice"
        assert program.ask(WRONG) == "ERR"
        assert program.ask("0 " + GOOD) == "0 OK user=alice"
        assert program.ask("17 " + WRONG) == "17 ERR"
        assert program.ask("4294967295 " + WRONG) == "4294967295 ERR"
        assert program.ask(GOOD + "\r") == "OK user=alice"
        assert program.ask("zo%C3%AB p%C3%A4ssw%C3%B6rd%20%E2%82%AC%F0%9D%84%9E") == "OK user=zo%C3%AB"
        assert program.ask("joe@example.org an%20address") == "OK user=joe%40example.org"
        assert program.ask("empty ") == "OK user=empty"
        assert program.ask("5 empty ") == "5 OK user=empty"
        assert program.rest() == b""


@pytest.mark.parametrize(
    "line",
    [
        "",
        " ",
        "\r",
        "alice",
        "alice ",
        " alice",
        " correct%20horse%20battery",
        "alice  correct%20horse%20battery",
        GOOD + " more",
        " " + GOOD,
        GOOD + " ",
        GOOD + "%0A",
        GOOD + "%00",
        GOOD + "\r\r",
        "alice%0A correct%20horse%20battery",
        "alice%00 correct%20horse%20battery",
        "alice\tcorrect%20horse%20battery",
        "alice\0 correct%20horse%20battery",
        "al\x1bice x",
        "alice correct horse battery",
        "alice correct%2520horse%2520battery",
        "ALICE correct%20horse%20battery",
        "%61lice",
        "99999999999 " + GOOD,
        "-1 " + GOOD,
        "+1 " + GOOD,
        b"\xff\xfe x",
        b"alice \xff\xfe",
        "erin was%20a%20member",
        "frank !",
        "a" * 2000 + " x",
        "alice " + "x" * 5000,
        "alice " + "%41" * 5000,
        "alice " + "x" * 300_000,
        "x" * 300_000,
        " " * 300_000,
    ],
    ids=lambda value: repr(value)[:40],
)
def test_nonsense_is_answered_once_and_never_by_yes(helper, line):
    with helper() as program:
        assert program.ask(line) == "ERR"
        assert program.ask(GOOD) == "OK user=alice"
        assert program.rest() == b""


def test_lines_in_pieces_and_many_at_once(helper):
    with helper() as program:
        for byte in (GOOD + "\n" + WRONG + "\n").encode():
            program.write(bytes([byte]))
        assert [program.read(), program.read()] == ["OK user=alice", "ERR"]
        lines = [f"{n} {GOOD if n % 3 else WRONG}\n" for n in range(300)]
        program.write("".join(lines).encode())
        answers = [program.read() for _ in lines]
        assert answers == [f"{n} {'OK user=alice' if n % 3 else 'ERR'}" for n in range(300)]


@pytest.mark.parametrize("left", [b"", b"a", GOOD.encode(), b"0 " + GOOD.encode(), b"\r"])
def test_half_a_line_at_the_end_is_answered_by_nothing(helper, left):
    with helper() as program:
        program.write(GOOD.encode() + b"\n" + WRONG.encode() + b"\n" + left)
        assert program.rest() == b"OK user=alice\nERR\n"
        assert program.process.returncode == 0


def test_clients_address_follows_the_password(helper):
    with helper("basic", "--client") as program:
        assert program.ask(GOOD + " 192.0.2.1") == "OK user=alice"
        assert program.ask("3 " + GOOD + " 2001:db8::1") == "3 OK user=alice"
        assert program.ask(GOOD + " -") == "OK user=alice"
        assert program.ask(GOOD) == "ERR"
        assert program.ask(GOOD + " somewhere") == "ERR"
        assert program.ask("7 x 192.0.2.1") == "ERR"


def test_conditions_of_basic(helper):
    with helper("basic", "--group", "editors", "--group", "is:staff") as program:
        assert program.ask(GOOD) == "OK user=alice"
        assert program.ask("stella by%20flag") == "OK user=stella"
        assert program.ask("bob builder's%20tea") == "ERR"
        assert program.ask("erin was%20a%20member") == "ERR"
    with helper("basic", "--permission", "shop.view_report") as program:
        assert program.ask("reporter by%20permission") == "OK user=reporter"
        assert program.ask(GOOD) == "ERR"


@pytest.mark.parametrize(("words", "channel"), [([], ""), (["--concurrency"], "4 ")])
def test_groups(helper, words, channel):
    with helper("group", *words) as program:
        for line, answer in [
            ("alice editors", "OK"),
            ("alice nobody editors", "OK"),
            ("alice Editors", "ERR"),
            ("alice editor", "ERR"),
            ("alice editors%20", "ERR"),
            ("alice %65ditors", "OK"),
            ("carol two%20words", "OK"),
            ("dave two%20words", "ERR"),
            ("stella is:staff", "OK"),
            ("alice is:staff is:superuser", "ERR"),
            ("reporter perm:shop.view_report", "OK"),
            ("ursula perm:shop.view_report", "OK"),
            ("alice perm:shop.view_report", "ERR"),
            ("alice", "ERR"),
            ("alice -", "ERR"),
            ("- editors", "ERR"),
            ("erin editors", "ERR"),
            ("nobody editors", "ERR"),
            ("ALICE editors", "ERR"),
        ]:
            assert program.ask(channel + line) == channel + answer, line
        for line in (" editors", "", "al%0Aice editors", "alice\teditors", "x" * 300_000):
            answer = program.ask(channel + line)
            assert BROKEN.fullmatch(answer) and answer.startswith(channel), line
        assert program.rest() == b""


def test_line_without_the_channel_that_was_announced_has_no_answer(helper):
    with helper("group", "--concurrency") as program:
        for line in ("alice editors", "alice", "", "-1 alice editors", "1"):
            assert BROKEN.fullmatch(program.ask(line)), line
        assert program.ask("1 alice editors") == "1 OK"


@pytest.mark.parametrize(("words", "channel"), [([], ""), (["--concurrency"], "0 ")])
def test_sessions(helper, site, words, channel):
    mine = site.ask("save_session", site.ask("login_keys", "alice"))
    escaped = "a=b;%20sessionid=" + urllib.parse.quote(mine)
    zoe = site.ask("save_session", site.ask("login_keys", "zoë"))
    with helper("session", *words) as program:
        for line, answer in [
            (escaped, "OK user=alice"),
            (f"sessionid={zoe}", "OK user=zo%C3%AB"),
            (f"sessionid={zoe} -", "OK user=zo%C3%AB"),
            (escaped + " editors", "OK user=alice"),
            (escaped + " chess editors", "OK user=alice"),
            (f"sessionid={zoe} editors", "ERR"),
            (escaped + " is:staff", "ERR"),
            (mine, "ERR"),
            (f"other={mine}", "ERR"),
            (f"sessionid={mine}x", "ERR"),
            (f"sessionid={mine}%00", "ERR"),
            ("sessionid=", "ERR"),
            ("-", "ERR"),
            ("- -", "ERR"),
            ("", "ERR"),
        ]:
            assert program.ask(channel + line) == channel + answer, line


def test_sessions_need_the_sites_key(helper, site):
    config = site.write_configuration("keyless.toml", django={"secret_key": None})
    mine = site.ask("save_session", site.ask("login_keys", "alice"))
    with helper("session", config=config) as program:
        assert BROKEN.fullmatch(program.ask(f"sessionid={mine}"))
        assert BROKEN.fullmatch(program.ask("sessionid=x"))


def test_unavailable_is_never_no(helper, new_site):
    site = site_with_accounts(new_site)
    config = site.write_configuration()
    away = site.database.with_suffix(".away")
    for words, line in [
        (["basic"], GOOD),
        (["basic"], WRONG),
        (["group"], "alice editors"),
        (["session"], "sessionid=" + "k" * 32),
    ]:
        with helper(*words, config=config) as program:
            before = program.ask(line)
            assert before[:2] in ("OK", "ER")
            shutil.move(site.database, away)
            assert BROKEN.fullmatch(program.ask(line))
            shutil.move(away, site.database)
            assert program.ask(line) == before


def test_configuration_is_read_as_soon_as_it_is_good(helper, site, directory):
    config = directory / "hallpass.toml"
    with helper(config=config) as program:
        assert BROKEN.fullmatch(program.ask(GOOD))
        assert BROKEN.fullmatch(program.ask("8 " + GOOD))
        config.write_text("framework = 1")
        assert BROKEN.fullmatch(program.ask(WRONG))
        shutil.copy(site.write_configuration(), config)
        assert program.ask(GOOD) == "OK user=alice"
        assert program.ask(WRONG) == "ERR"


@pytest.mark.parametrize("words", [["--unknown"], ["groups"], ["group", "--client=1"]])
def test_wrong_command_line_is_answered_too(helper, words):
    # Helpers that end at once, again and again, end Squid.
    with helper(*words) as program:
        assert BROKEN.fullmatch(program.ask(GOOD))
        assert program.ask("3 " + GOOD).startswith("3 BH ")
        assert program.rest() == b""


def test_sigterm_ends_it(helper):
    with helper() as program:
        assert program.ask(GOOD) == "OK user=alice"
        program.process.terminate()
        assert program.process.wait(HANGS) == 0


def test_output_that_is_closed_ends_it(helper):
    with helper() as program:
        program.process.stdout.close()
        program.write(GOOD.encode() + b"\n")
        assert program.process.wait(HANGS) != 0
