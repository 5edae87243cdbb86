"""Sites in Ruby on Rails: a real one with Devise, and a real Redmine. Whatever their own pages say of a
session or a password, Hallpass says as well, with the configuration that `hallpass init` writes."""

import hashlib
import json
import os
import shutil
import subprocess
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from hosts import example
from hosts.apache import LOADED
from hosts.application import application
from hosts.daemon import hallpassd
from hosts.httpd import configuration, httpd
from hosts.nginx import nginx
from hosts.watching import reason, watching
from processes import LOOPBACK, free_port, give_away
from programs import HANGS, Shell
from test_flask import said_to
from website.rails import SECRET, DeviseSite, RedmineSite, Visitor, devise, redmine

ALICE, BOB, ZOE = "alice@example.org", "bob@example.org", "zoe@example.org"


@pytest.fixture(scope="module")
def shop(new_directory):
    with devise(new_directory()) as site:
        yield site


@pytest.fixture(scope="module")
def tracker(new_directory):
    with redmine(new_directory()) as site:
        yield site


def initialized(shell, new_directory, *words) -> Shell:
    """The program with what `hallpass init` writes, not edited."""
    config = new_directory() / "hallpass.toml"
    result = shell()("init", "rails", *words, "--output", config)
    assert result.code == 0, result.stderr
    hallpass = shell(config)
    assert hallpass("--check-config").code == 0
    return hallpass


@pytest.fixture(scope="module")
def of_shop(shop, shell, new_directory) -> Shell:
    return initialized(shell, new_directory, shop.root, "--env-file", shop.root.parent / "shop.env")


@pytest.fixture(scope="module")
def of_tracker(tracker, shell, new_directory) -> Shell:
    return initialized(shell, new_directory, tracker.root, "--instance", tracker.variables["REDMINE_INSTANCE"])


@contextmanager
def row(site, table: str, condition: str):
    """Puts a row back as it was."""
    site.run(f"CREATE TABLE kept AS SELECT * FROM {table} WHERE {condition}")
    try:
        yield
    finally:
        site.run(
            f"DELETE FROM {table} WHERE {condition}", f"INSERT INTO {table} SELECT * FROM kept", "DROP TABLE kept"
        )


def session_of(hallpass: Shell, token: str) -> str | None:
    result = hallpass.session(token)
    return result.json["user"] if result.granted else None


def agreed(site, hallpass: Shell, token: str) -> str | None:
    """Whose session it is, by the site's own page and by Hallpass."""
    page, own = site.says(site.holding(token)), session_of(hallpass, token)
    assert page == own
    return own


def said(hallpass: Shell, header: str) -> str | None:
    """Who is logged in by the cookies in `header`."""
    result = hallpass("session", "--json", "--cookie", "-", input=header)
    return result.json["user"] if result.granted else None


def both(site, hallpass: Shell, **cookies: str) -> str | None:
    """Who is logged in by these cookies, by the site's own page and by Hallpass, which is asked first: the
    page may take a cookie up."""
    header = "; ".join(f"{name}={value}" for name, value in cookies.items())
    own = said(hallpass, header)
    assert site.says(site.visitor(**cookies)) == own, cookies
    return own


# Devise


def test_devise_sessions_are_those_of_the_site(shop: DeviseSite, of_shop):
    token = shop.log_in(ALICE, "Pw-alice").cookies[shop.cookie]
    assert agreed(shop, of_shop, token) == ALICE
    found = of_shop.session(token).json
    assert (found["id"], found["email"], found["groups"]) == ("1", ALICE, ["editor"])
    for change in [
        "locked_at = datetime('now', '-119 minutes')",
        "locked_at = datetime('now', '-121 minutes')",
        "confirmed_at = NULL",
        "encrypted_password = '$2a$04$' || substr(encrypted_password, 8, 1) || 'x' || substr(encrypted_password, 10)",
        "encrypted_password = ''",
        "email = 'alice.new@example.org'",
        "id = 99",
    ]:
        with row(shop, "users", "id = 1 OR id = 99"):
            shop.run(f"UPDATE users SET {change} WHERE id = 1")
            agreed(shop, of_shop, token)
        assert agreed(shop, of_shop, token) == ALICE
    with row(shop, "users", "id = 1"):
        shop.run("UPDATE users SET locked_at = datetime('now', '-121 minutes') WHERE id = 1")
        assert agreed(shop, of_shop, token) == ALICE
        shop.run("UPDATE users SET locked_at = datetime('now', '-119 minutes') WHERE id = 1")
        assert agreed(shop, of_shop, token) is None
    with row(shop, "users", "id = 1"):
        shop.run("DELETE FROM users WHERE id = 1")
        assert agreed(shop, of_shop, token) is None


def test_devise_logout_gives_an_empty_session(shop: DeviseSite, of_shop):
    visitor = shop.log_in(BOB, "Pw-bob")
    old = visitor.cookies[shop.cookie]
    assert agreed(shop, of_shop, old) == BOB
    visitor.get("/users/sign_out")
    assert agreed(shop, of_shop, visitor.cookies[shop.cookie]) is None
    # A cookie is all there is of such a session: the site itself takes a copy after the logout.
    assert agreed(shop, of_shop, old) == BOB


