"""tools/release compares a tag with the files, and builds what a release consists of."""

from __future__ import annotations

import re
import shutil
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest

from exporter import __version__
from testbed import programs

ROOT = Path(__file__).resolve().parents[2]
_UNWANTED = shutil.ignore_patterns(".*", "__pycache__", "dist", "build", "tests", "bench", "docs")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the repository with the programs of this one."""
    folder = tmp_path / "repository"
    shutil.copytree(ROOT, folder, ignore=_UNWANTED)
    for linked in (".venv", ".debian"):
        (folder / linked).symlink_to(ROOT / linked)
    shutil.copy(ROOT / ".gitignore", folder)
    return folder


def release(folder: Path, tag: str) -> subprocess.CompletedProcess[str]:
    """Run tools/release to its end."""
    command = [str(folder / "tools/release"), tag]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)


def test_builds_the_packages_the_chart_and_the_notes(copy: Path) -> None:
    programs.find("helm")
    done = release(copy, f"v{__version__}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].startswith(f"listen-queue-exporter {__version__} ")
    wheel = f"listen_queue_exporter-{__version__}-py3-none-any.whl"
    sdist = f"listen_queue_exporter-{__version__}.tar.gz"
    chart = f"listen-queue-exporter-{__version__}.tgz"
    assert {path.name for path in (copy / "dist").iterdir()} == {wheel, sdist, chart}
    with zipfile.ZipFile(copy / "dist" / wheel) as archive:
        assert "exporter/py.typed" in archive.namelist()
    with tarfile.open(copy / "dist" / chart) as archive:
        assert "listen-queue-exporter/Chart.yaml" in archive.getnames()
    notes = (copy / "build/notes.md").read_text()
    assert notes.startswith("### ")
    assert "\n## " not in notes
    assert "]: https://" not in notes
    installed = {path.name for path in (copy / "build/installed").glob("lib/python3*/site-packages/*")}
    assert {"exporter", "pyroute2"} <= installed
    assert "pip" not in installed


def test_the_commands_of_release_md_prepare_a_release(copy: Path) -> None:
    programs.find("helm")
    lines = [line.strip() for line in (ROOT / "RELEASE.md").read_text().splitlines()]
    commands = [line for line in lines if line.startswith("sed ")]
    (build,) = [line for line in lines if line.startswith("tools/release ")]
    version = build.partition(" v")[2]
    for command in commands:
        subprocess.run(["sh", "-ec", command], cwd=copy, check=True, timeout=30)
    done = subprocess.run(
        ["sh", "-ec", build], cwd=copy, capture_output=True, text=True, check=False, timeout=240
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].startswith(f"listen-queue-exporter {version} ")
    changelog = (copy / "CHANGELOG.md").read_text()
    assert re.search(rf"^## \[Unreleased\]\n\n## \[{version}\] - \d{{4}}-\d\d-\d\d$", changelog, re.MULTILINE)
    assert f"/compare/v{version}...HEAD\n[{version}]: https://" in changelog
    assert f"/compare/v{__version__}...v{version}\n" in changelog


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("exporter/__init__.py", f'"{__version__}"', '"9.9.9"'),
        ("deploy/helm/listen-queue-exporter/Chart.yaml", f"\nversion: {__version__}", "\nversion: 9.9.9"),
        (
            "deploy/helm/listen-queue-exporter/Chart.yaml",
            f'appVersion: "{__version__}"',
            'appVersion: "9.9.9"',
        ),
        ("deploy/kubernetes/base/kustomization.yaml", f"newTag: {__version__}", "newTag: 9.9.9"),
        ("CHANGELOG.md", f"## [{__version__}] - 20", "## [9.9.9] - 20"),
    ],
)
def test_refuses_a_tag_that_a_file_does_not_have(copy: Path, file: str, old: str, new: str) -> None:
    text = (copy / file).read_text()
    assert old in text
    (copy / file).write_text(text.replace(old, new))
    done = release(copy, f"v{__version__}")
    assert done.returncode == 1
    assert [line.partition(":")[0] for line in done.stderr.splitlines()] == [file]
    assert list((copy / "dist").iterdir()) == []


def test_refuses_a_version_without_a_section_that_has_a_date(copy: Path) -> None:
    changelog = copy / "CHANGELOG.md"
    lines = changelog.read_text().splitlines()
    changelog.write_text(
        "\n".join(f"## [{__version__}]" if f"[{__version__}] - " in each else each for each in lines)
    )
    done = release(copy, f"v{__version__}")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"CHANGELOG.md: no section '## [{__version__}] - YYYY-MM-DD' with text\n"


def test_refuses_a_tag_without_v(copy: Path) -> None:
    done = release(copy, __version__)
    assert done.returncode == 1
    assert f"{__version__}: a tag begins with v" in done.stderr
