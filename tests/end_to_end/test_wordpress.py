"""A real WordPress from Debian, with MariaDB: what `hallpass init` writes agrees with the site itself, and
examples/nginx-wordpress lets in whom the site lets in, for as long as it does."""

import json
import shutil
from contextlib import ExitStack, contextmanager

import pytest

from hosts import example
from hosts.application import application
from hosts.events import Events
from hosts.fixtures import UNTHROTTLED
from hosts.nginx import hallpassd, nginx
from hosts.watching import reason
from hosts.web import basic
from processes import LOOPBACK, free_port, give_away
from programs import toml
from website.wordpress import ACCOUNTS, ADMIN, INSTALLED, KEYS, php
from website.wordpress import wordpress as wordpress_site

# Names, as they may be typed, of accounts and of nobody.
TYPED = ["ALICE", " alice ", "alice@example.org", "ALICE@Example.org", "o  neil.x", "<b>bob</b>", "al%69ice", "álice"]
NOBODY = ["alic", "alice|", "alice@example.com", "1", "", "al'ice", "alice\\", "%", "_lice", "a&b;lice2"]


def init(shell, site, output, *options, path=None):
    result = shell()("init", "wordpress", path or site.root, "--output", output, *options)
    assert result.code == 0, result.stderr.decode()
    give_away(output)
    return result


@pytest.fixture(scope="module")
def config(wordpress, shell, new_directory):
    """What init writes, with nothing added but patience."""
    output = new_directory() / "hallpass.toml"
    result = init(shell, wordpress, output)
    text = output.read_text()
    assert 'version = "6.1' in text and "passwords = false" not in text and "WARNING" not in text, text
    assert not any(key in text + result.text for key in KEYS.values())
    with output.open("a") as file:
        file.write('\n[limits]\ndeadline = "50s"\nfailures = 0\n')
    return output


@pytest.fixture(scope="module")
def hallpass(shell, config):
    return shell(config)


def test_passwords_are_those_of_the_login_page(wordpress, hallpass):
    passwords = {name: password for name, (password, _) in ACCOUNTS.items()} | {"admin": ADMIN}
    for name, password in passwords.items():
        for typed in (password, password.strip(), password + "x", password.swapcase(), ""):
            expected = wordpress.visitor().log_in(name, typed)
            result = hallpass.check(name, typed)
            assert result.granted == expected, (name, typed, result)
            if expected:
                assert result.json["user"] == name
    for typed in TYPED + NOBODY:
        for password in (passwords["alice"], passwords["o neil.x" if "neil" in typed else "bob"]):
            visitor = wordpress.visitor()
            expected = visitor.log_in(typed, password)
            result = hallpass.check(typed, password)
            assert result.granted == expected, (typed, password, result)
            if expected:
                assert result.json["user"] == visitor.token.split("|")[0]


def test_compare_agrees(wordpress, hallpass, config, directory):
    visitors = [wordpress.log_in(name) for name in ["admin", "alice", "bob", "o neil.x"]]
    tokens = [visitor.token for visitor in visitors]
    visitors[1].log_out()
    remembered = wordpress.visitor()
    assert remembered.log_in("carol", ACCOUNTS["carol"][0], remember=True)
    tokens.append(remembered.token)
    file = directory / "tokens"
    file.write_text("".join(f"{token}\n" for token in tokens))
    before = wordpress.contents()
    result = hallpass("compare", wordpress.root, "--tokens", file, "--json")
    report = result.json
    assert result.code == 0, (report, result.stderr)
    assert (report["verdict"], report["percent"], report["differences"]) == ("agree", 100, [])
    assert report["accounts"] == len(ACCOUNTS) + 1 and report["software"].startswith("WordPress 6.1")
    questions = {it["question"]: it for it in report["questions"]}
    assert questions["sessions"]["granted"] == len(tokens) - 1 and questions["sessions"]["denied"] == 1
    assert questions["changed sessions"]["granted"] == 0 < questions["changed sessions"]["denied"]
    assert wordpress.contents() == before
    assert not any(token.encode() in result.stdout + result.stderr for token in tokens)


