"""The dashboard has the TypeScript types of Grafana and of the plugins of its panels."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from testbed.npm import installed
from tests.deploy.dashboard.file import FILE, Json, load, panel

HERE = Path(__file__).with_name("types")

pytestmark = [
    # npm writes into one folder, which stays from one run to the next.
    pytest.mark.xdist_group("dashboard-types"),
]


@pytest.fixture(scope="module")
def packages() -> Path:
    """The folder node_modules of the lock file; skips where npm is missing or cannot download."""
    return installed(HERE)


def test_the_dashboard_has_the_types_of_grafana(packages: Path, tmp_path: Path) -> None:
    assert _compile(FILE.read_text(), packages, tmp_path) == ""


def _set(title: str, *keys: str, to: object) -> Callable[[Json], None]:
    def change(dashboard: Json) -> None:
        at = panel(dashboard, title)
        for key in keys[:-1]:
            at = at[key]
        at[keys[-1]] = to

    return change


def _override(title: str, name: str, value: object) -> Callable[[Json], None]:
    def change(dashboard: Json) -> None:
        overrides = panel(dashboard, title)["fieldConfig"]["overrides"]
        overrides[0]["properties"] = [{"id": name, "value": value}]

    return change


@pytest.mark.parametrize(
    ("break_it", "says"),
    [
        (_override("Listeners", "custom.widht", 80), '"custom.widht"\' is not assignable'),
        (_override("Listeners", "custom.width", "80"), "'string' is not assignable to type 'number'"),
        (_override("Listeners", "custom.cellOptions", {"type": "bar"}), '"bar"\' is not assignable'),
        (_override("Utilization", "color", {"mode": "shade"}), '"shade"\' is not assignable'),
        (lambda it: it.update(colour="blue"), "'\"colour\"' does not exist"),
        (lambda it: it.update(schemaVersion="36"), "'string' is not assignable to type 'number'"),
        (lambda it: it["templating"]["list"][1].update(refresh=4), "'refresh'|'4'"),
        (lambda it: it["annotations"]["list"][0].update(color="red"), "'\"color\"' does not exist"),
        (_set("CPU", "type", to="graph"), '"graph"\' is not assignable'),
        (_set("CPU", "options", "legend", "placement", to="left"), '"left"\' is not assignable'),
        (_set("CPU", "fieldConfig", "defaults", "unite", to="s"), "'\"unite\"' does not exist"),
        (
            _set("CPU", "fieldConfig", "defaults", "custom", "lineWidht", to=1),
            "'\"lineWidht\"' does not exist",
        ),
        (_set("Listeners", "options", "showHeaders", to=True), "'\"showHeaders\"' does not exist"),
        (_set("Sources", "options", "showValue", to="maybe"), '"maybe"\' is not assignable'),
        (_set("How often how full", "options", "color", "scheme", to=3), "'number' is not assignable"),
    ],
)
def test_the_compiler_finds_what_is_wrong(
    break_it: Callable[[Json], None], says: str, packages: Path, tmp_path: Path
) -> None:
    dashboard = load()
    break_it(dashboard)
    assert re.search(says, _compile(json.dumps(dashboard), packages, tmp_path))


def test_the_lock_names_versions_and_sums_but_no_host() -> None:
    text = (HERE / "package-lock.json").read_text()
    assert "://" not in text
    packages = {name: each for name, each in json.loads(text)["packages"].items() if name}
    assert all(each["version"] and each["integrity"] for each in packages.values())


def _compile(dashboard: str, packages: Path, folder: Path) -> str:
    """What the compiler finds wrong with a dashboard."""
    (folder / "node_modules").symlink_to(packages)
    for name in ("saved.ts", "tsconfig.json"):
        shutil.copy(HERE / name, folder)
    (folder / "check.ts").write_text(
        'import type { Saved, SavedByAnyone } from "./saved.js";\n'
        f"const dashboard: Saved = {dashboard};\n"
        "export const toAnyone: SavedByAnyone = dashboard;\n"
    )
    compiler = packages / ".bin/tsc"
    ended = subprocess.run([compiler], cwd=folder, capture_output=True, text=True, check=False, timeout=120)
    assert (ended.returncode == 0) == (ended.stdout == ""), ended
    return ended.stdout
