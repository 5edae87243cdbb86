"""Real Dovecot with its checkpassword driver, asked over IMAP; and the program by itself."""

import os
import shutil
import socket
import subprocess
from contextlib import suppress

import pytest

from hosts.accounts import CASES, PASSWORDS
from hosts.dovecot import dovecot
from hosts.fixtures import site_replacements, site_with_accounts
from programs import HANGS, Result

DENIED = "AUTHENTICATIONFAILED"
UNKNOWN = "UNAVAILABLE"
LONGEST = 512  # of name, password and three NULs


@pytest.fixture(scope="module")
def site(new_site):
    return site_with_accounts(new_site)


@pytest.fixture(scope="module")
def server(new_directory, hallpass_programs, site):
    with dovecot(new_directory(), hallpass_programs, site_replacements(site)) as server:
        yield server


@pytest.fixture
def own(directory, hallpass_programs, new_site):
    """A Dovecot and a site for one test that changes things: (server, site)."""
    site = site_with_accounts(new_site)
    with dovecot(directory, hallpass_programs, site_replacements(site)) as server:
        yield server, site


def as_(name: str) -> tuple[str, str]:
    return name, PASSWORDS[name]


def django_says(site, user: str, password: str) -> bool:
    return site.ask("modwsgi_check_password", user, password) is True


# Dovecot


@pytest.mark.parametrize("case", CASES, ids=str)
def test_login_is_as_the_site_says(server, site, case):
    fits = len(case.user.encode()) + len(case.password.encode()) + 3 <= LONGEST
    expected = django_says(site, case.user, case.password) and fits
    assert server.login(case.user, case.password) == ("granted" if expected else DENIED)


@pytest.mark.parametrize("user", ["alice", "carol", "blank", "zoe smith", "joe@example.org"])
def test_login_by_command(server, user):
    assert server.login_by_command(*as_(user))
    assert not server.login_by_command(user, "wrong")


@pytest.mark.parametrize(
    ("typed", "stored"), [("ALICE", "alice"), ("walter", "Walter"), ("ÆGIR", "Ægir")]
)
def test_name_in_another_case_is_the_sites_own_afterwards(server, typed, stored):
    assert server.login(typed, PASSWORDS[stored]) == "granted"
    assert (server.directory / "mail" / stored / "Maildir").is_dir()
    assert not (server.directory / "mail" / typed).exists()
    assert server.login(typed, "wrong") == DENIED


def test_two_names_that_differ_in_case_alone_let_nobody_else_in(server):
    assert server.login("twin", PASSWORDS["Twin"]) == DENIED
    for typed in ("kate", "Kate", "KATE"):
        for password in (PASSWORDS["kate"], PASSWORDS["Kate"]):
            assert server.login(typed, password) == DENIED


@pytest.mark.parametrize(
    ("user", "password"),
    [
        (b"alice", b"\xff\xfe" + PASSWORDS["alice"].encode()),
        (b"zo\xeb", PASSWORDS["zoë"].encode()),
        ("zoë".encode(), PASSWORDS["zoë"].encode("utf-16")),
        (b"alice", b"x" * 505),
        (b"alice", b"x" * 506),
        (b"a" * 300, b"x" * 300),
        (b"al\nice", PASSWORDS["alice"].encode()),
        (b"alice\n", PASSWORDS["alice"].encode()),
        (b"alice\t", PASSWORDS["alice"].encode()),
        (b"../alice", PASSWORDS["alice"].encode()),
        (b"alice/", PASSWORDS["alice"].encode()),
        (b"", PASSWORDS["alice"].encode()),
    ],
)
def test_what_no_account_has_is_refused(server, user, password):
    assert server.login(user, password) == DENIED
    assert server.login(*as_("alice")) == "granted"


def test_password_with_nul_is_refused(server):
    for password in (b"\0", PASSWORDS["alice"].encode() + b"\0", b"correct\0horse"):
        assert server.login(b"alice", password) != "granted"


def test_name_that_is_a_path_is_nobodys(own):
    server, site = own
    site.make_accounts({"username": "../escaped", "password": "s3cret"})
    assert server.login("../escaped", "s3cret") == DENIED
    assert not (server.directory / "escaped").exists()


@pytest.mark.parametrize(
    ("user", "stored"), [("alice", "alice"), ("zoë", "zoë"), ("WALTER", "Walter")]
)
def test_lookup_without_password_finds_who_is_there(server, user, stored):
    fields = server.fields(user)
    assert fields["home"] == str(server.directory / "mail" / stored)