def test_roles_and_capabilities_are_wordpress_own(wordpress, hallpass):
    for name in ["admin", "alice"]:
        said = wordpress.run(
            "$user = get_user_by('login', $told['name']); $can = []; foreach ($told['asked'] as $cap) "
            "{ $can[$cap] = @$user->has_cap($cap); } return ['roles' => $user->roles, 'can' => $can];",
            name=name,
            asked=["read", "edit_posts", "publish_posts", "manage_options", "customize", "delete_site", "update_core",
                   "edit_users", "unfiltered_upload", "manage_links", "edit_post", "level_1", "exist", "nothing_such"],
        )
        assert hallpass("groups", name).text.split() == sorted(said["roles"])
        for capability, holds in said["can"].items():
            assert (hallpass("can", name, capability).code == 0) == holds, (name, capability)


def test_the_doctor_has_nothing_to_say_of_the_site(wordpress, hallpass):
    findings = hallpass("doctor", "--json").json["findings"]
    # The site's own user may write, which is worth a word.
    bad = [it for it in findings if it["status"] != "ok" and it["check"] not in ("privileges", "rights", "hosts")]
    assert not [it for it in bad if it["status"] == "problem"], bad


# What a configuration cannot express


def test_plugins_that_have_a_say_are_named(wordpress, shell, directory):
    plugins = wordpress.root / "wp-content/mu-plugins"
    output = directory / "hallpass.toml"
    alice = wordpress.log_in("alice")
    for name, code, denied in [
        ("second-factor.php", "<?php add_action( 'wp_login', 'ask_for_more', 10, 2 );", "passwords"),
        ("tokens.php", "<?php add_filter( \"session_token_manager\", 'elsewhere' );", "sessions"),
        ("rest.php", "<?php add_filter( 'determine_current_user', 'another' );", None),
    ]:
        plugin = plugins / name
        plugin.write_text(code.replace("<?php ", "<?php return; "))
        try:
            init(shell, wordpress, output, "--force")
        finally:
            plugin.unlink()
        text = output.read_text()
        assert name in text, text
        for what in ("passwords", "sessions"):
            assert (f"\n{what} = false" in text) == (what == denied), text
        result = shell(output).check("alice", ACCOUNTS["alice"][0])
        assert result.granted == (denied != "passwords"), result
        result = shell(output)("session", "--json", "--cookie", alice.cookie)
        assert (result.code == 0) == (denied != "sessions"), result
    # One that the database says is active, and one that is not.
    for name in ("active", "other"):
        folder = wordpress.root / "wp-content/plugins" / name
        folder.mkdir()
        (folder / "plugin.php").write_text("<?php return;\nadd_filter('authenticate', 'f');")
    wordpress.run("return update_option('active_plugins', ['active/plugin.php']);")
    try:
        init(shell, wordpress, output, "--force")
        text = output.read_text()
        assert "active" in text and "passwords = false" in text and "other" not in text.split("[wordpress]")[1], text
    finally:
        wordpress.run("return update_option('active_plugins', []);")
        for name in ("active", "other"):
            shutil.rmtree(wordpress.root / "wp-content/plugins" / name)


# WordPress' own cache, kept in a file from one request to the next: a persistent object cache.
OBJECT_CACHE = """<?php
require_once ABSPATH . WPINC . '/cache.php';
$kept = new ReflectionProperty('WP_Object_Cache', 'cache');
$kept->setAccessible(true);
add_action('muplugins_loaded', function () use ($kept) {
    $before = unserialize(file_get_contents(FILE));
    $kept->setValue($GLOBALS['wp_object_cache'], $before + $kept->getValue($GLOBALS['wp_object_cache']));
});
register_shutdown_function(function () use ($kept) {
    $groups = array_flip(['users', 'userlogins', 'useremail', 'user_meta']);
    $now = array_intersect_key($kept->getValue($GLOBALS['wp_object_cache']), $groups);
    file_put_contents(FILE, serialize($now));
});
"""


