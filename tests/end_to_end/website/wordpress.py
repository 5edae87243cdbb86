"""A real WordPress: Debian's, with a database of its own in MariaDB, served by PHP's own server."""

import html
import json
import re
import shutil
import subprocess
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import logs
from hosts import web
from processes import LOOPBACK, free_port, give_away, listening, running, unprivileged
from stores.mariadb import PASSWORD

INSTALLED = Path("/usr/share/wordpress")
NAMES = ["AUTH", "SECURE_AUTH", "LOGGED_IN", "NONCE"]
KEYS = {
    f"{name}_{kind}": f"{name} {kind} of the tests {number} 0123456789 abcdefghijklmnopqrstuvwxyz"
    for number, name in enumerate(NAMES)
    for kind in ("KEY", "SALT")
}
ADMIN = "correct horse battery"
# The accounts beside the administrator: password and role.
ACCOUNTS = {
    "alice": ("Pw of alice", "editor"),
    "bob": ("  pw of bob ", "author"),
    "carol": ("пароль <b>&amp;</b> 😀", "subscriber"),
    "dave": ("0", "subscriber"),
    "o neil.x": ("Pw of o neil", "subscriber"),
}
# Run with the site's own code.
CODE = "require getcwd() . '/wp-load.php'; $told = json_decode(fgets(STDIN), true); "


