"""Real Apache 2.4 with mod_authnz_external: pages, Subversion, WebDAV."""

import base64
import os
import shutil
import subprocess

import pytest

from hosts.accounts import CASES, PASSWORDS
from hosts.apache import apache
from hosts.fixtures import site_replacements, site_with_accounts
from programs import HANGS


@pytest.fixture(scope="module")
def site(new_site):
    return site_with_accounts(new_site)


@pytest.fixture(scope="module")
def server(new_directory, hallpass_programs, site):
    with apache(new_directory(), hallpass_programs, site_replacements(site)) as server:
        yield server


@pytest.fixture
def own(directory, hallpass_programs, new_site):
    """An Apache and a site for one test that changes things: (server, site)."""
    site = site_with_accounts(new_site)
    with apache(directory, hallpass_programs, site_replacements(site)) as server:
        yield server, site


def as_(name: str) -> tuple[str, str]:
    return name, PASSWORDS[name]


# Passwords


@pytest.mark.parametrize("path", ["/members/page.txt", "/environment/page.txt"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_password_is_as_the_site_says(server, site, path, case):
    allowed = site.ask("modwsgi_check_password", case.user, case.password) is True
    answer = server.ask(path, case.user, case.password)
    assert answer.status == (200 if allowed else 401)
    assert (b"the page of" in answer.body) == allowed


def test_nothing_without_credentials(server):
    for path in ("/members/page.txt", "/editors/page.txt", "/svn/", "/dav/"):
        answer = server.ask(path)
        assert answer.status == 401, path
        assert answer.headers["WWW-Authenticate"] == 'Basic realm="Shop account"'


@pytest.mark.parametrize("path", ["/members/page.txt", "/environment/page.txt"])
@pytest.mark.parametrize(
    "credentials",
    [
        b"al\nice:anything",  # two lines that would be al with the password ice
        b"al\nice\n:anything",
        b"al\r\nice:anything",
        b"\nalice:correct horse battery",
        b"alice\n:correct horse battery",
        b"alice:correct horse battery\n",
        b"alice:correct horse battery\nmore",
        b"alice:\ncorrect horse battery",
        b"alice\x00:correct horse battery",
        b"alice",  # no colon
        b"",
        b":",
        b":correct horse battery",
        b"\xff\xfe:correct horse battery",
        b"alice:\xff\xfe",
        "zoë:pässwörd €𝄞".encode("utf-16"),
    ],
)
def test_malformed_credentials_are_refused(server, path, credentials):
    header = "Basic " + base64.b64encode(credentials).decode()
    assert server.ask(path, Authorization=header).status == 401


@pytest.mark.parametrize(
    "header", ["Basic", "Basic ", "Basic !!!", "Basic " + "A" * 4000, "Bearer x", "Digest a=b", "x"]
)
def test_malformed_authorization_is_refused(server, header):
    assert server.ask("/members/page.txt", Authorization=header).status == 401


def test_injected_line_is_malformed_and_not_a_wrong_password(own):
    server, _ = own
    assert server.status("/members/page.txt", "al\nice", "x") == 401
    assert server.status("/members/page.txt", *as_("al")) == 200  # it would have passed
    assert "Failed (51)" in server.log()


def test_reason_is_in_the_error_log_and_not_told_to_the_client(own):
    server, _ = own
    refusals = {1: ("nobody", "x"), 2: ("alice", "wrong"), 3: as_("erin")}
    answers = []
    for code, credentials in refusals.items():
        assert f"Failed ({code})" not in server.log()
        answer = server.ask("/members/page.txt", *credentials)
        assert f"Failed ({code})" in server.log()
        answers.append((answer.status, answer.body, answer.headers["WWW-Authenticate"]))
    assert answers[0][0] == 401
    assert answers == [answers[0]] * 3


def test_log_tells_the_decision_and_no_secret(own):
    server, _ = own
    server.ask("/members/page.txt", "alice", "a wrong s3cret")
    server.ask("/members/page.txt", *as_("alice"))
    server.ask("/environment/page.txt", "alice", "a wrong s3cret")
    log = server.log()
    assert "wrong-password" in log, "what the helper writes to standard error is in the log"
    assert "alice" in log
    assert "s3cret" not in log
    assert PASSWORDS["alice"] not in log
    assert "pbkdf2_sha256" not in log


# Groups, permissions and flags


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/editors/page.txt", {"alice", "carol", "al"}),
        ("/reports/page.txt", {"reporter", "ursula"}),
        ("/staff/page.txt", {"stella"}),
    ],
)
def test_those_in_the_group_and_no_others(server, path, allowed):
    for user in ("alice", "bob", "carol", "dave", "al", "reporter", "stella", "ursula", "zoë"):
        expected = 200 if user in allowed else 403
        assert server.status(path, *as_(user)) == expected, user
        assert server.status(path, user, "wrong") == 401, user
    # A group does not help who may not log in.
    for user in ("erin", "frank", "garbled", "nobody"):
        assert server.status(path, user, PASSWORDS.get(user) or "x") == 401, user


