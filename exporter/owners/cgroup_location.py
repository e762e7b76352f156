r"""Unit, slice, container and pod, as the path of a cgroup names them.

Sources: systemd's https://systemd.io/CGROUP_DELEGATION/ and src/basic/cgroup-util.c (names of units,
and `_` before a name that would collide with a file of the kernel's); runc's and crun's
`<prefix>-<id>.scope` of the systemd driver; Kubernetes' pkg/kubelet/cm/cgroup_manager_linux.go
(`kubepods`, with `_` for the `-` in a pod's uid under systemd); LXC's src/lxc/cgroups/cgfsng.c, where
LXD and Incus put the name of the project before that of the container (internal/server/project);
Nomad's client/lib/cgroupslib/editor.go (tasks that Nomad runs itself; Docker and Podman name their own);
`/<namespace>/<id>` of containerd's pkg/oci/spec.go, where clients other than the CRI plugin choose the id.

A path may name several of each, nested. Of containers the innermost counts, because it runs the
process: with Docker in Docker the inner one. `unit` is the innermost .service or .socket, also one
inside a container that runs systemd; else the innermost .scope, including that of a container; else
the manager of a user (user@1000.service); else init.scope. `slice` is the slice of that unit.
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
    # A service that runs a container (Quadlet): podman-systemd.unit(5), `--cgroups=split`.
    b"libpod-payload": "podman",
}
# The monitors of CRI-O and Podman (crio-conmon-<id>.scope) match as well, and are no containers: their
# prefix is not in _RUNTIMES.
_PREFIXED = re.compile(rb"([a-z][a-z-]*)[-:]([0-9a-f]{64})(?:\.scope)?")
_PLAIN = re.compile(rb"[0-9a-f]{64}")
# Runtimes that name the cgroup of a container by its id alone, by the parent of that cgroup. `default` is
# a namespace of nerdctl, `k8s.io` that of Kubernetes.
_PARENTS: Final = {
    b"docker": "docker",
    b"default": "containerd",
    b"k8s.io": "containerd",
    b"libpod_parent": "podman",
}
_POD = re.compile(rb"(?:.*-)?pod([0-9a-f]{8}(?:[-_][0-9a-f]{4}){3}[-_][0-9a-f]{12}|[0-9a-f]{32})(?:\.slice)?")
_NSPAWN = re.compile(rb"systemd-nspawn@(.+)\.service|machine-(?!qemu\\x2d)(.+)\.scope")
_LXC_PREFIX = b"lxc.payload."
_LXC_PARENTS = frozenset((b"lxc.payload", b"lxc"))
# The id of the allocation, and the name of the task in it.
_NOMAD = re.compile(rb"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.(.+?)(?:\.scope)?")
_NOMAD_PARENTS = frozenset((b"share.slice", b"reserve.slice", b"share", b"reserve", b"nomad", b"nomad.slice"))
# What a unit may be, the most usual first.
UNIT_SUFFIXES: Final = (".service", ".socket", ".scope")
_USER_MANAGER = re.compile(rb"user@.*\.service")
# What containerd takes for a namespace or an id (pkg/identifiers/validate.go).
_IDENTIFIER = re.compile(rb"(?=.{1,76}$)[A-Za-z0-9]+(?:[._-][A-Za-z0-9]+)*")
_TASK_NAMES: Final = 2
_ESCAPED = re.compile(rb"\\x([0-9a-f]{2})")


@dataclass(frozen=True, slots=True)
class CgroupLocation:
    """Where in the tree of cgroups a process runs; a field that the path does not name is empty.

    Text is printable; backslashes of escaped unit names are kept, as systemctl shows them.
    `container` is set where the path itself has the name. `nested`: the container runs in another one.
    `task` is the namespace and the id of a task of containerd that the path may be that of, such as
    `default/web`, where it says nothing else: only containerd's files tell whether it is.
    """

    path: str = ""
    unit: str = ""
    slice: str = ""
    runtime: str = ""
    container_id: str = ""
    container: str = ""
    pod_uid: str = ""
    nested: bool = False
    task: str = ""


@dataclass(frozen=True, slots=True)
class _Container:
    runtime: str
    container_id: str = ""
    name: str = ""


def parse_cgroup_path(path: bytes) -> CgroupLocation:
    """Parse a path of /proc/<pid>/cgroup; any bytes are accepted.

    Read from another cgroup namespace it may begin with `/../`; what is above is not known then.
    """
    names = [name for name in path.split(b"/") if name not in _DOTS]
    # containerd that gets a path meant for systemd, and uses it as the name of a directory:
    # kubepods-burstable-pod<uid>.slice:cri-containerd:<id>
    parts = [part for name in names for part in re.split(rb"(?<=\.slice):", name)]
    containers = [found for index in range(len(parts)) if (found := _container(parts, index)) is not None]
    container = containers[-1] if containers else _Container("")
    pods = [uid[1] for part in parts if (uid := _POD.fullmatch(part)) is not None]
    unit_index = _unit_index(parts)
    slices = [_unit_name(part) for part in parts[:unit_index] if part.endswith(b".slice")]
    return CgroupLocation(
        path="/" + _printable(b"/".join(names)),
        unit=_unit_name(parts[unit_index]) if unit_index < len(parts) else "",
        slice=slices[-1] if slices else "",
        runtime=container.runtime,
        container_id=container.container_id,
        container=container.name,
        pod_uid=pods[-1].decode().replace("_", "-") if pods else "",
        nested=len(containers) > 1,
        task="" if containers or pods else _task(names),
    )


def _task(names: Sequence[bytes]) -> str:
    """Return the task of containerd that the first two names may be: systemd's end in the type of a unit."""
    task = names[:_TASK_NAMES]
    if len(task) < _TASK_NAMES or not all(_IDENTIFIER.fullmatch(name) for name in task):
        return ""
    return (
        ""
        if any(_unit_priority(name) or name.endswith(b".slice") for name in task)
        else b"/".join(task).decode()
    )


