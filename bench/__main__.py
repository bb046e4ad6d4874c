"""The command: run the measures, print their table, and keep it in README.md when it is the whole one."""

import argparse
import asyncio
import contextlib
import gc
import os
from datetime import UTC, datetime
from pathlib import Path

from bench import (
    bulk,
    console,
    desktop,
    facts,
    frame,
    idle,
    lookups,
    recording,
    sigma,
    ssh,
    trace,
    verify,
    watch,
)

MEASURES: dict[str, frame.Measure] = {
    "facts": facts.run,
    "verify": verify.run,
    "lookups": lookups.run,
    "bulk": bulk.run,
    "idle": idle.run,
    "console": console.run,
    "recording": recording.run,
    "ssh": ssh.run,
    "desktop": desktop.run,
    "trace": trace.run,
    "watch": watch.run,
    "sigma": sigma.run,
}
_README = Path(__file__).with_name("README.md")
_HEAD = """# Measured

Made by `make bench` on {day}: {machine}. Load average at the start: {load:.1f}.

Client, checkpoint and servers share this one machine, so absolute figures say little about another; each is the median
of several runs (their range in brackets) that alternate with those of its peer, and the ratio is the median over the
rounds of one divided by the other. PostgreSQL runs with its usual durability. How each is taken stands at the top of
its module in this folder (`python -m bench NAME` runs one).

"""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which measures: {', '.join(MEASURES)}")
    parser.add_argument("--quick", action="store_true", help="a smoke run; its figures mean nothing")
    parser.add_argument("--profile", type=Path, help="a folder for cProfile files of the checkpoint")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(MEASURES):
        parser.error(f"no such measure: {', '.join(sorted(unknown))}")
    results: list[frame.Result] = []
    load = os.getloadavg()[0]
    scale = frame.Scale(quick=arguments.quick, profile=arguments.profile)
    for name in arguments.names or MEASURES:
        print(f"{name} …", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            found = asyncio.run(MEASURES[name](scale))
            print(frame.table(found), flush=True)
            results += found
        gc.collect()
    if not arguments.names and not arguments.quick and not arguments.profile:
        head = _HEAD.format(day=datetime.now(UTC).date(), machine=frame.machine(), load=load)
        _README.write_text(head + frame.table(results), encoding="utf-8")


main()