def test_what_a_persistent_object_cache_means(wordpress, shell, hallpass, directory):
    drop_in, output = wordpress.root / "wp-content/object-cache.php", directory / "hallpass.toml"
    kept = directory / "kept"
    kept.write_text("a:0:{}")
    give_away(kept)

    def email() -> list[str]:
        """The address of bob, as WordPress says it, and as Hallpass does."""
        said = wordpress.run("return get_user_by('login', 'bob')->user_email;")
        return [said, hallpass("user", "bob", "--json").json["email"]]

    drop_in.write_text(OBJECT_CACHE.replace("FILE", php(str(kept))))
    try:
        init(shell, wordpress, output)
        text = output.read_text()
        assert "object-cache.php" in text and "wp cache flush" in text, text
        assert "passwords = false" not in text and "sessions = false" not in text
        assert email() == ["bob@example.org"] * 2
        # Past WordPress: the site goes on with what it has in its cache.
        change = "UPDATE wp_users SET user_email = 'new@example.org' WHERE user_login = 'bob'"
        wordpress.mariadb.execute(change, wordpress.name)
        assert email() == ["bob@example.org", "new@example.org"]
        wordpress.run("return wp_cache_flush();")
        assert email() == ["new@example.org"] * 2
        # By WordPress itself: both at once.
        wordpress.run(
            "return wp_update_user(['ID' => get_user_by('login', 'bob')->ID, 'user_email' => 'bob@example.org']);"
        )
        assert email() == ["bob@example.org"] * 2
    finally:
        drop_in.unlink()
        change = "UPDATE wp_users SET user_email = 'bob@example.org' WHERE user_login = 'bob'"
        wordpress.mariadb.execute(change, wordpress.name)


def test_what_a_file_computes_is_asked_for(wordpress, shell, directory):
    site, output = directory / "site", directory / "hallpass.toml"
    site.mkdir()
    text = (wordpress.root / "wp-config.php").read_text()
    computed = text.replace(php(KEYS["LOGGED_IN_KEY"]), "getenv('LOGGED_IN_KEY')")
    assert computed != text
    (site / "wp-config.php").write_text(computed + "\nif ($more = getenv('MORE')) { eval($more); }\n")
    result = shell()("init", "wordpress", site, "--output", output)
    assert result.code == 2 and not output.exists()
    for name in (b"LOGGED_IN_KEY", b"logged_in_key", b"$table_prefix", b"multisite", b"custom_user_table"):
        assert name in result.stderr, result.stderr
    # With what was asked for, passwords are checked; sessions wait for the cookie's name.
    lines = {"table_prefix": "wp_", "logged_in_key": KEYS["LOGGED_IN_KEY"], "multisite": "", "subdomain_install": "",
             "custom_user_table": "", "custom_user_meta_table": "", "version": "6.1"}
    tables = {"framework": "wordpress", "wordpress": {"configuration": str(site / "wp-config.php")} | lines}
    alice = wordpress.log_in("alice")
    for more, expected in [({}, None), ({"logged_in_cookie": alice.cookie.split("=")[0]}, "alice")]:
        tables["wordpress"] |= more
        output.write_text(toml(tables))
        hallpass = shell(give_away(output))
        assert hallpass.check("alice", ACCOUNTS["alice"][0]).granted
        result = hallpass("session", "--json", "--cookie", alice.cookie)
        if expected:
            assert result.json["user"] == expected, result
        else:
            assert result.code == 2 and b"logged_in_cookie" in result.stderr


