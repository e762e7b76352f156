"""The files of the repository agree about where it is, who owns it, and which checks are run."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from testbed.makefile import recipe

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = Path(sys.executable).parent
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
SOURCE: str = PROJECT["urls"]["Source"]


def test_every_url_of_the_project_is_in_its_repository() -> None:
    assert set(PROJECT["urls"]) == {"Homepage", "Documentation", "Source", "Issues", "Changelog"}
    assert [url for url in PROJECT["urls"].values() if not url.startswith(SOURCE)] == []
    assert f"ARG SOURCE={SOURCE}\n" in (ROOT / "Dockerfile").read_text()
    chart = yaml.safe_load((ROOT / "deploy/helm/listen-queue-exporter/Chart.yaml").read_text())
    assert chart["home"] == SOURCE


@pytest.mark.parametrize(
    "file", ["CHANGELOG.md", "RELEASE.md", "SECURITY.md", ".github/ISSUE_TEMPLATE/config.yml"]
)
def test_links_to_the_repository_are_to_that_of_the_project(file: str) -> None:
    links = re.findall(r"https://github\.com/[\w.-]+/[\w.-]+", (ROOT / file).read_text())
    assert set(links) <= {SOURCE}


def test_the_owners_of_the_code_are_a_team_of_the_organization_that_has_the_repository() -> None:
    organization = urlsplit(SOURCE).path.split("/")[1]
    lines = (ROOT / ".github/CODEOWNERS").read_text().splitlines()
    rules = [line.split() for line in lines if line and not line.startswith("#")]
    assert rules[0][0] == "*"
    owners = {owner for rule in rules for owner in rule[1:]}
    assert owners
    assert [owner for owner in owners if not re.fullmatch(rf"@{organization}/[\w-]+", owner)] == []


def test_every_supported_version_of_python_is_a_classifier_and_is_tested() -> None:
    prefix = "Programming Language :: Python :: 3."
    classified = [each.removeprefix(prefix) for each in PROJECT["classifiers"] if each.startswith(prefix)]
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
    tested = workflow["jobs"]["unit"]["strategy"]["matrix"]["python"]
    assert [f"3.{minor}" for minor in classified] == tested
    assert PROJECT["requires-python"] == f">={tested[0]}"


def test_pre_commit_has_the_checks_of_make_lint() -> None:
    found = recipe("lint")
    commands = [command.strip() for command in re.findall(r"^\.venv/bin/[^>|;&\n]+", found, re.MULTILINE)]
    assert len(commands) == len(found.splitlines()), found
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    hooks = [hook for repository in config["repos"] for hook in repository["hooks"]]
    assert [hook["entry"] for hook in hooks] == commands
    # A check sees all files of the repository, not only those of the commit.
    assert {(hook["pass_filenames"], hook["always_run"]) for hook in hooks} == {(False, True)}


def test_pre_commit_accepts_its_configuration(tmp_path: Path) -> None:
    def validate(file: Path) -> int:
        command = [str(PROGRAMS / "pre-commit"), "validate-config", str(file)]
        return subprocess.run(command, capture_output=True, check=False, timeout=60).returncode

    assert validate(ROOT / ".pre-commit-config.yaml") == 0
    broken = tmp_path / "config.yaml"
    broken.write_text((ROOT / ".pre-commit-config.yaml").read_text().replace("language: unsupported", ""))
    assert validate(broken) == 1


def test_shellcheck_reports_nothing(tmp_path: Path) -> None:
    def report(*scripts: Path) -> str:
        command = [str(PROGRAMS / "shellcheck"), "--norc", *map(str, scripts)]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60).stdout

    programs = [path for path in (ROOT / "tools").iterdir() if path.is_file()]
    scripts = [path for path in programs if path.read_text().startswith("#!/bin/")]
    assert ROOT / "tools/release" in scripts
    assert report(*scripts, ROOT / ".ci/run") == ""
    broken = tmp_path / "script"
    broken.write_text((ROOT / "tools/release").read_text().replace('grep -qxF -- "$2"', "grep -qxF -- $2"))
    assert "SC2086" in report(broken)
