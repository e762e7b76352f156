"""Names of containers and pods, from the files that their runtimes keep.

Docker: config.v2.json of each container (daemon/container in github.com/moby/moby). Podman and CRI-O:
github.com/containers/storage, whose containers.json lists all containers of a driver, and the annotations
that CRI-O writes for the OCI runtime. nerdctl: docs/dir.md, the name store. Kubernetes: the directories
and links of logs that the kubelet makes (pkg/kubelet/kuberuntime/helpers.go and legacy.go).

A file that is missing, unreadable or malformed leaves a name empty and is no error: a host has only some
of these runtimes.
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
    """Printable names, empty where unknown. `runtime` is set where the file that was read implies it."""

    container: str = ""
    pod: str = ""
    namespace: str = ""
    runtime: str = ""

    def or_else(self, other: ContainerNames) -> ContainerNames:
        """Return these names, with those of `other` where one is empty."""
        return ContainerNames(
            self.container or other.container,
            self.pod or other.pod,
            self.namespace or other.namespace,
            self.runtime or other.runtime,
        )


NO_NAMES = ContainerNames()


class RuntimeFiles:
    """The files of all runtimes; one that is about many containers is read once by each instance."""

    def __init__(self, files: FileReader) -> None:
        self._files = files
        self._directories: dict[str, list[str]] = {}
        self._podman: dict[str, str] | None = None
        self._nerdctl: dict[str, str] | None = None

    def docker(self, container_id: str) -> ContainerNames:
        """Return the names of a container of Docker, also of one that Docker runs for Kubernetes."""
        container = self._json(f"{_DOCKER}/{container_id}/config.v2.json")
        name = _text(container, "Name").removeprefix("/")
        labels = _mapping(_mapping(container, "Config"), "Labels")
        return _of_kubernetes(labels).or_else(ContainerNames(name, runtime="docker")) if name else NO_NAMES

    def podman(self, container_id: str) -> ContainerNames:
        """Return the name of a container that root runs with Podman."""
        if self._podman is None:
            self._podman = dict(self._podman_names())
        name = self._podman.get(container_id, "")
        return ContainerNames(name, runtime="podman") if name else NO_NAMES

    def crio(self, container_id: str) -> ContainerNames:
        """Return the names of a container of CRI-O."""
        for driver in _DRIVERS:
            config = self._json(f"{_STORAGE}/{driver}-containers/{container_id}/userdata/config.json")
            names = _of_kubernetes(_mapping(config, "annotations"))
            if names != NO_NAMES:
                return names
        return NO_NAMES

    def nerdctl(self, container_id: str) -> ContainerNames:
        """Return the name of a container of nerdctl: that of the file in its store that contains the id."""
        if self._nerdctl is None:
            self._nerdctl = dict(self._nerdctl_names())
        name = self._nerdctl.get(container_id, "")
        return ContainerNames(name, runtime="containerd") if name else NO_NAMES

    def kubernetes(self, container_id: str, pod_uid: str, *, nested: bool) -> ContainerNames:
        """Return the names that the kubelet's logs give; the uid of a static pod is a hash without dashes.

        `nested`: the container runs inside one of the pod's containers, and does not get the name of that.
        """
        names = NO_NAMES
        for entry in self._names(_CONTAINER_LOGS) if container_id else ():
            # <pod>_<namespace>_<container>-<id>.log
            parts = entry.removesuffix(f"-{container_id}.log").split("_")
            if entry.endswith(f"-{container_id}.log") and len(parts) == 3:  # noqa: PLR2004
                names = ContainerNames(_printable(parts[2]), _printable(parts[0]), _printable(parts[1]))
        for entry in self._names(_POD_LOGS) if pod_uid else ():
            # <namespace>_<pod>_<uid>, none of which contains a `_`
            parts = entry.split("_")
            if len(parts) == 3 and parts[2] == pod_uid:  # noqa: PLR2004
                containers = self._names(f"{_POD_LOGS}/{entry}") if container_id and not nested else []
                container = _printable(containers[0]) if len(containers) == 1 else ""
                names = names.or_else(ContainerNames(container, _printable(parts[1]), _printable(parts[0])))
        return names

    def _podman_names(self) -> Iterator[tuple[str, str]]:
        for driver in _DRIVERS:
            containers = self._json(f"{_STORAGE}/{driver}-containers/containers.json")
            for container in containers if isinstance(containers, list) else ():
                names = container.get("names") if isinstance(container, dict) else None
                if isinstance(names, list) and names and isinstance(names[0], str):
                    yield _text(container, "id"), _printable(names[0])

    def _nerdctl_names(self) -> Iterator[tuple[str, str]]:
        # One directory for each address of containerd, named after the hash of the address.
        for store in self._names(_NERDCTL):
            for namespace in self._names(f"{_NERDCTL}/{store}/names"):
                directory = f"{_NERDCTL}/{store}/names/{namespace}"
                for name in self._names(directory):
                    with contextlib.suppress(OSError):
                        container_id = self._files.read(f"{directory}/{name}").strip()
                        yield container_id.decode("ascii", "replace"), _printable(name)

    def _json(self, path: str) -> Any:
        # json.loads raises RecursionError for a document that nests too deeply.
        with contextlib.suppress(OSError, ValueError, RecursionError):
            return json.loads(self._files.read(path))
        return None

    def _names(self, directory: str) -> list[str]:
        if directory not in self._directories:
            self._directories[directory] = []
            with contextlib.suppress(OSError):
                self._directories[directory] = sorted(self._files.names(directory))
        return self._directories[directory]


def _of_kubernetes(labels: Mapping[str, Any]) -> ContainerNames:
    return ContainerNames(
        container=_text(labels, f"{_KUBERNETES}container.name"),
        pod=_text(labels, f"{_KUBERNETES}pod.name"),
        namespace=_text(labels, f"{_KUBERNETES}pod.namespace"),
    )


def _mapping(document: Any, key: str) -> Mapping[str, Any]:
    value = document.get(key) if isinstance(document, dict) else None
    return value if isinstance(value, dict) else {}


def _text(document: Any, key: str) -> str:
    value = document.get(key) if isinstance(document, dict) else None
    return _printable(value) if isinstance(value, str) else ""


def _printable(text: str) -> str:
    # A string of JSON may contain a lone surrogate, and the name of a file any byte but NUL and slash.
    return printable(text.encode("utf-8", "surrogatepass"))