def test_without_the_directive_a_refused_group_is_401(server):
    assert server.status("/superusers/page.txt", *as_("ursula")) == 200
    assert server.status("/superusers/page.txt", *as_("stella")) == 401
    assert server.status("/superusers/page.txt", *as_("alice")) == 401


@pytest.mark.parametrize(
    "user", ["mallory\neditors", "mallory\neditors\n", "mallory\r\neditors", 'mallory\n"two words"']
)
def test_user_cannot_name_his_own_groups(server, user):
    # Were the name passed on as two lines, the group program would take the second one
    # for the groups, and the first pass for a password check of mallory.
    for password in (PASSWORDS["mallory"], "editors", ""):
        assert server.status("/editors/page.txt", user, password) == 401
    assert server.status("/editors/page.txt", *as_("mallory")) == 403


# What changes on the site


def test_changes_on_the_site_count_at_the_next_request(own):
    server, site = own
    page = "/editors/page.txt"
    assert server.status(page, *as_("alice")) == 200
    site.shell("User.objects.get(username='alice').groups.clear()")
    assert server.status(page, *as_("alice")) == 403
    site.shell("User.objects.get(username='alice').groups.add(Group.objects.get(name='editors'))")
    assert server.status(page, *as_("alice")) == 200
    site.shell("user = User.objects.get(username='alice'); user.set_password('new'); user.save()")
    assert server.status(page, *as_("alice")) == 401
    assert server.status(page, "alice", "new") == 200
    site.deactivate("alice")
    assert server.status(page, "alice", "new") == 401


def test_database_away_lets_nobody_in_and_is_no_wrong_password(own):
    server, site = own
    away = site.database.with_suffix(".away")
    shutil.move(site.database, away)
    assert server.status("/members/page.txt", *as_("alice")) == 401
    assert "Failed (53)" in server.log()
    assert "Failed (2)" not in server.log()
    shutil.move(away, site.database)
    assert server.status("/members/page.txt", *as_("alice")) == 200


def test_wrong_configuration_lets_nobody_in_and_is_told(own):
    server, _ = own
    file = server.directory / "etc/hallpass.toml"
    right = file.read_text()
    file.write_text(right.replace("deadline =", "deadlien ="))
    assert server.status("/members/page.txt", *as_("alice")) == 401
    log = server.log()
    assert "Failed (52)" in log
    assert str(file) in log
    assert "deadlien" in log and "deadline" in log, "the key, and the one that was meant"
    file.write_text(right)
    assert server.status("/members/page.txt", *as_("alice")) == 200


# Subversion


class Subversion:
    """The svn client, with a configuration directory of its own."""

    def __init__(self, server, directory, user: str, password: str):
        self.url = f"{server.url}/svn"
        self.working_copy = directory / f"copy-of-{user}"
        self.options = ["--non-interactive", "--no-auth-cache", "--username", user]
        self.options += ["--password", password, "--config-dir", directory / "subversion"]

    def __call__(self, *arguments) -> subprocess.CompletedProcess:
        return subprocess.run(
            ["svn", *arguments, *self.options],
            capture_output=True,
            text=True,
            timeout=HANGS,
            env=os.environ | {"LC_ALL": "C.UTF-8"},
        )

    def checkout(self) -> subprocess.CompletedProcess:
        return self("checkout", self.url, self.working_copy)

    def commit(self, name: str, text: str) -> subprocess.CompletedProcess:
        (self.working_copy / name).write_text(text)
        self("add", "--force", self.working_copy / name)
        return self("commit", "--message", f"{name} says {text!r}", self.working_copy)


