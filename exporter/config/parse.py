"""The text of a configuration as a Config."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from yaml.error import Mark
from yaml.nodes import Node, ScalarNode

from exporter.config.level_order import BUILT_IN, check_level_order
from exporter.config.model import Config, Rule, Sampling
from exporter.config.namespaces import SampledNamespaces
from exporter.config.rules import read_rules
from exporter.yamlfile.document import compose
from exporter.yamlfile.errors import Diagnostics
from exporter.yamlfile.key import key_of
from exporter.yamlfile.node import ConfigNode
from exporter.yamlfile.section import MappingType, Section, SectionList

_FILE = MappingType(Config)
_EMPTY = "nothing is set in this file; write {} for the defaults, or start without --config.file"
_PEAK_WINDOW = key_of(Sampling, "peak_window").type.format


def parse(text: str, name: str) -> Config:
    """Return the configuration in `text`.

    `name` is what the lines of a ConfigError call the file. Raises ConfigError with the errors all at once,
    except that invalid YAML hides the others. One without a key is an error, since a file that is being
    written, or was cut, looks like that; `{}` gives the defaults.
    """
    diagnostics = Diagnostics(name)
    root = compose(text, diagnostics)
    if root is None or _is_empty(root):
        diagnostics.add(Mark("", 0, 0, 0, None, 0), _EMPTY)
        diagnostics.raise_if_any()
        return Config()
    config = _config(_FILE.read(ConfigNode(root, "", diagnostics)))
    diagnostics.raise_if_any()
    return config


def _is_empty(root: Node) -> bool:
    return isinstance(root, ScalarNode) and root.value == "" and root.style is None


def _config(file: Section[Config]) -> Config:
    _check_peak_window(file.section("sampling"))
    default_levels = check_level_order(file.section("defaults").section("thresholds"), BUILT_IN)
    config = file.complete(Config())
    rules = cast("SectionList[Rule]", file.values.get("rules", SectionList()))
    namespaces = SampledNamespaces(config.namespaces)
    return replace(
        config, rules=read_rules(rules, config.defaults, default_levels, namespaces, config.labels)
    )


def _check_peak_window(sampling: Section[Sampling]) -> None:
    window, node = sampling.values.get("peak_window_seconds"), sampling.nodes.get("peak_window")
    default = None if "interval" in sampling.nodes else Sampling().interval_seconds
    interval = sampling.values.get("interval_seconds", default)
    if node and window is not None and interval is not None and window < interval:
        node.add_error(f"shorter than the interval, which is {_duration(interval)}; {_PEAK_WINDOW.allowed}")


def _duration(seconds: float) -> str:
    return f"{seconds:.10g}s" if seconds >= 1 else f"{seconds * 1000:.10g}ms"
