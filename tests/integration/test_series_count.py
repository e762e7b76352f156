"""A page has as many series as check-config says and as the README says."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from exporter.config import Config, parse
from testbed.netns import Namespaces
from testbed.page import Page
from testbed.waiting import equals, until
from tests.integration import command
from tests.integration.other_namespaces import namespaces_of, watching

RULES = (
    "rules: [{name: web, match: {port: 8000}, export: full}, {name: ftp, match: {port: 21}, fold: true}]\n"
)
README = Path(__file__).resolve().parents[2] / "README.md"
OTHERS = r"network namespace has (\d+) series,\s+and the\s+exporter (\d+)"


def counts(page: Page) -> Counter[str]:
    """How many series a page has of each namespace beside its listeners, and of the exporter.

    The exporter has sources too; their series have the namespace that it runs in.
    """
    found: Counter[str] = Counter()
    for _, labels in page.samples:
        known = dict(labels)
        if "address" not in known:
            of_exporter = known.get("source") in ("owners", "namespaces") or "netns" not in known
            found["exporter" if of_exporter else known["netns"]] += 1
    return found


def said(text: str) -> tuple[int, int]:
    """The numbers of a text that are those of a namespace and of the exporter."""
    match = re.search(OTHERS, text)
    assert match, text
    return int(match[1]), int(match[2])


@pytest.mark.netns
@pytest.mark.parametrize("rules", ["", RULES])
def test_a_page_has_as_many_series_as_check_config_says(tmp_path: Path, rules: str) -> None:
    with Namespaces() as namespaces:
        name = str(namespaces.container().inode)
        config = f"namespaces: {{enabled: true, include: ['{name}']}}\n{rules}"
        file = tmp_path / "c.yaml"
        file.write_text(config)
        assert parse(config, "c.yaml") != Config()
        of_namespace, of_exporter = said(command.run("check-config", str(file)).output)
        with watching(config) as daemon:
            until(lambda: namespaces_of(daemon.metrics()), equals({"host", name}))
            expected = Counter({"host": of_namespace, name: of_namespace, "exporter": of_exporter})
            until(lambda: counts(daemon.metrics()), equals(expected))


def test_the_readme_has_the_numbers_of_the_defaults(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("{}")
    assert said(README.read_text()) == said(command.run("check-config", str(file)).output)
