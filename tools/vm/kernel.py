"""Kernels of Debian for virtual machines: fetched once, and made into what qemu is given."""

from __future__ import annotations

import lzma
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from testbed import debian
from tools.vm.system import Installed, make_disk

_FILES = Path(__file__).parent / "files"
# Where a kernel is put together, in the system whose programs do that.
_WORK = Path("/kernel")
# The packages of one kernel, which other releases split in other ways.
_PACKAGES = "linux-image-", "linux-binary-", "linux-modules-", "linux-base-"
# What finds the disks and speaks to qemu. All others are loaded from the disk of modules.
_FIRST_MODULES = ("virtio_pci", "virtio_blk", "virtio_console", "virtio_rng", "ext4")


@dataclass(frozen=True, slots=True)
class Kernel:
    """A kernel as qemu takes it: the kernel, its first file system, and the disk with its modules."""

    image: Path
    initrd: Path
    modules: Path


def prepare(suite: str, installed: Installed, cache: Path) -> Kernel:
    """Return the cloud kernel of a release from the cache; one that is not there is fetched from the mirror.

    `installed` has the programs that are needed for it. Raises debian.UnavailableError and
    debian.BootstrapError.
    """
    folder = cache / f"kernel-{suite}"
    kernel = Kernel(folder / "linux", folder / "initrd", folder / "modules.ext4")
    if not kernel.modules.exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        work = installed.root / _WORK.relative_to("/")
        shutil.rmtree(work, ignore_errors=True)
        try:
            _unpack(suite, work)
            _assemble(installed, work, kernel)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    return kernel


def _unpack(suite: str, work: Path) -> None:
    packages = debian.Packages(suite, work / "apt")
    needed = packages.needed("linux-image-cloud-amd64")
    wanted = [name for name in needed for start in _PACKAGES if name.startswith(start) and "cloud" in name]
    packages.unpack(wanted, work / "root")


def _assemble(installed: Installed, work: Path, kernel: Kernel) -> None:
    root = work / "root"
    modules = next(root.glob("usr/lib/modules/*"), None) or next(root.glob("lib/modules/*"))
    # depmod and modprobe look into lib/modules alone.
    tree = work / "tree"
    (tree / "lib").mkdir(parents=True)
    modules.parent.rename(tree / "lib/modules")
    version = modules.name
    installed.run("depmod", f"--basedir={_WORK / 'tree'}", version)
    first = work / "first"
    for folder in ("bin", "dev", "modules", "system"):
        (first / folder).mkdir(parents=True)
    shutil.copy(_FILES / "init", first / "init")
    (first / "init").chmod(0o755)
    shutil.copy(installed.root / "usr/bin/busybox", first / "bin/busybox")
    for number, path in enumerate(_with_dependencies(installed, version)):
        content = (installed.root / path.lstrip("/")).read_bytes()
        unpacked = lzma.decompress(content) if path.endswith(".xz") else content
        (first / f"modules/{number:03}.ko").write_bytes(unpacked)
    installed.run("sh", "-c", "find . | cpio --quiet -o -H newc >../initrd", folder=_WORK / "first")
    shutil.copy(work / "initrd", kernel.initrd)
    shutil.copy(_image(root, tree / "lib/modules" / version), kernel.image)
    make_disk(tree / "lib/modules", kernel.modules, f"{_mebibytes(tree) * 5 // 4 + 32}M")


def _image(root: Path, modules: Path) -> Path:
    for path in (*root.glob("boot/vmlinuz-*"), modules / "vmlinuz"):
        if path.exists():
            return path
    raise debian.BootstrapError("the packages of the kernel have no vmlinuz")


def _with_dependencies(installed: Installed, version: str) -> Iterator[str]:
    """Yield the paths of the modules that are needed first, each after those that it needs."""
    command = [
        "modprobe",
        f"--dirname={_WORK / 'tree'}",
        f"--set-version={version}",
        "--all",
        "--show-depends",
    ]
    lines = installed.run(*command, *_FIRST_MODULES).splitlines()
    yield from dict.fromkeys(line.split()[1] for line in lines if line.startswith("insmod "))


def _mebibytes(folder: Path) -> int:
    done = subprocess.run(["du", "-sm", str(folder)], capture_output=True, text=True, check=True)
    return int(done.stdout.split()[0])
