"""Linters accept what is in .github, and report what is wrong in a copy of it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = Path(sys.executable).parent
WORKFLOWS = ".github/workflows/*.yml"


@dataclass(frozen=True, slots=True)
class Linter:
    """A command that is run in the root of a repository, with the files of `pattern` appended."""

    command: tuple[str, ...]
    pattern: str

    def run(self, root: Path) -> tuple[int, str]:
        """The exit status, and what was printed to standard output and standard error."""
        files = sorted(str(path.relative_to(root)) for path in root.glob(self.pattern))
        assert files, self.pattern
        done = subprocess.run(
            [PROGRAMS / self.command[0], *self.command[1:], *files],
            cwd=root,
            # actionlint finds shellcheck on PATH.
            env=os.environ | {"PATH": f"{PROGRAMS}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        return done.returncode, done.stdout + done.stderr


def _schema(name: str, pattern: str) -> Linter:
    return Linter(("check-jsonschema", "--builtin-schema", f"vendor.{name}"), pattern)


_ZIZMOR = ("zizmor", "--offline", "--no-config", "--no-progress", "--quiet", "--persona=pedantic")
LINTERS = {
    "actionlint": Linter(("actionlint",), WORKFLOWS),
    "zizmor of workflows": Linter(_ZIZMOR, WORKFLOWS),
    "zizmor of dependabot.yml": Linter(_ZIZMOR, ".github/dependabot.yml"),
    "schema of workflows": _schema("github-workflows", WORKFLOWS),
    "schema of dependabot.yml": _schema("dependabot", ".github/dependabot.yml"),
    "schema of issue forms": _schema("github-issue-forms", ".github/ISSUE_TEMPLATE/*_*.yml"),
    "schema of the issue configuration": _schema("github-issue-config", ".github/ISSUE_TEMPLATE/config.yml"),
}


@dataclass(frozen=True, slots=True)
class Change:
    """A mistake: a text that replaces another one in a file of .github, and what the linter says of it."""

    linter: str
    file: str
    old: str
    new: str
    reported: str


CI, RELEASE = "workflows/ci.yml", "workflows/release.yml"
CHANGES = (
    Change("actionlint", CI, "matrix.python }}", "matrix.pyhton }}", '"pyhton" is not defined'),
    Change("actionlint", CI, "ubuntu-24.04", "ubuntu-24.05", '"ubuntu-24.05" is unknown'),
    Change("actionlint", RELEASE, "needs: packages", "needs: package", "which does not exist"),
    Change("actionlint", RELEASE, '"$GITHUB_REF_NAME"\n', "$GITHUB_REF_NAME\n", "SC2086"),
    Change("actionlint", RELEASE, "outputs.digest", "output.digest", '"output" is not defined'),
    Change("zizmor of workflows", CI, "  pull_request:", "  pull_request_target:", "dangerous-triggers"),
    Change("zizmor of workflows", CI, "permissions: {}", "permissions: write-all", "excessive-permissions"),
    Change("zizmor of workflows", CI, "@3d3c42e5aac5ba805825da76410c181273ba90b1", "@v7", "unpinned-uses"),
    Change(
        "zizmor of workflows",
        RELEASE,
        "${GITHUB_REF_NAME#v}",
        "${{ github.ref_name }}",
        "template-injection",
    ),
    Change("zizmor of dependabot.yml", "dependabot.yml", "days: 7", "days: 1", "dependabot-cooldown"),
    Change("schema of workflows", CI, "runs-on:", "run-on:", "run-on"),
    Change("schema of dependabot.yml", "dependabot.yml", "interval: weekly", "interval: often", "often"),
    Change("schema of issue forms", "ISSUE_TEMPLATE/bug_report.yml", "type: dropdown", "type: menu", "menu"),
    Change(
        "schema of the issue configuration", "ISSUE_TEMPLATE/config.yml", "    about:", "    text:", "about"
    ),
)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A repository with a copy of .github, to be changed."""
    shutil.copytree(ROOT / ".github", tmp_path / ".github")
    (tmp_path / ".git").mkdir()  # actionlint looks for the root of a repository
    return tmp_path


@pytest.mark.parametrize("name", LINTERS)
def test_linter_reports_nothing(name: str) -> None:
    status, report = LINTERS[name].run(ROOT)
    assert status == 0, report


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: f"{change.linter}: {change.reported}")
def test_linter_reports_what_is_wrong(copy: Path, change: Change) -> None:
    broken = copy / ".github" / change.file
    text = broken.read_text()
    assert change.old in text
    broken.write_text(text.replace(change.old, change.new))
    status, report = LINTERS[change.linter].run(copy)
    assert status != 0
    assert change.reported in report


def test_every_action_is_pinned_to_a_commit_and_one_version_of_it_is_in_use() -> None:
    uses = [
        line.partition("uses: ")[2]
        for path in ROOT.glob(WORKFLOWS)
        for line in path.read_text().splitlines()
        if "uses: " in line and "uses: $/" not in line
    ]
    assert uses
    assert [use for use in uses if not re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", use)] == []
    assert len({use.partition("@")[0] for use in uses}) == len(set(uses))


def test_every_file_of_github_is_checked() -> None:
    checked = {path for linter in LINTERS.values() for path in ROOT.glob(linter.pattern)}
    files = {path for path in (ROOT / ".github").rglob("*") if path.is_file()}
    assert {path.name for path in files - checked} == {"CODEOWNERS", "pull_request_template.md"}