REMEMBER = "remember_user_token"
# Seals cookies as the site itself does, with what Devise keeps in them.
SEAL = """
require_relative "config/environment"
user, other = User.find_by!(email: "%s"), User.find_by!(email: "%s")
salt, now, key = user.authenticatable_salt, Time.now.utc.to_f, user.to_key
sealed = lambda do |value, expires = 1.hour.from_now, name = "remember_user_token"|
  jar = ActionDispatch::Request.new(Rails.application.env_config).cookie_jar
  jar.signed[name] = { value: value, expires: expires }
  headers = {}
  jar.write(headers)
  headers["Set-Cookie"][/=([^;]*)/, 1]
end
puts({
  whole: sealed[[key, salt, now.to_s]],
  young: sealed[[key, salt, (now - 14 * 86_400 + 60).to_s], nil],
  late: sealed[[key, salt, (now - 14 * 86_400 - 1).to_s]],
  ended: sealed[[key, salt, now.to_s], 1.second.ago],
  purpose: sealed[[key, salt, now.to_s], 1.hour.from_now, "another"],
  salt: sealed[[key, salt.reverse, now.to_s]],
  other: sealed[[key, other.authenticatable_salt, now.to_s]],
  account: sealed[[other.to_key, salt, now.to_s]],
  nobody: sealed[[[99], salt, now.to_s]],
  time: sealed[[key, salt, "soon"]],
  whole_seconds: sealed[[key, salt, now.to_i.to_s]],
  short: sealed[[key, salt]],
  text: sealed["text"],
}.to_json)
"""


def test_devise_remembers_as_the_site_does(shop: DeviseSite, of_shop):
    form = {"user[email]": BOB, "user[password]": "Pw-bob", "user[remember_me]": "1"}
    visitor = shop.visitor()
    visitor.post("/users/sign_in", form)
    session, remembered = visitor.cookies[shop.cookie], visitor.cookies[REMEMBER]
    alone = lambda: both(shop, of_shop, **{REMEMBER: remembered})
    assert alone() == BOB
    assert both(shop, of_shop, **{shop.cookie: session, REMEMBER: remembered}) == BOB
    # The session's own account comes first, and what is not a session does not keep a remembered login out.
    alice = shop.log_in(ALICE, "Pw-alice").cookies[shop.cookie]
    assert both(shop, of_shop, **{shop.cookie: alice, REMEMBER: remembered}) == ALICE
    assert both(shop, of_shop, **{shop.cookie: alice[:-8], REMEMBER: remembered}) == BOB
    for changed in [remembered[:-1], "x" + remembered, remembered.swapcase(), "", session, remembered.split("--")[0]]:
        assert both(shop, of_shop, **{REMEMBER: changed}) is None, changed
    assert both(shop, of_shop, remember_admin_token=remembered) is None
    assert both(shop, of_shop, **{shop.cookie: remembered}) is None
    for change, expected in [
        ("email = 'bob.new@example.org'", "bob.new@example.org"),
        ("locked_at = datetime('now', '-119 minutes')", None),
        ("confirmed_at = NULL", None),
        ("remember_created_at = NULL", None),
        ("remember_created_at = datetime('now', '+1 minute')", None),
        ("encrypted_password = (SELECT encrypted_password FROM users WHERE id = 1)", None),
        ("id = 99", None),
    ]:
        with row(shop, "users", "id = 2 OR id = 99"):
            shop.run(f"UPDATE users SET {change} WHERE id = 2")
            assert alone() == expected, change
        assert alone() == BOB
    # The logout forgets it, and so ends each copy.
    visitor.get("/users/sign_out")
    assert alone() is None


