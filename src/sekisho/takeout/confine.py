"""The limits that a process of the take-out sets itself before it reads the first byte of a worker's file."""

import resource
from typing import Final

MEMORY: Final = 6 << 30  # address space; polars reserves more than it uses
CPU_SECONDS: Final = 600


def confine() -> None:
    """No file of any size, no core, few descriptors, bounded memory and processor time; for good."""
    for kind, most in (
        (resource.RLIMIT_AS, MEMORY),
        (resource.RLIMIT_CPU, CPU_SECONDS),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 256),
    ):
        resource.setrlimit(kind, (most, most))