@pytest.mark.parametrize("user", ["nobody", "erin", "twin", "alice%", "alic", "../alice"])
def test_lookup_without_password_finds_nobody_else(server, user):
    assert server.fields(user) is None


def test_groups_are_told_for_access_control_lists(server):
    done = server.doveadm("auth", "login", *as_("alice"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "  acl_groups=chess,editors\n" in done.stdout
    assert "acl_groups" not in server.doveadm("auth", "login", *as_("bob")).stdout


def test_changes_on_the_site_count_at_the_next_login(own):
    server, site = own
    assert server.login(*as_("alice")) == "granted"
    site.shell("user = User.objects.get(username='alice'); user.set_password('new'); user.save()")
    assert server.login(*as_("alice")) == DENIED
    assert server.login("alice", "new") == "granted"
    site.deactivate("alice")
    assert server.login("alice", "new") == DENIED
    assert server.fields("alice") is None
    site.ask("delete", "alice")
    assert server.login("alice", "new") == DENIED


def test_database_away_is_a_temporary_failure_and_no_wrong_password(own):
    server, site = own
    away = site.database.with_suffix(".away")
    shutil.move(site.database, away)
    assert server.login(*as_("alice")) == UNKNOWN
    assert server.login("alice", "wrong") == UNKNOWN
    assert server.login("nobody", "x") == UNKNOWN
    # sysexits.h: EX_TEMPFAIL, which keeps mail in the queue.
    assert server.doveadm("user", "alice").returncode == 75
    assert "exited with status 111" in server.log()
    shutil.move(away, site.database)
    assert server.login(*as_("alice")) == "granted"
    assert server.login("alice", "wrong") == DENIED


def test_wrong_configuration_is_a_temporary_failure_and_told(own):
    server, _ = own
    file = server.directory / "etc/hallpass.toml"
    right = file.read_text()
    file.write_text(right.replace("deadline =", "deadlien ="))
    assert server.login(*as_("alice")) == UNKNOWN
    assert "deadlien" in server.log() and str(file) in server.log()
    file.write_text(right)
    assert server.login(*as_("alice")) == "granted"


def test_log_tells_the_decision_and_no_secret(own):
    server, _ = own
    server.login("alice", "a wrong s3cret")
    server.login(*as_("alice"))
    server.login(*as_("erin"))
    log = server.log()
    assert "reason=wrong-password" in log
    assert "reason=inactive" in log
    assert 'verdict=granted user="alice" client=127.0.0.1' in log
    assert "s3cret" not in log
    assert PASSWORDS["alice"] not in log and PASSWORDS["erin"] not in log
    assert "pbkdf2_sha256" not in log


# The program


@pytest.fixture(scope="module")
def config(site):
    return site.write_configuration("checkpassword.toml")


@pytest.fixture(scope="module")
def ask(hallpass_programs, config):
    """Runs the program with something on descriptor 3."""

    def ask(given: bytes | None, *words, config=config, kind="pipe", environment=()) -> Result:
        command = [hallpass_programs["hallpass-checkpassword"], "--config", config, *words]
        if kind == "pipe":
            reader, writer = os.pipe()
        else:
            reader, writer = (end.detach() for end in socket.socketpair())
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={"PATH": os.environ["PATH"]} | dict(environment),
            **({} if given is None else on_descriptor_3(reader)),
        )
        os.close(reader)
        # It may have ended, its command line being wrong.
        with suppress(BrokenPipeError), os.fdopen(writer, "wb") as output:
            output.write(given or b"")
        stdout, stderr = process.communicate(timeout=HANGS)
        return Result(process.returncode, stdout, stderr)

    return ask


def on_descriptor_3(descriptor: int) -> dict:
    """Arguments of Popen by which a program has this one as its descriptor 3."""
    return {"preexec_fn": lambda: os.dup2(descriptor, 3), "pass_fds": [3]}


def given(user: str, password: str | None = None, timestamp: str = "") -> bytes:
    password = PASSWORDS[user] if password is None else password
    return f"{user}\0{password}\0{timestamp}\0".encode()


@pytest.mark.parametrize("kind", ["pipe", "socket"])
@pytest.mark.parametrize("user", ["alice", "carol", "zoë", "blank", "empty", "joe@example.org"])
def test_program_is_run_for_who_is_granted(ask, user, kind):
    result = ask(given(user), "printenv", "USER", kind=kind)
    assert (result.code, result.text) == (0, user + "\n")
    assert ask(given(user, "wrong"), "printenv", "USER", kind=kind).code == 1


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b"", 2),
        (b"\0", 2),
        (b"alice", 2),
        (b"alice\0", 2),
        (b"alice\0correct horse battery", 2),
        (b"\0\0\0", 1),
        (b"\0correct horse battery\0\0", 1),
        (b"alice\0\0\0", 1),
        (b"alice\0wrong\0\0", 1),
        (b"alice\0correct horse\0battery\0", 1),
        (b"alice\0correct horse battery\n\0\0", 1),
        (b"alice\n\0correct horse battery\0\0", 1),
        (b"al\nice\0correct horse battery\0\0", 1),
        (b"alice correct horse battery\0\0\0", 1),
        (b"alice\0\xff\xfe\0\0", 1),
        (b"\xff\0correct horse battery\0\0", 1),
        (b"erin\0was a member\0\0", 1),
        (b"frank\0!\0\0", 1),
        (b"nobody\0x\0\0", 1),
        (b"long\0" + b"l" * 4096 + b"\0\0", 1),
        (b"\0" * 512, 1),
        (b"\0" * 513, 1),
        (b"x" * 512, 2),
        (b"x" * 513, 1),
        (b"x" * 60_000, 1),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_nothing_is_run_for_anything_else(ask, text, code):
    result = ask(text, "echo", "let in")
    assert (result.code, result.stdout) == (code, b"")


