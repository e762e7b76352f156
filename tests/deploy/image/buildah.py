"""Buildah builds and runs images as root, without a daemon; everything it stores is in one folder."""

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
# Buildah executes itself again without LD_LIBRARY_PATH, and would not find the libraries of packages that are
# unpacked but not installed. So the loader's cache is replaced, in a mount namespace of the command.
_WITH_LIBRARIES = 'mount --bind "$1" /etc/ld.so.cache; shift; exec "$@"'


class Buildah:
    """A store of images and containers; removing its folder removes all of them."""

    def __init__(self, folder: Path) -> None:
        """Use `folder`, which must be empty. Skips the test where images cannot be built."""
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
        """Make an image with the files of a tar archive."""
        container = self.run("from", "scratch")
        self.run("add", "--quiet", container, str(archive), "/")
        self.run("commit", "--quiet", "--rm", "--signature-policy", str(self._policy), container, name)

    def build(self, *arguments: str | Path, cwd: Path) -> None:
        """Run `buildah build` with these arguments in the folder `cwd`; fails the test where that fails."""
        options = ("--network=host", "--signature-policy", str(self._policy))
        _output(self.command("build", *options, *map(str, arguments)), self._environment, cwd)

    def save(self, image: str, archive: Path) -> None:
        """Write an image as a file that `docker load` reads."""
        target = f"docker-archive:{archive}:{image}"
        self.run("push", "--quiet", "--signature-policy", str(self._policy), f"localhost/{image}", target)

    def container(self, image: str) -> tuple[str, Path]:
        """Make a container of an image, and return its name and the folder where its root is mounted."""
        name = self.run("from", "--pull-never", "--signature-policy", str(self._policy), image)
        return name, Path(self.run("mount", name))

    def config(self, image: str) -> dict[str, Any]:
        """The field `config` of the OCI image configuration."""
        found: dict[str, Any] = json.loads(self.run("inspect", "--type=image", image))["OCIv1"]["config"]
        return found

    def command(self, *arguments: str) -> list[str]:
        """The command line that runs buildah with these arguments; it needs `environment`."""
        mounting = [self._unshare, "--mount", "--propagation=private", "sh", "-ec", _WITH_LIBRARIES, "sh"]
        return [*mounting, str(self._cache), self._buildah, *arguments]

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables with which buildah uses this store."""
        return self._environment

    def run(self, *arguments: str) -> str:
        """The output of a buildah command; fails the test with its errors where it fails."""
        return _output(self.command(*arguments), self._environment)

    def _list_libraries(self) -> Path:
        folders = os.environ.get("LD_LIBRARY_PATH", "").split(":")
        wanted, cache = self._folder / "ld.so.conf", self._folder / "ld.so.cache"
        wanted.write_text("\n".join(["include /etc/ld.so.conf", *filter(None, folders)]))
        _output([programs.find("ldconfig"), "-X", "-C", str(cache), "-f", str(wanted)], self._environment)
        return cache


def _output(command: Sequence[str], environment: dict[str, str], cwd: Path | None = None) -> str:
    # No timeout here: the test has one.
    done = subprocess.run(command, env=environment, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.fail(
            f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout[-4000:]}{done.stderr[-4000:]}"
        )
    return done.stdout.strip()
