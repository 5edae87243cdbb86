"""Figures beside those of their peers: printed, and kept for the picture.

Where the environment's HALLPASS_FIGURES names a file, each is added to it as a line of JSON, which
`picture.py` reads. Where it has HALLPASS_QUICK, all is measured once and for a moment, which shows
that a benchmark works and nothing else.
"""

import json
import os
from pathlib import Path

QUICK = bool(os.environ.get("HALLPASS_QUICK"))


def rounds(usual: int) -> int:
    """How often to measure what is usually measured so often."""
    return 1 if QUICK else usual


def seconds(usual: float) -> float:
    """How long to measure what is usually measured for so long."""
    return 0.2 if QUICK else usual


def figure(what: str, own: tuple[str, float], peer: tuple[str, float], unit: str, *, goal: str = "",
           less: bool = False, ratio: float | None = None) -> None:
    """Records the value of a candidate and that of its peer, each with its name.

    `less` says that less is better. The `ratio` says how many times better than the peer the
    candidate is, where it is not that of the two values, as a median of ratios is.
    """
    if ratio is None:
        ratio = peer[1] / own[1] if less else own[1] / peer[1]
    row = {"what": what, "candidate": own[0], "value": own[1], "peer": peer[0],
           "peer_value": peer[1], "unit": unit, "ratio": round(ratio, 3), "goal": goal}
    aim = f" (goal: {goal})" if goal else ""
    print(f"{what}: {own[0]} {own[1]:.4g} {unit}, {peer[0]} {peer[1]:.4g}; {ratio:.2f} x{aim}",
          flush=True)
    if file := os.environ.get("HALLPASS_FIGURES"):
        with Path(file).open("a") as lines:
            lines.write(json.dumps(row) + "\n")
