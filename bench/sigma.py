"""Events a second through a hundred Sigma rules, all of them for the log source of all events.

The rules have the modifiers in about the shares that public rules have (contains, endswith, all, startswith, a few
regular expressions, `windash`, exceptions by a filter); the events are processes started on Windows machines, of
twenty fields. Routing helps nothing here. Peer: the same rules, each called for each event, without asking first what
it needs. Beside it: the ledger's facts through our own rules, which is what the watch does with each fact.
"""

import gc
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import msgspec

from bench.frame import Result, Scale, alternate, paired, spread
from bench.watch import leaves
from sekisho.watch.sigma.event import Event, Source, flatten
from sekisho.watch.sigma.head import SigmaHead
from sekisho.watch.sigma.loading import OURS, Library
from sekisho.watch.sigma.ruleset import Rule, Ruleset

_REACH = 20_000
_TOOLS = [f"tool{n}" for n in range(60)]
_WORDS = [
    "-enc",
    "http://",
    "comsvcs",
    "minidump",
    "vssadmin",
    "/add",
    "sekurlsa",
    "-nop",
    "bypass",
    "whoami",
]
_USUAL = ["svchost", "chrome", "explorer", "cmd", "powershell", "outlook", "conhost", "taskhostw", "msedge"]
_SOURCE = Source("windows", "", "process_creation")


def write_rules(folder: Path, count: int) -> None:
    random = Random(11)
    for number in range(count):
        tool, words = random.choice(_TOOLS), random.sample(_WORDS, 4)
        selection: dict[str, Any]
        match number % 10:
            case 0 | 1 | 2:  # a tool with some words
                selection = {
                    "Image|endswith": [f"\\{tool}.exe", f"\\{tool}64.exe"],
                    "CommandLine|contains": words,
                }
            case 3 | 4:  # words alone: nothing says beforehand that it cannot match
                selection = {"CommandLine|contains|all": words[:3]}
            case 5:
                selection = {"ParentImage|endswith": "\\winword.exe", "Image|endswith": f"\\{tool}.exe"}
            case 6:
                selection = {"OriginalFileName": f"{tool}.EXE", "CommandLine|contains|windash": " -e"}
            case 7:
                selection = {"CommandLine|re": rf"{tool}\s+[a-z]{{3,}}\d+", "User|startswith": "CORP"}
            case 8:
                selection = {
                    "Image|startswith": "C:\\Users\\",
                    "CommandLine|contains": [f"{tool} ", *words[:2]],
                }
            case _:
                selection = {"CommandLine|contains": [f"{tool} {word}" for word in words]}
        rule = {
            "title": f"rule {number}",
            "logsource": {"product": "windows", "category": "process_creation"},
            "detection": {
                "selection": selection,
                "filter_main": {"ParentImage|endswith": ["\\msiexec.exe", "\\ccmexec.exe"]},
                "filter_optional": {"User|contains": "SYSTEM", "IntegrityLevel": "System"},
                "condition": "selection and not 1 of filter_*",
            },
        }
        (folder / f"{number:03}.yml").write_bytes(msgspec.yaml.encode(rule))


def records(count: int) -> list[dict[str, Any]]:
    random = Random(12)
    found = []
    for number in range(count):
        name = random.choice(_USUAL) if random.random() < 0.97 else random.choice(_TOOLS)
        words = " ".join(
            random.choices(["-k", "netsvcs", "--type=renderer", "/c", *_WORDS], k=random.randrange(2, 9))
        )
        record: dict[str, Any] = {
            "EventID": 1,
            "Image": f"C:\\Windows\\System32\\{name}.exe",
            "CommandLine": f'"C:\\Windows\\System32\\{name}.exe" {words} {random.getrandbits(64):x}',
            "ParentImage": f"C:\\Program Files\\{random.choice(_USUAL)}.exe",
            "OriginalFileName": f"{name}.exe",
            "User": random.choice(["CORP\\sato", "CORP\\mori", "NT AUTHORITY\\SYSTEM"]),
            "IntegrityLevel": random.choice(["Medium", "System"]),
            "ProcessId": number,
        }
        found.append(record | {f"Field{n}": f"value {n} {number % 50}" for n in range(12)})
    return found


async def run(scale: Scale) -> list[Result]:
    log = records(scale.pick(6_000, 200))
    facts = leaves(scale.pick(600, 20))
    with tempfile.TemporaryDirectory() as folder:
        write_rules(Path(folder), 100)
        library = Library((Path(folder),))
        indexed = library.load()
    assert len(indexed.rules) == 100, library.mistakes
    plain = Ruleset(_without_needs(rule) for rule in indexed.rules)
    matched: dict[str, int] = {}

    def timed(work: Callable[[], int], name: str, count: int) -> float:
        gc.collect()
        before = time.process_time()
        matched[name] = work()
        return count / (time.process_time() - before)

    def through(rules: Ruleset) -> int:
        return sum(len(rules.feed(Event(flatten(record), _SOURCE))) for record in log)

    async def with_needs() -> float:
        return timed(lambda: through(indexed), "indexed", len(log))

    async def without() -> float:
        return timed(lambda: through(plain), "plain", len(log))

    library = Library((OURS,))
    head = SigmaHead(library)

    async def own_facts() -> float:
        return timed(lambda: _watched(head, facts), "facts", len(facts))

    contestants = {"indexed": with_needs, "plain": without, "facts": own_facts}
    figures = await alternate(contestants, scale.pick(5, 1))
    assert matched["indexed"] == matched["plain"], "what a rule needs changed what it finds"
    median = statistics.median(figures["indexed"])
    return [
        Result(
            "events/s through 100 Sigma rules of one log source, one core",
            f"{_REACH:,}/s",
            f"{spread(figures['indexed'], '/s')}",
            f"every rule called: {spread(figures['plain'], '/s')}",
            paired(figures, "indexed", "plain"),
            median >= _REACH,
        ),
        Result(
            f"the ledger's facts through our {len(head.rules.rules)} rules",
            "",
            f"{spread(figures['facts'], '/s')}",
            "",
        ),
    ]


def _watched(head: SigmaHead, facts: list[bytes]) -> int:
    return sum(len(head.look(leaf, {})) for leaf in facts)


def _without_needs(rule: Rule) -> Rule:
    return replace(rule, compiled=None if rule.compiled is None else rule.compiled._replace(needs=None))
