"""Finding and reading other network namespaces, by way of the broker."""

from __future__ import annotations

import resource
from collections.abc import Collection, Generator, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

from exporter.broker.wire import MAX_DESCRIPTORS, MAX_TARGETS, NamespaceTarget
from exporter.kernel.errors import KernelError, NamespaceGoneError
from exporter.kernel.netns.broker_client import BrokerClient
from exporter.kernel.netns.cookie import CookieReader, have_cookies, namespace_cookie
from exporter.kernel.netns.discovery import RUN_NETNS, Discovery, NamespaceRef
from exporter.kernel.netns.end_watch import EndWatch
from exporter.kernel.netns.remote import RemoteNamespace, attach_all

# A namespace that is attached, or that could not be.
Attached = Generator[tuple[RemoteNamespace, KernelError | None], None, None]
# A namespace is looked for each second; a process that does not is stopped, or hangs.
_WATCH_SECONDS: Final = 15
# Descriptors that are left for clients, files of processes, and what else the program opens.
_RESERVED_DESCRIPTORS: Final = 640


class NamespaceAccess:
    """Finds the other namespaces of the host, and opens what is read in them. One thread uses it.

    `max_at_once` is how many namespaces one call of `attach` takes at most, `max_kept` how many of them stay
    attached; the others are detached as soon as they have been read.
    """

    max_at_once = MAX_TARGETS

    def __init__(
        self,
        broker: BrokerClient,
        named: Path = RUN_NETNS,
        max_kept: int | None = None,
        read_cookie: CookieReader = namespace_cookie,
        ends: EndWatch | None = None,
    ) -> None:
        """Take a broker that may enter namespaces; `named` is the directory of ip-netns(8).

        Without `max_kept` the limit of open files decides. Raises KernelError.
        """
        self.max_kept = _max_kept() if max_kept is None else max_kept
        self._broker = broker
        self._read_cookie = read_cookie
        self._discovery = Discovery(broker, named, cookies=have_cookies(read_cookie))
        self._ends = EndWatch(named) if ends is None else ends
        self._kept: set[RemoteNamespace] = set()
        # Whether the broker kills this process where it does not ask in time.
        self._watched = False

    def find(self, now: float) -> list[NamespaceRef]:
        """Return every other namespace, at `now` in monotonic seconds. Raises KernelError.

        While namespaces are kept open, this has to be called every few seconds: the broker kills a process
        that has stopped doing so, since nobody else would close what is open in it.
        """
        self._watch()
        return self._discovery.find(now)

    def disable_watchdog(self) -> None:
        """Let this process call `find` no more, as soon as no namespace is kept open.

        To be called in place of it until it is to be called again.
        """
        # A broker that does not answer is told at the next call.
        with suppress(KernelError):
            if self._watched:
                self._watch()

    def namespace(self, name: str, target: NamespaceTarget) -> RemoteNamespace:
        """Return the namespace of a target, with its label `netns`; nothing is opened in it yet."""
        return RemoteNamespace(self._broker, name, target, self._read_cookie)

    def attach(self, remotes: Sequence[tuple[RemoteNamespace, Collection[str]]]) -> Attached:
        """Attach these namespaces one after the other, each with the files of these names opened.

        Yields each while it is attached, or with the error that kept it from being so. In all, `max_kept`
        stay attached, until they end or are detached. Raises BrokerUnavailableError.
        """
        with closing(attach_all(self._broker, remotes, self._keep)) as attached:
            for remote, error in attached:
                if error is not None:
                    self.detach(remote)
                if isinstance(error, NamespaceGoneError):
                    self._discovery.forget(remote.target)
                yield remote, error
        if self._kept and not self._watched:
            # This process may be stopped before `find` is called again, which tells of a broker that is lost.
            with suppress(KernelError):
                self._watch()

    def keeps(self, count: int) -> bool:
        """Tell whether so many namespaces can stay attached."""
        return count <= self.max_kept

    def detach(self, remote: RemoteNamespace) -> None:
        """Close all that is open in a namespace."""
        self._ends.discard(remote)
        self._kept.discard(remote)
        remote.detach()

    def detach_ended(self) -> list[RemoteNamespace]:
        """Detach the namespaces whose process or name is gone, and return them; does not wait."""
        ended = list(self._kept.intersection(self._ends.ended()))
        for remote in ended:
            self.detach(remote)
        return ended

    def ended_descriptor(self) -> int:
        """Return a descriptor that is readable while `detach_ended` has something to do."""
        return self._ends.fileno()

    def broker_restarts(self) -> int:
        """Return how many brokers have ended."""
        return self._broker.ended

    def _watch(self) -> None:
        self._broker.set_watchdog(_WATCH_SECONDS if self._kept else 0)
        self._watched = bool(self._kept)

    def _keep(self, remote: RemoteNamespace) -> bool:
        """Watch for the end of a namespace that is attached; tell whether it is to stay so."""
        # What it was kept by is closed, where it was attached anew, or closed by the source that needed it.
        self._ends.discard(remote)
        self._kept.discard(remote)
        if not remote.attached or len(self._kept) >= self.max_kept:
            return False
        if remote.pidfd is None and not remote.path_name:
            # Nothing tells when the process ends, on a kernel without pidfds.
            return False
        try:
            self._ends.add(remote)
        except KernelError:
            # Nobody would tell when it ends.
            return False
        self._kept.add(remote)
        return True


def _max_kept() -> int:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    # Clients may have half of them.
    return max(0, min(soft - _RESERVED_DESCRIPTORS, soft // 2)) // MAX_DESCRIPTORS
