"""What supervisor and brokers are confined to: their user, their capabilities, their system calls."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from exporter.broker.capabilities import KILL, Capability, keep_only
from exporter.broker.user import User, become
from exporter.sandbox import seccomp
from exporter.sandbox.seccomp import Rules


@dataclass(frozen=True, slots=True)
class Confinement:
    """What is confined, and how.

    `capabilities` are those that the brokers get. `user` is the one that the exporter becomes, None where it
    stays what it is. `filtered` tells whether the system calls of each process are filtered (seccomp(2)).
    """

    capabilities: Collection[Capability] = frozenset(Capability)
    user: User | None = None
    filtered: bool = False

    @property
    def user_of_brokers(self) -> User | None:
        """The user that supervisor and brokers become, None where they stay what they are.

        It is that of the exporter, since a process without CAP_KILL can end others of its user only, also by
        its own end (PR_SET_PDEATHSIG). Where CAP_DAC_READ_SEARCH is missing, though, they stay root, to read
        the files that only root may read.
        """
        return self.user if Capability.DAC_READ_SEARCH in self.capabilities else None

    def confine_supervisor(self) -> None:
        """Confine the supervisor, but for its system calls. It holds capabilities, and has none in use.

        Raises OSError.
        """
        if self.user_of_brokers is not None:
            become(self.user_of_brokers)
        keep_only(self._held(), in_use=False)

    def confine_broker(self, capabilities: Collection[int], rules: Rules) -> None:
        """Confine a broker, which the supervisor has forked, to what it needs of each. Raises OSError."""
        keep_only(self._held().intersection(capabilities))
        self.filter_system_calls(rules)

    def filter_system_calls(self, rules: Rules) -> None:
        """Filter the system calls of this process. Raises OSError."""
        if self.filtered:
            seccomp.install(rules)

    def _held(self) -> frozenset[int]:
        # Of another user than the exporter, the broker needs it to end one that has stopped asking.
        differs = self.user is not None and self.user_of_brokers is None
        return frozenset((*self.capabilities, KILL) if differs else self.capabilities)
