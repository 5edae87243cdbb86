"""Real ejabberd with external authentication, asked by an XMPP client."""

import random
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from hosts import xmpp
from hosts.accounts import CASES, PASSWORDS
from hosts.ejabberd import ejabberd
from hosts.fixtures import UNTHROTTLED, site_replacements, site_with_accounts
from hosts.process_tree import kill
from processes import eventually


@pytest.fixture(scope="module")
def site(new_site):
    return site_with_accounts(new_site)


@pytest.fixture(scope="module")
def server(new_directory, hallpass_programs, site):
    replacements = site_replacements(site) | UNTHROTTLED
    with ejabberd(new_directory(), hallpass_programs, replacements) as server:
        yield server


@pytest.fixture
def start(directory, hallpass_programs, new_site):
    """Starts an ejabberd of one's own, with a site of one's own: (server, site)."""

    def start(throttle=UNTHROTTLED, **options):
        site = site_with_accounts(new_site)
        replacements = site_replacements(site) | throttle
        return ejabberd(directory, hallpass_programs, replacements, **options), site

    return start


def escaped(name: str) -> str:
    """A name as a client types it (XEP-0106 section 4.2, table 1)."""
    return "".join(f"\\{ord(c):02x}" if c in " \"&'/:<>@\\" else c for c in name)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_login_is_as_the_site_says(server, site, case):
    if not case.password:
        # ejabberd answers by itself (ejabberd_auth_external.erl, check_password).
        assert not server.login(escaped(case.user), case.password)
        return
    expected = site.ask("modwsgi_check_password", case.user, case.password) is True
    assert server.login(escaped(case.user), case.password) == expected


@pytest.mark.parametrize("case", CASES, ids=str)
def test_check_password_is_as_the_site_says(server, site, case):
    if not case.password:
        assert not server.password_is(escaped(case.user), case.password)
        return
    expected = site.ask("modwsgi_check_password", case.user, case.password) is True
    assert server.password_is(escaped(case.user), case.password) == expected


@pytest.mark.parametrize("typed", ["walter", "Walter", "WALTER"])
def test_name_with_a_capital_on_the_site(server, typed):
    assert server.login(typed, PASSWORDS["Walter"])
    assert not server.login(typed, "capital w")


@pytest.mark.parametrize("typed", ["ægir", "Ægir"])
def test_name_with_a_capital_beyond_ascii(server, typed):
    assert server.login(typed, PASSWORDS["Ægir"])
    assert not server.login(typed, PASSWORDS["Walter"])


def test_two_names_that_differ_in_case_alone_let_nobody_in(server):
    assert not server.login("twin", PASSWORDS["Twin"])
    assert not server.account_exists("twin")


@pytest.mark.parametrize("typed", ["kate", "Kate", "KATE"])
def test_a_name_in_small_letters_is_not_that_of_its_twin(server, typed):
    # ejabberd asks for "kate", whoever types: whoever registers that beside Kate does not get her JID.
    for password in (PASSWORDS["kate"], PASSWORDS["Kate"]):
        assert not server.login(typed, password)
        assert not server.password_is("kate", password)
    assert not server.account_exists("kate")


def test_who_registers_a_twin_does_not_get_the_jid(start):
    context, site = start()
    with context as server:
        assert server.login("walter", PASSWORDS["Walter"])
        site.make_accounts({"username": "walter", "password": "mallory's"})
        assert not server.login("walter", "mallory's")
        assert not server.login("walter", PASSWORDS["Walter"])
        assert not server.account_exists("walter")
        site.ask("update", "walter", username="another")
        assert server.login("walter", PASSWORDS["Walter"])
        assert not server.login("walter", "mallory's")
        # The twin of an address, which clients escape.
        assert server.login(escaped("joe@example.org"), PASSWORDS["joe@example.org"])


