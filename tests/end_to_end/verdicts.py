"""The comparison that the tests are about: our verdict beside Django's."""

from dataclasses import dataclass

from programs import Result


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
