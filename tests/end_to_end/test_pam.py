"""Real PAM with pam_exec, asked by pamtester; and the program by itself."""

import os
import shutil
import subprocess

import pytest

from hosts.accounts import CASES, PASSWORDS
from hosts.fixtures import site_replacements, site_with_accounts
from hosts.pam import pam
from programs import HANGS, run

needs_root = pytest.mark.skipif(
    os.geteuid() != 0, reason="needs root, to write below /etc/pam.d"
)
GRANTED, DENIED, MISCONFIGURED, UNAVAILABLE = 0, 1, 2, 75
# misc_conv(3), which pamtester asks by, and pam_exec cut what is longer.
LONGEST = 511


@pytest.fixture(scope="module")
def site(new_site):
    return site_with_accounts(new_site)


@pytest.fixture(scope="module")
def services(new_directory, hallpass_programs, site):
    with pam(new_directory(), hallpass_programs, site_replacements(site)) as services:
        yield services


@pytest.fixture
def own(directory, hallpass_programs, new_site):
    """Services and a site for one test that changes things: (services, site)."""
    site = site_with_accounts(new_site)
    with pam(directory, hallpass_programs, site_replacements(site)) as services:
        yield services, site


def as_(name: str) -> tuple[str, str]:
    return name, PASSWORDS[name]


def django_says(site, user: str, password: str) -> bool:
    return site.ask("modwsgi_check_password", user, password) is True


# pam_exec


@needs_root
@pytest.mark.parametrize("case", CASES, ids=str)
def test_password_is_as_the_site_says(services, site, case):
    password = case.password.encode()[:LONGEST].decode(errors="surrogateescape")
    expected = django_says(site, case.user, password)
    assert services.granted(case.user, case.password) == expected
    assert services.granted(case.user, case.password, "authenticate", "acct_mgmt") == expected


@needs_root
@pytest.mark.parametrize(
    "password",
    [
        b"\xff\xfe" + PASSWORDS["alice"].encode(),
        PASSWORDS["alice"].encode("utf-16"),
        b"x" * 511,
        b"x" * 600,
        b"\x08\n\r\x7fINCORRECT",  # what sshd sends for users it does not know
        b" " + PASSWORDS["alice"].encode(),
    ],
)
def test_password_that_nobody_has_is_refused(services, password):
    assert not services.granted("alice", password)
    assert services.granted(*as_("alice"))


@needs_root
@pytest.mark.parametrize(
    ("user", "expected"),
    [
        ("alice", True),
        ("zoë", True),
        ("zoe smith", True),
        ("frank", True),  # without a password, and there
        ("erin", False),
        ("nobody at all", False),
        ("alic", False),
        ("alice%", False),
        ("ALICE", False),
        ("alice\n", False),
        ("root", False),
    ],
)
def test_account_is_there_and_active(services, user, expected):
    assert services.granted(user, "", "acct_mgmt") == expected


@needs_root
@pytest.mark.parametrize("operation", ["chauthtok"])
def test_passwords_are_not_changed(services, site, operation):
    assert not services.granted("alice", "a new one", operation)
    assert django_says(site, *as_("alice"))


@needs_root
def test_those_in_the_groups_and_no_others(services):
    for user in ("alice", "bob", "carol", "dave", "al", "stella", "ursula", "zoë"):
        expected = user in ("alice", "carol", "al")
        both = ("authenticate", "acct_mgmt")
        for operations in (both[:1], both[1:], both):
            granted = services.granted(*as_(user), *operations, service="shop-editors")
            assert granted == expected, (user, operations)
        assert not services.granted(user, "wrong", *both, service="shop-editors")
    # A group does not help who may not log in.
    assert not services.granted(*as_("erin"), service="shop-editors")
    assert not services.granted("erin", "", "acct_mgmt", service="shop-editors")