def _container(parts: Sequence[bytes], index: int) -> _Container | None:
    part = parts[index]
    parent = parts[index - 1] if index else b""
    prefixed = _PREFIXED.fullmatch(part)
    if prefixed is not None:
        runtime = _RUNTIMES.get(prefixed[1])
        return _Container(runtime, prefixed[2].decode()) if runtime else None
    if _PLAIN.fullmatch(part):
        # In a pod only CRI-O uses a prefix, and Kubernetes no longer supports Docker itself.
        runtime = "containerd" if _POD.fullmatch(parent) else _PARENTS.get(parent, "")
        return _Container(runtime, part.decode())
    return _named_container(part, parent, parts[index + 1 : index + 2])


def _named_container(part: bytes, parent: bytes, children: Sequence[bytes]) -> _Container | None:
    """Return the container whose cgroup has its name instead of an id."""
    if part.startswith(_LXC_PREFIX):
        return _Container("lxc", name=_printable(part.removeprefix(_LXC_PREFIX)))
    if parent in _LXC_PARENTS:
        return _Container("lxc", name=_printable(part))
    task = _NOMAD.fullmatch(part)
    if task is not None and parent in _NOMAD_PARENTS:
        # As Nomad names a container of Docker (drivers/docker/driver.go).
        return _Container("nomad", name=_printable(task[2] + b"-" + task[1]))
    machine = _NSPAWN.fullmatch(part)
    # `supervisor`, beside `payload`, is the cgroup of systemd-nspawn itself.
    if machine is not None and children != [b"supervisor"]:
        return _Container("systemd-nspawn", name=_printable(_unescaped(machine[1] or machine[2])))
    return None


def _unit_index(parts: Sequence[bytes]) -> int:
    """Return the index of the unit among the parts, or the number of parts where there is none."""
    best, best_index = 0, len(parts)
    for index, part in enumerate(parts):
        priority = _unit_priority(part)
        if priority and priority >= best:
            best, best_index = priority, index
    return best_index


def _unit_priority(part: bytes) -> int:
    if part.endswith((b".service", b".socket")):
        return 2 if _USER_MANAGER.fullmatch(part) else 4
    if part.endswith(b".scope"):
        return 1 if part == b"init.scope" else 3
    return 0


def _unit_name(part: bytes) -> str:
    return _printable(part.removeprefix(b"_"))


def _unescaped(name: bytes) -> bytes:
    return _ESCAPED.sub(lambda found: bytes.fromhex(found[1].decode()), name)


def _printable(raw: bytes) -> str:
    return "\\".join(map(printable, raw.split(b"\\")))
