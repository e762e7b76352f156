"""Whether the processes of others can be seen, and what keeps them from being seen."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from exporter.kernel.errors import UnavailableError
from exporter.kernel.processes.process import ProcessTable
from exporter.owners.socket_holders import INIT_PID

_WHAT: Final = "the processes of some sockets cannot be seen"


def obstacle(processes: ProcessTable, pids: Collection[int], denied: int) -> UnavailableError | None:
    """Return why a search of all processes could not see each of them; None where it could.

    `pids` are those that it found, `denied` is how many did not let their sockets be read. A process that
    protects itself from one with every capability that helps is no obstacle. Raises KernelError.
    """
    if INIT_PID not in pids:
        # Nothing is denied there: procfs does not show them at all.
        return UnavailableError(
            f"{_WHAT}, since /proc hides those of other users (mount option hidepid)", "hidepid"
        )
    if denied and not processes.may_see_sockets:
        return UnavailableError(
            f"{_WHAT} without CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH, which other users' processes need",
            "capabilities",
        )
    if not processes.has_all():
        return UnavailableError(
            f"{_WHAT}, since the exporter has a PID namespace of its own (docker run --pid=host, hostPID)",
            "pid_namespace",
        )
    return None
