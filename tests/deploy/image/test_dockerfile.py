"""The Dockerfile is as its linter wants it."""

from __future__ import annotations

import sys
from pathlib import Path

from testbed import programs

ROOT = Path(__file__).resolve().parents[3]


def test_the_linter_finds_nothing() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    programs.output(str(hadolint), str(ROOT / "deploy/image/Dockerfile"))
