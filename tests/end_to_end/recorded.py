"""Sites that were recorded: the tables that a real Joomla 4.4.0 and a real phpBB 3.3.10 wrote into
MariaDB, with people logged in (`crates/core/tests/data/*.sql`, by mariadb-dump), and the verdicts
of their own password checks. Loaded into MariaDB as they are, and into PostgreSQL, where both run
as well, with the types that both give their columns there.
"""

import json
import re
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from hosts.daemon import hallpassd
from processes import give_away
from stores.mariadb import MariaDB
from stores.postgresql import PASSWORD, PostgreSQL

DATA = Path(__file__).parents[2] / "crates/core/tests/data"
HASHES = json.loads((DATA / "php_site_hashes.json").read_text())

STRING = re.compile(r"'(?:[^'\\]|\\.|'')*'", re.DOTALL)
BYTES = re.compile(r"\b0x([0-9A-F]+)\b")
COLUMN = re.compile(r"  `(\w+)` (\w+)(\(\d+\))?")


def to_postgresql(dump: str) -> str:
    """What mariadb-dump wrote, in PostgreSQL's words."""
    kinds = {"varbinary": "bytea", "longblob": "bytea", "mediumblob": "bytea", "datetime": "timestamp", "int": "bigint"}
    statements, creating = [], []
    for line in dump.splitlines():
        if line.startswith("CREATE TABLE"):
            creating = [line.replace("`", '"')]
        elif creating and (column := COLUMN.match(line)):
            name, kind, length = column.groups()
            if kind.endswith("int") or kind in kinds:
                kind = kinds.get("int" if kind.endswith("int") else kind)
            elif kind.endswith("text") or kind == "enum":
                kind = "text"
            else:
                kind += length or ""
            creating.append(f'  "{name}" {kind},')
        elif creating and line.startswith(")"):
            statements.append("\n".join(creating).rstrip(",") + ");")
            creating = []
        elif line.startswith(("INSERT INTO", "(")):
            statements.append(_values(line))
    return "\n".join(statements)


def _values(line: str) -> str:
    pieces, end = [], 0
    for string in STRING.finditer(line):
        pieces += [line[end : string.start()], "E" + string.group()]
        end = string.end()
    pieces.append(line[end:])
    for index in range(0, len(pieces), 2):
        bare = pieces[index].replace("`", '"')
        pieces[index] = BYTES.sub(r"'\\x\1'", bare)
    return "".join(pieces)


class Recorded:
    """A recorded site in a database of its own. `tables` are those that the tests change."""

    def __init__(self, server: MariaDB | PostgreSQL, name: str, dump: str, tables: list[str]):
        self.server, self.name, self.tables = server, name, tables
        self.mysql = isinstance(server, MariaDB)
        server.create_database(name)
        text = (DATA / dump).read_text()
        self.run(text if self.mysql else to_postgresql(text))
        self.keep()

    def run(self, *statements: str) -> str:
        """Runs statements with ANSI quotes as the site's own user."""
        sql = ";\n".join(statements)
        if self.mysql:
            # The dump itself has quotes of its own.
            mode = "" if "CREATE TABLE `" in sql else "SET sql_mode = 'ANSI_QUOTES';\n"
            return self.server.execute(mode + sql, self.name)
        return self.server.execute(sql, self.name, "site", PASSWORD, "127.0.0.1")

    def keep(self) -> None:
        """From here on, everything is put back to what it is now."""
        self.run(
            *(
                f'DROP TABLE IF EXISTS "kept_{table}"; '
                f'CREATE TABLE "kept_{table}" AS SELECT * FROM "{table}"'
                for table in self.tables
            )
        )

    @contextmanager
    def changed(self, *statements: str):
        """The site with some changes, which are undone."""
        try:
            self.run(*statements)
            yield
        finally:
            self.run(
                *(
                    f'DELETE FROM "{table}"; INSERT INTO "{table}" SELECT * FROM "kept_{table}"'
                    for table in self.tables
                )
            )

    def shift(self, table: str, *columns: str, recorded: int) -> None:
        """Moves times from when they were recorded to now."""
        by = int(time.time()) - recorded
        moved = ", ".join(f'"{column}" = "{column}" + {by}' for column in columns)
        self.run(f'UPDATE "{table}" SET {moved}')


def literal(text: str) -> str:
    """An SQL string, for text without backslashes."""
    assert "\\" not in text
    return "'" + text.replace("'", "''") + "'"


def php_literal(value: object) -> str:
    if isinstance(value, bool | int):
        return json.dumps(value)
    return "'" + str(value).replace("\\", "\\\\").replace("'", "\\'") + "'"


@contextmanager
def answered(found: dict, directory: Path, program: Path):
    """One hallpassd for a recorded site in both databases, in which the first is MariaDB's."""
    socket, first = directory / "http.sock", directory / "daemon.toml"
    text = found["mariadb"].site.config.read_text()
    first.write_text(f'daemon.listen = ["unix:{socket}?mode=0660"]\n{text}')
    give_away(first)
    with hallpassd(program, [first, found["postgresql"].site.config], socket) as daemon:
        for each in found.values():
            each.site = replace(each.site, daemon=daemon)
        yield found