def test_debians_file_is_that_of_the_host(wordpress, shell, directory):
    """Its master file includes the one of the host that the browser asks for."""
    etc, root, output = directory / "etc", directory / "site", directory / "hallpass.toml"
    etc.mkdir()
    root.mkdir()
    master = (INSTALLED / "wp-config.php").read_text()
    (root / "wp-config.php").write_text(master.replace("/etc/wordpress/", f"{etc}/"))
    settings = (wordpress.root / "wp-config.php").read_text().split("/* That's all")[0]
    settings = settings.replace("$table_prefix = 'wp_';", "")
    alone = etc / "config-blog.example.org.php"
    alone.write_text(settings)
    init(shell, wordpress, output, path=root)
    assert f'configuration = "{alone}"' in output.read_text()
    assert shell(output).check("alice", ACCOUNTS["alice"][0]).granted
    (etc / "config-default.php").write_text(settings.replace(wordpress.name, "another"))
    result = shell()("init", "wordpress", root, "--output", output, "--force")
    assert result.code == 2 and b"--host" in result.stderr and b"blog.example.org" in result.stderr
    for host, expected in [("blog.example.org", alone), ("www.blog.example.org", alone),
                           ("elsewhere.org", etc / "config-default.php")]:
        written = shell()("init", "wordpress", root, "--output", output, "--force", "--host", host)
        assert f'configuration = "{expected}"' in output.read_text(), written.stderr
    by_master = directory / "master.toml"
    by_master.write_text(
        f'framework = "wordpress"\n[wordpress]\nconfiguration = "{root}/wp-config.php"\nhost = "blog.example.org"\n'
    )
    assert shell(give_away(by_master)).check("alice", ACCOUNTS["alice"][0]).granted


# The example


class World:
    """nginx, hallpassd and an application, as the example has them."""

    def __init__(self, site, nginx, daemon, application):
        self.site, self.nginx, self.daemon, self.application = site, nginx, daemon, application

    def status(self, path, visitor=None, headers=()) -> int:
        headers = list(headers)
        if visitor is not None and visitor.cookie:
            headers.append(("Cookie", visitor.cookie))
        return self.nginx.ask(path, headers).status

    def told(self, path, visitor, headers=()) -> dict:
        answer = self.nginx.ask(path, [("Cookie", visitor.cookie), *headers])
        assert answer.status == 200, answer
        return dict(json.loads(answer.body)["headers"])


@pytest.fixture(scope="module")
def world(wordpress, new_directory, hallpass_programs):
    directory, port = new_directory(), free_port()
    socket = directory / "http.sock"
    with application() as behind:
        etc = example.install(
            "nginx-wordpress",
            directory / "etc",
            {
                "listen 80;": f"listen {LOOPBACK}:{port};",
                "127.0.0.1:8000": f"{LOOPBACK}:{behind.port}",
                "unix:/run/hallpass/http.sock?mode=0660": f"unix:{socket}?mode=0660",
                "unix:/run/hallpass/http.sock;": f"unix:{socket};",
                "/var/www/wordpress": str(wordpress.root),
                "https://www.example.org": wordpress.url,
                "deadline = \"4s\"": "deadline = \"50s\"",
            }
            | UNTHROTTLED,
        )
        shutil.copytree(example.EXAMPLES / "nginx-django/snippets", etc / "snippets")
        config = give_away(etc / "hallpass.toml")
        with nginx(directory, port) as server, hallpassd(hallpass_programs["hallpassd"], config, socket) as daemon:
            yield World(wordpress, server, daemon, behind)


@contextmanager
def account(site, name, password="Pw of somebody", role="author"):
    """An account for one test."""
    site.register(name, password, role)
    try:
        yield password
    finally:
        site.run("require_once 'wp-admin/includes/user.php'; $user = get_user_by('login', $told['name']); "
                 "return $user && wp_delete_user($user->ID);", name=name)


def test_a_visitor_is_in_while_the_site_says_so(world):
    site = world.site
    assert world.status("/members/") == 302
    with account(site, "erin") as password:
        erin = site.log_in("erin", password)
        forged = [("Remote-User", "admin"), ("Remote-Groups", "administrator"), ("X-Forwarded-For", "10.0.0.1")]
        told = world.told("/members/", erin, forged)
        assert (told["remote-user"], told["remote-groups"]) == ("erin", "author")
        assert told["remote-email"] == "erin@example.org" and told["x-forwarded-for"] == LOOPBACK
        assert world.status("/authors/", erin) == 200
        assert world.status("/editors/", erin) == 403
        # A role that is given counts at once, and so does one that is taken.
        site.run("return get_user_by('login', 'erin')->set_role('editor');")
        assert world.status("/editors/", erin) == 200
        site.run("return get_user_by('login', 'erin')->set_role('subscriber');")
        assert world.status("/editors/", erin) == 403 and world.status("/authors/", erin) == 403
        assert world.status("/members/", erin) == 200
        # A second session ends alone.
        other = site.log_in("erin", password)
        kept = other.cookie
        assert world.status("/members/", other) == 200
        other.log_out()
        other.cookies["x_logged_in_x"] = ""
        assert world.nginx.ask("/members/", [("Cookie", kept)]).status == 302
        assert world.status("/members/", erin) == 200
        # A new password ends all sessions but the one that chose it, which gets another cookie.
        other = site.log_in("erin", password)
        old = erin.cookie
        erin.change_password("Another of it's \"own\"")
        assert erin.cookie != old
        assert world.nginx.ask("/members/", [("Cookie", old)]).status == 302
        assert world.status("/members/", other) == 302
        assert world.status("/members/", erin) == 200
        for typed, expected in [("Another of it's \"own\"", 200), (password, 401)]:
            assert site.visitor().log_in("erin", typed) == (expected == 200)
            assert world.status("/api/", headers=[("Authorization", basic("erin", typed))]) == expected
    # The account is gone.
    assert world.status("/members/", erin) == 302