@needs_root
def test_credentials_are_given_to_those_alone_who_are_let_in(services):
    """vsftpd and sshd refuse logins whose pam_setcred fails."""
    for service in ("shop", "shop-editors"):
        whole = ("authenticate", "acct_mgmt", "setcred", "open_session")
        assert services.granted(*as_("alice"), *whole, service=service)
        for user, password in [("alice", "wrong"), as_("erin"), ("nobody at all", "x"), ("root", "x")]:
            assert not services.granted(user, password, *whole, service=service), user


@needs_root
def test_user_is_not_told_why(own):
    services, site = own
    answers = []
    for user, password in [("nobody", "x"), ("alice", "wrong"), as_("erin"), ("frank", "x")]:
        done = services.ask(user, password)
        answers.append((done.returncode, done.stdout, done.stderr))
    site.database.unlink()
    done = services.ask(*as_("alice"))
    answers.append((done.returncode, done.stdout, done.stderr))
    assert answers == [answers[0]] * 5
    assert answers[0][0] != 0


@needs_root
def test_changes_on_the_site_count_at_the_next_login(own):
    services, site = own
    both = ("authenticate", "acct_mgmt")
    assert services.granted(*as_("alice"), *both)
    site.shell("user = User.objects.get(username='alice'); user.set_password('new'); user.save()")
    assert not services.granted(*as_("alice"), *both)
    assert services.granted("alice", "new", *both)
    site.deactivate("alice")
    assert not services.granted("alice", "new")
    assert not services.granted("alice", "", "acct_mgmt")


@needs_root
def test_database_away_lets_nobody_in_and_is_no_wrong_password(own):
    services, site = own
    away = site.database.with_suffix(".away")
    shutil.move(site.database, away)
    assert not services.granted(*as_("alice"))
    assert not services.granted("alice", "", "acct_mgmt")
    assert services.log().count("verdict=unavailable") == 2
    assert "wrong-password" not in services.log()
    shutil.move(away, site.database)
    assert services.granted(*as_("alice"), "authenticate", "acct_mgmt")


@needs_root
def test_wrong_configuration_lets_nobody_in_and_is_told(own):
    services, _ = own
    file = services.directory / "etc/hallpass.toml"
    right = file.read_text()
    file.write_text(right.replace("deadline =", "deadlien ="))
    assert not services.granted(*as_("alice"))
    assert not services.granted("alice", "", "acct_mgmt")
    assert "deadlien" in services.log() and str(file) in services.log()
    file.write_text(right)
    assert services.granted(*as_("alice"))


@needs_root
def test_log_tells_the_decision_and_no_secret(own):
    services, _ = own
    services.ask("alice", "a wrong s3cret")
    services.ask(*as_("alice"), "authenticate", "acct_mgmt")
    log = services.log()
    assert 'verdict=denied reason=wrong-password user="alice"' in log
    assert log.count('verdict=granted user="alice"') == 2
    assert "s3cret" not in log and PASSWORDS["alice"] not in log
    assert "pbkdf2_sha256" not in log


# The program


@pytest.fixture(scope="module")
def config(site):
    return site.write_configuration("pam.toml")


@pytest.fixture(scope="module")
def ask(hallpass_programs, config):
    """Runs the program as pam_exec does: nothing in the environment but PAM's own."""

    def ask(user, password=b"", *words, kind="auth", config=config, **environment):
        variables = {"PAM_USER": user, "PAM_TYPE": kind, "PAM_SERVICE": "shop"} | environment
        result = run(
            [hallpass_programs["hallpass-pam"], "--config", config, *words],
            password,
            env={name: value for name, value in variables.items() if value is not None},
        )
        assert result.stdout == b""
        return result

    return ask


@pytest.mark.parametrize("user", ["alice", "carol", "zoë", "blank", "empty", "long"])
def test_password_comes_with_or_without_a_nul(ask, user):
    password = PASSWORDS[user].encode()
    assert ask(user, password).code == GRANTED
    # Linux-PAM up to 1.3.1.
    assert ask(user, password + b"\0").code == GRANTED
    for other in (b"\0x" + password, password + b"\0\0", password + b"\n", password + b" "):
        assert ask(user, other).code == DENIED, other[-9:]


