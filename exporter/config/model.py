"""The configuration as the rest of the program sees it: frozen values with units in their names."""

from __future__ import annotations

import enum
import ipaddress
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from exporter.kernel.records import ListenerProtocol, Method

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Queue(enum.StrEnum):
    """Which of a listener's two queues a threshold is about; the value of the `queue` label."""

    ACCEPT = "accept"
    SYN_RECV = "syn_recv"


class Severity(enum.StrEnum):
    """The value of the `severity` label, mildest first."""

    WARNING = "warning"
    CRITICAL = "critical"


class Unit(enum.StrEnum):
    """The unit a threshold was written in."""

    RATIO = "ratio"
    CONNECTIONS = "connections"


@dataclass(frozen=True, slots=True)
class Level:
    """One threshold: a share of the queue (1.0 is full) or a number of connections."""

    value: float
    unit: Unit


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Every threshold of one rule, already completed from the defaults."""

    levels: dict[tuple[Queue, Severity], Level]
    hold_seconds: float
    release_seconds: float


@dataclass(frozen=True, slots=True)
class Match:
    """What a rule asks of a listener. An empty tuple asks nothing; several keys must all hold.

    `networks` holds IP addresses (a single one is a network of one) and `paths` the globs for unix
    names; an address entry of the file lands in exactly one of the two. `ports` are inclusive
    ranges. `owners` maps `netns`, `process`, `unit`, `container`, `pod` and `namespace` to globs.
    """

    protocols: tuple[ListenerProtocol, ...] = ()
    networks: tuple[Network, ...] = ()
    paths: tuple[str, ...] = ()
    ports: tuple[tuple[int, int], ...] = ()
    owners: dict[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rule:
    """One entry of `rules:`. `export` false keeps the listener off the page."""

    name: str
    match: Match
    thresholds: Thresholds
    export: bool = True


@dataclass(frozen=True, slots=True)
class Sampling:
    """How often and at what cost the kernel is asked."""

    interval_seconds: float = 0.05
    cpu_budget_ratio: float = 0.02
    method: Method = Method.AUTO
    peak_window_seconds: float = 60.0
    histogram: bool = True


class Enabled(enum.StrEnum):
    """Whether something is done: AUTO where the process has what it takes."""

    AUTO = "auto"
    TRUE = "true"
    FALSE = "false"


@dataclass(frozen=True, slots=True)
class Namespaces:
    """Which network namespaces are sampled besides the exporter's own, which always is.

    `include` and `exclude` are globs over a namespace's name or inode number, and `exclude` wins.
    `most` is how many are sampled.
    """

    enabled: Enabled = Enabled.AUTO
    include: tuple[str, ...] = ("*",)
    exclude: tuple[str, ...] = ()
    most: int = 1000

    def wants(self, name: str) -> bool:
        """Return whether the globs take the namespace of this name, whatever `enabled` says."""
        return any(fnmatchcase(name, glob) for glob in self.include) and not any(
            fnmatchcase(name, glob) for glob in self.exclude
        )


DEFAULT_THRESHOLDS = Thresholds(
    levels={
        (queue, severity): Level(value, Unit.RATIO)
        for queue in Queue
        for severity, value in ((Severity.WARNING, 0.5), (Severity.CRITICAL, 0.9))
    },
    hold_seconds=0.0,
    release_seconds=5.0,
)

# The `rule` label of listeners that no rule matches, and of their thresholds.
DEFAULTS = "defaults"
OWNER_LABELS = ("process", "unit", "container", "pod", "namespace", "user")


@dataclass(frozen=True, slots=True)
class Config:
    """A whole, valid configuration. `Config()` is what runs without a file."""

    sampling: Sampling = Sampling()
    namespaces: Namespaces = Namespaces()
    labels: tuple[str, ...] = ("process",)
    max_listeners: int = 2000
    defaults: Thresholds = DEFAULT_THRESHOLDS
    rules: tuple[Rule, ...] = ()
