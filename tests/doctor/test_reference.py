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
_CHECK_TESTS = Path(__file__).parent / "checks"
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


def test_every_finding_has_a_test_on_a_real_kernel() -> None:
    constants = {
        value: name
        for module in pkgutil.iter_modules(checks.__path__)
        for name, value in vars(importlib.import_module(f"{checks.__name__}.{module.name}")).items()
        if name.isupper() and isinstance(value, str)
    }
    tests = "".join(path.read_text() for path in _CHECK_TESTS.glob("test_*.py"))
    # A test looks for it by the name of the constant, or as it is printed.
    untested = [name for name in FINDINGS if not re.search(rf'\b{constants[name]}\b|"{name}"', tests)]
    assert untested == []


def test_every_finding_is_named_in_a_runbook() -> None:
    """Those beside alerts too: who reads them asks what to do."""
    runbooks = (_DOCS / "runbooks.md").read_text()
    assert [name for name in FINDINGS if f"`{name}`" not in runbooks] == []


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
