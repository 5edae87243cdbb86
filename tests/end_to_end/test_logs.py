"""The search for secrets in logs finds them."""

import pytest

import logs
from programs import run
from stores.server import Server

TOKEN = "0bsp3ka9n2v7r1x8c4w6"


@pytest.fixture
def searched(directory):
    """A directory of which all that was logged before has been looked through."""
    logs.look_through_all([directory])
    return directory


def test_each_test_is_looked_through(request):
    assert "no_secret_in_any_log" in request.fixturenames


@pytest.mark.parametrize("name", ["log", "server.log", "exim-mainlog", "below/here/error.log"])
@pytest.mark.parametrize(
    "secret", [TOKEN, "correct horse battery", "s3cret", "pässwörd €𝄞", b"\xff\xfe raw \0"]
)
def test_a_secret_in_a_log(searched, name, secret):
    logs.note(secret)
    raw = secret.encode() if isinstance(secret, str) else secret
    log = searched / name
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_bytes(b"started\nauth of alice with " + raw + b" failed\n")
    with pytest.raises(logs.SecretInLog) as found:
        logs.look_through_all([searched])
    assert str(log) in str(found.value) and "auth of alice" in str(found.value)
    assert "started" not in str(found.value)
    # What has been told is not told again of the next tests.
    logs.look_through_all([searched])


@pytest.mark.parametrize(
    "encoded",
    [
        "pbkdf2_sha256$1000$salt$mGtzPO2fgQ7EtN6yzWvgFvtTuG0qTNqXUBHGDqKMFcM=",
        "scrypt$saltsalt$16384$8$1$mGtzPO2fgQ7EtN6yzWvgFvtTuG0qTNqXUBHGDqKMFcM",
        "$2y$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy",
        "argon2$argon2id$v=19$m=102400,t=2,p=8$c2FsdHNhbHQ$mGtzPO2fgQ7EtN6yzWvgFvtTuG0qTNqXUBHG",
        "$P$984478476IagS59wHZvyQMArzfx58u.",
        "$H$9IQRaTwmfeRo7ud9Fh4E2PdI0S3r.L0",
    ],
)
def test_a_hash_in_a_log(searched, encoded):
    (searched / "log").write_text(f"row 7 has {encoded}\n")
    with pytest.raises(logs.SecretInLog):
        logs.look_through_all([searched])


def test_what_is_no_secret(searched):
    logs.note("alice", "aaaaaaaaaaaaaaaa", "", None)
    (searched / "log").write_text(
        'user="alice" aaaaaaaaaaaaaaaa dummy pbkdf2_sha256$1000000, scheme $2y$10$, argon2id\n'
    )
    (searched / "users.txt").write_text(TOKEN)
    logs.look_through_all([searched])


def test_what_hosts_say_by_themselves(searched):
    logs.note(TOKEN)
    call = f'API call check_password [{{<<"user">>,<<"alice">>}},\n  {{<<"password">>,<<"{TOKEN}">>}}] from ::1'
    header = f"WARNING: Bad characters in authorization header 'Basic {TOKEN}'"
    logs.look_through(f"{call}\n{header}\n".encode(), "here")
    for line in (f"{call} {TOKEN}", f"{header} {TOKEN}", f"API call\n{TOKEN}"):
        with pytest.raises(logs.SecretInLog):
            logs.look_through(line.encode(), "here")


def test_what_a_store_keeps_is_its_business(searched):
    store = searched / "store"
    (store / "data").mkdir(parents=True)
    Server(store)
    logs.note(TOKEN)
    (store / "data/statements.log").write_text(f"INSERT INTO django_session VALUES ('{TOKEN}')\n")
    logs.look_through_all([searched])


def test_the_secrets_of_a_configuration(searched):
    logs.note_keys(
        {
            "database": {"url": "postgres://x@localhost/y", "password": "of the database"},
            "django": {"secret_key": "of the site", "secret_key_fallbacks": ["of last year"]},
            "tickets": {"key": {"file": "/not/a/secret"}},
        }
    )
    for secret in ("of the database", "of the site", "of last year"):
        with pytest.raises(logs.SecretInLog):
            logs.look_through(secret.encode(), "here")
    logs.look_through(b"postgres://x@localhost/y /not/a/secret", "here")


def test_standard_error_is_a_log():
    logs.note(TOKEN)
    with pytest.raises(logs.SecretInLog):
        run(["sh", "-c", f"echo {TOKEN} >&2"])
