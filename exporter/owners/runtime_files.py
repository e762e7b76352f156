"""How containers and pods are called, from what their runtimes leave on disk.

Docker: config.v2.json of each container (daemon/container in github.com/moby/moby). Podman and CRI-O:
github.com/containers/storage, whose containers.json lists all of a driver, and the annotations that
CRI-O writes for the OCI runtime. nerdctl: docs/dir.md, the name store. Kubernetes: the folders and links
of logs that the kubelet keeps (pkg/kubelet/kuberuntime/helpers.go and legacy.go).

What is missing, unreadable or broken leaves a name empty and is no error: which runtimes a host has
is not for this program to say.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from exporter.kernel.text import printable
from exporter.owners.host_files import FileReader

_DOCKER = "/var/lib/docker/containers"
_STORAGE = "/var/lib/containers/storage"
_DRIVERS = ("overlay", "vfs", "btrfs", "zfs")
_NERDCTL = "/var/lib/nerdctl"
_POD_LOGS = "/var/log/pods"
_CONTAINER_LOGS = "/var/log/containers"
_KUBERNETES: Final = "io.kubernetes."


@dataclass(frozen=True, slots=True)
class ContainerNames:
    """Names that are safe to show, empty where unknown. `runtime` is set where a file settles it."""

    container: str = ""
    pod: str = ""
    namespace: str = ""
    runtime: str = ""

    def or_else(self, other: ContainerNames) -> ContainerNames:
        """Fill what is empty from `other`."""
        return ContainerNames(
            self.container or other.container,
            self.pod or other.pod,
            self.namespace or other.namespace,
            self.runtime or other.runtime,
        )


NO_NAMES = ContainerNames()


class RuntimeFiles:
    """One look at what the runtimes know; what speaks of many containers is read once."""

    def __init__(self, files: FileReader) -> None:
        """Take how files are read."""
        self._files = files
        self._kept: dict[str, list[str]] = {}
        self._podman: dict[str, str] | None = None
        self._nerdctl: dict[str, str] | None = None

    def docker(self, identity: str) -> ContainerNames:
        """Ask Docker, also where it works for Kubernetes."""
        about = self._json(f"{_DOCKER}/{identity}/config.v2.json")
        name = _text(about, "Name").removeprefix("/")
        labels = _mapping(_mapping(about, "Config"), "Labels")
        return _of_kubernetes(labels).or_else(ContainerNames(name, runtime="docker")) if name else NO_NAMES

    def podman(self, identity: str) -> ContainerNames:
        """Ask Podman for a container of root."""
        if self._podman is None:
            self._podman = dict(self._podman_names())
        name = self._podman.get(identity, "")
        return ContainerNames(name, runtime="podman") if name else NO_NAMES

    def crio(self, identity: str) -> ContainerNames:
        """Ask CRI-O."""
        for driver in _DRIVERS:
            about = self._json(f"{_STORAGE}/{driver}-containers/{identity}/userdata/config.json")
            names = _of_kubernetes(_mapping(about, "annotations"))
            if names != NO_NAMES:
                return names
        return NO_NAMES

    def nerdctl(self, identity: str) -> ContainerNames:
        """Ask nerdctl, in whose store a file has the name of a container and its id inside."""
        if self._nerdctl is None:
            self._nerdctl = dict(self._nerdctl_names())
        name = self._nerdctl.get(identity, "")
        return ContainerNames(name, runtime="containerd") if name else NO_NAMES

    def kubernetes(self, identity: str, pod_uid: str, *, nested: bool) -> ContainerNames:
        """Ask the kubelet's logs. The pod of a static pod's uid, a hash without dashes, is found as well.

        `nested` keeps the name of the pod's container from one that runs inside of it.
        """
        found = NO_NAMES
        for name in self._listing(_CONTAINER_LOGS) if identity else ():
            # <pod>_<namespace>_<container>-<id>.log
            parts = name.removesuffix(f"-{identity}.log").split("_")
            if name.endswith(f"-{identity}.log") and len(parts) == 3:  # noqa: PLR2004
                found = ContainerNames(_shown(parts[2]), _shown(parts[0]), _shown(parts[1]))
        for name in self._listing(_POD_LOGS) if pod_uid else ():
            # <namespace>_<pod>_<uid>, each without a `_` of its own
            parts = name.split("_")
            if len(parts) == 3 and parts[2] == pod_uid:  # noqa: PLR2004
                inside = self._listing(f"{_POD_LOGS}/{name}") if identity and not nested else []
                container = _shown(inside[0]) if len(inside) == 1 else ""
                found = found.or_else(ContainerNames(container, _shown(parts[1]), _shown(parts[0])))
        return found

    def _podman_names(self) -> Iterator[tuple[str, str]]:
        for driver in _DRIVERS:
            known = self._json(f"{_STORAGE}/{driver}-containers/containers.json")
            for container in known if isinstance(known, list) else ():
                names = container.get("names") if isinstance(container, dict) else None
                if isinstance(names, list) and names and isinstance(names[0], str):
                    yield _text(container, "id"), _shown(names[0])

    def _nerdctl_names(self) -> Iterator[tuple[str, str]]:
        # One folder for each address of containerd, named after its hash.
        for store in self._listing(_NERDCTL):
            for namespace in self._listing(f"{_NERDCTL}/{store}/names"):
                folder = f"{_NERDCTL}/{store}/names/{namespace}"
                for name in self._listing(folder):
                    with contextlib.suppress(OSError):
                        identity = self._files.read(f"{folder}/{name}").strip()
                        yield identity.decode("ascii", "replace"), _shown(name)

    def _json(self, path: str) -> Any:
        # A file that nests too deeply ends in a RecursionError.
        with contextlib.suppress(OSError, ValueError, RecursionError):
            return json.loads(self._files.read(path))
        return None

    def _listing(self, path: str) -> list[str]:
        if path not in self._kept:
            self._kept[path] = []
            with contextlib.suppress(OSError):
                self._kept[path] = sorted(self._files.listing(path))
        return self._kept[path]


def _of_kubernetes(labels: Mapping[str, Any]) -> ContainerNames:
    return ContainerNames(
        container=_text(labels, f"{_KUBERNETES}container.name"),
        pod=_text(labels, f"{_KUBERNETES}pod.name"),
        namespace=_text(labels, f"{_KUBERNETES}pod.namespace"),
    )


def _mapping(about: Any, key: str) -> Mapping[str, Any]:
    inner = about.get(key) if isinstance(about, dict) else None
    return inner if isinstance(inner, dict) else {}


def _text(about: Any, key: str) -> str:
    text = about.get(key) if isinstance(about, dict) else None
    return _shown(text) if isinstance(text, str) else ""


def _shown(text: str) -> str:
    # JSON may have half a surrogate pair, and a directory any byte.
    return printable(text.encode("utf-8", "surrogatepass"))
