"""Checks that no warning level is above the critical level of the same queue."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from exporter.config.levels import Level
from exporter.config.model import Queue, Severity, Thresholds
from exporter.yamlfile.node import ConfigNode
from exporter.yamlfile.section import Section


@dataclass(frozen=True, slots=True)
class LevelOrigin:
    """A level and where it comes from.

    `level` is None where the one in the file is wrong, `node` is None where the file has none.
    """

    level: Level | None
    path: str
    node: ConfigNode | None = None

    def __str__(self) -> str:
        value = "wrong" if self.level is None else str(self.level)
        return f"{self.path} ({value}{'' if self.node else ', the built-in default'})"


PartialThresholds = Mapping[tuple[Queue, Severity], LevelOrigin]

BUILT_IN: PartialThresholds = {
    (queue, severity): LevelOrigin(level, f"defaults.{queue}.{severity}")
    for (queue, severity), level in Thresholds().levels.items()
}


def check_level_order(thresholds: Section[Thresholds], base: PartialThresholds) -> PartialThresholds:
    """Add an error for each queue whose warning level is above its critical level.

    Levels that the section does not have are those of `base`. Levels in different units are not compared, and
    a pair of which the section has neither was checked where it was written. Returns the levels in force.
    """
    own = _own_levels(thresholds)
    levels = {**base, **own}
    for queue in Queue:
        warning, critical = (levels[queue, severity] for severity in Severity)
        if not _is_above(warning.level, critical.level):
            continue
        if (queue, Severity.WARNING) in own and warning.node:
            warning.node.add_error(
                f"a warning above {critical}; write no more than that, or a higher critical level for {queue}"
            )
        elif (queue, Severity.CRITICAL) in own and critical.node:
            critical.node.add_error(
                f"a critical level below {warning}; write no less than that, or a lower warning for {queue}"
            )
    return levels


def _own_levels(thresholds: Section[Thresholds]) -> PartialThresholds:
    return {
        (queue, severity): LevelOrigin(
            levels.values.get(severity), levels.nodes[severity].path, levels.nodes[severity]
        )
        for queue in Queue
        for levels in (thresholds.section(queue),)
        for severity in Severity
        if severity in levels.nodes
    }


def _is_above(warning: Level | None, critical: Level | None) -> bool:
    if warning is None or critical is None or warning.unit is not critical.unit:
        return False
    return warning.value > critical.value
