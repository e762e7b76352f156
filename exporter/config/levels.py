"""The levels of thresholds: of which queue and severity, in which unit, and how they are written."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass

from exporter.yamlfile.quantities import Percentage, WholeNumber
from exporter.yamlfile.scalar import Scalar, ScalarType, WrongValueError
from exporter.yamlfile.values import Format, ScalarValue

# The kernel counts the connections of a queue in 32 bits (include/net/sock.h, sk_ack_backlog).
_CONNECTIONS = WholeNumber(0, 2**32 - 1, example="100", noun="whole number")
# A queue can be longer than its limit; ten times the limit covers every case.
_SHARE = Percentage("the queue", high=1000, example="50%")


class Queue(enum.StrEnum):
    """Which of a listener's two queues a threshold is about; the value of the `queue` label."""

    ACCEPT = "accept"
    SYN_RECV = "syn_recv"


class Severity(enum.StrEnum):
    """The value of the `severity` label, in ascending order."""

    WARNING = "warning"
    CRITICAL = "critical"


class Unit(enum.StrEnum):
    """The unit that a level was written in."""

    RATIO = "ratio"
    CONNECTIONS = "connections"


@dataclass(frozen=True, slots=True)
class Level:
    """Where a threshold is: a share of the queue (1.0 is full) or a number of connections."""

    value: float
    unit: Unit

    def __str__(self) -> str:
        return f"{self.value * 100:.10g}%" if self.unit is Unit.RATIO else f"{self.value:.10g}"


@dataclass(frozen=True, slots=True)
class LevelType(ScalarValue[Level]):
    """A percentage of the queue or a whole number of connections; zero means any connection at all."""

    @property
    def format(self) -> Format:
        """Both ranges, each with an example."""
        connections, share = _CONNECTIONS.format, _SHARE.format
        return Format(
            noun="level",
            values=f"{share.values} of the queue, or a number of connections",
            allowed=f"{share.allowed},"
            f" or a whole number of connections from {connections.values}, such as {_CONNECTIONS.example}",
            schema={"anyOf": [share.schema, connections.schema]},
        )

    def parse(self, scalar: Scalar) -> Level:
        """Return the level; raises WrongValueError."""
        is_percentage = scalar.text.endswith("%")
        if scalar.type is ScalarType.NUMBER or (scalar.quoted and not is_percentage):
            return Level(float(_connections(scalar)), Unit.CONNECTIONS)
        if not is_percentage:
            raise WrongValueError(f"{scalar.display} is neither a percentage nor a number of connections")
        return Level(_SHARE.parse(scalar), Unit.RATIO)


def _connections(scalar: Scalar) -> int:
    if not scalar.quoted and re.fullmatch(r"[0-9]+\.[0-9]+", scalar.text):
        raise WrongValueError(f"{scalar.display} is no whole number of connections")
    return _CONNECTIONS.parse(scalar)
