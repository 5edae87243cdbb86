"""The programs under test, and their configuration file."""

import json
import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import logs

# Longer than any deadline of the programs: passing it means that one hangs.
HANGS = 60

# A `deadline` that nothing passes for the machine being busy, where no test is about it.
PATIENT = "30s"


@dataclass(frozen=True)
class Result:
    """How a program ended, and what it wrote."""

    code: int
    stdout: bytes
    stderr: bytes = field(repr=False)

    @property
    def text(self) -> str:
        return self.stdout.decode()

    @property
    def json(self) -> dict:
        """The one object that `--json` prints."""
        return json.loads(self.stdout)

    @property
    def granted(self) -> bool:
        """The verdict by exit code alone; fails for anything but granted and denied."""
        assert self.code in (0, 1), (self, self.stderr.decode(errors="replace"))
        return self.code == 0


def run(command: list, input: bytes | str = b"", **options) -> Result:
    """Runs a program to its end. Options are those of subprocess.run."""
    completed = subprocess.run(
        [word if isinstance(word, bytes) else os.fspath(word) for word in command],
        input=input.encode() if isinstance(input, str) else input,
        capture_output=True,
        timeout=HANGS,
        **options,
    )
    logs.look_through(completed.stderr or b"", f"the standard error of {command[0]}")
    return Result(completed.returncode, completed.stdout, completed.stderr)


def toml(tables: dict) -> str:
    """The TOML text of a configuration; its tables are dictionaries, None leaves a key out."""
    logs.note_keys(tables)

    def value(item) -> str:
        if isinstance(item, dict):
            return "{ " + ", ".join(f"{key} = {value(inner)}" for key, inner in item.items()) + " }"
        if isinstance(item, list):
            return "[" + ", ".join(map(value, item)) + "]"
        if isinstance(item, bool | int):
            return json.dumps(item)
        # JSON's escapes are TOML's, except that TOML wants DEL escaped too.
        return json.dumps(os.fspath(item), ensure_ascii=False).replace("\x7f", "\\u007f")

    lines = [
        f"{k} = {value(v)}" for k, v in tables.items() if v is not None and not isinstance(v, dict)
    ]
    for name, table in tables.items():
        if isinstance(table, dict):
            lines += ["", f"[{name}]"]
            lines += [f"{key} = {value(item)}" for key, item in table.items() if item is not None]
    return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class Programs:
    """A directory of built programs that any user can run."""

    directory: Path

    def __getitem__(self, name: str) -> Path:
        program = self.directory / name
        assert program.exists(), f"{name} is not built: run tests/run, or set HALLPASS_PROGRAMS"
        return program


@dataclass(frozen=True)
class Shell:
    """The program `hallpass` with one configuration file."""

    program: Path
    config: Path | None = None

    def __call__(self, *arguments, input: bytes | str = b"", **options) -> Result:
        config = ["--config", self.config] if self.config else []
        return run([self.program, *config, *arguments], input, **options)

    def check(self, user: str | bytes, password: str | bytes, *options) -> Result:
        """`hallpass check USER --json`, with the password on standard input."""
        if isinstance(password, str):
            password = password.encode("utf-8", "surrogateescape")
        logs.note(password)
        return self("check", "--json", *options, "--", user, input=password + b"\n")

    def session(self, token: str | bytes) -> Result:
        """`hallpass session TOKEN --json`."""
        logs.note(token)
        return self("session", "--json", "--", token)

    def hash_verify(self, encoded: str, password: str, *options) -> Result:
        """`hallpass hash verify ENCODED --json`; needs no configuration."""
        return run(
            [self.program, "hash", "verify", "--json", *options, "--", encoded],
            password + "\n",
        )