def test_devise_takes_no_other_cookie_for_a_remembered_login(shop: DeviseSite, of_shop):
    script = shop.root / "seal.rb"
    script.write_text(SEAL % (ZOE, BOB))
    give_away(script)
    with row(shop, "users", "email = 'zoe@example.org'"):
        shop.run("UPDATE users SET remember_created_at = datetime('now', '-15 days') WHERE email = 'zoe@example.org'")
        done = subprocess.run(
            ["ruby", "-W0", script], cwd=shop.root, env=os.environ | shop.variables, capture_output=True, timeout=300,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr.decode()
        cookies = json.loads(done.stdout)
        assert len(cookies) > 10
        for name, value in cookies.items():
            expected = ZOE if name in ("whole", "young") else None
            assert both(shop, of_shop, **{REMEMBER: value}) == expected, name
        compared = shop.root.parent / "tokens"
        compared.write_text("".join(f";{value}\n" for value in cookies.values()))
        result = of_shop(
            "compare", shop.root, "--json", "--tokens", compared, "--rails-env-file", shop.root.parent / "shop.env"
        )
        assert (result.code, result.json["differences"]) == (0, []), result.stderr


def test_devise_streams_end_as_the_site_ends_its_sessions(shop: DeviseSite, of_shop, hallpass_programs):
    visitors = [shop.log_in(BOB, "Pw-bob"), shop.log_in(ALICE, "Pw-alice"), shop.log_in(ZOE, "Pw-zoe")]
    cookies = [f"{shop.cookie}={visitor.cookies[shop.cookie]}" for visitor in visitors]
    with watching(hallpass_programs["hallpassd"], of_shop.config) as stream, ExitStack() as open_:
        bob, alice, zoe = [open_.enter_context(stream(cookie)) for cookie in cookies]
        assert bob.next()[0] == alice.next()[0] == zoe.next()[0] == "identity"
        visitors[0].get("/users/sign_out")
        with row(shop, "users", "id = 1"):
            shop.run("UPDATE users SET encrypted_password = '$2a$04$' || substr(encrypted_password, 9, 1) "
                     "|| substr(encrypted_password, 8, 1) || substr(encrypted_password, 10) WHERE id = 1")
            assert reason(alice) == "password"
        with row(shop, "users", f"email = '{ZOE}'"):
            shop.run(f"DELETE FROM users WHERE email = '{ZOE}'")
            assert reason(zoe) == "closed"
        assert bob.goes_on(0.5), "a cookie is all there is of such a session"


def test_devise_passwords_are_those_of_its_login_page(shop: DeviseSite, of_shop):
    granted = 0
    for name, password in [
        (ALICE, "Pw-alice"),
        (ALICE.upper(), "Pw-alice"),
        (f"  {ALICE} ", "Pw-alice"),
        (BOB, "Pw-bob"),
        (ALICE, "Pw-bob"),
        (ALICE, "pw-alice"),
        (ALICE, "Pw-alice "),
        (ALICE, "Pw-alicea pepper # of its own"),
        (ALICE, " "),
        ("alice", "Pw-alice"),
        ("unconfirmed@example.org", "Pw-unconfirmed"),
        ("nobody@example.org", "Pw-alice"),
    ]:
        page = shop.says(shop.log_in(name, password))
        result = of_shop.check(name, password)
        own = result.json["user"] if result.granted else None
        assert own == page, (name, password)
        granted += own is not None
    assert granted == 4
    # Wrong ones are counted by the site alone.
    shop.run("UPDATE users SET failed_attempts = 0, locked_at = NULL")


def test_devise_roles_count_at_once(shop: DeviseSite, of_shop):
    with_role = lambda: of_shop.check(ALICE, "Pw-alice", "--groups", "editor").granted
    assert with_role()
    with row(shop, "users_roles", "user_id = 1"):
        shop.run("DELETE FROM users_roles WHERE user_id = 1")
        assert not with_role()
        shop.run("INSERT INTO users_roles VALUES (1, 2)")
        assert not with_role()
    assert with_role()


def test_devise_agrees_with_compare_and_doctor(shop: DeviseSite, of_shop):
    result = of_shop(
        "compare", shop.root, "--json", "--rails-env-file", shop.root.parent / "shop.env"
    )
    report = result.json
    assert result.code == 0, (report, result.stderr)
    assert (report["verdict"], report["percent"], report["differences"]) == ("agree", 100, [])
    doctor = of_shop("doctor", "--json").json
    problems = [it for it in doctor["findings"] if it["status"] == "problem"]
    assert not problems, problems


def test_devise_compare_finds_what_is_wrong(shop: DeviseSite, of_shop, shell, new_directory):
    hallpass = faulty(of_shop, shell, new_directory, "confirmable = true", "confirmable = false")
    arguments = ["compare", shop.root, "--json", "--rails-env-file", shop.root.parent / "shop.env"]
    result = hallpass(*arguments)
    assert result.code == 1 and "unconfirmed@example.org" in result.text, result.stderr


def test_devise_is_audited(shop: DeviseSite, of_shop):
    answer = of_shop("audit", "--json").json
    assert answer["accounts"] == shop.one("SELECT COUNT(*) FROM users") == 4
    assert [it["algorithm"] for it in answer["passwords"]] == ["bcrypt"]


def faulty(of_shop, shell, new_directory, old: str, new: str) -> Shell:
    """The program with one line that is wrong."""
    directory = new_directory()
    for file in of_shop.config.parent.iterdir():
        shutil.copy(file, directory)
    config = directory / "hallpass.toml"
    text = config.read_text()
    assert old in text
    config.write_text(text.replace(old, new))
    return shell(config)


@pytest.mark.parametrize(
    ("old", "new", "check"),
    [
        ('user_table = "users"', 'user_table = "people"', "tables"),
        ('username_column = "email"', 'username_column = "login"', "columns"),
        ("lockable = true", "lockable = true\ntime_zone = \"UTC\"\npassword_column = \"hash\"", "columns"),
    ],
)
def test_devise_faults_are_named(of_shop, shell, new_directory, old, new, check):
    hallpass = faulty(of_shop, shell, new_directory, old, new)
    doctor = hallpass("doctor", "--json").json
    problems = [it["check"] for it in doctor["findings"] if it["status"] == "problem"]
    assert check in problems, doctor


MODEL = "  devise :database_authenticatable, :rememberable, :confirmable, :lockable,\n         :timeoutable\n"


@pytest.mark.parametrize(
    ("file", "old", "new", "told"),
    [
        ("app/models/user.rb", MODEL, MODEL + "  def active_for_authentication?\n    super && !deleted_at\n  end\n", "--where"),
        ("app/models/user.rb", MODEL, MODEL + "  def self.find_for_database_authentication(conditions)\n  end\n", "find_for_database"),
        ("app/models/user.rb", MODEL, MODEL + "  def timeout_in = 5.minutes\n", "timeout_in"),
        ("app/models/user.rb", MODEL, MODEL + "  default_scope { where(tenant: 1) }\n", "default_scope"),
        ("app/models/user.rb", ":timeoutable", ":two_factor_authenticatable", "two_factor_authenticatable"),
        ("app/models/user.rb", ":timeoutable", "*MODULES", "MODULES"),
        ("app/models/user.rb", "devise", "# devise", "does not call devise"),
        ("config/initializers/devise.rb", '"a pepper # of its own"', 'ENV["PEPPER"]', "pepper"),
        ("config/initializers/devise.rb", "30.minutes", "TIMES.fetch(:idle)", "timeout_in"),
        ("config/initializers/devise.rb", "= :both", "= pick", "unlock_strategy"),
        ("config/initializers/devise.rb", "case_insensitive_keys = [:email]", "case_insensitive_keys = keys", "case_insensitive_keys"),
        ("config/initializers/devise.rb", "config.stretches", "config.authentication_keys = [:email, :subdomain]\n  config.stretches", "authentication_keys"),
        ("config/initializers/session_store.rb", ":cookie_store", "STORE", "session_store"),
        ("config/initializers/session_store.rb", '"_little_shop"', '"_shop_#{Rails.env}"', "key"),
        ("config/application.rb", "= :json", "= :message_pack", "message_pack"),
        ("config/database.yml", "db/production.sqlite3", "<%= Shop.database %>", "code"),
        ("config/database.yml", "adapter: sqlite3", "adapter: oracle", "oracle"),
        ("config/database.yml", "production:", "staging:", "production"),
        ("config/database.yml", "<<: *default", "<<: *other", "database.yml"),
    ],
)  # fmt: skip
def test_what_ruby_would_compute_is_not_guessed(shop, shell, new_directory, file, old, new, told):
    directory = new_directory()
    root = directory / "shop"
    shutil.copytree(Path(shop.root), root)
    text = (root / file).read_text()
    assert old in text
    (root / file).write_text(text.replace(old, new, 1))
    output = directory / "hallpass.toml"
    result = shell()("init", "rails", root, "--env-file", shop.root.parent / "shop.env", "--output", output)
    assert result.code == 2 and told.encode() in result.stderr, result.stderr
    assert not output.exists()


def test_what_is_not_found_is_denied(shop: DeviseSite, shell, new_directory):
    token = shop.log_in(ALICE, "Pw-alice").cookies[shop.cookie]
    directory = new_directory()
    config = directory / "hallpass.toml"
    # Without the secret, no session is good; passwords are.
    result = shell()("init", "rails", shop.root, "--output", config)
    assert result.code == 0 and b"secret_key_base was not found" in result.stderr
    hallpass = shell(config)
    assert hallpass.check(ALICE, "Pw-alice").granted
    assert hallpass("session", "--", token).code in (1, 2)


def test_secrets_are_found_where_rails_finds_them(shop: DeviseSite, shell, new_directory):
    token = shop.log_in(ALICE, "Pw-alice").cookies[shop.cookie]
    for number in range(3):
        directory = new_directory()
        root = directory / "shop"
        shutil.copytree(shop.root, root)
        if number == 0:
            (root / ".env.production").write_text(f"SECRET_KEY_BASE={SECRET}\n")
        elif number == 1:
            (root / "config/secrets.yml").write_text(f"production:\n  secret_key_base: {SECRET}\n")
        else:
            script = directory / "seal.rb"
            script.write_text(
                "require 'active_support/all'; require 'active_support/encrypted_file'\n"
                "ActiveSupport::EncryptedFile.new(content_path: 'config/credentials.yml.enc', key_path: "
                "'config/master.key', env_key: 'NONE', raise_if_missing_key: true)"
                f".write(\"secret_key_base: {SECRET}\\n\")\n"
            )
            (root / "config/master.key").write_text("0123456789abcdef" * 2)
            subprocess.run(["ruby", script], cwd=root, check=True, timeout=60)
        hallpass = initialized(shell, new_directory, root)
        assert session_of(hallpass, token) == ALICE, number


def test_devise_sessions_in_redis(new_directory, shell, redis):
    store = f"""Rails.application.config.session_store :redis_store,
  servers: ["redis://{LOOPBACK}:{redis.port}/3/shop"],
  key: "_little_shop",
  expire_after: 90.minutes
"""
    with devise(new_directory(), store) as site:
        # The store itself, which Debian has in a package of its own.
        hallpass = initialized(shell, new_directory, site.root, "--env-file", site.root.parent / "shop.env")
        text = hallpass.config.read_text()
        assert 'session_store = "redis"' in text and f'cache = "redis://{LOOPBACK}:{redis.port}/3"' in text
        visitor = site.log_in(ZOE, "Pw-zoe")
        token = visitor.cookies[site.cookie]
        assert agreed(site, hallpass, token) == ZOE
        private = "2::" + hashlib.sha256(token.encode()).hexdigest()
        assert session_of(hallpass, private) is None
        assert session_of(hallpass, token[:-1]) is None
        visitor.get("/users/sign_out")
        assert agreed(site, hallpass, token) is None


def test_in_front_of_an_application_by_nginx(shop: DeviseSite, new_directory, hallpass_programs):
    """examples/nginx-rails: whoever is logged in to the shop is let in to the application behind it."""
    directory = new_directory()
    socket, port = directory / "http.sock", free_port()
    for name, secret in [("secret_key_base", SECRET), ("pepper", "a pepper # of its own")]:
        (directory / name).write_text(secret)
        give_away(directory / name).chmod(0o600)
    with application() as behind:
        files = example.install(
            "nginx-rails",
            directory / "etc",
            {
                "/run/hallpass/http.sock": str(socket),
                "/etc/hallpass/secret_key_base": str(directory / "secret_key_base"),
                "/etc/hallpass/pepper": str(directory / "pepper"),
                "/srv/shop/db/production.sqlite3": str(shop.database),
                "listen 80;": f"listen {LOOPBACK}:{port};",
                "127.0.0.1:3000": f"{LOOPBACK}:{shop.port}",
                "127.0.0.1:8000": f"{LOOPBACK}:{behind.port}",
            },
        )
        (files / "hallpass.toml").chmod(0o600)
        give_away(files / "hallpass.toml")
        with (
            hallpassd(hallpass_programs["hallpassd"], files / "hallpass.toml", socket),
            nginx(directory, port) as host,
        ):
            visitor = Visitor(port)
            visitor.post("/users/sign_in", {"user[email]": ALICE, "user[password]": "Pw-alice", "user[remember_me]": "1"})
            token, remembered = visitor.cookies[shop.cookie], visitor.cookies[REMEMBER]
            forged = {"Remote-User": "admin", "X-Remote-User": "admin", "X-Forwarded-For": "192.0.2.1"}
            mine = {"Cookie": f"{shop.cookie}={token}"}
            # The cookie of a remembered login is enough, as it is at the site, and so is the session's.
            for cookies in [mine, {"Cookie": f"{REMEMBER}={remembered}"}, {"Cookie": f"{mine['Cookie']}; {REMEMBER}={remembered}"}]:
                for path in ("/wiki/", "/editors/"):
                    answer = host.ask(path, cookies | forged)
                    assert (answer.status, said_to(answer)) == (200, [ALICE]), answer
            bob = shop.log_in(BOB, "Pw-bob").cookies[shop.cookie]
            other = {"Cookie": f"{shop.cookie}={bob}"}
            assert said_to(host.ask("/wiki/", other)) == [BOB]
            assert host.ask("/editors/", other).status == 403
            # The session comes first.
            both_cookies = {"Cookie": f"{other['Cookie']}; {REMEMBER}={remembered}"}
            assert said_to(host.ask("/wiki/", both_cookies)) == [BOB]
            for wrong in [{}, forged, {"Cookie": f"{shop.cookie}={token[:-8]}"}, {"Cookie": f"{REMEMBER}={remembered[:-1]}"},
                          {"Cookie": f"{shop.cookie}; {mine['Cookie']}"}, {"Cookie": f"{shop.cookie}={remembered}"},
                          {"Cookie": f"{shop.cookie}=;{remembered}"}]:
                answer = host.ask("/wiki/", wrong)
                assert answer.status == 302, (wrong, answer)
            assert host.ask("/_hallpass/session", mine).status == 404
            visitor.get("/users/sign_out")
            assert host.ask("/wiki/", {"Cookie": f"{REMEMBER}={remembered}"}).status == 302
            with row(shop, "users", "id = 1"):
                shop.run("UPDATE users SET confirmed_at = NULL WHERE id = 1")
                assert host.ask("/wiki/", mine).status == 302


# Redmine


def test_redmine_sessions_are_those_of_the_site(tracker: RedmineSite, of_tracker):
    token = tracker.log_in("ALICE", "Pw-alice").cookies[tracker.cookie]
    assert agreed(tracker, of_tracker, token) == "alice"
    found = of_tracker.session(token).json
    assert (found["email"], found["groups"]) == (ALICE, ["editors"])
    id = found["id"]
    for change in ["status = 3", "status = 2", "login = 'alicia'", "must_change_passwd = 1", "auth_source_id = 7"]:
        with row(tracker, "users", f"id = {id}"):
            tracker.run(f"UPDATE users SET {change} WHERE id = {id}")
            agreed(tracker, of_tracker, token)
    with row(tracker, "users", f"id = {id}"):
        tracker.run(f"UPDATE users SET status = 3 WHERE id = {id}")
        assert agreed(tracker, of_tracker, token) is None
    assert agreed(tracker, of_tracker, token) == "alice"
    # An older login of the same account.
    with row(tracker, "tokens", f"user_id = {id}"):
        tracker.run(f"DELETE FROM tokens WHERE user_id = {id}")
        assert agreed(tracker, of_tracker, token) is None
    with row(tracker, "tokens", f"user_id = {id}"):
        tracker.run(f"UPDATE tokens SET action = 'autologin' WHERE user_id = {id}")
        assert agreed(tracker, of_tracker, token) is None


def test_redmine_wants_some_things_done_first(tracker: RedmineSite, of_tracker):
    admin = tracker.log_in("admin", "admin").cookies[tracker.cookie]
    assert agreed(tracker, of_tracker, admin) is None
    with row(tracker, "users", "login = 'admin'"):
        tracker.run("UPDATE users SET must_change_passwd = 0 WHERE login = 'admin'")
        assert agreed(tracker, of_tracker, admin) == "admin"
    staff = "lastname = 'staff' AND type = 'Group'"
    with row(tracker, "users", staff):
        tracker.run(f"UPDATE users SET twofa_required = 1 WHERE {staff}")
        bob = tracker.log_in("bob", "Pw-bob").cookies[tracker.cookie]
        assert agreed(tracker, of_tracker, bob) is None
        assert not of_tracker.check("bob", "Pw-bob").granted
        alice = tracker.log_in("alice", "Pw-alice").cookies[tracker.cookie]
        assert agreed(tracker, of_tracker, alice) == "alice"
    assert agreed(tracker, of_tracker, bob) == "bob"


def test_redmine_logout_ends_the_session(tracker: RedmineSite, of_tracker):
    visitor = tracker.log_in("bob", "Pw-bob")
    token = visitor.cookies[tracker.cookie]
    assert agreed(tracker, of_tracker, token) == "bob"
    form = tracker.form_token(visitor.get("/my/account")[1])
    visitor.post("/logout", {"authenticity_token": form})
    assert agreed(tracker, of_tracker, token) is None


def test_redmine_streams_end_as_the_site_ends_its_sessions(tracker: RedmineSite, of_tracker, hallpass_programs):
    visitors = [tracker.log_in("alice", "Pw-alice"), tracker.log_in("alice", "Pw-alice")]
    cookies = [f"{tracker.cookie}={visitor.cookies[tracker.cookie]}" for visitor in visitors]
    id = of_tracker.session(visitors[0].cookies[tracker.cookie]).json["id"]
    with watching(hallpass_programs["hallpassd"], of_tracker.config) as stream, ExitStack() as open_:
        one, other = [open_.enter_context(stream(cookie)) for cookie in cookies]
        assert one.next()[0] == other.next()[0] == "identity"
        with row(tracker, "users", f"id = {id}"):
            tracker.run(f"UPDATE users SET status = 3 WHERE id = {id}")
            assert reason(one) == "closed" == reason(other)
        with stream(cookies[0]) as again:
            assert again.next()[0] == "identity"
            with row(tracker, "tokens", f"user_id = {id}"):
                tracker.run(f"DELETE FROM tokens WHERE user_id = {id} AND action = 'session'")
                assert reason(again) == "logout"


def test_redmine_new_password_ends_other_sessions(tracker: RedmineSite, of_tracker):
    other = tracker.log_in("Carol", "Pw-Carol").cookies[tracker.cookie]
    visitor = tracker.log_in("Carol", "Pw-Carol")
    form = tracker.form_token(visitor.get("/my/password")[1])
    new = {"password": "Pw-Carol", "new_password": "Pw-Carol-2", "new_password_confirmation": "Pw-Carol-2"}
    visitor.post("/my/password", {"authenticity_token": form} | new)
    assert agreed(tracker, of_tracker, other) is None
    assert agreed(tracker, of_tracker, visitor.cookies[tracker.cookie]) == "Carol"
    assert not of_tracker.check("carol", "Pw-Carol").granted
    assert of_tracker.check("carol", "Pw-Carol-2").json["user"] == "Carol"


def test_redmine_sessions_end_as_its_settings_say(tracker: RedmineSite, of_tracker):
    token = tracker.log_in("zoe", "Pw-zoe").cookies[tracker.cookie]
    mine = "action = 'session' AND user_id = (SELECT id FROM users WHERE login = 'zoe')"
    for setting, column in [("session_timeout", "updated_on"), ("session_lifetime", "created_on")]:
        tracker.run(
            f"INSERT INTO settings (name, value, updated_on) VALUES ('{setting}', '60', datetime('now', 'localtime', '+1 second'))"
        )
        try:
            for minutes, expected in [(59, "zoe"), (61, None)]:
                with row(tracker, "tokens", mine):
                    tracker.run(
                        f"UPDATE tokens SET {column} = datetime('now', 'localtime', '-{minutes} minutes') WHERE {mine}"
                    )
                    assert session_of(of_tracker, token) == expected, (setting, minutes)
        finally:
            tracker.run(f"DELETE FROM settings WHERE name = '{setting}'")
    assert agreed(tracker, of_tracker, token) == "zoe"


def test_redmine_logs_in_by_itself_as_the_site_does(tracker: RedmineSite, of_tracker):
    tracker.run("INSERT INTO settings (name, value, updated_on) VALUES ('autologin', '7', datetime('now', 'localtime', '+1 second'))")
    mine = "action = 'autologin'"
    own = lambda value: said(of_tracker, f"autologin={value}")
    try:
        visitor = tracker.visitor()
        form = {"authenticity_token": tracker.form_token(visitor.get("/login")[1]), "autologin": "1"}
        visitor.post("/login", form | {"username": "bob", "password": "Pw-bob"})
        session, token = visitor.cookies[tracker.cookie], visitor.cookies["autologin"]
        assert both(tracker, of_tracker, autologin=token) == "bob"
        assert both(tracker, of_tracker, **{tracker.cookie: session, "autologin": token}) == "bob"
        alice = tracker.log_in("alice", "Pw-alice").cookies[tracker.cookie]
        assert both(tracker, of_tracker, **{tracker.cookie: alice, "autologin": token}) == "alice"
        assert both(tracker, of_tracker, **{tracker.cookie: alice[:-8], "autologin": token}) == "bob"
        for other in [token[:-1], token + "0", token.upper(), "%", token + "%20", "", session]:
            assert both(tracker, of_tracker, autologin=other) is None, other
        for change, expected in [
            ("created_on = datetime('now', 'localtime', '-167 hours')", "bob"),
            ("created_on = datetime('now', 'localtime', '-169 hours')", None),
            ("action = 'session'", None),
            ("action = 'recovery'", None),
            ("user_id = 9999", None),
        ]:
            with row(tracker, "tokens", f"value = '{token}'"):
                tracker.run(f"UPDATE tokens SET {change} WHERE value = '{token}'")
                assert both(tracker, of_tracker, autologin=token) == expected, change
        for change, expected in [("status = 3", None), ("must_change_passwd = 1", None), ("login = 'robert'", "robert")]:
            with row(tracker, "users", "login = 'bob' OR login = 'robert'"):
                tracker.run(f"UPDATE users SET {change} WHERE login = 'bob'")
                assert both(tracker, of_tracker, autologin=token) == expected, change
        environment = {"PATH": "/usr/bin:/bin", "REDMINE_INSTANCE": tracker.variables["REDMINE_INSTANCE"]}
        compared = of_tracker.config.parent / "tokens"
        compared.write_text(f";{token}\n;{token[:-1]}\n{alice};{token}\n")
        result = of_tracker("compare", tracker.root, "--json", "--tokens", compared, env=environment)
        assert (result.code, result.json["differences"]) == (0, []), result.stderr
        # Where the setting is off, none counts.
        tracker.run("UPDATE settings SET value = '0' WHERE name = 'autologin'")
        assert own(token) is None
    finally:
        tracker.run("DELETE FROM settings WHERE name = 'autologin'", f"DELETE FROM tokens WHERE {mine}")
    assert own(token) is None


def test_redmine_passwords_are_those_of_its_login_page(tracker: RedmineSite, of_tracker):
    granted = 0
    for name, password in [
        ("alice", "Pw-alice"),
        ("ALICE", "Pw-alice"),
        (" alice ", "Pw-alice"),
        ("alice", "Pw-bob"),
        ("alice", "Pw-alice "),
        ("alice", ""),
        (ALICE, "Pw-alice"),
        ("editors", ""),
        ("", ""),
        ("nobody", "Pw-alice"),
        # It has to choose another password first.
        ("admin", "admin"),
    ]:
        page = tracker.says(tracker.log_in(name, password))
        result = of_tracker.check(name, password)
        own = result.json["user"] if result.granted else None
        assert own == page, (name, password)
        granted += own is not None
    assert granted == 3
    for change, reason in [
        ("twofa_scheme = 'totp'", "unusable-password"),
        ("auth_source_id = 7", "unusable-password"),
        ("must_change_passwd = 1", "inactive"),
        ("status = 3", "inactive"),
        ("type = 'Group'", "unknown-user"),
        ("hashed_password = ''", "unusable-password"),
        ("salt = 'other'", "wrong-password"),
    ]:
        with row(tracker, "users", "login = 'alice'"):
            tracker.run(f"UPDATE users SET {change} WHERE login = 'alice'")
            result = of_tracker.check("alice", "Pw-alice")
            assert (result.granted, result.json["reason"]) == (False, reason), change
    bob = tracker.one("SELECT id FROM users WHERE login = 'bob'")
    with row(tracker, "users", f"id = {bob}"):
        tracker.run(f"UPDATE users SET login = 'Alice' WHERE id = {bob}")
        assert not of_tracker.check("alice", "Pw-alice").granted, "two accounts of one name"


def test_redmine_groups_and_administrators(tracker: RedmineSite, of_tracker):
    bob = of_tracker("groups", "bob").text.split()
    assert bob == ["editors", "staff"]
    assert of_tracker.check("zoe", "Pw-zoe", "--groups", "is:superuser").granted
    assert not of_tracker.check("bob", "Pw-bob", "--groups", "is:superuser").granted
    with row(tracker, "groups_users", "1 = 1"):
        tracker.run("DELETE FROM groups_users")
        assert not of_tracker.check("bob", "Pw-bob", "--groups", "staff").granted


def test_redmine_agrees_with_compare_and_doctor(tracker: RedmineSite, of_tracker):
    environment = {"PATH": "/usr/bin:/bin", "REDMINE_INSTANCE": tracker.variables["REDMINE_INSTANCE"]}
    result = of_tracker("compare", tracker.root, "--json", env=environment)
    report = result.json
    assert result.code == 0, (report, result.stderr)
    assert (report["verdict"], report["percent"], report["differences"]) == ("agree", 100, [])
    doctor = of_tracker("doctor", "--json").json
    problems = [it for it in doctor["findings"] if it["status"] == "problem"]
    assert not problems, problems


# The example


@pytest.fixture(scope="module")
def svn(tracker, new_directory, hallpass_programs):
    """Apache with Subversion, as `examples/apache-redmine-svn` says."""
    directory, port = new_directory(), free_port()
    example.install(
        "apache-redmine-svn",
        directory / "etc",
        {
            "*:80": f"{LOOPBACK}:{port}",
            "/srv/svn": str(directory),
            "/usr/bin/hallpass-apache": str(hallpass_programs["hallpass-apache"]),
            "/etc/hallpass/hallpass.toml": str(directory / "etc/hallpass.toml"),
            "/var/log/apache2": str(directory),
            "sqlite:/var/lib/redmine/default/redmine.sqlite3": f"sqlite:{tracker.database}",
        },
    )
    repository = directory / "repositories/tools"
    repository.parent.mkdir()
    subprocess.run(["svnadmin", "create", repository], check=True, timeout=HANGS)
    (directory / "www").mkdir()
    (directory / "etc/hallpass.toml").chmod(0o640)
    for path in directory.rglob("*"):
        give_away(path)
    text = configuration(directory, port, LOADED, 'Include "{directory}/etc/hallpass.conf"')
    with httpd(directory, port, text):
        yield f"http://{LOOPBACK}:{port}/svn/tools"


def test_redmine_subversion(svn, tracker, tmp_path):
    def subversion(name, password, *arguments):
        command = ["svn", *arguments, "--non-interactive", "--no-auth-cache", "--username", name, "--password",
                   password, "--config-dir", tmp_path / "subversion"]  # fmt: skip
        return subprocess.run(command, capture_output=True, text=True, timeout=HANGS)

    reads = lambda name, password: subversion(name, password, "list", svn).returncode == 0
    writes = lambda name, password: (
        subversion(name, password, "mkdir", "-m", "by hand", f"{svn}/{name}-{len(tmp_path.name)}").returncode == 0
    )
    assert writes("alice", "Pw-alice") and reads("alice", "Pw-alice")
    assert f"alice-{len(tmp_path.name)}" in subversion("zoe", "Pw-zoe", "list", svn).stdout
    for name, password in [("alice", "wrong"), ("nobody", "x"), ("admin", "admin"), ("editors", ""), ("alice", "")]:
        assert not reads(name, password) and not writes(name, password)
    # Zoe is an administrator, and in no group.
    assert writes("zoe", "Pw-zoe")
    with row(tracker, "users", "login = 'zoe'"):
        tracker.run("UPDATE users SET admin = 0 WHERE login = 'zoe'")
        assert reads("zoe", "Pw-zoe")
        tracker.run("DELETE FROM users WHERE login = 'zoe'")
        assert not reads("zoe", "Pw-zoe")
    with row(tracker, "groups_users", "1 = 1"):
        tracker.run("DELETE FROM groups_users")
        refused = subversion("bob", "Pw-bob", "mkdir", "-m", "no", f"{svn}/bobs")
        assert refused.returncode != 0 and "forbidden" in refused.stderr.lower(), refused.stderr
    with row(tracker, "users", "login = 'bob'"):
        tracker.run("UPDATE users SET status = 3 WHERE login = 'bob'")
        assert not reads("bob", "Pw-bob")
    assert reads("bob", "Pw-bob")
