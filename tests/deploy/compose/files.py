"""The services of the compose files as docker-compose reads them, and the files that they mount."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from testbed import programs

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / "deploy" / "compose"
BASE = "compose.yaml"
CONTAINERS = "compose.containers.yaml"
WEB_CONFIG = "compose.web-config.yaml"


@dataclass(frozen=True, slots=True)
class Service:
    """A service and its definition."""

    name: str
    definition: dict[str, Any]

    @property
    def mounts(self) -> dict[str, str]:
        """Folder of the host, or name of a volume, by the folder in the container."""
        # docker-compose 1 prints a mount as a line, version 2 as a mapping.
        found = {}
        for mount in self.definition["volumes"]:
            if isinstance(mount, str):
                source, target = mount.split(":")[:2]
            else:
                source, target = mount["source"], mount["target"]
            found[target] = source
        return found

    @property
    def flags(self) -> dict[str, str]:
        """The flags of its command line, by name."""
        return {
            name: value for name, _, value in (flag.partition("=") for flag in self.definition["command"])
        }

    def source(self, path: str) -> Path:
        """The file of the repository that is mounted at `path`; fails the test where none is."""
        for target, source in self.mounts.items():
            if Path(path).is_relative_to(target) and Path(source).is_relative_to(ROOT):
                return Path(source) / Path(path).relative_to(target)
        pytest.fail(f"nothing of the repository is mounted at {path} of {self.name}")

    def lay_out(self, folder: Path) -> None:
        """Copy what is mounted from the repository below `folder`; for a volume make an empty folder."""
        for target, source in self.mounts.items():
            place = folder / target.lstrip("/")
            if Path(source).is_relative_to(ROOT):
                shutil.copytree(source, place)
            elif not Path(source).is_absolute():
                place.mkdir(parents=True)

    def command(self, folder: Path) -> list[str]:
        """Its arguments, with the paths of the container below `folder`."""
        return [
            f"{name}={folder}{value}" if value.startswith("/") else f"{name}={value}"
            for name, value in self.flags.items()
        ]


def services(*files: str) -> dict[str, Service]:
    """The services of these files, merged; skips the test where there is no docker-compose."""
    found = programs.find("docker-compose")
    command = [found]
    environment = dict(os.environ)
    with Path(found).open("rb") as program:
        if program.read(2) == b"#!":
            # It may be unpacked and not installed, and it needs the Python of the system.
            command = ["/usr/bin/python3", found]
            environment["PYTHONPATH"] = str(Path(found).parents[1] / "lib/python3/dist-packages")
    options = [f"--file={FOLDER / name}" for name in files]
    done = subprocess.run(
        [*command, *options, "config"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        pytest.fail(f"docker-compose does not accept {files}: {done.stderr}")
    merged = yaml.safe_load(done.stdout)["services"]
    return {name: Service(name, definition) for name, definition in merged.items()}
