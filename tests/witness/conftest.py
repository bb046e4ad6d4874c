"""A witness that is not ours (installed by `scripts/setup`, see scripts/oracle.txt)."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / ".tools" / "oracle"))
