"""hadolint accepts the Dockerfile."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
HADOLINT = Path(sys.executable).with_name("hadolint")


def lint(dockerfile: Path) -> tuple[int, str]:
    """The exit status of hadolint and what it printed."""
    done = subprocess.run([HADOLINT, dockerfile], capture_output=True, text=True, check=False, timeout=30)
    return done.returncode, done.stdout + done.stderr


def test_hadolint_reports_nothing() -> None:
    assert lint(ROOT / "Dockerfile") == (0, "")


def test_hadolint_reports_what_is_wrong(tmp_path: Path) -> None:
    broken = tmp_path / "Dockerfile"
    text = (ROOT / "Dockerfile").read_text()
    broken.write_text(text.replace("apt-get install --yes", "apt-get install"))
    status, report = lint(broken)
    assert status == 1
    assert "DL3014" in report