def test_a_stream_ends_as_the_site_ends_its_sessions(world):
    site = world.site
    with ExitStack() as open_, account(site, "eve") as password:

        def stream(visitor, query: str = "") -> Events:
            events = Events(world.daemon.address, {"Cookie": visitor.cookie}, f"/session/events{query}")
            assert events.status == 200
            return open_.enter_context(events)

        eve, other, third = [site.log_in("eve", password) for _ in range(3)]
        of_eve, author = stream(eve), stream(eve, "?group=author")
        of_other, of_third = stream(other), stream(third)
        for each in (of_eve, author, of_other, of_third):
            assert each.next()[0] == "identity"
        other.log_out()
        assert reason(of_other) == "logout"
        site.run("return get_user_by('login', 'eve')->set_role('subscriber');")
        assert reason(author) == "conditions"
        # WordPress ends all other sessions itself.
        third.change_password("Another of hers")
        assert reason(of_eve) == "logout" == reason(of_third)
        last = stream(third)
        assert last.next()[0] == "identity"
        site.run("require_once 'wp-admin/includes/user.php'; return wp_delete_user(get_user_by('login', 'eve')->ID);")
        assert reason(last) == "closed"


def test_the_login_page_leads_back(world):
    answer = world.nginx.ask("/members/a?b=c&d=%20e", [])
    assert answer.status == 302
    back = "%2Fmembers%2Fa%3Fb%3Dc%26d%3D%2520e"
    assert answer.headers["Location"] == f"{world.site.url}/wp-login.php?redirect_to={back}"


def test_nothing_but_the_cookie_itself_is_a_session(world):
    alice, bob = world.site.log_in("alice"), world.site.log_in("bob")
    name, value = alice.cookie.split("=", 1)
    others = {key: text for key, text in alice.cookies.items() if "logged_in" not in key}
    assert others
    for cookie in [
        f"{name}=", f"{name}=x", f"{name}={value[:-1]}", f"{name}={value}x", f"x{name}={value}", f"{name}x={value}",
        f"{name}={value.replace('%7C', '%257C')}", f"{name}={value.replace('alice', 'bob')}",
        f"{name}={value.replace('alice', 'ALICE')}", f"{name}={value.replace('alice', 'admin')}",
        f"{name}=x; {name}={value}", "; ".join(f"{name}={text}" for text in others.values()),
        "; ".join(f"{key}={text}" for key, text in others.items()),
        f"{name}={value.rsplit('%7C', 1)[0]}%7C{bob.cookie.rsplit('%7C', 1)[1]}",
    ]:
        assert world.nginx.ask("/members/", [("Cookie", cookie)]).status == 302, cookie
    # With both, the name that a program claims binds.
    for claimed, expected in [("alice", 200), ("ALICE", 200), ("bob", 401), ("admin", 401), ("", 401)]:
        headers = [("Authorization", basic(claimed, "wrong"))]
        assert world.status("/api/", alice, headers) == expected, claimed


