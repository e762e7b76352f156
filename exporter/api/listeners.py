"""The document of `/api/v1/listeners`: every listener with its figures, the worst first."""

from __future__ import annotations

from typing import Any

from exporter.api import listener_errors
from exporter.api.clients import ClientLists
from exporter.api.listener_members import members
from exporter.api.listener_row import Row, healthy_sources, labels, readable, row, state_of
from exporter.api.namespace_counters import counters
from exporter.api.query import ListenerQuery
from exporter.api.queue_state import RANKS
from exporter.doctor.unseen import unseen
from exporter.kernel.netns.host_label import HOST
from exporter.sampling.clock import Clock
from exporter.sampling.listener_state import ListenerState
from exporter.sampling.sampler import Sampler

Document = dict[str, Any]


class Listeners:
    """Reads what a sampler has found.

    The document has `time` (Unix seconds), `listeners`, `namespaces` with their counters, `errors` and
    `not_seen`. A listener has its labels,
    its owner, `stale_path`, `rule` and the thresholds of that as they are written (`accept_warning` and so
    on), `state` (a QueueState; null where the queue cannot be read), the metrics of its newest sample by
    their names, and the highest of the last `peak_seconds`; one whose source failed is null, never 0. With
    `members` asked for it has each of its sockets, and with clients `clients` (exporter.api.clients). Where
    the listeners themselves cannot be read they are not there. An error has `netns`, `source`, `error`, and
    whether it `hides_listeners`. `not_seen` has what cannot be read, and what it takes to read it.
    """

    def __init__(self, sampler: Sampler, clock: Clock) -> None:
        self._sampler = sampler
        self._clock = clock
        self._clients = ClientLists(sampler, clock)

    def document(self, query: ListenerQuery) -> Document:
        """Return the listeners that are asked for.

        Raises QueryError where too many of them have clients that are asked for.
        """
        sampler, now = self._sampler, self._clock.monotonic()
        with sampler.lock:
            healthy = healthy_sources(sampler, now)
            chosen = {
                state: row(state, healthy) | self._members(state, query)
                for state in sorted(readable(sampler, healthy, now), key=_order)
                if query.selects(labels(state))
            }
            errors = listener_errors.errors(sampler, now)
            namespaces = [counters(namespace, now) for namespace in sampler.namespaces]
            hidden = unseen(sampler)
        if query.clients is not None:
            for state, clients in self._clients.read(chosen, query.clients).items():
                chosen[state]["clients"] = clients
        return {
            "time": round(self._clock.wall(), 3),
            "listeners": list(chosen.values()),
            "namespaces": namespaces,
            "errors": errors,
            "not_seen": [{"what": each.what, "needs": each.needs} for each in hidden if not each.configured],
        }

    def _members(self, state: ListenerState, query: ListenerQuery) -> Row:
        if not query.members:
            return {}
        return {"members": members(state.group, self._sampler.owners.process_of)}


def _order(state: ListenerState) -> tuple[int, float, float, bool, str, str, str, int]:
    """Put the worst state first, then what is and was fullest.

    Of equals those of the exporter's own namespace come first, then others by the names of theirs.
    """
    key = state.group.key
    port = int(key.port) if key.port.isdecimal() else 0
    now, peak = state.group.utilization or 0.0, state.accept.peak_ratio() or 0.0
    return (
        *(RANKS[state_of(state)], -now, -peak),
        *(key.netns != HOST, key.netns, key.protocol, key.address, port),
    )
