"""A root file system for containers: busybox, whose httpd is the service that listens in them."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.machines import commands

_BUSYBOX = "/usr/bin/busybox"
# The backlog that httpd of busybox asks for.
BACKLOG = 9


def make(root: Path) -> Path:
    """Make it in `root`, a folder that is missing, and return that."""
    for folder in ("bin", "dev", "etc", "proc", "run", "sys", "tmp", "usr/bin", "var"):
        (root / folder).mkdir(parents=True)
    shutil.copy(_BUSYBOX, root / "bin/busybox")
    for name in ("httpd", "sh", "sleep"):
        (root / "bin" / name).symlink_to("busybox")
    (root / "etc/passwd").write_text("root:x:0:0:root:/:/bin/sh\n")
    (root / "etc/os-release").write_text("ID=test\n")
    return root


def pack(root: Path, archive: Path) -> Path:
    """Write the file system as an archive for `docker import`, and return that."""
    commands.output("tar", "--create", "--file", str(archive), "--directory", str(root), ".")
    return archive


def service(port: int) -> tuple[str, ...]:
    """The command of a container that listens on a TCP port."""
    return "/bin/httpd", "-f", "-p", str(port)
