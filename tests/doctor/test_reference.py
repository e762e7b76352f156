"""docs/doctor.md is the one that the findings and the settings of programs make."""

from __future__ import annotations

import importlib
import pkgutil
import re
from pathlib import Path

from exporter.doctor import checks
from exporter.doctor.backlog_settings.lookup import BACKLOG_SETTINGS
from exporter.doctor.reference import FINDINGS, reference
from tests.deploy.alerts import shipped

_DOCS = Path(__file__).parents[2] / "docs"
_NAME = re.compile(r"[a-z]+(-[a-z]+)+")
# A section of a runbook names the findings that confirm its alert in this paragraph.
_CONFIRMED = re.compile(r"^\*\*`doctor`\*\* (?:.+\n)+", re.MULTILINE)


def test_docs_agree_with_the_code() -> None:
    assert (_DOCS / "doctor.md").read_text() == reference(), "run `make reference`"


def test_every_finding_of_a_check_is_documented() -> None:
    modules = [
        importlib.import_module(f"{checks.__name__}.{module.name}")
        for module in pkgutil.iter_modules(checks.__path__)
    ]
    names = {
        value
        for module in modules
        for name, value in vars(module).items()
        if name.isupper() and isinstance(value, str) and _NAME.fullmatch(value)
    }
    assert names == FINDINGS.keys()


def test_every_setting_has_a_source() -> None:
    for setting in BACKLOG_SETTINGS:
        assert re.match(r"https://\S+", setting.source), setting.service
        assert f"| {setting.service} |" in reference()


def test_the_runbook_of_each_alert_names_findings_that_there_are() -> None:
    """Those about queues name one that confirms the alert; those about the exporter say what doctor tells."""
    sections = re.split(r"^## ", (_DOCS / "runbooks.md").read_text(), flags=re.MULTILINE)
    by_title = {section.splitlines()[0]: section for section in sections}
    for alert in shipped.alert_names():
        (paragraph,) = _CONFIRMED.findall(by_title[alert])
        named = set(re.findall(r"`([a-z-]+-[a-z-]+)`", paragraph))
        assert named <= FINDINGS.keys(), alert
        assert named or alert.startswith("ListenQueueExporter"), alert
