"""The thresholds of `defaults` and of each rule, which takes from `defaults` what it leaves out."""

from __future__ import annotations

import re
from dataclasses import dataclass

from exporter.config.entry import Entry, Section
from exporter.config.model import DEFAULT_THRESHOLDS, Level, Queue, Severity, Thresholds, Unit
from exporter.config.values import Duration, Percentage, Scalar, ScalarType, Whole, WrongValueError

THRESHOLD_KEYS = (*Queue, "hold", "release")

# The kernel counts connections in 32 bits (struct sock, sk_ack_backlog).
_MOST_CONNECTIONS = 2**32 - 1
# A queue can hold more than its limit, but not ten times as much.
_MOST_RATIO = 10.0
_DAY_SECONDS = 24 * 60 * 60.0
_HOLD = Duration(0.0, _DAY_SECONDS, "write a duration from 0s to 24h, such as 30s")


class LevelKind:
    """Reads one threshold: a percentage of the queue, or a whole number of connections.

    Zero stands for any connection at all.
    """

    allowed = (
        "write a percentage of the queue from 0% to 1000%, such as 50%,"
        f" or a whole number of connections from 0 to {_MOST_CONNECTIONS}, such as 100"
    )

    def read(self, scalar: Scalar) -> Level:
        """Return the threshold; raises WrongValueError."""
        if scalar.type is ScalarType.NUMBER or (scalar.quoted and not scalar.text.endswith("%")):
            return Level(float(self._connections(scalar)), Unit.CONNECTIONS)
        if not scalar.text.endswith("%"):
            raise WrongValueError(f"{scalar.shown} is neither a percentage nor a number of connections")
        return Level(Percentage(0.0, _MOST_RATIO, self.allowed).read(scalar), Unit.RATIO)

    def _connections(self, scalar: Scalar) -> int:
        if not scalar.quoted and re.fullmatch(r"[0-9]+\.[0-9]+", scalar.text):
            raise WrongValueError(f"{scalar.shown} is no whole number of connections")
        return Whole(0, _MOST_CONNECTIONS, self.allowed).read(scalar)


@dataclass(frozen=True, slots=True)
class Written:
    """A level and where it comes from.

    `level` is None where what the file says is wrong, `entry` is None where the file says nothing.
    """

    level: Level | None
    path: str
    entry: Entry | None = None

    def __str__(self) -> str:
        origin = "" if self.entry else ", the built-in default"
        return f"{self.path} ({self._amount()}{origin})"

    def _amount(self) -> str:
        if self.level is None:
            return "wrong"
        if self.level.unit is Unit.RATIO:
            return f"{self.level.value * 100:.10g}%"
        return f"{self.level.value:.10g}"


@dataclass(frozen=True, slots=True)
class Draft:
    """Thresholds that remember where each level comes from, for rules that take some of them over."""

    levels: dict[tuple[Queue, Severity], Written]
    hold_seconds: float
    release_seconds: float

    def finished(self) -> Thresholds:
        """Return what the rest of the program uses."""
        levels = {key: written.level for key, written in self.levels.items() if written.level}
        return Thresholds(levels, self.hold_seconds, self.release_seconds)


BUILT_IN = Draft(
    {
        (queue, severity): Written(level, f"defaults.{queue}.{severity}")
        for (queue, severity), level in DEFAULT_THRESHOLDS.levels.items()
    },
    DEFAULT_THRESHOLDS.hold_seconds,
    DEFAULT_THRESHOLDS.release_seconds,
)


def read_thresholds(section: Section, base: Draft) -> Draft:
    """Return the thresholds of a rule or of `defaults`, completed from `base`.

    Notes a warning above its critical level where the two have the same unit and the section says
    at least one of them.
    """
    own = _own_levels(section)
    draft = Draft(
        base.levels | own,
        section.read("hold", _HOLD, base.hold_seconds),
        section.read("release", _HOLD, base.release_seconds),
    )
    for queue in Queue:
        warning, critical = (draft.levels[queue, severity] for severity in Severity)
        if _wrong_way_round(warning.level, critical.level):
            _complain(own, queue, warning, critical)
    return draft


def _own_levels(section: Section) -> dict[tuple[Queue, Severity], Written]:
    own = {}
    for queue in Queue:
        pair = section.section(queue, tuple(Severity))
        for severity in Severity:
            entry = pair.get(severity)
            if entry:
                own[queue, severity] = Written(entry.read(LevelKind()), entry.path, entry)
    return own


def _wrong_way_round(warning: Level | None, critical: Level | None) -> bool:
    if warning is None or critical is None or warning.unit is not critical.unit:
        return False
    return warning.value > critical.value


def _complain(
    own: dict[tuple[Queue, Severity], Written], queue: Queue, warning: Written, critical: Written
) -> None:
    """Complain where the section says it; what it took over from elsewhere was judged there."""
    if (queue, Severity.WARNING) in own and warning.entry:
        warning.entry.refuse(
            f"a warning above {critical}; write no more than that, or a higher critical level for {queue}"
        )
    elif (queue, Severity.CRITICAL) in own and critical.entry:
        critical.entry.refuse(
            f"a critical level below {warning}; write no less than that, or a lower warning for {queue}"
        )
