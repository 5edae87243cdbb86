"""The frameworks that Hallpass knows."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LIST = ROOT / "crates/sites/src/lib.rs"

# In the order of the book. Before any program runs, so that tests have a case for each.
FRAMEWORKS = re.findall(r"^    &(\w+)::\w+,$", LIST.read_text(), re.M)
