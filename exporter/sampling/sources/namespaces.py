"""Source `namespaces`: which other network namespaces there are, and which of them are to be sampled."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Final

from exporter.config.model import AutoBool, Config
from exporter.kernel.errors import UnavailableError
from exporter.kernel.netns.access import NamespaceAccess
from exporter.kernel.netns.discovery import NamespaceRef
from exporter.kernel.netns.namespace import HOST
from exporter.kernel.text import printable
from exporter.sampling.sources.source import Source

# A namespace is found within two intervals of its start.
_SECONDS: Final = 1.0


class NamespaceDiscovery(Source[list[NamespaceRef]]):
    """Finds the other namespaces.

    `chosen` has those to sample by their names, a new mapping after each answer; `omitted` counts those that
    are not sampled because there are more than `namespaces.max`.
    """

    NAME: ClassVar = "namespaces"

    def __init__(self, access: NamespaceAccess | None, config: Config) -> None:
        """Take the way into other namespaces, None where there are no capabilities for it."""
        super().__init__(self.NAME)
        self.chosen: dict[str, NamespaceRef] = {}
        self.omitted = 0
        self._access = access
        self._config = config

    @property
    def wanted(self) -> bool:
        """Whether other namespaces are to be sampled, be it possible or not."""
        enabled = self._config.namespaces.enabled
        return enabled is AutoBool.TRUE or (enabled is AutoBool.AUTO and self._access is not None)

    @property
    def method(self) -> str:
        """`broker` where other namespaces can be entered, else `own`."""
        return "own" if self._access is None else "broker"

    def interval(self, configured: float) -> float:  # noqa: ARG002  (a walk over all processes of the host)
        """Return one second, whatever sampling.interval is."""
        return _SECONDS

    def pending(self, now: float) -> bool:  # noqa: ARG002
        """Tell whether to look for namespaces; where not, none is chosen any more."""
        if not self.wanted and self.chosen:
            self.chosen = {}
            self.omitted = 0
        return self.wanted

    def ask(self, now: float) -> list[NamespaceRef]:  # noqa: ARG002
        """Find every other namespace. Raises KernelError."""
        if self._access is None:
            raise UnavailableError("other network namespaces need CAP_SYS_ADMIN and CAP_SYS_PTRACE", "EPERM")
        return self._access.find()

    def apply(self, answer: list[NamespaceRef], now: float) -> None:  # noqa: ARG002
        """Choose those to sample. Where there are too many, those that are sampled already come first."""
        namespaces = self._config.namespaces
        found = {name: ref for name, ref in _named(answer) if namespaces.selects(name)}
        known = {ref.inode for ref in self.chosen.values()}
        order = sorted(found.items(), key=lambda named: (named[1].inode not in known, named[1].inode))
        self.chosen = dict(order[: namespaces.max])
        self.omitted = len(found) - len(self.chosen)

    def configure(self, config: Config) -> None:
        """Choose by another configuration from the next answer on."""
        self._config = config


def _named(refs: Iterable[NamespaceRef]) -> list[tuple[str, NamespaceRef]]:
    """Give each namespace a name of its own: that of ip-netns(8), else the number of its inode.

    A name that could be taken for that of another namespace is not used.
    """
    names: dict[str, NamespaceRef] = {}
    for ref in sorted(refs, key=lambda ref: (not ref.name, ref.inode)):
        name = printable(ref.name)
        ambiguous = not name or name.isdecimal() or name == HOST or name in names
        names[str(ref.inode) if ambiguous else name] = ref
    return list(names.items())
