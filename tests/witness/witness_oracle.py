"""A witness and a client of witnesses that are not ours (installed by `scripts/setup`, see scripts/oracle.txt)."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / ".tools" / "oracle"))


import aics_tlog  # type: ignore[import-not-found]
import aics_witness  # type: ignore[import-not-found]
from aics_witness import config, feeder, service

__all__ = ["aics_tlog", "aics_witness", "config", "feeder", "service"]