def test_names_that_nodeprep_folds(start):
    """RFC 6122: ejabberd asks for `strasse`, and for letters with their accents in one."""
    context, site = start()
    with context as server:
        passwords = {name: f"of {name}" for name in ("Straße", "Gruß", "gruss", "remy", "jessica")}
        for name, password in passwords.items():
            site.make_accounts({"username": name, "password": password})
        site.ask("update", "remy", username="re\u0301my")
        for typed in ("straße", "STRASSE", "strasse"):
            assert server.login(typed, passwords["Straße"]), typed
            assert not server.login(typed, passwords["jessica"]), typed
        assert server.login("jessica", passwords["jessica"])
        assert server.login("rémy", passwords["remy"])
        assert not server.account_exists("remy")
        # Two accounts with one JID.
        for typed in ("gruß", "gruss"):
            for password in (passwords["Gruß"], passwords["gruss"]):
                assert not server.login(typed, password), typed
            assert not server.account_exists(typed)
        # Clients that cannot escape an at sign.
        assert server.login("joe%example.org", PASSWORDS["joe@example.org"])
        assert server.account_exists("joe%example.org")
        assert not server.login("joe%example.org", PASSWORDS["alice"])
        for unknown in ("joe%example.net", "%example.org", "joe%", "joe%example%org"):
            assert not server.account_exists(unknown), unknown
        site.ask("update", "jessica", username="joe%example.org")
        for password in (PASSWORDS["joe@example.org"], passwords["jessica"]):
            assert not server.login("joe%example.org", password)
        assert server.login(escaped("joe@example.org"), PASSWORDS["joe@example.org"])


@pytest.mark.parametrize("user", ["alice", "zoë", "walter", "joe@example.org", "zoe smith"])
def test_account_exists(server, user):
    assert server.account_exists(escaped(user))


@pytest.mark.parametrize(
    "user", ["nobody", "alic", "alice2", "alice%", "_lice", "zoe", "zoe  smith"]
)
def test_account_does_not_exist(server, user):
    assert not server.account_exists(escaped(user))


def test_escape_is_not_undone_twice(server):
    # `\5c40` stands for the name `joe\40example.org`, which nobody has.
    assert not server.account_exists(r"joe\5c40example.org")
    assert not server.login(r"joe\5c40example.org", PASSWORDS["joe@example.org"])


def test_password_with_nul_is_refused(server):
    with server.stream() as stream:
        assert stream.authenticate(b"alice", PASSWORDS["alice"].encode() + b"\0") != "success"


def test_password_that_is_not_utf8_is_refused_and_nothing_breaks(server):
    assert not server.login(b"alice", b"\xff\xfe" + PASSWORDS["alice"].encode())
    assert not server.login("zoë", PASSWORDS["zoë"].encode("latin-1", "ignore"))
    assert server.login("alice", PASSWORDS["alice"])


def test_login_in_another_name_is_refused(server):
    with server.stream() as stream:
        as_bob = stream.authenticate(
            b"alice", PASSWORDS["alice"].encode(), b"bob@chat.example.org"
        )
    assert as_bob != "success"


def test_only_the_plain_password_is_asked_for(server):
    with server.stream() as stream:
        assert stream.mechanisms
        assert not [name for name in stream.mechanisms if name.startswith(("SCRAM", "DIGEST"))]
        assert "PLAIN" in stream.mechanisms


def test_password_longer_than_a_frame_harms_nobody_else(server):
    # 65,536 bytes do not fit: ejabberd's own worker for the program crashes.
    try:
        assert not server.login("alice", "x" * 70_000)
    except (xmpp.StreamClosed, OSError):
        pass  # It may also hang up.
    eventually(lambda: server.login("alice", PASSWORDS["alice"]), "alice gets in again")


def test_changed_password_and_deactivation_count_at_once(start):
    running, site = start()
    with running as server:
        assert server.login("alice", PASSWORDS["alice"])
        site.shell(
            "user = User.objects.get(username='alice'); user.set_password('new'); user.save()"
        )
        assert not server.login("alice", PASSWORDS["alice"])
        assert server.login("alice", "new")
        site.deactivate("alice")
        assert not server.login("alice", "new")
        site.ask("update", "alice", is_active=True)
        assert server.login("alice", "new")
        site.ask("delete", "alice")
        assert not server.login("alice", "new")
        assert not server.account_exists("alice")


@pytest.mark.parametrize("there_at_start", [True, False])
def test_database_that_goes_away_and_comes_back(start, there_at_start):
    away = []

    def take_away(_=None):
        away.append(site.database.with_suffix(".away"))
        shutil.move(site.database, away[0])

    running, site = start(before_start=(lambda _: None) if there_at_start else take_away)
    with running as server:
        before = eventually(lambda: len(server.helpers()) == 2 and server.helpers(), "two helpers")
        if there_at_start:
            assert server.login("alice", PASSWORDS["alice"])
            take_away()
        for _ in range(6):
            assert not server.login("alice", PASSWORDS["alice"])
            assert not server.login("alice", "wrong")
        assert not server.account_exists("alice")
        shutil.move(away[0], site.database)
        eventually(lambda: server.login("alice", PASSWORDS["alice"]), "alice gets in again")
        assert not server.login("alice", "wrong")
        assert server.helpers() == before, "no program ended"
        # What is no answer must not look like one: ejabberd says so in its log, which it
        # writes every few seconds.
        eventually(
            lambda: "Received unexpected response" in server.log.read_text(),
            "ejabberd has logged that there was no answer",
        )


