"""The exporter, installed where the units run it, executable for every user."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path
from typing import Self

import exporter

HOME = "/opt/listen-queue-exporter"
_NAME = "listen-queue-exporter"
_PYTHON = f"python{sys.version_info[0]}.{sys.version_info[1]}"
_COMMAND = f"""\
#!/bin/sh
export PYTHONPATH={HOME}/lib LD_LIBRARY_PATH={HOME}/python/lib
exec {HOME}/python/bin/{_PYTHON} -P -m exporter "$@"
"""


@dataclass(frozen=True, slots=True)
class Installation:
    """The files to be mounted at HOME, and the interpreter to be mounted at HOME/python.

    The interpreter of the tests may be in a home directory, which services cannot read.
    """

    files: Path
    python: Path

    @classmethod
    def made_in(cls, files: Path) -> Self:
        """Copy the exporter and the packages that it imports, unless that was done before."""
        if not files.exists():
            copy = files.with_suffix(".incomplete")
            shutil.rmtree(copy, ignore_errors=True)
            _install(copy)
            copy.rename(files)
        return cls(files, Path(sys.base_prefix))


def _install(folder: Path) -> None:
    library = folder / "lib"
    (folder / "bin").mkdir(parents=True)
    (folder / "python").mkdir()
    shutil.copytree(Path(exporter.__file__).parent, library / "exporter")
    for requirement in distribution(_NAME).requires or ():
        _copy(requirement.partition(">")[0], library)
    command = folder / "bin" / _NAME
    command.write_text(_COMMAND)
    command.chmod(0o755)
    subprocess.run(["chmod", "-R", "a+rX", folder], check=True)


def _copy(name: str, library: Path) -> None:
    package = distribution(name)
    for top in {file.parts[0] for file in package.files or ()} - {".."}:
        shutil.copytree(str(package.locate_file(top)), library / top)
