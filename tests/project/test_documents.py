"""CHANGELOG.md, RELEASE.md and docs/decisions.md have the form that they promise."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

from exporter import __version__

ROOT = Path(__file__).resolve().parents[2]
CATEGORIES = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"]


def test_the_changelog_has_the_form_of_keep_a_changelog() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    versions = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert versions[0] == "[Unreleased]"
    released = [re.fullmatch(r"\[(\d+\.\d+\.\d+)\] - (\d{4}-\d\d-\d\d)", version) for version in versions[1:]]
    dated = [(match[1], date.fromisoformat(match[2])) for match in released if match]
    assert len(dated) == len(released), versions
    assert dated[0][0] == __version__
    assert dated == sorted(dated, key=lambda each: each[1], reverse=True)
    for section in re.split(r"^## .*$", text, flags=re.MULTILINE)[1:]:
        categories = re.findall(r"^### (.*)$", section, re.MULTILINE)
        assert categories == [category for category in CATEGORIES if category in categories]
    links = re.findall(r"^\[(.*?)\]: https://\S+$", text, re.MULTILINE)
    assert links == ["Unreleased", *(version for version, _ in dated)]


def test_every_decision_has_its_number_date_and_status() -> None:
    text = (ROOT / "docs/decisions.md").read_text()
    sections = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    dates = []
    for number, section in enumerate(sections, start=1):
        match = re.match(r"(\d+)\. .+\n(\d{4}-\d\d-\d\d), (?:accepted|superseded by (\d+))\n\n\S", section)
        assert match, section
        assert int(match[1]) == number
        assert match[3] is None or number < int(match[3]) <= len(sections)
        dates.append(date.fromisoformat(match[2]))
    assert dates
    assert dates == sorted(dates)
