"""Every key of the configuration file, declared once: name, type, bounds, default and meaning.

Each class is a mapping of the file, and each field is read from one of its keys. The parser reads by these
declarations, and config.example.yaml, docs/configuration.md and docs/config.schema.json are made from them
(`make reference`). The rest of the program reads frozen values with their units in their names.
"""

from __future__ import annotations

from dataclasses import dataclass

from exporter.config.addresses import Address, Network
from exporter.config.export import Export, ExportType
from exporter.config.levels import Level, LevelType, Queue, Severity, Unit
from exporter.config.namespace_values import AutoBool, AutoBoolean, NetnsName
from exporter.config.owner_patterns import OwnerPattern
from exporter.config.patterns import pattern_set
from exporter.config.ports import PortRange
from exporter.config.rule_name import DEFAULTS, RuleName
from exporter.kernel.family import FAMILIES
from exporter.kernel.records import Method
from exporter.owners.owner import OWNER_FACTS
from exporter.yamlfile.key import key, match_key, match_key_group, required_key
from exporter.yamlfile.lists import AnyNumber, OneOrMore, Subset
from exporter.yamlfile.quantities import Duration, Percentage, WholeNumber
from exporter.yamlfile.section import included, section, section_list
from exporter.yamlfile.values import Boolean, Choice, Text

# What the rest of the program needs of the configuration is imported from here.
__all__ = ["DEFAULTS", "AutoBool", "Export", "Level", "NetnsName", "Network", "Queue", "Severity", "Unit"]
__all__ += [
    "Config",
    "Defaults",
    "Levels",
    "Match",
    "Namespaces",
    "RecorderSettings",
    "Rule",
    "Sampling",
    "Thresholds",
]

