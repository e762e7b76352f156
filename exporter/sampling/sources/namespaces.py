"""Source `namespaces`: which other network namespaces there are, and which of them are to be sampled."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import ClassVar, Final

from exporter.config.model import AutoBool, Config, NetnsName
from exporter.kernel.errors import UnavailableError
from exporter.kernel.netns.access import NamespaceAccess
from exporter.kernel.netns.discovery import NamespaceRef
from exporter.sampling.namespace_labels import NamespaceLabels
from exporter.sampling.sources.source import Source

# A namespace is found within two intervals of its start.
_SECONDS: Final = 1.0
# How often it is looked for the label of one that waits for it.
_LABEL_SECONDS: Final = 0.2


class NamespaceDiscovery(Source[list[NamespaceRef]]):
    """Finds the other namespaces.

    `found` has those of the newest answer. `chosen` has those to sample by their names, a new mapping after
    each answer; `omitted` counts those that are not sampled because there are more than `namespaces.max`.
    """

    NAME: ClassVar = "namespaces"
    asks_for: ClassVar = "other network namespaces"

    def __init__(
        self, access: NamespaceAccess | None, config: Config, labels: NamespaceLabels | None = None
    ) -> None:
        """Take the way into other namespaces, None where there are no capabilities for it."""
        super().__init__(self.NAME)
        self.found: list[NamespaceRef] = []
        self.chosen: dict[str, NamespaceRef] = {}
        self.omitted = 0
        self._access = access
        self._config = config
        self._labels = NamespaceLabels() if labels is None else labels
        # The answer that was used last, None where it has to be used again, and the version of its labels.
        self._applied: list[NamespaceRef] | None = None
        self._applied_version = 0
        self._labels_due = 0.0

    @property
    def wanted(self) -> bool:
        """Whether other namespaces are to be sampled, be it possible or not."""
        enabled = self._config.namespaces.enabled
        return enabled is AutoBool.TRUE or (enabled is AutoBool.AUTO and self._access is not None)

    @property
    def labels_due(self) -> float | None:
        """When it is looked again for the labels of namespaces that wait for theirs; None where none does."""
        return self._labels_due if self._labels.soon else None

    @property
    def method(self) -> str:
        """`broker` where other namespaces can be entered, else `own`."""
        return "own" if self._access is None else "broker"

    def interval(self, configured: float) -> float:  # noqa: ARG002  (a walk over all processes of the host)
        """Return one second, whatever sampling.interval is."""
        return _SECONDS

    def pending(self, now: float) -> bool:
        """Tell whether to look for namespaces; where not, none is chosen any more."""
        if self.wanted:
            return True
        if self.chosen or self.found:
            self.found, self.chosen = [], {}
            self.omitted = 0
            self._applied = None
            self._labels.look_up(self.found, now)
        if self._access is not None:
            self._access.disable_watchdog()
        return False

    def ask(self, now: float) -> list[NamespaceRef]:
        """Find every other namespace. Raises KernelError."""
        if self._access is None:
            raise UnavailableError("other network namespaces need CAP_SYS_ADMIN and CAP_SYS_PTRACE", "EPERM")
        found = self._access.find(now)
        self._look_up_labels(found, now)
        return found

    def update_labels(self, now: float, lock: threading.Lock) -> None:
        """Look again for the labels of namespaces that wait for theirs, where that is due."""
        due = self.labels_due
        if due is not None and now >= due:
            self._look_up_labels(self.found, now)
            with lock:
                self.apply(self.found, now)

    def apply(self, answer: list[NamespaceRef], now: float) -> None:  # noqa: ARG002
        """Choose those to sample.

        Where there are too many, those with a name come first: any user can make others without end. Of both
        those that are sampled already do.
        """
        self.found = answer
        if answer is self._applied and self._labels.version == self._applied_version:
            return
        self._applied, self._applied_version = answer, self._labels.version
        namespaces = self._config.namespaces
        labelled = self._labels.labelled(answer, namespaces.netns_name)
        found = {name: ref for name, ref in labelled if namespaces.selects(name, str(ref.inode))}
        known = {ref.inode for ref in self.chosen.values()}

        def place(named: tuple[str, NamespaceRef]) -> tuple[bool, bool, int]:
            label, ref = named
            return label == str(ref.inode), ref.inode not in known, ref.inode

        self.chosen = dict(sorted(found.items(), key=place)[: namespaces.max])
        self.omitted = len(found) - len(self.chosen)

    def configure(self, config: Config) -> None:
        """Choose by another configuration from the next answer on."""
        self._config = config
        self.choose_again()

    def forget(self, inode: int) -> None:
        """Choose by another label from the next answer on, since another namespace has got this number."""
        self._labels.forget(inode)
        self.choose_again()

    def choose_again(self) -> None:
        """Use the next answer also where it is the same as the last."""
        self._applied = None

    def _look_up_labels(self, refs: Sequence[NamespaceRef], now: float) -> None:
        self._labels_due = now + _LABEL_SECONDS
        if self._config.namespaces.netns_name is NetnsName.NAME:
            self._labels.look_up(refs, now)
