r"""What the path of a cgroup says: unit, slice, container and pod.

Sources: systemd's https://systemd.io/CGROUP_DELEGATION/ and src/basic/cgroup-util.c (names of units,
and `_` before a name that would look like a file of the kernel's); runc's and crun's
`<prefix>-<id>.scope` of the systemd driver; Kubernetes' pkg/kubelet/cm/cgroup_manager_linux.go
(`kubepods`, with `_` for the `-` in a pod's uid under systemd); LXC's src/lxc/cgroups/cgfsng.c.

A process may be in several of each, one in the other. The innermost container speaks, since it is
what runs the process: of Docker in Docker the inner one. `unit` is the innermost .service or
.socket, also one inside of a container that runs systemd; else the innermost .scope, so that of a
container too; else a user's manager (user@1000.service); and last of all init.scope. `slice` is the
one that this unit is in.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from exporter.kernel.text import printable

_DOTS = frozenset((b"", b".", b".."))
_RUNTIMES: Final = {
    b"docker": "docker",
    b"cri-containerd": "containerd",
    b"nerdctl": "containerd",
    b"crio": "cri-o",
    b"libpod": "podman",
    # Of a service with a container of its own (Quadlet): podman-systemd.unit(5), `--cgroups=split`.
    b"libpod-payload": "podman",
}
# The monitors of CRI-O and Podman (crio-conmon-<id>.scope) fit here and are in no table: no container.
_PREFIXED = re.compile(rb"([a-z][a-z-]*)[-:]([0-9a-f]{64})(?:\.scope)?")
_PLAIN = re.compile(rb"[0-9a-f]{64}")
# Who names a container's cgroup by its id alone, by the cgroup above; `default` is nerdctl's namespace.
_PARENTS: Final = {b"docker": "docker", b"default": "containerd", b"libpod_parent": "podman"}
_POD = re.compile(rb"(?:.*-)?pod([0-9a-f]{8}(?:[-_][0-9a-f]{4}){3}[-_][0-9a-f]{12}|[0-9a-f]{32})(?:\.slice)?")
_NSPAWN = re.compile(rb"systemd-nspawn@(.+)\.service|machine-(?!qemu\\x2d)(.+)\.scope")
_LXC_PREFIX = b"lxc.payload."
_LXC_PARENTS = frozenset((b"lxc.payload", b"lxc"))
_USER_MANAGER = re.compile(rb"user@.*\.service")
_ESCAPED = re.compile(rb"\\x([0-9a-f]{2})")


@dataclass(frozen=True, slots=True)
class CgroupLocation:
    """Where in the tree of cgroups a process runs; empty text for what its path does not say.

    Text is printable, with the backslashes of escaped unit names as systemctl shows them.
    `container` is set where the path itself has a name. `nested` tells of a container in another.
    """

    path: str = ""
    unit: str = ""
    slice: str = ""
    runtime: str = ""
    container_id: str = ""
    container: str = ""
    pod_uid: str = ""
    nested: bool = False


@dataclass(frozen=True, slots=True)
class _Container:
    runtime: str
    identity: str = ""
    name: str = ""


def parse(path: bytes) -> CgroupLocation:
    """Read a path as /proc/<pid>/cgroup has it. Whatever it is, it is no error.

    Seen from another cgroup namespace it may begin with `/../`; what lies above is not known then.
    """
    names = [name for name in path.split(b"/") if name not in _DOTS]
    # containerd that is given a path for systemd, and makes a directory of it:
    # kubepods-burstable-pod<uid>.slice:cri-containerd:<id>
    parts = [part for name in names for part in re.split(rb"(?<=\.slice):", name)]
    containers = [found for at in range(len(parts)) if (found := _container(parts, at)) is not None]
    container = containers[-1] if containers else _Container("")
    pods = [uid[1] for part in parts if (uid := _POD.fullmatch(part)) is not None]
    at = _unit_at(parts)
    slices = [_unit(part) for part in parts[:at] if part.endswith(b".slice")]
    return CgroupLocation(
        path="/" + _shown(b"/".join(names)),
        unit=_unit(parts[at]) if at < len(parts) else "",
        slice=slices[-1] if slices else "",
        runtime=container.runtime,
        container_id=container.identity,
        container=container.name,
        pod_uid=pods[-1].decode().replace("_", "-") if pods else "",
        nested=len(containers) > 1,
    )


def _container(parts: Sequence[bytes], at: int) -> _Container | None:
    part = parts[at]
    above = parts[at - 1] if at else b""
    prefixed = _PREFIXED.fullmatch(part)
    if prefixed is not None:
        runtime = _RUNTIMES.get(prefixed[1])
        return _Container(runtime, prefixed[2].decode()) if runtime else None
    if _PLAIN.fullmatch(part):
        # In a pod only CRI-O gives its containers a prefix, and Docker has left Kubernetes.
        runtime = "containerd" if _POD.fullmatch(above) else _PARENTS.get(above, "")
        return _Container(runtime, part.decode())
    if part.startswith(_LXC_PREFIX):
        return _Container("lxc", name=_shown(part.removeprefix(_LXC_PREFIX)))
    if above in _LXC_PARENTS:
        return _Container("lxc", name=_shown(part))
    machine = _NSPAWN.fullmatch(part)
    # Beside its payload lies the supervisor, which is nspawn itself.
    if machine is not None and parts[at + 1 : at + 2] != [b"supervisor"]:
        return _Container("systemd-nspawn", name=_shown(_unescaped(machine[1] or machine[2])))
    return None


def _unit_at(parts: Sequence[bytes]) -> int:
    """Find the unit among the parts; their number where there is none."""
    best, place = 0, len(parts)
    for at, part in enumerate(parts):
        weight = _weight(part)
        if weight and weight >= best:
            best, place = weight, at
    return place


def _weight(part: bytes) -> int:
    if part.endswith((b".service", b".socket")):
        return 2 if _USER_MANAGER.fullmatch(part) else 4
    if part.endswith(b".scope"):
        return 1 if part == b"init.scope" else 3
    return 0


def _unit(part: bytes) -> str:
    return _shown(part.removeprefix(b"_"))


def _unescaped(name: bytes) -> bytes:
    return _ESCAPED.sub(lambda found: bytes.fromhex(found[1].decode()), name)


def _shown(raw: bytes) -> str:
    return "\\".join(map(printable, raw.split(b"\\")))
