"""A PHP site asked through every door that takes its sessions: the shell, and hallpassd's."""

import json
from dataclasses import dataclass
from pathlib import Path

from hosts.daemon import Daemon
from hosts.web import Answer
from processes import give_away
from programs import PATIENT, Result, Shell, toml


@dataclass(frozen=True)
class Site:
    """A site by its name in hallpassd, and by its own configuration in the shell."""

    name: str
    config: Path
    shell: Shell
    daemon: Daemon
    cookie: str = "PHPSESSID"

    def auth(self, cookies: str | bytes, **headers: str) -> Answer:
        return self.daemon.ask(f"/{self.name}/auth?basic=0", {"Cookie": cookies} | headers)

    def session(self, cookies: str | bytes, **headers: str) -> Answer:
        return self.daemon.ask(f"/{self.name}/session?basic=0", {"Cookie": cookies} | headers)

    def by_header(self, cookies: str | bytes) -> str | None:
        """Whose session it is, by hallpassd, whose two doors must agree."""
        auth, session = self.auth(cookies), self.session(cookies)
        assert auth.status == session.status, (auth, session)
        assert auth.status in (200, 401), auth
        if auth.status == 401:
            assert auth.headers["Remote-User"] == "" and "user" not in json.loads(session.body)
            return None
        return json.loads(session.body)["user"]

    def reason(self, token: str) -> str:
        """The name or the reason that the shell gives; hallpassd must agree."""
        reason = said(self.shell.session(token))
        granted = reason if reason not in REASONS else None
        assert self.by_header(f"{self.cookie}={token}") == granted, (token, reason)
        return reason


REASONS = {
    "unknown-user", "inactive", "no-session", "expired-session", "invalid-session",
    "anonymous-session", "stale-session", "wrong-user", "not-permitted", "malformed",
}


def said(result: Result) -> str:
    """The name of whoever is granted, or the reason."""
    answer = result.json
    assert answer["verdict"] in ("granted", "denied", "unavailable")
    assert result.code == {"granted": 0, "denied": 1, "unavailable": 75}[answer["verdict"]]
    return answer["user"] if answer["verdict"] == "granted" else answer["reason"]


def write_configuration(path: Path, tables: dict) -> Path:
    path.touch(mode=0o600)
    tables = tables | {"limits": {"deadline": PATIENT} | tables.get("limits", {})}
    path.write_text(toml(tables))
    return give_away(path)
