"""What one namespace is asked by for its half-open connections."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from exporter.kernel.fallback import MethodFallback
from exporter.kernel.procfs.tcp_activity import TcpActivity
from exporter.kernel.records import Endpoint
from exporter.sampling.mptcp_sockets import MptcpSockets
from exporter.sampling.sources.family_references import ReferenceReader


class SynRecvDump(Protocol):
    """Counts half-open connections by a dump of all connections (exporter.kernel.syn_recv_reader)."""

    fallback: MethodFallback

    def read(self, now: float) -> Mapping[Endpoint, int]:
        """Return how many there are at each endpoint. Raises KernelError."""


@dataclass(frozen=True, slots=True)
class SynRecvReaders:
    """A dump, reference counts, whether segments came in, and what the latter two may rest on.

    `syn_repeats` tells how often a SYN-ACK was sent again, None where that is not counted; it may raise
    KernelError. `mptcp` is what is known of MPTCP's sockets.
    """

    dump: SynRecvDump
    ref_counts: ReferenceReader
    activity: TcpActivity
    syn_repeats: Callable[[], int | None]
    mptcp: MptcpSockets