def php(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "'" + str(value).replace("\\", "\\\\").replace("'", "\\'") + "'"


@dataclass
class Visitor:
    """A browser: its cookies, and the page that it asks."""

    site: "WordPress"
    cookies: dict[str, str] = field(default_factory=dict)

    def ask(self, path: str, form: dict[str, str] | None = None):
        headers = [("Host", f"{LOOPBACK}:{self.site.port}")]
        if self.cookies:
            headers.append(("Cookie", "; ".join(f"{name}={value}" for name, value in self.cookies.items())))
        options = {}
        if form is not None:
            options = {"method": "POST", "body": urllib.parse.urlencode(form).encode()}
            headers.append(("Content-Type", "application/x-www-form-urlencoded"))
            headers.append(("Content-Length", str(len(options["body"]))))
        answer = web.ask(self.site.address, path, headers, **options)
        for line in answer.headers.get_all("Set-Cookie") or []:
            name, value = line.split(";")[0].split("=", 1)
            logs.note(value, urllib.parse.unquote(value))
            self.cookies[name] = value
            if "Max-Age=0" in line or "01-Jan-1970" in line:
                del self.cookies[name]
        return answer

    def page(self, path: str) -> str:
        answer = self.ask(path)
        assert answer.status == 200, answer
        return answer.body.decode()

    def log_in(self, name: str, password: str, remember: bool = False) -> bool:
        """Whether the login page lets in."""
        logs.note(password)
        self.cookies["wordpress_test_cookie"] = "WP%20Cookie%20check"
        form = {"log": name, "pwd": password, "wp-submit": "Log In", "testcookie": "1"}
        if remember:
            form["rememberme"] = "forever"
        return self.ask("/wp-login.php", form).status == 302

    @property
    def cookie(self) -> str | None:
        """The cookie that says who is logged in, as `name=value`."""
        found = [f"{name}={value}" for name, value in self.cookies.items() if "_logged_in_" in name]
        return found[0] if found else None

    @property
    def token(self) -> str:
        return urllib.parse.unquote(self.cookie.split("=", 1)[1])

    def log_out(self) -> None:
        link = re.search(r"wp-login\.php\?action=logout&(?:amp|#0?38);_wpnonce=\w+", self.page("/wp-admin/profile.php"))
        self.ask("/" + html.unescape(link[0]))
        assert self.cookie is None

    def change_password(self, password: str) -> None:
        """By the profile page."""
        page = self.page("/wp-admin/profile.php")
        fields = {}
        for element in re.findall(r"<input[^>]*>", page):
            attributes = dict(re.findall(r"""([\w-]+)=["']([^"']*)["']""", element))
            if attributes.get("type") in ("hidden", "text", "email", "url"):
                fields[attributes.get("name", "")] = html.unescape(attributes.get("value", ""))
        logs.note(password)
        fields |= {"action": "update", "pass1": password, "pass2": password, "pw_weak": "on"}
        answer = self.ask("/wp-admin/profile.php", fields)
        assert answer.status == 302 and "updated" in answer.headers["Location"], re.findall(r"(?s)<div[^>]*error.*?</div>", answer.body.decode())


class WordPress:
    """The site, running."""

    def __init__(self, directory: Path, mariadb, name: str):
        self.directory, self.mariadb, self.name = directory, mariadb, name
        self.root = directory / "wordpress"
        self.port = free_port()
        self.address = (LOOPBACK, self.port)
        self.url = f"http://{LOOPBACK}:{self.port}"

    def copy(self) -> None:
        self.root.mkdir()
        for file in INSTALLED.glob("*.php"):
            if file.name != "wp-config.php":
                shutil.copy(file, self.root)
        # Its files find each other by their own place, so they may not be links.
        shutil.copytree(INSTALLED / "wp-admin", self.root / "wp-admin", symlinks=True)
        (self.root / "wp-includes").symlink_to(INSTALLED / "wp-includes")
        for name in ("plugins", "mu-plugins", "themes"):
            (self.root / "wp-content" / name).mkdir(parents=True)
        theme = self.root / "wp-content/themes/plain"
        theme.mkdir()
        (theme / "style.css").write_text("/* Theme Name: Plain */\n")
        (theme / "index.php").write_text("<?php echo json_encode(wp_get_current_user()->user_login);\n")

    def configure(self, more: str = "", **constants) -> Path:
        """Writes wp-config.php as WordPress' own installer does."""
        settings = {
            "DB_NAME": self.name,
            "DB_USER": "site",
            "DB_PASSWORD": PASSWORD,
            "DB_HOST": f"{LOOPBACK}:{self.mariadb.port}",
            "DB_CHARSET": "utf8mb4",
            "DB_COLLATE": "",
            **KEYS,
            "WP_DEFAULT_THEME": "plain",
            "DISABLE_WP_CRON": True,
            "WP_HTTP_BLOCK_EXTERNAL": True,
            "AUTOMATIC_UPDATER_DISABLED": True,
        } | constants
        lines = [f"define( {php(key)}, {php(value)} );\n" for key, value in settings.items() if value is not None]
        file = self.root / "wp-config.php"
        file.write_text(
            "<?php\n/** The base configuration for WordPress */\n"
            + "".join(lines)
            + "$table_prefix = 'wp_';\n"
            + more
            + "\n/* That's all, stop editing! Happy publishing. */\n"
            "if ( ! defined( 'ABSPATH' ) ) {\n\tdefine( 'ABSPATH', __DIR__ . '/' );\n}\n"
            "require_once ABSPATH . 'wp-settings.php';\n"
        )
        return give_away(file)

    def command(self) -> list:
        return ["php", "-d", "sendmail_path=/bin/true", "-d", "display_errors=0", "-S", f"{LOOPBACK}:{self.port}"] + [
            "-t", self.root
        ]

    def install(self) -> None:
        """By the installer's own page."""
        logs.note(ADMIN)
        form = {
            "weblog_title": "Club", "user_name": "admin", "admin_password": ADMIN, "admin_password2": ADMIN,
            "pw_weak": "on", "admin_email": "admin@example.org", "blog_public": "0", "Submit": "Install WordPress",
        }
        answer = Visitor(self).ask("/wp-admin/install.php?step=2", form)
        assert answer.status == 200 and b"wp-login.php" in answer.body, answer
        self.register_all(ACCOUNTS)

    def run(self, code: str, **told) -> object:
        """What a program returns that runs with the site's own code; `$told` are its arguments."""
        result = subprocess.run(
            ["php", "-d", "display_errors=stderr", "-r", CODE + f"echo \"\\n\" . json_encode((function () use ($told) {{ {code} }})());"],
            cwd=self.root, input=json.dumps(told) + "\n", capture_output=True, text=True, timeout=120,
            env={"PATH": "/usr/bin:/bin"}, **unprivileged(),
        )
        assert result.returncode == 0, result.stderr + result.stdout
        return json.loads(result.stdout.rpartition("\n")[2])

    def register(self, name: str, password: str, role: str) -> None:
        self.register_all({name: (password, role)})

    def register_all(self, accounts: dict[str, tuple[str, str]]) -> None:
        """As the page for a new account does."""
        logs.note(*(password for password, _ in accounts.values()))
        made = self.run(
            "return array_map(fn ($it) => wp_insert_user(['user_login' => $it[0], 'user_pass' => wp_slash($it[1]), "
            "'user_email' => $it[2], 'role' => $it[3]]), $told['accounts']);",
            accounts=[
                [name, password, re.sub(r"\W", "", name) + "@example.org", role]
                for name, (password, role) in accounts.items()
            ],
        )
        assert all(isinstance(number, int) for number in made), made

    def visitor(self) -> Visitor:
        return Visitor(self)

    def log_in(self, name: str, password: str | None = None) -> Visitor:
        visitor = Visitor(self)
        if password is None:
            password = ADMIN if name == "admin" else ACCOUNTS[name][0]
        assert visitor.log_in(name, password), name
        return visitor

    def contents(self) -> str:
        """Everything in its database."""
        tables = self.mariadb.execute("SHOW TABLES", self.name).split("\n")
        return self.mariadb.execute("CHECKSUM TABLE " + ", ".join(tables), self.name)


@contextmanager
def wordpress(mariadb, directory: Path, name: str) -> Iterator[WordPress]:
    site = WordPress(directory, mariadb, name)
    mariadb.create_database(name)
    site.copy()
    site.configure()
    for path in (site.root, *site.root.rglob("wp-content")):
        give_away(path)
    with running(
        site.command(), directory / "php.log", lambda: listening(site.port),
        **unprivileged() | {"env": {"PATH": "/usr/bin:/bin", "PHP_CLI_SERVER_WORKERS": "3"}},
    ):
        site.install()
        yield site
