"""The comparison that the tests are about: our verdict beside Django's."""

from dataclasses import dataclass

import pytest

from programs import Result

COMPARING = {"test_django_accounts.py", "test_django_passwords.py", "test_django_sessions.py"}


@dataclass
class Verdicts:
    """Compares verdicts and counts what was compared."""

    granted: int = 0
    denied: int = 0

    def compare(self, result: Result, expected: bool, reasons: set[str] | None = None) -> None:
        """Our verdict must be Django's; a denial must be for one of `reasons`, when given."""
        if expected:
            self.granted += 1
        else:
            self.denied += 1
        assert result.code in (0, 1), (result, result.stderr.decode(errors="replace"))
        answer = result.json
        assert result.granted == expected, (answer, f"Django says {expected}")
        assert answer["verdict"] == ("granted" if expected else "denied")
        if expected:
            assert not answer.get("reason")
        else:
            assert not answer.get("user") or answer["reason"] != "unknown-user"
            assert reasons is None or answer["reason"] in reasons, answer


class Enough:
    """The proof is worth as much as what was compared: whole tests that compared little fail. A
    plugin of pytest, which hears of every test, whichever process ran it."""

    def __init__(self):
        self.modules: set[str] = set()
        self.all = Verdicts()

    @property
    def message(self) -> str:
        return f"{self.all.granted} granted and {self.all.denied} denied verdicts compared with Django"

    def pytest_runtest_logreport(self, report):
        self.modules.add(report.location[0].rpartition("/")[2])
        if report.when == "teardown":
            for granted, denied in (value for name, value in report.user_properties if name == "verdicts"):
                self.all.granted += granted
                self.all.denied += denied

    def pytest_sessionfinish(self, session):
        whole = COMPARING <= self.modules
        enough = self.all.granted + self.all.denied > 1000 and self.all.denied > self.all.granted
        if whole and not enough:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter):
        if self.all != Verdicts():
            terminalreporter.write_line(self.message)
