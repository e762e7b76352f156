"""A page of metrics, as the exporter serves it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Exposition:
    """The text of a page, in the text format of Prometheus or OpenMetrics."""

    text: str

    def series(self, name: str = "", **labels: str) -> Iterator[str]:
        """Yield the lines of the samples with this name, or any, that have at least these labels."""
        wanted = [re.compile(f'[{{,]{key}="{re.escape(value)}"[,}}]') for key, value in labels.items()]
        for line in self.text.splitlines():
            of_name = line.startswith((f"{name}{{", f"{name} ")) if name else not line.startswith("#")
            if of_name and line and all(label.search(line) for label in wanted):
                yield line

    def values(self, name: str, **labels: str) -> list[float]:
        """Return the values of these samples, none where there is none."""
        return [float(line.rpartition(" ")[2]) for line in self.series(name, **labels)]

    def value(self, name: str, **labels: str) -> float:
        """Return the value of the only such sample. Raises LookupError where it is not one."""
        found = self.values(name, **labels)
        if len(found) != 1:
            raise LookupError(f"{len(found)} samples are {name} with {labels}")
        return found[0]