@pytest.mark.parametrize("timestamp", ["", "Y123456", "<1896.697170952@postoffice.example.org>"])
def test_timestamp_and_what_follows_do_not_matter(ask, timestamp):
    assert ask(given("alice", timestamp=timestamp), "true").code == 0
    assert ask(given("alice", timestamp=timestamp) + b"more\0and more", "true").code == 0
    assert ask(given("alice", timestamp=timestamp)[:-1], "true").code == 0
    assert ask(given("alice", "wrong", timestamp=timestamp), "true").code == 1


def test_longest_input_is_512_bytes(ask, site):
    password = "p" * (LONGEST - len("huge") - 3)
    site.make_accounts({"username": "huge", "password": password})
    assert ask(given("huge", password), "true").code == 0
    assert ask(given("huge", password) + b"\0", "true").code == 1
    assert ask(given("huge", password[:-1]), "true").code == 1


def test_descriptor_3_that_is_closed_is_no_wrong_password(ask):
    result = ask(None, "echo", "let in")
    assert (result.code, result.stdout) == (111, b"")


def test_without_a_program_the_exit_code_is_the_answer(ask):
    # As mod_authnz_external's checkpassword method would have it.
    result = ask(given("alice", timestamp="0"))
    assert (result.code, result.stdout) == (0, b"")
    assert ask(given("alice", "wrong", timestamp="0")).code == 1
    # And nobody is let in without password, whatever the environment says.
    assert ask(b"alice\0\0\0", environment={"AUTHORIZED": "1"}).code == 1


def test_program_gets_its_arguments_as_they_are(ask):
    words = ["--config", "a b", "", "--", "$HOME", "-x", "--help"]
    result = ask(given("alice"), "printf", "%s|", *words)
    assert result.text == "".join(word + "|" for word in words)
    assert ask(given("alice"), "sh", "-c", "exit 42").code == 42


def test_program_inherits_no_descriptor_and_no_secret(ask):
    script = "ls -l /proc/self/fd; cat /proc/$$/environ /proc/$$/cmdline"
    result = ask(given("alice"), "sh", "-c", script)
    assert result.code == 0
    shown = result.text
    assert PASSWORDS["alice"] not in shown
    numbers = {line.split(" -> ")[0].split()[-1] for line in shown.splitlines() if " -> " in line}
    # Its own three, and the one that `ls` reads the directory by, which is the first free one.
    assert numbers == {"0", "1", "2", "3"}
    assert [line for line in shown.splitlines() if " 3 -> /proc/" in line]


def test_environment_is_the_users(ask):
    ours = {"HOME": "/root", "SHELL": "/bin/sh", "USER": "root", "EXTRA": "PATH", "OTHER": "kept"}
    result = ask(given("alice"), "env", environment=ours)
    found = dict(line.split("=", 1) for line in result.text.splitlines())
    assert found.pop("PATH")
    assert found == {
        "USER": "alice",
        "OTHER": "kept",
        "EXTRA": "userdb_acl_groups",
        "userdb_acl_groups": "chess,editors",
    }
    found = ask(given("bob"), "env", environment=ours).text.splitlines()
    assert sorted(line.split("=")[0] for line in found) == ["OTHER", "PATH", "USER"]


