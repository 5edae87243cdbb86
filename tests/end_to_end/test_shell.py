"""The program `hallpass` as somebody at a terminal meets it."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import time

import pytest

from programs import HANGS, run

SECRET = "s3cret-pässwörd"
HOSTILE = "\x1b]0;title\x07\nnewline"
PROGRAMS = (
    "hallpass hallpass-apache hallpass-checkpassword hallpass-ejabberd hallpass-pam hallpass-squid hallpassd"
).split()
JSON_KEYS = {"verdict", "reason", "user", "id", "email", "groups", "expires", "ms"}


@pytest.fixture(scope="module")
def site(new_site):
    site = new_site()
    site.make_accounts(
        {"username": "alice", "password": SECRET, "groups": ["editors"], "email": "a@example.org"},
        {"username": "gone", "password": SECRET, "is_active": False},
        {"username": HOSTILE, "password": SECRET},
    )
    return site


@pytest.fixture(scope="module")
def hallpass(site, shell):
    return shell(site.write_configuration())


# At a terminal


def at_terminal(command: list, typed: bytes) -> tuple[int, str]:
    """Runs a command with a terminal of its own, types the same at every prompt for a
    password, and answers how it ended and everything that the screen showed."""
    child, terminal = pty.fork()
    if child == 0:
        os.execv(command[0], [os.fspath(word) for word in command])
    screen, answered, end = b"", 0, time.monotonic() + HANGS
    try:
        while True:
            assert time.monotonic() < end, f"still running; the screen shows {screen!r}"
            if select.select([terminal], [], [], 0.2)[0]:
                try:
                    screen += os.read(terminal, 4096)
                except OSError:  # what Linux says when the other side is closed
                    break
            elif len(screen) > answered and re.search(rb"assword[^\r\n]*: ?\Z", screen):
                # The prompt stands, and a person would type now.
                answered = len(screen)
                os.write(terminal, typed)
        assert answered, f"no password was asked for; the screen shows {screen!r}"
        _, status = os.waitpid(child, 0)
        child = 0
        return os.waitstatus_to_exitcode(status), screen.decode()
    finally:
        if child:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        os.close(terminal)


@pytest.mark.parametrize(
    ("password", "code", "verdict"), [(SECRET, 0, "granted"), ("not the one", 1, "denied")]
)
def test_password_prompt_does_not_echo(hallpass, password, code, verdict):
    command = [hallpass.program, "--config", hallpass.config, "check", "alice"]
    ended, screen = at_terminal(command, password.encode() + b"\n")
    assert ended == code, screen
    assert password not in screen
    assert verdict in screen


def test_prompt_of_hash_make_does_not_echo(hallpass):
    command = [hallpass.program, "hash", "make", "--iterations", "1000"]
    ended, screen = at_terminal(command, SECRET.encode() + b"\n")
    assert ended == 0
    assert SECRET not in screen
    assert "pbkdf2_sha256$1000$" in screen


def test_prompt_stays_out_of_standard_output(hallpass, directory):
    command = f'"{hallpass.program}" --config "{hallpass.config}" check alice >"{directory}/output"'
    ended, screen = at_terminal(["/bin/sh", "-c", command], SECRET.encode() + b"\n")
    assert ended == 0, screen
    assert "assword" not in (directory / "output").read_text()


@pytest.mark.parametrize("key", [b"\x03", b"\x04"], ids=["interrupt", "end of input"])
def test_abandoned_prompt_is_no_grant(hallpass, key):
    command = [hallpass.program, "--config", hallpass.config, "check", "alice"]
    assert at_terminal(command, key)[0] != 0


def test_no_prompt_without_a_terminal(hallpass):
    result = hallpass("check", "alice", input=SECRET)
    assert result.code == 0
    assert b"assword" not in result.stdout + result.stderr


# Answers


def test_json_has_always_the_same_keys(site, hallpass):
    browser = site.login("alice", SECRET)
    questions = [
        (["check", "alice"], SECRET, 0),
        (["check", "alice"], "wrong", 1),
        (["check", "nobody-here"], SECRET, 1),
        (["user", "alice"], "", 0),
        (["user", "gone"], "", 1),
        (["groups", "alice"], "", 0),
        (["can", "alice", "wiki.edit"], "", 1),
        (["session", browser.token], "", 0),
        (["session", "k" * 32], "", 1),
    ]
    for arguments, input, code in questions:
        result = hallpass(*arguments, "--json", input=input)
        assert result.code == code, arguments
        answer = result.json
        assert JSON_KEYS <= set(answer), arguments
        assert answer["verdict"] == ("granted" if code == 0 else "denied")
        assert isinstance(answer["ms"], int | float) and answer["ms"] >= 0
        if code == 0:
            assert (answer["user"], answer["email"]) == ("alice", "a@example.org")
            assert answer["groups"] == ["editors"]
            assert answer["reason"] is None
        else:
            assert answer["reason"]
        assert (answer["expires"] is not None) == (arguments[0] == "session" and code == 0)


def test_verdict_and_reason_are_printed(hallpass):
    assert "granted" in hallpass("check", "alice", input=SECRET).text
    for user, password, reason in [
        ("alice", "wrong", "wrong-password"),
        ("nobody-here", SECRET, "unknown-user"),
        ("gone", SECRET, "inactive"),
    ]:
        result = hallpass("check", user, input=password)
        assert "denied" in result.text and reason in result.text
        assert "granted" not in result.text


@pytest.mark.parametrize("name", [HOSTILE, "\x1b[31m\ngranted\nverdict: granted"], ids=ascii)
def test_hostile_name_cannot_write_on_the_terminal(hallpass, name):
    for command, *more in (["check"], ["user"], ["groups"], ["can", "wiki.edit"]):
        result = hallpass(command, "--", name, *more, input="wrong")
        # Such names are refused unseen, even where the site has an account of that name.
        assert result.code == 1
        output = result.text + result.stderr.decode()
        assert not set(output) & {"\x1b", "\x07"}
        assert not re.search(r"^(verdict: )?granted", output, re.MULTILINE)


def test_password_is_nowhere_in_the_output(hallpass):
    for user in ("alice", "gone", "nobody-here"):
        for options in ([], ["--json"], ["--groups", "none"]):
            for password in (SECRET, SECRET + "!"):
                result = hallpass("check", user, *options, input=password)
                assert SECRET.encode() not in result.stdout + result.stderr


def test_password_is_no_argument(hallpass):
    # What is typed as one is told back, to whoever typed it.
    assert hallpass("check", "alice", "pässwörd", input="").code == 2


def test_errors_go_to_standard_error(shell, directory):
    result = shell(directory / "absent.toml")("check", "alice", "--json", input=SECRET)
    assert (result.code, result.stdout) == (2, b"")
    assert result.stderr
    for arguments in (["chekc", "alice"], ["check"], [], ["check", "--no-such-option", "alice"]):
        result = shell()(*arguments, input=SECRET)
        assert (result.code, result.stdout) == (2, b""), arguments
        assert result.stderr


def test_closed_descriptors(hallpass):
    """Without a standard input there is no password; without an output, no crash."""
    command = f'exec "{hallpass.program}" --config "{hallpass.config}" check alice'
    for redirection, codes in [
        ("<&-", {1, 2}),
        (">&- </dev/null", {1, 2, 74, 75}),
        ("2>&- </dev/null", {1}),
    ]:
        result = run(["/bin/sh", "-c", f"{command} {redirection}"])
        assert result.code in codes, (redirection, result)


def test_reader_that_goes_away(hallpass):
    with subprocess.Popen(
        [hallpass.program, "--config", hallpass.config, "user", "alice"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
    ) as process:
        process.stdout.close()
        message = process.stderr.read()
        process.wait(HANGS)
    assert b"panicked" not in message


# Hashes


ALGORITHMS = ["pbkdf2_sha256", "pbkdf2_sha1", "argon2", "bcrypt_sha256", "bcrypt", "scrypt"]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_hash_made_here_is_good_for_django(site, shell, verdicts, algorithm):
    hallpass = shell()
    iterations = ["--iterations", "2000"] if algorithm.startswith("pbkdf2") else []
    made = hallpass("hash", "make", "--algorithm", algorithm, *iterations, input=SECRET + "\n")
    assert made.code == 0, made.stderr
    encoded = made.text.removesuffix("\n")
    assert encoded.split("$")[0] == algorithm
    assert len(encoded) <= 128, "it fits Django's column"
    for password in (SECRET, SECRET + "x", "", SECRET.upper()):
        expected = site.ask("check_password", password, encoded)
        assert expected == (password == SECRET)
        verdicts.compare(hallpass.hash_verify(encoded, password), expected)
    identified = hallpass("hash", "identify", "--", encoded)
    assert identified.code == 0
    assert algorithm in identified.text
    again = hallpass("hash", "make", "--algorithm", algorithm, *iterations, input=SECRET + "\n")
    assert again.text != made.text, "a new salt every time"


def test_hash_made_by_default_is_djangos_default(site, shell):
    encoded = shell()("hash", "make", input=SECRET).text.strip()
    algorithm, iterations, salt, _ = encoded.split("$")
    assert algorithm == "pbkdf2_sha256"
    assert int(iterations) >= 1_000_000
    assert site.ask("check_password", SECRET, encoded)
    assert len(salt) >= 22


def test_iterations_of_a_made_hash(shell):
    hallpass = shell()
    made = hallpass("hash", "make", "--iterations", "1234", input=SECRET)
    assert made.text.startswith("pbkdf2_sha256$1234$")
    for wrong in ("0", "-1", "many", "1" * 30, ""):
        result = hallpass("hash", "make", f"--iterations={wrong}", input=SECRET)
        assert (result.code, result.stdout) == (2, b""), wrong
    assert hallpass("hash", "make", "--algorithm", "rot13", input=SECRET).code == 2


def test_identify_shows_the_cost(site, shell):
    encoded = site.ask("make_password", SECRET, iterations=4321)
    text = shell()("hash", "identify", encoded).text
    assert "pbkdf2_sha256" in text and "4321" in text
    assert encoded.split("$")[3] not in text
    for strange in ("", "plain text", "rot13$x$y"):
        assert shell()("hash", "identify", "--", strange).code == 1, strange


def test_encoded_hash_from_a_file(site, shell, directory):
    """Out of the list of processes, where everybody could read it."""
    file = directory / "encoded"
    hallpass = shell()
    encoded = site.ask("make_password", SECRET)
    for content, code in [
        (encoded, 0),
        (encoded + "\n", 0),
        (encoded + "\n\n", 1),
        ("", 1),
        (encoded[:-1], 1),
    ]:
        file.write_text(content)
        result = hallpass("hash", "verify", "--encoded-file", file, input=SECRET)
        assert result.code == code, content
    assert (
        hallpass("hash", "verify", "--encoded-file", directory / "absent", input=SECRET).code == 2
    )
    assert hallpass("hash", "verify", input=SECRET).code == 2


# Every program


@pytest.mark.parametrize("name", PROGRAMS)
def test_version_and_help(hallpass_programs, name):
    version = run([hallpass_programs[name], "--version"])
    assert version.code == 0
    assert re.fullmatch(rf"{name} \d+\.\d+\.\d+\S*\n", version.text)
    help = run([hallpass_programs[name], "--help"])
    assert (help.code, help.stderr) == (0, b"")
    assert re.search(r"examples?:", help.text, re.IGNORECASE)
    # An example names the program, and not only where the usage does.
    examples = re.split(r"examples?:", help.text, flags=re.IGNORECASE)[-1]
    assert name in examples


@pytest.mark.parametrize("name", PROGRAMS)
def test_check_config(hallpass_programs, site, directory, name):
    good = run([hallpass_programs[name], "--config", site.write_configuration(), "--check-config"])
    assert good.code == 0, good.stderr
    bad = directory / "hallpass.toml"
    bad.write_text('framework = "django"\ndatabase = "sqlite:x"\ndjnago = {}\n')
    result = run([hallpass_programs[name], "--config", bad, "--check-config"])
    assert result.code != 0
    message = result.stderr.decode()
    assert str(bad) in message and "djnago" in message and "django" in message.replace("djnago", "")
    secret = site.shell("answer = settings.SECRET_KEY")
    assert secret.encode() not in good.stdout + good.stderr


def test_demo(shell, directory):
    environment = {"PATH": os.environ["PATH"], "TMPDIR": str(directory), "HOME": str(directory)}
    result = shell()("demo", env=environment)
    assert result.code == 0, result.stderr
    assert "granted" in result.text and "denied" in result.text
    assert list(directory.iterdir()) == [], "it cleans up behind itself"


def test_json_of_an_unavailable_store_is_json_too(shell, directory):
    path = directory / "hallpass.toml"
    path.write_text(
        'framework = "django"\ndatabase = "sqlite:absent.sqlite3"\n[django]\nsecret_key = "x"\n'
    )
    result = shell(path)("check", "alice", "--json", input=SECRET)
    assert result.code == 75
    answer = json.loads(result.stdout)
    assert JSON_KEYS <= set(answer) and answer["verdict"] == "unavailable"


def test_bench_measures_the_hashes_of_the_site_or_the_one_it_is_given(shell, site):
    """The figures are the machine's; that there are some, and of what, is ours."""
    given = shell()("bench", "--json", "--hash", "pbkdf2_sha256$1000$salt$x")
    assert given.code == 0, given.stderr
    answer = json.loads(given.stdout)
    assert (answer["algorithm"], answer["cost"]) == ("pbkdf2_sha256", "1000 iterations")
    assert answer["one_at_a_time"] > 0 and answer["many_at_a_time"] > 0
    of_site = shell(site.write_configuration())("bench", "--json")
    assert of_site.code == 0, of_site.stderr
    assert json.loads(of_site.stdout)["algorithm"].startswith("pbkdf2")
    assert shell()("bench", "--hash", "nonsense").code == 2


def test_memory_of_all_checks_together_is_a_key(shell, site):
    path = site.write_configuration("memory.toml", passwords={"memory": "64MiB"})
    assert shell(path)("--check-config").code == 0
    path = site.write_configuration("memory.toml", passwords={"memory": "much"})
    assert shell(path)("--check-config").code == 2


# Recorded from phpBB 3.3.10, whose own verdict on them was yes.
TAKEN_OVER = {
    "vBulletin": ("$CP$780f570c91f266ba72f4486302e9f847", "--salt", "ab12ef"),
    "SMF": ("$CP$bde9b777c71106ce6d169b1ccd61ab55a3f6317f", "--login-name", "Alice"),
}


@pytest.mark.parametrize("name", TAKEN_OVER)
def test_hash_that_phpbb_took_over_needs_what_stood_beside_it(shell, name):
    encoded, option, value = TAKEN_OVER[name]

    def verify(*options, password="adminadmin"):
        return shell()("hash", "verify", "--as", "phpbb", *options, "--", encoded, input=password)

    assert verify(option, value).code == 0
    assert verify().code == 1
    assert verify(option, value + "x").code == 1
    assert verify(option, value, password="adminadmiN").code == 1