def make_absent(file):
    file.unlink()


def misspell_a_key(file):
    file.write_text(file.read_text() + "\ndeadlien = 1\n")


def cut_short(file):
    file.write_text(file.read_text()[:200] + '\nframework = "')


def replace_by_a_directory(file):
    file.unlink()
    file.mkdir()


@pytest.mark.parametrize(
    "spoil", [make_absent, misspell_a_key, cut_short, replace_by_a_directory]
)
def test_configuration_that_is_wrong_at_start_and_mended(start, spoil):
    # A program that ends at once would make ejabberd give up external authentication
    # until its own restart (extauth_sup.erl, ejabberd_backend_sup.erl).
    right = []

    def before_start(file):
        right.append(file.read_text())
        spoil(file)

    running, _ = start(before_start=before_start)
    with running as server:
        before = eventually(lambda: len(server.helpers()) == 2 and server.helpers(), "two helpers")
        for _ in range(4):
            assert not server.login("alice", PASSWORDS["alice"])
        assert not server.account_exists("alice")
        file = server.configuration / "hallpass.toml"
        if file.is_dir():
            file.rmdir()
        file.write_text(*right)
        eventually(
            lambda: all(server.login("alice", PASSWORDS["alice"]) for _ in range(8)),
            "each program has read the mended file",
        )
        assert not server.login("alice", "wrong")
        assert server.account_exists("alice")
        assert server.helpers() == before, "no program ended"


def test_guessing_is_throttled(start):
    # One program, so that one counts: each has a count of its own.
    running, _ = start(throttle={}, pool=1)
    with running as server:
        for number in range(10):
            assert not server.login("alice", f"guess {number}")
        assert not server.login("alice", PASSWORDS["alice"])
        assert server.login("bob", PASSWORDS["bob"])


def test_killed_programs_lose_no_login(start):
    running, _ = start(pool=8)
    with running as server:
        eventually(lambda: len(server.helpers()) == 8, "eight helpers")
        stop = threading.Event()
        killed = []

        def kill_now_and_then():
            # More deaths than there are programs, in this and the last second, and ejabberd
            # ends the rest as well (extauth_sup.erl, supervisor(3): restart intensity).
            while not stop.wait(0.4):
                if helpers := server.helpers():
                    killed.append(random.choice(helpers))
                    kill(killed[-1])

        def login(number: int) -> tuple[bool, bool]:
            user, wrong = random.choice(["alice", "carol", "zoë", "walter"]), number % 10 == 0
            password = PASSWORDS["Walter" if user == "walter" else user]
            return not wrong, server.login(user, password + "x" * wrong)

        with ThreadPoolExecutor(8) as pool:
            killer = threading.Thread(target=kill_now_and_then)
            killer.start()
            try:
                answers = []
                while len(answers) < 200 or len(killed) < 10:
                    answers += pool.map(login, range(40))
            finally:
                stop.set()
                killer.join()
        lost = sum(expected and not got for expected, got in answers)
        wrong = sum(got and not expected for expected, got in answers)
        assert (lost, wrong) == (0, 0), (
            f"of {len(answers)}, with {len(killed)} killed\n{server.log.read_text()}"
        )


def test_programs_end_with_ejabberd(start):
    running, _ = start()
    with running as server:
        assert server.login("alice", PASSWORDS["alice"])
        assert server.helpers()
        # Erlang closes their input and sends no signal.
        server.process.terminate()
        server.process.wait(60)
        eventually(lambda: not server.helpers(), "no program is left")


def test_a_new_password_ends_connections_that_the_old_one_let_in(start):
    running, site = start()
    with running as server, server.stream() as bob, server.stream() as carol:
        for stream, user in ((bob, "bob"), (carol, "carol")):
            assert stream.authenticate(user.encode(), PASSWORDS[user].encode()) == "success"
            stream.bind("web")
        assert bob.end(2.5) is None and carol.end(0.1) is None
        site.ask("update", "bob", password=site.ask("make_password", "another"))
        assert "conflict" in (bob.end(15) or "")
        assert carol.end(2) is None
        site.ask("update", "carol", is_active=False)
        assert "policy-violation" in (carol.end(15) or "")
        with server.stream() as again:
            assert again.authenticate(b"bob", b"another") == "success"
            again.bind("web")
            assert again.end(2.5) is None
