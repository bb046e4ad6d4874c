"""A refusal is a value: the code, and what its sentence names."""

from collections.abc import Mapping
from dataclasses import dataclass

from sekisho.faults import Fault, FaultKind


@dataclass(frozen=True, slots=True)
class Refusal:
    kind: FaultKind
    values: Mapping[str, object]

    def fault(self) -> Fault:
        return Fault(self.kind, **self.values)
