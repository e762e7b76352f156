"""The text of a configuration as a Config: the keys of the file, from the top."""

from __future__ import annotations

import math

from yaml.nodes import Node, ScalarNode

from exporter.config.document import compose
from exporter.config.entry import Entry, Section
from exporter.config.errors import Faults
from exporter.config.levels import BUILT_IN, THRESHOLD_KEYS, read_thresholds
from exporter.config.model import OWNER_LABELS, Config, Sampling
from exporter.config.namespaces import NAMESPACES_KEYS, read_namespaces
from exporter.config.rules import read_rules
from exporter.config.values import Choice, Duration, Flag, Percentage, Whole
from exporter.kernel.records import Method

SAMPLING_KEYS = ("interval", "cpu_budget", "method", "peak_window", "histogram")
TOP_KEYS = ("sampling", "namespaces", "labels", "max_listeners", "defaults", "rules")

_SECTION_OF = {
    **{key: f"sampling.{key}" for key in SAMPLING_KEYS},
    **{key: f"namespaces.{key}" for key in NAMESPACES_KEYS},
    **{key: f"defaults.{key}" for key in THRESHOLD_KEYS},
}

_INTERVAL = Duration(0.001, 60.0, "write a duration from 1ms to 60s, such as 50ms")
_PEAK_WINDOW = Duration(0.001, 3600.0, "write a duration from the interval to 1h, such as 60s")
# Any ratio but zero: the least that a float can hold.
_OVER_ZERO = math.ulp(0.0)
_CPU_BUDGET = Percentage(_OVER_ZERO, 1.0, "write a percentage of one core over 0% and up to 100%, such as 2%")
_LISTENERS = Whole(1, 1_000_000_000, "write a whole number from 1 to 1000000000, such as 2000")
_LABELS = f"write a list of {', '.join(OWNER_LABELS)}, such as [process, unit]; [] for none"


def parse(text: str, name: str) -> Config:
    """Return the configuration in `text`; one that holds nothing gives the defaults.

    `name` is what the lines of a ConfigError call the file. Raises ConfigError with every fault at
    once, except that broken YAML hides the rest.
    """
    faults = Faults(name)
    root = compose(text, faults)
    if root is None or _holds_nothing(root):
        return Config()
    config = _config(Entry(root, "", faults).section(TOP_KEYS, elsewhere=_SECTION_OF))
    faults.raise_if_any()
    return config


def _holds_nothing(root: Node) -> bool:
    return isinstance(root, ScalarNode) and root.value == "" and root.style is None


def _config(top: Section) -> Config:
    defaults = read_thresholds(top.section("defaults", THRESHOLD_KEYS), BUILT_IN)
    namespaces = read_namespaces(top.section("namespaces", NAMESPACES_KEYS))
    rules = top.get("rules")
    return Config(
        sampling=_sampling(top.section("sampling", SAMPLING_KEYS)),
        namespaces=namespaces,
        labels=_labels(top.get("labels")),
        max_listeners=top.read("max_listeners", _LISTENERS, Config().max_listeners),
        defaults=defaults.finished(),
        rules=read_rules(rules, defaults, namespaces) if rules else (),
    )


def _sampling(section: Section) -> Sampling:
    usual = Sampling()
    interval = _interval(section)
    return Sampling(
        interval_seconds=interval or usual.interval_seconds,
        cpu_budget_ratio=section.read("cpu_budget", _CPU_BUDGET, usual.cpu_budget_ratio),
        method=Method(section.read("method", Choice(tuple(Method)), usual.method)),
        peak_window_seconds=_peak_window(section, interval),
        histogram=section.read("histogram", Flag(), usual.histogram),
    )


def _interval(section: Section) -> float | None:
    """Return the interval in force, or None where the file has a wrong one."""
    entry = section.get("interval")
    return entry.read(_INTERVAL) if entry else Sampling().interval_seconds


def _peak_window(section: Section, interval_seconds: float | None) -> float:
    entry = section.get("peak_window")
    window = entry.read(_PEAK_WINDOW) if entry else None
    if entry is None or window is None:
        return Sampling().peak_window_seconds
    if interval_seconds is not None and window < interval_seconds:
        entry.refuse(
            f"shorter than the interval, which is {_readable(interval_seconds)}; {_PEAK_WINDOW.allowed}"
        )
    return window


def _readable(seconds: float) -> str:
    return f"{seconds:.10g}s" if seconds >= 1 else f"{seconds * 1000:.10g}ms"


def _labels(entry: Entry | None) -> tuple[str, ...]:
    if entry is None:
        return Config().labels
    labels: list[str] = []
    for item in entry.items(_LABELS):
        label = item.read(Choice(OWNER_LABELS))
        if label in labels:
            item.refuse(f"{label} is in the list already; take it out here")
        elif label is not None:
            labels.append(label)
    return tuple(labels)
