"""Watches a host for a few seconds by a sampler, and returns the view of it that checks are made on."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import fields
from functools import partial
from typing import NamedTuple

from exporter.doctor import unseen
from exporter.doctor.host_view import HostView, ListenerView, NamespaceView
from exporter.doctor.listener_watch import ListenerWatch
from exporter.kernel.errors import KernelError
from exporter.kernel.netns.namespace import Namespace
from exporter.kernel.processes.activity import ProcessActivity, activities
from exporter.kernel.procfs.counters import Sysctls, TcpCounters
from exporter.sampling.clock import Clock
from exporter.sampling.listener_state import ListenerState
from exporter.sampling.namespace_sampler import NamespaceSampler
from exporter.sampling.sampler import Sampler
from exporter.sampling.sources.oldest_wait import OldestWait
from exporter.sampling.timed_sampling import sample_for, sample_now


class _CountersBefore(NamedTuple):
    """The counters of a namespace, None where they cannot be read, and when that was."""

    counters: TcpCounters | None
    at: float


class Watch:
    """One watch. `sampler` has sampled everything once, and nobody else runs it."""

    def __init__(self, sampler: Sampler, clock: Clock, sleep: Callable[[float], None]) -> None:
        self._sampler = sampler
        self._clock = clock
        self._sleep = sleep
        self._listeners: dict[ListenerState, ListenerWatch] = {}
        self._counters: dict[NamespaceSampler, _CountersBefore] = {}
        self._processes_before: dict[ListenerState, tuple[ProcessActivity, ...]] = {}

    def run(self, seconds: float) -> HostView:
        """Sample for so many seconds, and return what was seen."""
        self._begin()
        started = self._clock.monotonic()
        self._note()
        sample_for(
            self._sampler,
            seconds,
            self._clock,
            self._sleep,
            self._note,
        )
        watched = self._clock.monotonic() - started
        return HostView(
            seconds=watched,
            namespaces=tuple(self._namespace(each, watched) for each in self._sampler.namespaces),
            unseen=unseen.unseen(self._sampler),
        )

    def _begin(self) -> None:
        """Sample everything now, each namespace between its counters and the watch.

        The search for owners may have taken seconds since the last samples. Counters are read before the
        first sample and after the last one, so that they miss no drop that a listener counts in the watch.
        """
        self._read_counters()
        sample_now(self._sampler)
        for namespace in self._sampler.namespaces:
            for state in namespace.table.states.values():
                self._processes_before[state] = self._processes(state)

    def _read_counters(self) -> None:
        """Read the counters of the namespaces of which that was not done yet."""
        for namespace in self._sampler.namespaces:
            if namespace not in self._counters:
                at = self._clock.monotonic()
                self._counters[namespace] = _CountersBefore(_counters(namespace.namespace), at)

    def _note(self) -> None:
        self._read_counters()
        for namespace in self._sampler.namespaces:
            waits = namespace.source(OldestWait)
            for state in namespace.table.states.values():
                if state.group.members:
                    if state not in self._listeners:
                        self._listeners[state] = ListenerWatch(state, self._counters[namespace].at)
                    self._listeners[state].note(waits.first(state.group))

    def _namespace(self, sampler: NamespaceSampler, seconds: float) -> NamespaceView:
        before = self._counters[sampler].counters if sampler in self._counters else None
        after = _counters(sampler.namespace)
        return NamespaceView(
            name=sampler.name,
            listeners=tuple(
                self._view(state, seconds)
                for state in sampler.table.states.values()
                if state.group.members and state in self._listeners
            ),
            sysctls=_sysctls(sampler.namespace),
            counters=after,
            increases=None if before is None or after is None else _increases(before, after),
        )

    def _view(self, state: ListenerState, seconds: float) -> ListenerView:
        before = self._processes_before.get(state, ())
        processes = self._processes(state)
        return self._listeners[state].view(seconds, processes, idle=_idle(before, processes))

    def _may_hold(self, inodes: Collection[int], pid: int) -> bool:
        """Ask as the search for owners does: the command itself may have no right to look."""
        try:
            return self._sampler.owners.may_hold(pid, inodes)
        except KernelError:
            return True

    def _processes(self, state: ListenerState) -> tuple[ProcessActivity, ...]:
        """Return what the owners of a listener's sockets do; of a queue without a connection nobody asks."""
        if not state.group.length:
            return ()
        inodes = [member.listener.inode for member in state.group.members.values()]
        found = {process for inode in inodes if (process := self._sampler.owners.process_of(inode))}
        holds = partial(self._may_hold, frozenset(inodes))
        # Of a master and its workers, several may be known as owners of sockets of their own.
        seen = {
            each.pid: each for process in found for each in activities(process.pid, process.started, holds)
        }
        return tuple(seen[pid] for pid in sorted(seen))


def _idle(before: Sequence[ProcessActivity], after: Sequence[ProcessActivity]) -> bool:
    """Tell whether none of the processes has used processor time meanwhile, and so called accept()."""
    used = {each.pid: each.cpu_seconds for each in after}
    return bool(before) and used == {each.pid: each.cpu_seconds for each in before} and all(used.values())


def _counters(namespace: Namespace) -> TcpCounters | None:
    """Read the counters now: in a quiet namespace the source reads them every few seconds only."""
    try:
        return namespace.counters()
    except KernelError:
        return None


def _sysctls(namespace: Namespace) -> Sysctls | None:
    try:
        return namespace.sysctls()
    except KernelError:
        return None


def _increases(before: TcpCounters, after: TcpCounters) -> TcpCounters:
    pairs = [(getattr(before, each.name), getattr(after, each.name)) for each in fields(TcpCounters)]
    return TcpCounters(
        *(None if old is None or new is None or new < old else new - old for old, new in pairs)
    )
