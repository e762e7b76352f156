"""The text of a configuration as a Config."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from yaml.nodes import Node, ScalarNode

from exporter.config.document import compose
from exporter.config.errors import Diagnostics
from exporter.config.key import key_of
from exporter.config.level_order import BUILT_IN, check_level_order
from exporter.config.model import Config, Rule, Sampling
from exporter.config.namespaces import SampledNamespaces
from exporter.config.node import ConfigNode
from exporter.config.rules import read_rules
from exporter.config.section import MappingType, Section, SectionList

_FILE = MappingType(Config)
_PEAK_WINDOW = key_of(Sampling, "peak_window").type.format


def parse(text: str, name: str) -> Config:
    """Return the configuration in `text`; an empty one gives the defaults.

    `name` is what the lines of a ConfigError call the file. Raises ConfigError with every error at
    once, except that invalid YAML hides the others.
    """
    diagnostics = Diagnostics(name)
    root = compose(text, diagnostics)
    if root is None or _is_empty(root):
        return Config()
    config = _config(_FILE.read(ConfigNode(root, "", diagnostics)))
    diagnostics.raise_if_any()
    return config


def _is_empty(root: Node) -> bool:
    return isinstance(root, ScalarNode) and root.value == "" and root.style is None


def _config(file: Section[Config]) -> Config:
    _check_peak_window(file.section("sampling"))
    default_levels = check_level_order(file.section("defaults"), BUILT_IN)
    config = file.complete(Config())
    rules = cast("SectionList[Rule]", file.values.get("rules", SectionList()))
    namespaces = SampledNamespaces(config.namespaces)
    return replace(config, rules=read_rules(rules, config.defaults, default_levels, namespaces))


def _check_peak_window(sampling: Section[Sampling]) -> None:
    window, node = sampling.values.get("peak_window_seconds"), sampling.nodes.get("peak_window")
    default = None if "interval" in sampling.nodes else Sampling().interval_seconds
    interval = sampling.values.get("interval_seconds", default)
    if node and window is not None and interval is not None and window < interval:
        node.add_error(f"shorter than the interval, which is {_duration(interval)}; {_PEAK_WINDOW.allowed}")


def _duration(seconds: float) -> str:
    return f"{seconds:.10g}s" if seconds >= 1 else f"{seconds * 1000:.10g}ms"
