"""Buildah, which builds and runs images as root and without a daemon; all that it keeps is in one folder."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from testbed import programs

_POLICY = {"default": [{"type": "insecureAcceptAnything"}]}
# Buildah starts itself again without its environment, and would not find libraries that are only unpacked.
# So the loader gets a list of its own, in a mount namespace that ends with the command.
_WITH_LIBRARIES = 'mount --bind "$1" /etc/ld.so.cache; shift; exec "$@"'


class Buildah:
    """One store of images and containers; whoever removes the folder has removed all of them."""

    def __init__(self, folder: Path) -> None:
        """Take an empty folder. Skips the test where images cannot be built."""
        if os.geteuid() != 0:
            pytest.skip("only root can build images here")
        self._buildah = programs.find("buildah")
        self._unshare = programs.find("unshare")
        if subprocess.run([self._unshare, "--mount", "true"], capture_output=True, check=False).returncode:
            pytest.skip("this machine allows no mount namespaces, in which images are built")
        self._folder = folder
        self._policy = folder / "policy.json"
        self._policy.write_text(json.dumps(_POLICY))
        registries, storage = folder / "registries.conf", folder / "storage.conf"
        registries.touch()
        storage.write_text(
            f'[storage]\ndriver = "vfs"\nrunroot = "{folder / "run"}"\ngraphroot = "{folder / "store"}"\n'
        )
        (folder / "tmp").mkdir()
        self._environment = os.environ | {
            "CONTAINERS_REGISTRIES_CONF": str(registries),
            "CONTAINERS_STORAGE_CONF": str(storage),
            "TMPDIR": str(folder / "tmp"),
            "BUILDAH_ISOLATION": "chroot",
        }
        self._cache = self._list_libraries()

    def load(self, archive: Path, name: str) -> None:
        """Make an image with the files of an archive."""
        container = self.run("from", "scratch")
        self.run("add", "--quiet", container, str(archive), "/")
        self.run("commit", "--quiet", "--rm", "--signature-policy", str(self._policy), container, name)

    def build(self, *arguments: str | Path) -> None:
        """Build an image as `buildah build` does with these arguments; fails the test where it cannot."""
        self.run("build", "--network=host", "--signature-policy", str(self._policy), *map(str, arguments))

    def container(self, image: str) -> tuple[str, Path]:
        """Make a container of an image, and return its name and the folder with its files."""
        name = self.run("from", "--pull-never", "--signature-policy", str(self._policy), image)
        return name, Path(self.run("mount", name))

    def about(self, image: str) -> dict[str, Any]:
        """What the image says of itself, as in the field `config` of an OCI image configuration."""
        found: dict[str, Any] = json.loads(self.run("inspect", "--type=image", image))["OCIv1"]["config"]
        return found

    def command(self, *arguments: str) -> list[str]:
        """The command that runs buildah with these arguments, in the environment of `environment`."""
        mounting = [self._unshare, "--mount", "--propagation=private", "sh", "-ec", _WITH_LIBRARIES, "sh"]
        return [*mounting, str(self._cache), self._buildah, *arguments]

    @property
    def environment(self) -> dict[str, str]:
        """The environment that makes buildah use this store."""
        return self._environment

    def run(self, *arguments: str) -> str:
        """Run a command of buildah to its end, and return what it printed; fails the test with its errors."""
        return _output(self.command(*arguments), self._environment)

    def _list_libraries(self) -> Path:
        folders = os.environ.get("LD_LIBRARY_PATH", "").split(":")
        wanted, cache = self._folder / "ld.so.conf", self._folder / "ld.so.cache"
        wanted.write_text("\n".join(["include /etc/ld.so.conf", *filter(None, folders)]))
        _output([programs.find("ldconfig"), "-X", "-C", str(cache), "-f", str(wanted)], self._environment)
        return cache


def _output(command: Sequence[str], environment: dict[str, str]) -> str:
    # A time limit would only show where it hung; the test has one already.
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.fail(
            f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout[-4000:]}{done.stderr[-4000:]}"
        )
    return done.stdout.strip()
