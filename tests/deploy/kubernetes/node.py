"""A node as the kubelet and containerd set it up, and this process as a container on it.

For tests marked `netns`, whose mount namespace has all of this.
"""

from __future__ import annotations

import ctypes
import os
import socket
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import yaml

from exporter.broker.capabilities import Capability
from exporter.kernel.processes.cgroups import CgroupTree
from testbed import privileges, syscalls
from tests.deploy.kubernetes.manifests import Manifests, Pod
from tests.integration import cgroups
from tests.integration.forked_exporter import load_everything

_CLONE_NEWCGROUP = 0x02000000
_MS_BIND, _MS_REC, _MS_REMOUNT, _MS_RDONLY = 0x1000, 0x4000, 0x20, 0x1
_CAPABILITIES = {capability.name: int(capability) for capability in Capability} | {"SETGID": 6, "SETUID": 7}
_KILL = 5
_PR_CAPBSET_DROP, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS, _PR_SET_KEEPCAPS = 24, 4, 38, 8
_CONTAINER_LOGS = "/var/log/containers"
# For mount paths that are not below /var: the other folders are those of the machine.
_ELSEWHERE = Path("/var/elsewhere")

Listen = Callable[[], list[socket.socket]]


@dataclass(frozen=True, slots=True)
class Node:
    """The cgroup below which those of the node are, and the folder with the files of the node."""

    cgroups: Path
    root: Path

    @classmethod
    @contextmanager
    def made(cls, root: Path) -> Iterator[Self]:
        """A node for the time of the context. Skips the test where no cgroup can be made."""
        with cgroups.new_cgroup() as top:
            (root / _CONTAINER_LOGS[1:]).mkdir(parents=True)
            yield cls(top, root)

    def listen(self, namespace: str, pod: str, container: str, listen: Listen) -> Listen:
        """Have `listen` called in the cgroup of a container, to whose log the kubelet has made a link."""
        identity = uuid.uuid4().hex * 2
        uid = str(uuid.uuid4())
        link = self.root / _CONTAINER_LOGS[1:] / f"{pod}_{namespace}_{container}-{identity}.log"
        link.symlink_to(f"/var/log/pods/{namespace}_{pod}_{uid}/{container}/0.log")
        slice_name = f"kubepods-burstable-pod{uid.replace('-', '_')}.slice"
        scope = self._burstable / slice_name / f"cri-containerd-{identity}.scope"
        return _inside(scope, listen)

    def listen_in_unit(self, unit: str, listen: Listen) -> Listen:
        """Have `listen` called in the cgroup of a systemd unit."""
        return _inside(self.cgroups / "system.slice" / unit, listen)

    def become_container(self, manifests: Manifests, *inodes: int) -> list[str]:
        """Become the exporter's container, irrevocably, and return the flags that it is started with.

        The process gets its cgroup namespace, mounts, user and capabilities. The flags have no address. Of
        other network namespaces only `inodes` are sampled: the machine has some that are no part of the node.
        """
        load_everything()
        pod = manifests.pod
        config = yaml.safe_load(manifests.config)
        if inodes:
            config["namespaces"]["include"] = [str(inode) for inode in inodes]
        cgroups.enter(
            self._burstable / "kubepods-burstable-podexporter.slice" / "cri-containerd-exporter.scope"
        )
        self._mount(pod, yaml.safe_dump(config))
        _become(pod)
        return [
            f"--config.file={_place(arg.partition('=')[2])}" if arg.startswith("--config.file=") else arg
            for arg in pod.args
            if not arg.startswith("--web.listen-address=")
        ]

    @property
    def _burstable(self) -> Path:
        return self.cgroups / "kubepods.slice" / "kubepods-burstable.slice"

    def _mount(self, pod: Pod, config: str) -> None:
        tree = CgroupTree().mount
        assert tree is not None
        # The container has nothing of what is below /var on this machine.
        syscalls.mount_empty("/var")
        for place, (volume, mount) in pod.mounts.items():
            target = _place(place)
            target.mkdir(parents=True, exist_ok=True)
            if "configMap" in volume:
                (target / "config.yaml").write_text(config)
            else:
                path = volume["hostPath"]["path"]
                source = self.root / path[1:]
                _bind(source if source.exists() else Path(path), target, read_only=mount["readOnly"])
        # As the container runtime does: /sys/fs/cgroup of a container is its own part of the tree.
        syscalls.unshare(_CLONE_NEWCGROUP)
        syscalls.unmount(os.fsdecode(tree.point))
        flags = ctypes.c_ulong(_MS_RDONLY)
        syscalls.call("mount", b"cgroup2", tree.point, b"cgroup2", flags, None)


def _inside(cgroup: Path, listen: Listen) -> Listen:
    def listen_in_cgroup() -> list[socket.socket]:
        cgroups.enter(cgroup)
        return listen()

    return listen_in_cgroup


def _place(path: str) -> Path:
    return Path(path) if path.startswith("/var/") else _ELSEWHERE / path[1:]


def _bind(source: Path, target: Path, *, read_only: bool) -> None:
    names = os.fsencode(source), os.fsencode(target)
    syscalls.call("mount", *names, None, ctypes.c_ulong(_MS_BIND | _MS_REC), None)
    if read_only:
        flags = ctypes.c_ulong(_MS_REMOUNT | _MS_BIND | _MS_RDONLY)
        syscalls.call("mount", None, names[1], None, flags, None)


def _become(pod: Pod) -> None:
    """Set user, group and capabilities as the kubelet and runc do.

    The added capabilities are the bounding set. Root has them; another user would need them in the file of
    the program.
    """
    security = pod.security
    user, group = security["runAsUser"], security["runAsGroup"]
    added = {_CAPABILITIES[name] for name in pod.capabilities}
    last = int(Path("/proc/sys/kernel/cap_last_cap").read_text())
    for capability in range(last + 1):
        if capability not in added:
            syscalls.prctl(_PR_CAPBSET_DROP, capability)
    syscalls.prctl(_PR_SET_KEEPCAPS, 1)
    os.setgroups([])
    os.setresgid(group, group, group)
    os.setresuid(user, user, user)
    # Without the one to kill, the test could not end an exporter that has become another user.
    mask = sum(1 << capability for capability in {*added, _KILL}) if user == 0 else 0
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    sets = (ctypes.c_uint32 * 6)(mask, mask, 0, 0, 0, 0)
    syscalls.call("capset", header, sets)
    if security.get("allowPrivilegeEscalation") is False:
        syscalls.prctl(_PR_SET_NO_NEW_PRIVS, 1)
    # After a change of user a process may not read its own /proc/self; one that was started as that user may.
    syscalls.prctl(_PR_SET_DUMPABLE, 1)
    syscalls.die_with_parent()
    assert privileges.held()["CapPrm"] == mask