@pytest.mark.parametrize("length", [0, 1, 510, 511, 512, 4097, 4098, 100_000])
def test_password_of_any_length_is_answered(ask, length):
    assert ask("alice", b"x" * length).code == DENIED
    assert ask("alice", b"\0" * length).code == DENIED


def test_password_of_511_bytes(ask, site):
    site.make_accounts({"username": "511", "password": "p" * 511})
    assert ask("511", "p" * 511).code == GRANTED
    assert ask("511", "p" * 511 + "\0").code == GRANTED
    assert ask("511", "p" * 510).code == DENIED
    assert ask("511", "p" * 512).code == DENIED


@pytest.mark.parametrize(
    "kind",
    [None, "", "password", "open_session", "close_session", "AUTH", "auth ", "auth\n", "session"],
)
def test_other_types_are_refused(ask, kind):
    result = ask(*as_("alice"), kind=kind)
    assert result.code == MISCONFIGURED
    assert "PAM_TYPE" in result.stderr.decode()


@pytest.mark.parametrize(
    "user", [None, "", "\n", "al\nice", "alice\n", "alice\t", "a" * 2000, b"zo\xeb", b"\xff"]
)
@pytest.mark.parametrize("kind", ["auth", "account"])
def test_name_that_is_none_is_refused(ask, user, kind):
    assert ask(user, PASSWORDS["alice"], kind=kind).code == DENIED


def test_account_needs_no_password_and_reads_none(ask):
    assert ask("alice", kind="account").code == GRANTED
    assert ask("alice", b"wrong", kind="account").code == GRANTED
    assert ask("erin", PASSWORDS["erin"], kind="account").code == DENIED


def test_conditions(ask):
    for words, users in [
        (["--group", "editors"], {"alice", "al"}),
        (["--group=two words", "--group=chess"], {"alice", "carol"}),
        (["--group", "is:staff"], {"stella"}),
        (["--permission", "shop.view_report"], {"reporter", "ursula"}),
        (["--group", "editors", "--permission", "shop.view_report"], set()),
        (["--group", ""], set()),
    ]:
        for user in ("alice", "bob", "carol", "dave", "al", "reporter", "stella", "ursula"):
            for kind in ("auth", "account"):
                result = ask(*as_(user), *words, kind=kind)
                assert result.granted == (user in users), (words, user, kind)
            assert ask(user, "wrong", *words).code == DENIED


def test_client_is_in_the_log(ask):
    for address in ("192.0.2.7", "2001:db8::7"):
        assert f"client={address}" in ask("alice", "x", PAM_RHOST=address).stderr.decode()
    for name in ("host.example.org", "", "192.0.2.7\n", "client=1"):
        result = ask("alice", "x", PAM_RHOST=name)
        assert "client=" not in result.stderr.decode()
        assert ask(*as_("alice"), PAM_RHOST=name).code == GRANTED


def test_database_away(ask, new_site):
    site = site_with_accounts(new_site)
    config = site.write_configuration()
    site.database.unlink()
    for user, password in [as_("alice"), ("alice", "wrong"), ("nobody", "x")]:
        for kind in ("auth", "account"):
            assert ask(user, password, kind=kind, config=config).code == UNAVAILABLE


@pytest.mark.parametrize("words", [["--unknown"], ["alice"], ["--group"], ["--config"]])
def test_wrong_command_line(ask, words):
    assert ask(*as_("alice"), *words).code == MISCONFIGURED


def test_password_that_does_not_end_is_answered_all_the_same(hallpass_programs, site):
    config = site.write_configuration("short.toml", limits={"deadline": "1s"})
    process = subprocess.Popen(
        [hallpass_programs["hallpass-pam"], "--config", config],
        env={"PAM_USER": "alice", "PAM_TYPE": "auth"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    process.stdin.write(PASSWORDS["alice"].encode())
    process.stdin.flush()
    assert process.wait(HANGS) == UNAVAILABLE
    assert "verdict=unavailable" in process.stderr.read().decode()
    for stream in (process.stdin, process.stdout, process.stderr):
        stream.close()
