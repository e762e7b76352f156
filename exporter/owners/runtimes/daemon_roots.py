"""Where running daemons were told to keep their files, by their arguments and their configuration.

Sources: Docker's daemon/config/config_linux.go and daemon/command/daemon_unix.go, and cmd/dockerd/config.go
of 20.10 for `-g` and `graph`; its snap passes --data-root. containerd's cmd/containerd/command/main.go,
cmd/containerd/server/config/config.go and cmd/containerd-shim-runc-v2/manager/manager_linux.go; what k3s and
MicroK8s pass to it (pkg/agent/containerd/containerd.go, microk8s-resources/default-args/containerd).
conmon(8), and what Podman and CRI-O pass to it (libpod/oci_conmon_common.go, pkg/specgenutil/util.go;
internal/oci/runtime_oci.go). containers-storage.conf(5), crio.conf(5). nerdctl's docs/dir.md and
pkg/logging/logging.go.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from exporter.owners.runtimes.daemon import ContainerDaemon, options
from exporter.owners.runtimes.documents import DocumentReader, mapping_of, text_of
from exporter.owners.runtimes.roots import DEFAULT_ROOTS, Monitor, Root, RuntimeRoots
from exporter.owners.runtimes.scope import ROOT_USER, in_container, location_of, scope_of

_CONTAINER_ID: Final = re.compile(r"[0-9a-f]{64}")
_STORAGE_CONFIGURATIONS: Final = ("/etc/containers/storage.conf", "/usr/share/containers/storage.conf")
# dockerd gives the containerd that it starts a directory below its own.
_BELOW_DOCKER: Final = "/containerd/daemon"
# The first argument of nerdctl's process that writes the log of a container; the second is its data store.
_NERDCTL_LOGGING: Final = "_NERDCTL_INTERNAL_LOGGING"


@dataclass(slots=True)
class _Found:
    docker: list[Root] = field(default_factory=list)
    storage: list[Root] = field(default_factory=list)
    containerd: list[Root] = field(default_factory=list)
    nerdctl: list[Root] = field(default_factory=list)
    monitors: dict[str, tuple[Monitor, ...]] = field(default_factory=dict)


def find_roots(daemons: Iterable[ContainerDaemon], documents: DocumentReader) -> RuntimeRoots:
    """Return the default roots and those of these daemons, whose configuration is read."""
    found = _Found()
    for path in _STORAGE_CONFIGURATIONS:
        configured = mapping_of(documents.toml_configuration(path).get("storage"))
        found.storage += [Root(text_of(configured, key)) for key in ("graphroot", "runroot")]
    for daemon in daemons:
        _DaemonRoots(daemon, documents, found).add()
    return RuntimeRoots(
        docker=_distinct((*DEFAULT_ROOTS.docker, *found.docker)),
        storage=_distinct((*DEFAULT_ROOTS.storage, *found.storage)),
        containerd=_distinct((*DEFAULT_ROOTS.containerd, *found.containerd)),
        nerdctl=_distinct((*DEFAULT_ROOTS.nerdctl, *found.nerdctl)),
        monitors=found.monitors,
    )


class _DaemonRoots:
    """The roots of one daemon."""

    def __init__(self, daemon: ContainerDaemon, documents: DocumentReader, found: _Found) -> None:
        self._daemon = daemon
        self._documents = documents
        self._found = found
        self._scope = scope_of(daemon)
        # The paths of a daemon in a container lead to other places here.
        self._contained = in_container(location_of(daemon))

    def add(self) -> None:
        """Add the roots of the daemon to those that were found."""
        match self._daemon.name:
            case "conmon":
                self._add_monitor()
            case "dockerd":
                self._add_docker()
            case "containerd":
                self._add_containerd()
            case "crio":
                self._add_crio()
            case "nerdctl":
                self._add_nerdctl()
            case _:
                self._add_shim()

    def _add_monitor(self) -> None:
        container, name = self._daemon.option("-c", "--cid"), self._daemon.option("-n", "--name")
        if _CONTAINER_ID.fullmatch(container):
            bundle = next((root.path for root in self._here(self._daemon.option("-b", "--bundle"))), "")
            monitors = self._found.monitors.get(container, ())
            self._found.monitors[container] = (*monitors, Monitor(name, bundle, self._scope))
        # Podman passes its own options on to the command that cleans up.
        cleanup = tuple(options(self._daemon.arguments, "--exit-command-arg"))
        for path in (*options(cleanup, "--root"), *options(cleanup, "--runroot")):
            self._found.storage += self._here(path)

    def _add_docker(self) -> None:
        given = self._daemon.option("--data-root", "--graph", "-g")
        directory = f"{self._home()}/.config/docker" if self._rootless() else "/etc/docker"
        file = self._daemon.option("--config-file") or f"{directory}/daemon.json"
        for path in self._anywhere(file):
            configured = self._documents.json_configuration(path.path)
            given = given or text_of(configured, "data-root") or text_of(configured, "graph")
        default = f"{self._home()}/.local/share/docker" if self._rootless() else "/var/lib/docker"
        self._found.docker += self._anywhere(given or default)

    def _add_containerd(self) -> None:
        root, state = self._daemon.option("--root"), self._daemon.option("--state")
        for path in self._anywhere(self._daemon.option("--config", "-c") or "/etc/containerd/config.toml"):
            configured = self._documents.toml_configuration(path.path)
            root, state = root or text_of(configured, "root"), state or text_of(configured, "state")
        if root.endswith(_BELOW_DOCKER):
            self._found.docker += self._anywhere(root.removesuffix(_BELOW_DOCKER))
        self._found.containerd += self._anywhere(state or "/run/containerd")
        if self._rootless():
            self._found.nerdctl += self._anywhere(f"{self._home()}/.local/share/nerdctl")

    def _add_shim(self) -> None:
        """Add the state directory of the containerd that a shim belongs to, by the address of its socket.

        The socket is in that directory, or beside it with the same name, as in MicroK8s and k0s.
        """
        address = self._daemon.option("-address")
        if address.endswith(".sock"):
            self._found.containerd += self._here(address.rpartition("/")[0])
            self._found.containerd += self._here(address.removesuffix(".sock"))

    def _add_crio(self) -> None:
        file = self._daemon.option("--config", "-c") or "/etc/crio/crio.conf"
        for path in self._here(file):
            configured = mapping_of(self._documents.toml_configuration(path.path).get("crio"))
            for option, key in (("--root", "root"), ("--runroot", "runroot")):
                self._found.storage += self._here(self._daemon.option(option) or text_of(configured, key))

    def _add_nerdctl(self) -> None:
        for store in options(self._daemon.arguments, _NERDCTL_LOGGING):
            self._found.nerdctl += self._here(store.rpartition("/")[0])

    def _here(self, path: str) -> list[Root]:
        """Return a path of the daemon where it is an absolute one, and leads to the same place here."""
        if self._contained or not path.startswith("/") or "\0" in path or ".." in path.split("/"):
            return []
        return [Root(path.rstrip("/"), self._scope)]

    def _anywhere(self, path: str) -> list[Root]:
        """Return a path of the daemon as it is here, and below the root of the daemon.

        In another mount namespace, such as that of a snap, most paths lead to the same place, but not all.
        """
        here = self._here(path)
        return [*here, *(Root(f"{self._daemon.root}{root.path}", root.scope) for root in here)]

    def _rootless(self) -> bool:
        return self._daemon.uid != ROOT_USER

    def _home(self) -> str:
        """Return the home directory of the daemon's user by passwd(5), `/nonexistent` where it has none."""
        for line in self._documents.text("/etc/passwd").splitlines():
            fields = line.split(":")
            if len(fields) > 5 and fields[2] == str(self._daemon.uid):  # noqa: PLR2004  (the sixth)
                return fields[5].rstrip("/")
        return "/nonexistent"


def _distinct(roots: Iterable[Root]) -> tuple[Root, ...]:
    return tuple(dict.fromkeys(root for root in roots if root.path))