def test_signals_and_deadlines_are_not_left_to_the_program(ask, site):
    config = site.write_configuration("short.toml", limits={"deadline": "1s"})
    script = "grep -E 'Sig(Blk|Ign)' /proc/self/status; sleep 2; echo done"
    result = ask(given("alice"), "sh", "-c", script, config=config)
    assert result.code == 0
    # As it is without us: whoever started the tests may ignore some.
    assert result.text == subprocess.run(["sh", "-c", script], capture_output=True, text=True).stdout
    assert result.text.endswith("done\n")


def test_program_that_cannot_be_run_is_no_wrong_password(ask, tmp_path):
    for program in ("/nonexistent", tmp_path, "no such program"):
        result = ask(given("alice"), program)
        assert result.code == 111
        assert str(program) in result.stderr.decode()
        assert ask(given("alice", "wrong"), program).code == 1


@pytest.mark.parametrize(
    ("user", "code"),
    [("alice", 0), ("zoë", 0), ("frank", 0), ("erin", 3), ("nobody", 3), ("", 3), ("al\nice", 3)],
)
def test_lookup_asks_for_no_password_and_says_so(ask, user, code):
    lookup = {"AUTHORIZED": "1"}
    result = ask(f"{user}\0\0\0".encode(), "printenv", "AUTHORIZED", environment=lookup)
    assert (result.code, result.text) == (code, "2\n" if code == 0 else "")


@pytest.mark.parametrize("value", ["", "0", "2", "yes", "1 ", "01"])
def test_other_values_of_authorized_ask_for_the_password(ask, value):
    lookup = {"AUTHORIZED": value}
    assert ask(b"alice\0\0\0", "echo", "let in", environment=lookup).code == 1
    assert ask(given("alice"), "true", environment=lookup).code == 0


def test_lookup_with_a_password_is_refused(ask):
    lookup = {"AUTHORIZED": "1"}
    assert ask(given("alice"), "echo", "let in", environment=lookup).code == 3
    assert ask(given("alice", "wrong"), "echo", "let in", environment=lookup).code == 3


def test_conditions(ask):
    for words, users in [
        (["--group", "editors"], {"alice", "al"}),
        (["--group", "two words", "--group", "chess"], {"alice", "carol"}),
        (["--group", "is:staff"], {"stella"}),
        (["--permission", "shop.view_report"], {"reporter", "ursula"}),
        (["--group", "editors", "--permission", "shop.view_report"], set()),
    ]:
        for user in ("alice", "bob", "carol", "dave", "al", "reporter", "stella", "ursula"):
            assert ask(given(user), *words, "true").granted == (user in users), (words, user)
            assert ask(given(user, "wrong"), *words, "true").code == 1
    lookup = {"AUTHORIZED": "1"}
    assert ask(b"alice\0\0\0", "--group", "editors", "true", environment=lookup).code == 0
    assert ask(b"bob\0\0\0", "--group", "editors", "true", environment=lookup).code == 3


def test_database_away(ask, new_site):
    site = site_with_accounts(new_site)
    config = site.write_configuration()
    site.database.unlink()
    for text in (given("alice"), given("alice", "wrong"), given("nobody", "x")):
        result = ask(text, "echo", "let in", config=config)
        assert (result.code, result.stdout) == (111, b"")
    lookup = {"AUTHORIZED": "1"}
    assert ask(b"alice\0\0\0", "true", config=config, environment=lookup).code == 111


@pytest.mark.parametrize("text", [None, "", "framework = 'django'\nbad = 1\n"])
def test_wrong_configuration_is_no_wrong_password(ask, directory, text):
    path = directory / "hallpass.toml"
    if text is not None:
        path.write_text(text)
    result = ask(given("alice"), "echo", "let in", config=path)
    assert (result.code, result.stdout) == (111, b"")
    assert str(path) in result.stderr.decode()


def test_input_that_does_not_end_is_answered_all_the_same(hallpass_programs, site):
    config = site.write_configuration("short.toml", limits={"deadline": "1s"})
    reader, writer = os.pipe()
    process = subprocess.Popen(
        [hallpass_programs["hallpass-checkpassword"], "--config", config, "echo", "let in"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **on_descriptor_3(reader),
    )
    try:
        os.write(writer, given("alice"))
        stdout, stderr = process.communicate(timeout=HANGS)
    finally:
        os.close(reader)
        os.close(writer)
    assert (process.returncode, stdout) == (111, b"")
    assert "verdict=unavailable" in stderr.decode()


@pytest.mark.parametrize("words", [["--unknown"], ["--group"], ["--confg", "x", "true"]])
def test_wrong_command_line_is_misuse(ask, words):
    assert ask(given("alice"), *words).code == 2
