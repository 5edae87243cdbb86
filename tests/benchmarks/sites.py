"""Session checks of each framework that keeps sessions of its own kind, beside bare look-ups.

    sites.py SITE_CHECKS UNSEAL [SIZE]

SITE_CHECKS is the example of that name of hallpass-core, UNSEAL that of hallpass-sessions. Each site has
SIZE accounts (1000, unless another is given) in SQLite, and each account a session. The look-ups read
the rows that a check reads, by their keys. PHP seals the cookies that are encrypted; opening them is
measured beside PHP, whose functions are OpenSSL's.
"""

import base64
import hashlib
import hmac
import json
import sqlite3
import subprocess
import sys
import tempfile
import time
import zlib
from contextlib import closing
from pathlib import Path

from programs import toml

SECRET = "0123456789abcdef0123456789abcdef"
APP_KEY = base64.b64encode(bytes(range(32))).decode()
NOW = int(time.time())
END = NOW + 86_400
HASH = "$2y$04$" + "." * 21 + "e" + "a" * 31
GOALS = "goals: at least 0.7 of the look-ups; unsealing no slower than OpenSSL in PHP"
USERS = {
    "user": "SELECT id, username, password FROM users WHERE username = :username",
    "user_by_id": "SELECT id, username, password FROM users WHERE id = :id",
}
PLAIN = "CREATE TABLE users (id INTEGER PRIMARY KEY, username TEXT UNIQUE, password TEXT)"
BY_ID = "SELECT id, username, password FROM users WHERE id = ?"

# Takes lines of JSON, a key, a cipher and a text, and gives a line of JSON for each.
SEAL = r"""
while ($line = fgets(STDIN)) {
    [$cipher, $key, $text] = array_map('base64_decode', json_decode($line));
    $iv = random_bytes(openssl_cipher_iv_length($cipher));
    $tag = '';
    $sealed = str_ends_with($cipher, 'gcm')
        ? openssl_encrypt($text, $cipher, $key, OPENSSL_RAW_DATA, $iv, $tag)
        : openssl_encrypt($text, $cipher, $key, OPENSSL_RAW_DATA, $iv);
    echo json_encode(array_map('base64_encode', [$iv, $sealed, $tag])), "\n";
}
"""

# What `Encrypter::decryptString` and a MessageEncryptor of Rails do, by OpenSSL: cookies per second.
OPEN = r"""
[$kind, $key, $cookies] = json_decode(stream_get_contents(STDIN));
$key = base64_decode($key);
$best = INF;
for ($round = 0; $round < 15; $round++) {
    $start = hrtime(true);
    foreach ($cookies as $cookie) {
        $cookie = rawurldecode($cookie);
        if ($kind === 'laravel') {
            $sealed = json_decode(base64_decode($cookie), true);
            $mac = hash_hmac('sha256', $sealed['iv'] . $sealed['value'], $key);
            if (!hash_equals($mac, $sealed['mac'])) exit(1);
            $iv = base64_decode($sealed['iv']);
            $text = openssl_decrypt($sealed['value'], 'aes-256-cbc', $key, 0, $iv);
        } else {
            [$data, $iv, $tag] = array_map('base64_decode', explode('--', $cookie));
            $text = openssl_decrypt($data, 'aes-256-gcm', $key, OPENSSL_RAW_DATA, $iv, $tag);
            $text = base64_decode(json_decode($text, true)['_rails']['message']);
        }
        if (!$text) exit(2);
    }
    $best = min($best, (hrtime(true) - $start) / 1e9);
}
echo count($cookies) / $best;
"""


def php(script: str, text: str) -> str:
    command = ["php", "-d", "opcache.enable_cli=0", "-r", script]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout


def sealed(cipher: str, key: bytes, texts: list[bytes]) -> list[list[bytes]]:
    """Of each text the IV, what it is encrypted to, and the tag."""

    def encoded(part: bytes) -> str:
        return base64.b64encode(part).decode()

    lines = [json.dumps([encoded(part) for part in (cipher.encode(), key, text)]) for text in texts]
    answers = php(SEAL, "\n".join(lines) + "\n").splitlines()
    return [[base64.b64decode(part) for part in json.loads(answer)] for answer in answers]


