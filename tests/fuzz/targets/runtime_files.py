"""State and configuration of container runtimes, which users and containers may write."""

from __future__ import annotations

import errno
import os

from exporter.owners.cgroup_location import CgroupLocation
from exporter.owners.runtimes.daemon import ContainerDaemon
from exporter.owners.runtimes.daemon_roots import find_roots
from exporter.owners.runtimes.documents import DocumentReader
from exporter.owners.runtimes.lookup import look_up
from exporter.owners.runtimes.names import ContainerNames
from tests.fuzz.target import Target, parts

_ID = "a1b2c3d4e5f60718" * 4
_POD_UID = "0" * 32
_NAMES = ("dockerd", "containerd", "containerd-shim", "conmon", "crio", "nerdctl")
_WHERE = tuple(
    CgroupLocation(path=f"/kubepods/pod{uid}/{_ID}", runtime=runtime, container_id=_ID, pod_uid=uid)
    for runtime in ("docker", "podman", "cri-o", "containerd", "")
    for uid in ("", _POD_UID)
)


class _Files:
    """Every file has this content, and every directory these names, as far as open(2) takes its path."""

    def __init__(self, content: bytes, names: list[str]) -> None:
        self._content = content
        self._names = names

    def read(self, path: str, max_bytes: int) -> bytes:
        _check_path(path)
        if len(self._content) > max_bytes:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
        return self._content

    def names(self, path: str) -> list[str]:
        _check_path(path)
        return self._names


def _check_path(path: str) -> None:
    """Refuse a path as open() of Python does. Raises ValueError."""
    if b"\0" in os.fsencode(path):
        raise ValueError("embedded null byte")


def run(data: bytes) -> None:
    """Look a container up where all files have one content, and daemons have these arguments."""
    content, listed, arguments = parts(data, 3)
    names = [os.fsdecode(name) for name in listed.replace(b"ID", _ID.encode()).split(b"\n") if name]
    given = tuple(os.fsdecode(argument) for argument in arguments.split(b"\n"))
    files = _Files(content.replace(b"ID", _ID.encode()), [name for name in names if "\0" not in name])
    user = len(data) % 2 * 1000
    daemons = [
        ContainerDaemon(name, 1, (name, *given), "/proc/1/root", user, b"0::/user.slice\n") for name in _NAMES
    ]
    roots = find_roots(daemons, DocumentReader(files))
    for where in _WHERE:
        _check(look_up(DocumentReader(files), roots, where))


def _check(found: ContainerNames) -> None:
    for name in (found.container, found.pod, found.namespace):
        assert name.isprintable()


TARGET = Target(
    run,
    max_bytes=4096,
    words=(
        b'"Name": ', b'"/web"', b'"id": "ID"', b'"names": ', b'"annotations": {', b'"Labels": {',
        b'"io.kubernetes.cri.sandbox-name": ', b'"io.kubernetes.pod.name": ', b"[storage]\n",
        b'graphroot = "/a"',
        b'"data-root": "/\\ud800"', b"--data-root=/a\n", b"--config=/a\n", b"-b\n/a\n", b"--cid\nID\n",
        b"a.", b"[a.b.c]\n", b"\\u0000", b"\xff", b"web_shop_app-ID.log\n", b"shop_web_" + b"0" * 32 + b"\n",
    ),
)  # fmt: skip
