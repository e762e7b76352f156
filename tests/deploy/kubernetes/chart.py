"""The Helm chart, rendered by the real helm without a cluster."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from testbed import programs
from tests.deploy.kubernetes.manifests import ROOT, Manifests

CHART = ROOT / "deploy" / "helm" / "listen-queue-exporter"
RELEASE, NAMESPACE = "listen-queue-exporter", "listen-queue-exporter"


@dataclass(frozen=True, slots=True)
class Helm:
    """The program helm with its cache and configuration in `home`."""

    home: Path

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of helm."""
        folders = {f"HELM_{kind}_HOME": str(self.home / kind) for kind in ("CACHE", "CONFIG", "DATA")}
        return subprocess.run(
            [programs.find("helm"), *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
            env={**os.environ, **folders, "HOME": str(self.home)},
        )

    def output(self, *arguments: str) -> str:
        """The output of a command; fails the test where the exit status is not 0."""
        done = self.run(*arguments)
        if done.returncode != 0:
            pytest.fail(
                f"helm {' '.join(arguments)} exited with {done.returncode}: {done.stderr}{done.stdout}"
            )
        return done.stdout

    def render(self, *settings: str, chart: Path = CHART, release: str = RELEASE) -> Manifests:
        """The manifests of an installation with these settings (`key=value`)."""
        return Manifests.parse(self.output("template", release, str(chart), *_flags(settings)))

    def error(self, *settings: str) -> str:
        """The error of an installation with these settings; fails the test where there is none."""
        done = self.run("template", RELEASE, str(CHART), *_flags(settings))
        assert done.returncode != 0, f"helm accepted {settings}"
        return done.stderr


def _flags(settings: Sequence[str]) -> list[str]:
    return ["--namespace", NAMESPACE, *(flag for setting in settings for flag in ("--set", setting))]