_PATTERN = Text("pattern", "a name or a pattern with * and ?", example='"nginx*"')
_NETNS_PATTERN = Text(
    "pattern",
    "the name of a network namespace, its inode number in quotes, or a pattern with * and ?",
    example='"web-*"',
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
        "include", OneOrMore(_NETNS_PATTERN), '["*"]', "Which are sampled, by label netns or inode number."
    )
    exclude: tuple[str, ...] = key(
        "exclude", AnyNumber(_NETNS_PATTERN), "[]", "Which of them are not, whatever include says."
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
        " is no name, or where another namespace has it.",
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


@dataclass(frozen=True, slots=True)
class Levels:
    """The two levels of one queue."""

    warning: Level = key("warning", LevelType(), "50%", "From here on the severity is warning.")
    critical: Level = key("critical", LevelType(), "90%", "From here on the severity is critical.")


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The thresholds of `defaults`, or those of one rule, completed from `defaults`."""

    accept: Levels = section("accept", Levels, "Connections that wait for the program to accept them.")
    syn_recv: Levels = section("syn_recv", Levels, "Connections that are not yet established (tcp only).")
    hold_seconds: float = key(
        "hold",
        Duration("0s", "24h", example="30s"),
        "0s",
        "How long a level must be exceeded before it counts.",
    )
    release_seconds: float = key(
        "release",
        Duration("0s", "24h", example="30s"),
        "5s",
        "How long the queue must stay below a level before that clears.",
    )

    @property
    def levels(self) -> dict[tuple[Queue, Severity], Level]:
        """Every level by queue and severity."""
        return {
            (Queue.ACCEPT, Severity.WARNING): self.accept.warning,
            (Queue.ACCEPT, Severity.CRITICAL): self.accept.critical,
            (Queue.SYN_RECV, Severity.WARNING): self.syn_recv.warning,
            (Queue.SYN_RECV, Severity.CRITICAL): self.syn_recv.critical,
        }


@dataclass(frozen=True, slots=True)
class Defaults:
    """What holds for listeners that no rule matches, and for what a rule leaves out."""

    thresholds: Thresholds = included(Thresholds)
    export: Export = key(
        "export",
        ExportType(),
        "lean",
        "Which series a listener has: lean those that alerts need, full also histograms, peaks of lengths and"
        " the time beyond each threshold, false none at all. check-config prints how many those are.",
    )


@dataclass(frozen=True, slots=True)
class Match:
    """The conditions of a rule: a listener has to have one of the values of each key.

    An empty tuple is no condition. `owners` has those facts about the owner that the rule names.
    """

    protocols: tuple[str, ...] = match_key(
        "protocol", Choice(tuple(family.protocol for family in FAMILIES)), "Protocol of the listener."
    )
    addresses: tuple[Network | str, ...] = match_key(
        "address",
        Address(),
        "Address that it is bound to; for unix the absolute path, or @ and the abstract name.",
    )
    ports: tuple[tuple[int, int], ...] = match_key("port", PortRange(), "Port that it is bound to.")
    netns: tuple[str, ...] = match_key("netns", _PATTERN, "Its namespace, by label netns or inode number.")
    owners: dict[str, tuple[str, ...]] = match_key_group(
        {
            fact.name: (OwnerPattern(fact.name, _PATTERN), fact.description)
            for fact in OWNER_FACTS
            if fact.match
        }
    )

    @property
    def networks(self) -> tuple[Network, ...]:
        """The addresses that are IPs; a single IP is a network of one."""
        return tuple(address for address in self.addresses if not isinstance(address, str))

    @property
    def paths(self) -> tuple[str, ...]:
        """The addresses that are globs for the names of unix sockets."""
        return tuple(address for address in self.addresses if isinstance(address, str))


@dataclass(frozen=True, slots=True)
class Rule:
    """The thresholds of the listeners that match, and which series they have."""

    name: str = required_key("name", RuleName(), "Name of the rule, as in the label rule; no other has it.")
    match: Match = section("match", Match, "Which listeners the rule is for; all, where it is left out.")
    thresholds: Thresholds = included(Thresholds, inherits_from="defaults")
    export: Export = key(
        "export", ExportType(), "lean", "Which series these listeners have.", inherits_from="defaults"
    )
    fold: bool = key(
        "fold",
        Boolean(),
        "false",
        "Whether listeners that come and go, on ephemeral ports or with names that hold a process number, are"
        " published as one of each address and owner: the port, or the name of a unix socket, is *.",
    )


@dataclass(frozen=True, slots=True)
class Config:
    """A whole, valid configuration. `Config()` is in force where there is no file."""

    sampling: Sampling = section("sampling", Sampling, "How often the kernel is read, and how.")
    namespaces: Namespaces = section(
        "namespaces",
        Namespaces,
        "Network namespaces other than the one the exporter runs in, such as those of containers.",
    )
    labels: tuple[str, ...] = key(
        "labels",
        Subset(tuple(fact.name for fact in OWNER_FACTS if fact.label), example="[process, unit]"),
        "[process]",
        "What every series says about the owner of its listener. More labels make more series when owners"
        " change.",
    )
    max_listeners: int = key(
        "max_listeners",
        WholeNumber(1, 1_000_000_000, example="2000"),
        "2000",
        "The most listeners on the page, in equal parts for network namespaces, and in each for users.",
    )
    recorder: RecorderSettings = section(
        "recorder",
        RecorderSettings,
        "What samples saw of each queue: its changes in the last minutes, and for a day the minute around"
        " each time that a threshold was crossed.",
    )
    defaults: Defaults = section(
        "defaults",
        Defaults,
        "Thresholds and series of listeners that no rule matches, and what a rule leaves out. A level is a"
        " percentage of the queue (backlog + 1) or a number of connections, and is exceeded from there on;"
        " 0 means any connection at all.",
    )
    rules: tuple[Rule, ...] = section_list(
        "rules",
        Rule,
        "Rules for some of the listeners; none by default. The first rule that matches a listener gives its"
        " thresholds, so write the narrow rules before the wide ones.",
    )
