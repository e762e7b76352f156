"""What `doctor` finds in the network namespace of a test."""

from __future__ import annotations

import json
from typing import Any

from tests.integration import command


def found(*flags: str, seconds: float = 0.3, namespaces: bool = False) -> dict[str, dict[str, Any]]:
    """Run `doctor`, and return its findings by their names; of several with one name the worst."""
    report = diagnosis(*flags, seconds=seconds, namespaces=namespaces)
    return {each["name"]: each for each in reversed(report["findings"])}


def diagnosis(*flags: str, seconds: float = 0.3, namespaces: bool = False) -> dict[str, Any]:
    """Run `doctor --json`, which has to succeed, and return what it prints."""
    done = command.run("doctor", "--json", f"--for={seconds}s", *flags, namespaces=namespaces)
    assert (done.status, done.errors) == (0, "")
    report: dict[str, Any] = json.loads(done.output)
    return report
