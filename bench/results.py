"""Everything that one run found."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from bench.cost import Figure, Findings, Missing, Spread


@dataclass(frozen=True, slots=True)
class Results:
    """The findings of every scene, and the machine they were made on."""

    machine: Mapping[str, str]
    figures: tuple[Figure, ...]
    bars: Mapping[str, Spread]
    missing: tuple[Missing, ...]
    series: Mapping[str, tuple[tuple[float, float], ...]]

    @classmethod
    def of(cls, machine: Mapping[str, str], findings: Iterable[Findings]) -> Self:
        """Put the scenes together; who is missing is told once."""
        scenes = list(findings)
        return cls(
            machine,
            tuple(figure for found in scenes for figure in found.figures),
            dict(pair for found in scenes for pair in found.bars),
            tuple(dict.fromkeys(missing for found in scenes for missing in found.missing)),
            dict(pair for found in scenes for pair in found.series),
        )

    def tables(self) -> dict[str, list[Figure]]:
        """Return the figures by the table they belong to, in the order in which they were measured."""
        found: dict[str, list[Figure]] = {}
        for figure in self.figures:
            found.setdefault(figure.table, []).append(figure)
        return found

    def write(self, path: Path) -> None:
        """Write all of it as JSON; times are in seconds, memory in bytes, shares and ratios plain."""
        path.write_text(json.dumps(asdict(self), indent=1) + "\n")

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read what `write` wrote."""
        known = json.loads(path.read_text())
        return cls(
            known["machine"],
            tuple(Figure(**{**figure, "spread": Spread(**figure["spread"])}) for figure in known["figures"]),
            {name: Spread(**spread) for name, spread in known["bars"].items()},
            tuple(Missing(**missing) for missing in known["missing"]),
            {name: tuple((x, y) for x, y in points) for name, points in known["series"].items()},
        )