def url_safe(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


# Each fills the database, and gives the tables of the configuration, the statements of the look-ups, and
# for each session its token and the keys of the look-ups.


def wordpress(database, numbers):
    database.executescript(
        """
CREATE TABLE wp_users (ID INTEGER PRIMARY KEY, user_login TEXT COLLATE NOCASE UNIQUE, user_pass TEXT,
    user_nicename TEXT, user_email TEXT, display_name TEXT, user_status INTEGER);
CREATE TABLE wp_usermeta (umeta_id INTEGER PRIMARY KEY, user_id INTEGER, meta_key TEXT, meta_value TEXT);
CREATE INDEX user_id ON wp_usermeta (user_id);
CREATE TABLE wp_options (option_id INTEGER PRIMARY KEY, option_name TEXT UNIQUE, option_value TEXT,
    autoload TEXT);
INSERT INTO wp_options VALUES (1, 'siteurl', 'http://site.example.org', 'yes'),
    (2, 'wp_user_roles', 'a:1:{s:6:"editor";a:1:{s:12:"capabilities";a:1:{s:4:"read";b:1;}}}', 'yes');
"""
    )
    sessions = []
    for n in numbers:
        login, token = f"user{n}", f"{n:043}"
        stored = "$P$B" + f"{n:030}"
        fields = (n, login, stored, login, f"{login}@example.org", login)
        database.execute("INSERT INTO wp_users VALUES (?, ?, ?, ?, ?, ?, 0)", fields)
        digest = hashlib.sha256(token.encode()).hexdigest()
        tokens = f'a:1:{{s:64:"{digest}";a:1:{{s:10:"expiration";i:{END};}}}}'
        for key, value in [
            ("session_tokens", tokens),
            ("wp_capabilities", 'a:1:{s:6:"editor";b:1;}'),
            ("nickname", login),
        ]:
            row = (n, key, value)
            database.execute("INSERT INTO wp_usermeta VALUES (NULL, ?, ?, ?)", row)
        salt = (SECRET + "salt").encode()
        key = hmac.digest(salt, f"{login}|{stored[8:12]}|{END}|{token}".encode(), "md5").hex()
        signature = hmac.digest(key.encode(), f"{login}|{END}|{token}".encode(), "sha256").hex()
        sessions.append([f"{login}|{END}|{token}|{signature}", login, str(n), str(n)])
    tables = {"table_prefix": "wp_", "logged_in_key": SECRET, "logged_in_salt": "salt"}
    statements = [
        "SELECT ID, user_pass FROM wp_users WHERE user_login = ?",
        "SELECT meta_key, meta_value FROM wp_usermeta WHERE user_id = ? AND meta_key = 'session_tokens'",
        "SELECT user_login, user_pass, user_email, display_name FROM wp_users WHERE ID = ?",
    ]
    return {"wordpress": tables}, statements, sessions


def drupal(database, numbers):
    database.executescript(
        """
CREATE TABLE users_field_data (uid INTEGER, langcode TEXT, name TEXT, pass TEXT, mail TEXT, status INTEGER,
    default_langcode INTEGER, PRIMARY KEY (uid, langcode));
CREATE TABLE user__roles (entity_id INTEGER, deleted INTEGER, roles_target_id TEXT);
CREATE TABLE sessions (sid TEXT PRIMARY KEY, uid INTEGER, timestamp INTEGER, session BLOB);
"""
    )
    sessions = []
    for n in numbers:
        name = f"user{n}"
        row = (n, name, HASH, f"{name}@example.org")
        database.execute("INSERT INTO users_field_data VALUES (?, 'en', ?, ?, ?, 1, 1)", row)
        token = url_safe(hashlib.sha256(name.encode()).digest())
        sid = url_safe(hashlib.sha256(token.encode()).digest())
        payload = f'_sf2_attributes|a:1:{{s:3:"uid";s:{len(str(n))}:"{n}";}}'
        database.execute("INSERT INTO sessions VALUES (?, ?, ?, ?)", (sid, n, NOW, payload.encode()))
        sessions.append([token, sid, str(n)])
    tables = {"version": "10", "base_url": "https://site.example.org"}
    statements = [
        "SELECT uid, session FROM sessions WHERE sid = ?",
        "SELECT name, pass, mail, status FROM users_field_data WHERE uid = ? AND default_langcode = 1",
    ]
    return {"drupal": tables}, statements, sessions


def laravel_cookies(numbers) -> dict[str, str]:
    """Ids of sessions, and the cookies that hold them."""
    key, name = bytes(range(32)), b"site_session"
    prefix = hmac.digest(key, name + b"v2", "sha1").hex()
    ids = [f"{n:040}" for n in numbers]
    parts = sealed("aes-256-cbc", key, [f"{prefix}|{one}".encode() for one in ids])
    cookies = {}
    for one, (iv, value, _) in zip(ids, parts, strict=True):
        iv, value = (base64.b64encode(part).decode() for part in (iv, value))
        mac = hmac.digest(key, (iv + value).encode(), "sha256").hex()
        envelope = json.dumps({"iv": iv, "value": value, "mac": mac, "tag": ""})
        cookies[one] = base64.b64encode(envelope.encode()).decode().replace("=", "%3D")
    return cookies


def laravel(database, numbers):
    database.executescript(
        """
CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT, email TEXT UNIQUE, password TEXT, remember_token TEXT);
CREATE TABLE sessions (id TEXT PRIMARY KEY, user_id INTEGER, ip_address TEXT, user_agent TEXT, payload TEXT,
    last_activity INTEGER);
"""
    )
    guard = "login_web_" + hashlib.sha1(rb"Illuminate\Auth\SessionGuard").hexdigest()
    sessions = []
    for n, (one, cookie) in zip(numbers, laravel_cookies(numbers).items(), strict=True):
        row = (n, f"user{n}", f"user{n}@example.org", HASH)
        database.execute("INSERT INTO users VALUES (?, ?, ?, ?, NULL)", row)
        payload = f's:6:"_token";s:3:"abc";s:{len(guard)}:"{guard}";i:{n};'
        payload = base64.b64encode(f"a:2:{{{payload}}}".encode()).decode()
        row = (one, n, "127.0.0.1", "Browser", payload, NOW)
        database.execute("INSERT INTO sessions VALUES (?, ?, ?, ?, ?, ?)", row)
        sessions.append([cookie, one, str(n)])
    tables = {
        "app_key": f"base64:{APP_KEY}",
        "session_driver": "database",
        "session_cookie": "site_session",
    }
    statements = [
        "SELECT payload, last_activity FROM sessions WHERE id = ?",
        "SELECT email, password FROM users WHERE id = ?",
    ]
    return {"laravel": tables}, statements, sessions


def rails_key() -> bytes:
    salt = b"authenticated encrypted cookie"
    return hashlib.pbkdf2_hmac("sha256", SECRET.encode(), salt, 1000, 32)


def rails_cookies(numbers) -> list[str]:
    messages = []
    for n in numbers:
        session = {"session_id": f"{n:032x}", "warden.user.user.key": [[n], HASH[:29]]}
        message = base64.b64encode(json.dumps(session).encode()).decode()
        envelope = {"message": message, "exp": None, "pur": "cookie._site_session"}
        messages.append(json.dumps({"_rails": envelope}).encode())
    parts = sealed("aes-256-gcm", rails_key(), messages)
    encoded = [
        "--".join(base64.b64encode(part).decode() for part in (data, iv, tag))
        for iv, data, tag in parts
    ]
    return [cookie.replace("=", "%3D").replace("+", "%2B").replace("/", "%2F") for cookie in encoded]


def rails(database, numbers):
    table = "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT UNIQUE, encrypted_password TEXT)"
    database.execute(table)
    sessions = []
    for n, cookie in zip(numbers, rails_cookies(numbers), strict=True):
        database.execute("INSERT INTO users VALUES (?, ?, ?)", (n, f"user{n}@example.org", HASH))
        sessions.append([cookie, str(n)])
    tables = {"version": "7.0", "secret_key_base": SECRET, "session_cookie_name": "_site_session"}
    return {"rails": tables}, ["SELECT email, encrypted_password FROM users WHERE id = ?"], sessions


def flask(database, numbers):
    database.execute(PLAIN)
    key = hmac.digest(SECRET.encode(), b"cookie-session", "sha1")
    sessions = []
    for n in numbers:
        database.execute("INSERT INTO users VALUES (?, ?, ?)", (n, f"user{n}", HASH))
        session = {"_fresh": True, "_id": "f" * 128, "_user_id": str(n)}
        packed = zlib.compress(json.dumps(session, separators=(",", ":")).encode())
        signed = "." + url_safe(packed) + "." + url_safe(NOW.to_bytes(4, "big"))
        signature = url_safe(hmac.digest(key, signed.encode(), "sha1"))
        sessions.append([f"{signed}.{signature}", str(n)])
    return {"flask": {"secret_key": SECRET}, "custom": USERS}, [BY_ID], sessions


def express(database, numbers):
    database.execute(PLAIN)
    database.execute("CREATE TABLE session (sid TEXT PRIMARY KEY, sess TEXT, expire INTEGER)")
    sessions = []
    for n in numbers:
        database.execute("INSERT INTO users VALUES (?, ?, ?)", (n, f"user{n}", HASH))
        session = {"cookie": {"originalMaxAge": None, "httpOnly": True}, "passport": {"user": n}}
        row = (f"{n:032}", json.dumps(session), END)
        database.execute("INSERT INTO session VALUES (?, ?, ?)", row)
        digest = hmac.digest(SECRET.encode(), row[0].encode(), "sha256")
        signature = base64.b64encode(digest).decode().rstrip("=")
        sessions.append([f"s:{row[0]}.{signature}", row[0], str(n)])
    tables = {"secrets": [SECRET], "session_store": "sql", "user_id": "passport.user"}
    statements = ["SELECT sess, expire FROM session WHERE sid = ?", BY_ID]
    return {"express": tables, "custom": USERS}, statements, sessions


def main(site_checks: str, unseal: str, size: str = "1000") -> None:
    numbers = range(1, int(size) + 1)
    print(f"{'':10} checks/s  look-ups/s  share")
    for site in (wordpress, drupal, laravel, rails, flask, express):
        with tempfile.TemporaryDirectory(prefix="hallpass-benchmark-") as directory:
            path = Path(directory) / "site.sqlite3"
            with closing(sqlite3.connect(path)) as database, database:
                tables, statements, sessions = site(database, numbers)
            config = Path(directory) / "hallpass.toml"
            config.touch(mode=0o600)
            top = {"framework": site.__name__, "database": f"sqlite:{path}"}
            cheap = {"passwords": {"dummy": "pbkdf2_sha256$1"}}
            config.write_text(toml(top | tables | cheap))
            lines = "\n".join(map(json.dumps, [statements, *sessions]))
            checks, lookups, share = ask([site_checks, config, path], lines)
            print(f"{site.__name__:10} {checks:8.0f} {lookups:11.0f} {share:6.2f}", flush=True)
    print(f"{'':10} unsealed/s  by PHP/s  share")
    for kind, key, cookies in [
        ("laravel", bytes(range(32)), [*laravel_cookies(numbers).values()]),
        ("rails", rails_key(), rails_cookies(numbers)),
    ]:
        secret = f"base64:{APP_KEY}" if kind == "laravel" else SECRET
        (ours,) = ask([unseal, kind, secret], "\n".join(cookies))
        peer = float(php(OPEN, json.dumps([kind, base64.b64encode(key).decode(), cookies])))
        print(f"{kind:10} {ours:10.0f} {peer:9.0f} {ours / peer:6.2f}", flush=True)
    print(GOALS)


def ask(command: list, text: str) -> list[float]:
    done = subprocess.run(command, input=text, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    return [float(figure) for figure in done.stdout.split()]


if __name__ == "__main__":
    main(*sys.argv[1:])