def test_application_passwords_are_for_programs(wordpress, shell, config, directory):
    made = wordpress.run(
        "return WP_Application_Passwords::create_new_application_password(get_user_by('login', 'alice')->ID, "
        "['name' => 'cli'])[0];"
    )
    on = directory / "hallpass.toml"
    on.write_text(config.read_text().replace("[wordpress]", "[wordpress]\napplication_passwords = true\n#"))
    on, off = shell(give_away(on)), shell(config)
    spaced = " ".join(made[place : place + 4] for place in range(0, 24, 4))
    for typed in (made, spaced):
        for name, expected in [("alice", True), ("alice@example.org", True), ("bob", False), ("nobody", False)]:
            assert on.check(name, typed).granted == expected, (name, typed)
            assert not off.check(name, typed).granted
    assert not on.check("alice", made.swapcase()).granted
    wordpress.run("return WP_Application_Passwords::delete_all_application_passwords(get_user_by('login', 'alice')->ID);")
    assert not on.check("alice", made).granted


# A network of sites


@pytest.fixture(scope="module")
def network(mariadb, new_directory):
    """Two sites; bob is a super administrator, alice an editor of the first and nobody in the second."""
    with wordpress_site(mariadb, new_directory(), "network") as site:
        site.run(
            "require_once 'wp-admin/includes/upgrade.php'; define('WP_INSTALLING_NETWORK', true); global $wpdb; "
            "foreach ($wpdb->tables('ms_global') as $table => $name) { $wpdb->$table = $name; } "
            "install_network(); return populate_network(1, $told['host'], 'a@example.org', 'Net', '/', false);",
            host=f"{LOOPBACK}:{site.port}",
        )
        site.network = {
            "MULTISITE": True, "SUBDOMAIN_INSTALL": False, "DOMAIN_CURRENT_SITE": f"{LOOPBACK}:{site.port}",
            "PATH_CURRENT_SITE": "/", "SITE_ID_CURRENT_SITE": "1", "BLOG_ID_CURRENT_SITE": "1",
        }
        site.configure(**site.network)
        site.run(
            "grant_super_admin(get_user_by('login', 'bob')->ID); $blog = wpmu_create_blog($told['host'], '/shop/', "
            "'Shop', get_user_by('login', 'carol')->ID); add_user_to_blog($blog, get_user_by('login', 'dave')->ID, "
            "'author'); return $blog;",
            host=f"{LOOPBACK}:{site.port}",
        )
        yield site


@pytest.mark.parametrize("blog", [1, 2])
def test_a_network_agrees(network, shell, directory, blog):
    output = directory / "hallpass.toml"
    init(shell, network, output, "--blog", str(blog))
    with output.open("a") as file:
        file.write('\n[limits]\ndeadline = "50s"\nfailures = 0\n')
    hallpass = shell(output)
    visitors = [network.log_in(name) for name in ("alice", "bob", "carol")]
    file = directory / "tokens"
    file.write_text("".join(f"{visitor.token}\n" for visitor in visitors))
    before = network.contents()
    report = hallpass("compare", network.root, "--tokens", file, "--json").json
    assert (report["verdict"], report["percent"], report["differences"]) == ("agree", 100, []), report
    assert network.contents() == before
    for visitor, groups in zip(visitors, [["editor"], ["author"], ["subscriber"]] if blog == 1 else [[], [], ["administrator"]]):
        result = hallpass("session", "--json", "--cookie", visitor.cookie).json
        assert result["groups"] == groups, result
    assert hallpass("can", "bob", "manage_network").code == 0
    assert hallpass("can", "carol", "manage_network").code == 1
    # One that the network has marked as spam logs in no more, and its session goes on.
    network.run("return update_user_status(get_user_by('login', 'alice')->ID, 'spam', 1);")
    try:
        assert not network.visitor().log_in("alice", ACCOUNTS["alice"][0])
        assert not hallpass.check("alice", ACCOUNTS["alice"][0]).granted
        assert hallpass("session", "--json", "--cookie", visitors[0].cookie).granted
        report = hallpass("compare", network.root, "--tokens", file, "--json").json
        assert report["percent"] == 100, report
    finally:
        network.run("return update_user_status(get_user_by('login', 'alice')->ID, 'spam', 0);")
