"""Faults that are planted in the configuration of a host, one at a time, and what the doctor says
of each. docs/doctor.md has a table of them (see test_doctor_page.py)."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """A fault, as `old` in a healthy text replaced by `new`."""

    host: str
    # In words, for docs/doctor.md.
    words: str
    old: str
    new: str
    # The finding: its name, its weight, and a part of its fix and of what is seen.
    check: str
    status: str
    mend: str
    seen: str = ""
    # A path that everybody gets in the running host, without any credential.
    lets_in: str | None = None

    def plant(self, text: str) -> str:
        assert text.count(self.old), f"there is no {self.old!r}"
        return text.replace(self.old, self.new, 1)

    def is_named(self, doctor) -> None:
        """Asserts that the doctor names this fault once, and no other."""
        complaints = doctor.complaints
        assert [it["check"] for it in complaints] == [self.check], complaints
        (finding,) = complaints
        assert finding["status"] == self.status, finding
        assert self.mend in finding["mend"], finding
        assert self.seen in finding["seen"], finding
        assert doctor.result.code == (1 if self.status == "problem" else 0)


def names(faults: list[Fault]) -> list[str]:
    return [fault.words for fault in faults]