def test_subversion_checkout_and_commit(own, tmp_path):
    server, site = own
    alice, bob = (Subversion(server, tmp_path, *as_(name)) for name in ("alice", "bob"))
    assert (done := alice.checkout()).returncode == 0, done.stderr
    assert (done := bob.checkout()).returncode == 0, done.stderr
    assert (done := alice.commit("read.me", "hello\n")).returncode == 0, done.stderr
    assert bob("update", bob.working_copy).returncode == 0
    assert (bob.working_copy / "read.me").read_text() == "hello\n"
    assert "alice" in bob("log", bob.url).stdout, "Subversion knows who committed"

    refused = bob.commit("mine.txt", "bob was here\n")
    assert refused.returncode != 0
    assert "forbidden" in refused.stderr.lower(), refused.stderr
    assert "mine.txt" not in alice("list", alice.url).stdout

    # Alice leaves the group: she still reads, and writes no more.
    site.shell("Group.objects.get(name='editors').user_set.clear()")
    assert alice.commit("second.txt", "too late\n").returncode != 0
    assert alice("list", alice.url).stdout == "read.me\n"


@pytest.mark.parametrize(
    ("user", "password"), [("alice", "wrong"), ("erin", PASSWORDS["erin"]), ("nobody", "x")]
)
def test_subversion_refuses(server, tmp_path, user, password):
    svn = Subversion(server, tmp_path, user, password)
    assert svn.checkout().returncode != 0
    assert not (svn.working_copy / ".svn" / "entries").exists() or svn("info", svn.url).returncode


def test_subversion_by_names_and_passwords_not_ascii(server, tmp_path):
    done = Subversion(server, tmp_path, *as_("zoë")).checkout()
    assert done.returncode == 0, done.stderr


# WebDAV


def curl(
    server, path: str, *options, user: str | None = None, password: str = ""
) -> tuple[int, str]:
    """The status and body that curl gets."""
    credentials = ["--user", f"{user}:{password}"] if user is not None else []
    done = subprocess.run(
        ["curl", "--silent", "--show-error", "--write-out", "\n%{http_code}", *credentials]
        + [*options, server.url + path],
        capture_output=True,
        text=True,
        timeout=HANGS,
    )
    assert done.returncode == 0, done.stderr
    body, _, status = done.stdout.rpartition("\n")
    return int(status), body


@pytest.mark.parametrize("user", ["alice", "carol", "zoë"])
def test_webdav_upload_and_download(server, tmp_path, user):
    file = tmp_path / "upload"
    file.write_text(f"of {user}\n" * 20_000)
    path = f"/dav/{'zoe' if user == 'zoë' else user}.txt"
    who = {"user": user, "password": PASSWORDS[user]}
    assert curl(server, path, "--upload-file", file, **who)[0] == 201
    assert curl(server, path, **who) == (200, file.read_text())
    assert curl(server, path, "--request", "PROPFIND", "--header", "Depth: 0", **who)[0] == 207
    assert curl(server, path, "--request", "DELETE", **who)[0] == 204
    assert curl(server, path, **who)[0] == 404


@pytest.mark.parametrize(
    "who",
    [
        {},
        {"user": "alice", "password": "wrong"},
        {"user": "alice"},
        {"user": "erin", "password": PASSWORDS["erin"]},
        {"user": "nobody", "password": "x"},
    ],
)
def test_webdav_upload_is_refused(server, tmp_path, who):
    file = tmp_path / "upload"
    file.write_text("not to be kept")
    assert curl(server, "/dav/refused.txt", "--upload-file", file, **who)[0] == 401
    assert not (server.directory / "dav/refused.txt").exists()
