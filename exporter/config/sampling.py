"""The keys of what is sampled, how often, and what is kept of it."""

from __future__ import annotations

from dataclasses import dataclass

from exporter.config.namespace_values import AutoBool, AutoBoolean, NetnsName
from exporter.config.owner_patterns import OwnerPattern
from exporter.config.patterns import pattern_set
from exporter.kernel.records import Method
from exporter.yamlfile.key import key
from exporter.yamlfile.lists import AnyNumber, OneOrMore
from exporter.yamlfile.quantities import Duration, Percentage, WholeNumber
from exporter.yamlfile.values import Boolean, Choice, Text

NETNS_PATTERN = OwnerPattern(
    "netns",
    Text(
        "pattern",
        "the name of a network namespace, its inode number in quotes, or a pattern with * and ?",
        example='"web-*"',
    ),
)


@dataclass(frozen=True, slots=True)
class Sampling:
    """How often the kernel is read, and how."""

    interval_seconds: float = key(
        "interval", Duration("1ms", "4s", example="50ms"), "50ms", "How often the accept queues are read."
    )
    cpu_budget_ratio: float = key(
        "cpu_budget",
        Percentage("one core", high=100, zero=False, example="2%"),
        "2%",
        "What all processes of the exporter together may use of one CPU core. It reads less often until they"
        " fit, but every 4 s at least.",
    )
    method: Method = key(
        "method",
        Choice(tuple(Method)),
        "auto",
        "How the kernel is read: sock_diag (exact and cheap), procfs (where sock_diag is not allowed),"
        " or auto, which takes sock_diag where it can.",
    )
    peak_window_seconds: float = key(
        "peak_window",
        Duration("1ms", "1h", example="60s", low_name="the interval"),
        "60s",
        "How far back the peak metrics look.",
    )


@dataclass(frozen=True, slots=True)
class Namespaces:
    """Which network namespaces are sampled besides the exporter's own, which always is.

    `include` and `exclude` are globs over the label of a namespace and its inode number, and `exclude` wins.
    """

    enabled: AutoBool = key(
        "enabled",
        AutoBoolean(),
        "auto",
        "Whether they are sampled; auto does it where the exporter has the capabilities"
        " (CAP_SYS_ADMIN and CAP_SYS_PTRACE).",
    )
    include: tuple[str, ...] = key(
        "include", OneOrMore(NETNS_PATTERN), '["*"]', "Which are sampled, by label netns or inode number."
    )
    exclude: tuple[str, ...] = key(
        "exclude", AnyNumber(NETNS_PATTERN), "[]", "Which of them are not, whatever include says."
    )
    max: int = key(
        "max",
        WholeNumber(1, 10_000, example="1000"),
        "1000",
        "The most that are sampled: those with a name first, then the oldest.",
    )
    netns_name: NetnsName = key(
        "netns_name",
        Choice(tuple(NetnsName)),
        "name",
        "What the label netns of a container's namespace is: name for the name of its pod, or of the"
        " container where it is in none, or inode for the inode number. That is also the label where there"
        " is no name, or where another namespace has it. What has a name under /run/netns keeps it with"
        " inode.",
    )

    def selects(self, *names: str) -> bool:
        """Return whether include and exclude select the namespace of these names, whatever `enabled` says."""
        included, excluded = pattern_set(self.include), pattern_set(self.exclude)
        return any(map(included.matches, names)) and not any(map(excluded.matches, names))


@dataclass(frozen=True, slots=True)
class RecorderSettings:
    """What is kept of every sample, for `history` and the pages for people."""

    enabled: bool = key("enabled", Boolean(), "true", "Whether the changes of queues are kept.")
    window_seconds: float = key(
        "window", Duration("1s", "24h", example="10m"), "10m", "How far back every change is kept."
    )
    max_mebibytes: int = key(
        "max_mebibytes",
        WholeNumber(1, 4096, example="16"),
        "16",
        "The memory that all changes may take. Where it is short, who takes most of it loses the older ones.",
    )
