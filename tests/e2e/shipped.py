"""The configurations of deploy/, with the addresses and the short intervals or durations of a test."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

_DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
_ALERTMANAGER = _DEPLOY / "alertmanager/alertmanager.yml"
_PROMETHEUS = _DEPLOY / "prometheus/prometheus.yml"

_DURATION_IN_EXPRESSION = re.compile(r"(?<=\[)\w+(?=\])|(?<=\boffset )\w+")
_MILLISECONDS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


def alertmanager(url: str) -> str:
    """Alertmanager's, with webhooks below `url` and groups that wait a second at most."""
    config = yaml.safe_load(_ALERTMANAGER.read_text())
    _shorten_waits(config["route"])
    for receiver in config["receivers"]:
        for webhook in receiver["webhook_configs"]:
            webhook["url"] = url + receiver["name"]
    return yaml.safe_dump(config)


def prometheus(rule_files: Iterable[Path], ports: Iterable[int], alertmanager_address: str) -> str:
    """Prometheus', which scrapes these ports of 127.0.0.1 and evaluates each second."""
    config = yaml.safe_load(_PROMETHEUS.read_text())
    config["global"] = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(file) for file in rule_files]
    _set_targets(config["alerting"]["alertmanagers"], [alertmanager_address])
    _set_targets(config["scrape_configs"], [f"127.0.0.1:{port}" for port in ports])
    return yaml.safe_dump(config)


def rule_files() -> list[Path]:
    """The files that prometheus.yml names."""
    return [_PROMETHEUS.parent / name for name in yaml.safe_load(_PROMETHEUS.read_text())["rule_files"]]


def shortened_rule_files(folder: Path, divisor: int) -> list[Path]:
    """Copies of the rules with every duration divided, for tests that are not about how long they are.

    That each rule holds with its own durations is shown by tests/deploy/alerts/rules.
    """
    files = []
    for source in rule_files():
        content = yaml.safe_load(source.read_text())
        for group in content["groups"]:
            for rule in group["rules"]:
                _shorten_durations(rule, divisor)
        files.append(folder / source.name)
        files[-1].write_text(yaml.safe_dump(content, sort_keys=False))
    return files


def _shorten_durations(rule: dict[str, Any], divisor: int) -> None:
    rule["expr"] = _DURATION_IN_EXPRESSION.sub(lambda found: _divided(found[0], divisor), rule["expr"])
    if "for" in rule:
        rule["for"] = _divided(rule["for"], divisor)


def _divided(duration: str, divisor: int) -> str:
    return f"{int(duration[:-1]) * _MILLISECONDS[duration[-1]] // divisor}ms"


def _shorten_waits(route: dict[str, Any]) -> None:
    route |= {"group_wait": "0s", "group_interval": "1s"}
    for child in route.get("routes", []):
        _shorten_waits(child)


def _set_targets(configured: list[dict[str, Any]], targets: list[str]) -> None:
    (only,) = configured
    only["static_configs"] = [{"targets": targets}]
