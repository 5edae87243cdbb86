"""MariaDB: TCP and the unix socket, TLS, and both of its own ways to check passwords."""

from pathlib import Path
from urllib.parse import quote

from processes import LOOPBACK, give_away

from .certificates import make_certificates
from .server import Server, ToolFailed

PASSWORD = "p@ss/w:rd?'#&=%41"


class MariaDB(Server):
    """A server whose administrator is `root`; the site's own user is `site`, and `hallpass`
    (mysql_native_password), `hallpass_tls` (the same, but never without TLS) and
    `hallpass25519` (ed25519) may read. All have PASSWORD. It offers TLS, or does not."""

    def __init__(self, directory: Path, tls: bool = True):
        super().__init__(directory)
        self.tls = tls

    def prepare(self) -> None:
        self.certificates = make_certificates(self.directory / "tls")
        # Servers that share one drop each other's temporary tables, and crash.
        self.temporary.mkdir()
        give_away(self.temporary)
        self.run(
            ["mariadb-install-db", "--no-defaults", f"--datadir={self.data}", "--skip-test-db"]
            + [f"--tmpdir={self.temporary}"]
            + ["--auth-root-authentication-method=normal", "--skip-name-resolve"]
            + ["--innodb-flush-method=nosync"],
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(self.directory)},
        )

    @property
    def data(self) -> Path:
        return self.directory / "data"

    @property
    def temporary(self) -> Path:
        return self.directory / "tmp"

    @property
    def socket(self) -> Path:
        return self.directory / "mariadb.sock"

    def command(self) -> list:
        options = {
            "datadir": self.data,
            "tmpdir": self.temporary,
            "socket": self.socket,
            "bind-address": LOOPBACK,
            "port": self.port,
            "pid-file": self.directory / "mariadb.pid",
            "plugin-load-add": "auth_ed25519",
            # Written at each commit, so that killing the server costs nothing.
            "innodb-flush-log-at-trx-commit": 2,
            "innodb-flush-method": "nosync",
            "innodb-buffer-pool-size": "32M",
            "max-connections": 60,
        }
        if self.tls:
            options |= {
                "ssl-cert": self.certificates.certificate,
                "ssl-key": self.certificates.key,
                "ssl-ca": self.certificates.authority,
            }
        return ["/usr/sbin/mariadbd", "--no-defaults", "--skip-name-resolve"] + [
            f"--{key}={value}" for key, value in options.items()
        ]

    def ready(self) -> bool:
        try:
            return self.execute("SELECT 1") == "1"
        except ToolFailed:
            return False

    def start(self) -> None:
        first = not self._prepared
        super().start()
        if first:
            self.make_users()

    def make_users(self) -> None:
        password = "'" + PASSWORD.replace("'", "''") + "'"
        self.execute(
            f"CREATE USER site IDENTIFIED BY {password};"
            f"CREATE USER hallpass IDENTIFIED BY {password};"
            f"CREATE USER hallpass_tls IDENTIFIED BY {password} REQUIRE SSL;"
            f"CREATE USER hallpass25519 IDENTIFIED VIA ed25519 USING PASSWORD({password});"
        )

    def execute(
        self,
        sql: str,
        database: str = "",
        user: str = "root",
        password: str = "",
        port: int | None = None,
        options: list[str] = [],
    ) -> str:
        """What the client prints of some statements: values by tabs, rows by newlines."""
        if port:
            where = [f"--host={LOOPBACK}", f"--port={port}", "--protocol=tcp"]
        else:
            where = [f"--socket={self.socket}"]
        command = ["mariadb", "--no-defaults", *where, f"--user={user}", "--batch", "--raw"]
        command += ["--skip-column-names", "--default-character-set=utf8mb4", *options]
        environment = {"MYSQL_PWD": password, "PATH": "/usr/bin:/bin"}
        command += [database] if database else []
        return self.run(command, sql, env=environment).decode().rstrip("\n")

    # As a site's database

    @property
    def databases(self) -> list[str]:
        return self.execute("SHOW DATABASES").split("\n")

    def create_database(self, name: str) -> None:
        """With the server's own collation, as sites mostly have it: it knows neither case nor
        accents."""
        self.execute(
            f"CREATE DATABASE {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci;"
            f"GRANT ALL ON {name}.* TO site;"
            f"GRANT SELECT ON {name}.* TO hallpass, hallpass_tls, hallpass25519"
        )

    def copy_database(self, name: str, copy: str) -> None:
        self.create_database(copy)
        dump = ["mariadb-dump", "--no-defaults", f"--socket={self.socket}", "--user=root", name]
        self.execute(self.run(dump, env={"PATH": "/usr/bin:/bin"}).decode(), copy)

    def django(self, name: str) -> dict:
        """The entry of DATABASES."""
        return {
            "ENGINE": "django.db.backends.mysql",
            "NAME": name,
            "USER": "site",
            "PASSWORD": PASSWORD,
            "HOST": LOOPBACK,
            "PORT": self.port,
            # Reading the system's authorities for each connection would take a tenth of a second.
            "OPTIONS": {"charset": "utf8mb4", "ssl_disabled": True},
        }

    def hallpass(self, name: str, user: str = "hallpass", socket: bool = False, **more) -> dict:
        """The table `database` of hallpass.toml."""
        if socket:
            where = f"{user}@localhost/{name}?socket={quote(str(self.socket), safe='/')}"
        else:
            where = f"{user}@{LOOPBACK}:{self.port}/{name}"
        return {"url": f"mysql://{where}", "password": PASSWORD} | more
