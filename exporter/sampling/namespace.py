"""The sources of one network namespace, and what their samples do to its listeners."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from exporter.config.model import Config
from exporter.kernel.errors import UnavailableError
from exporter.kernel.netns.namespace import Namespace
from exporter.kernel.procfs.counters import Sysctls, TcpCounters
from exporter.kernel.records import Changes, ListenerProtocol, Method
from exporter.listeners.group import ListenerGroup
from exporter.listeners.matching import Matcher
from exporter.listeners.registry import ListenerRegistry
from exporter.sampling.idle_reader import IdleReader
from exporter.sampling.listener_state import ListenerState
from exporter.sampling.source import Source
from exporter.sampling.syn_recv_counter import SynRecvCounter
from exporter.thresholds.rules import RuleSet

# Half-open connections live for seconds, and a count of them walks every connection of the host.
_SYN_RECV_SECONDS = 0.25
_WAITING_SECONDS = 1.0
_COUNTERS_SECONDS = 1.0
# Where a namespace has to wait for its turn, its counters and settings wait for so many.
_COUNTERS_TURNS = 4


@dataclass(frozen=True, slots=True)
class PublishableSources:
    """What holds for all listeners of one protocol: kinds of figure that may be shown, and the settings.

    `kinds` has accept, and for TCP syn_recv and oldest_wait.
    """

    kinds: dict[str, bool]
    sysctls: Sysctls


class NamespaceSampler:
    """Samples one namespace. The sampling thread alone writes; readers hold `lock`."""

    def __init__(self, namespace: Namespace, config: Config, lock: threading.Lock) -> None:
        """Set the sources up; nothing is asked yet."""
        self.namespace = namespace
        self.states: dict[ListenerGroup, ListenerState] = {}
        self.counters: TcpCounters | None = None
        self.sysctls = Sysctls(None, None, None, None)
        self.unmatched = 0
        self.sockets_changed = False
        self._lock = lock
        self._rules = RuleSet(config)
        self._peak_window = config.sampling.peak_window_seconds
        self._registers = {protocol: ListenerRegistry(namespace.name) for protocol in ListenerProtocol}
        self._matcher: Matcher | None = None
        self._nonzero_syn_recv: set[ListenerState] = set()
        self._filled: set[ListenerGroup] = set()
        method = config.sampling.method
        self._tcp = IdleReader(namespace.tcp_listeners(method), namespace.tcp_activity())
        self._unix = namespace.unix_listeners(method)
        self._syn_recv_reader = namespace.syn_recv(method)
        ref_counts = namespace.ref_counts().read
        self.syn_recv_counter = SynRecvCounter(self._syn_recv_reader, ref_counts, namespace.tcp_activity())
        fast, name = config.sampling.interval_seconds, namespace.name
        self.inet = Source("inet", name, fast, self._take_tcp)
        self.unix = Source("unix", name, fast, self._take_unix)
        self.syn_recv = Source("syn_recv", name, max(fast, _SYN_RECV_SECONDS), self._sample_syn_recv)
        self.waiting = Source(
            "oldest_wait", name, max(fast, _WAITING_SECONDS), self._take_waits, self._anyone_waits
        )
        self.netstat = Source("netstat", name, _COUNTERS_SECONDS, self._take_counters)
        self.sources = (self.inet, self.unix, self.netstat, self.syn_recv, self.waiting)

    def methods(self) -> dict[str, str]:
        """Return how each source asks the kernel now."""
        methods: dict[str, str] = {
            "inet": self._tcp.fallback.method,
            "unix": self._unix.fallback.method,
            "syn_recv": self.syn_recv_counter.method,
            "netstat": Method.PROCFS,
        }
        if self._tcp.fallback.method is Method.SOCK_DIAG:
            methods["oldest_wait"] = Method.SOCK_DIAG
        return methods

    def healthy(self, source: str, now: float) -> bool:
        """Tell whether the series of the source with this name may be shown."""
        return any(known.healthy(now) for known in self.sources if known.name == source)

    def publishable(self, now: float) -> dict[ListenerProtocol, PublishableSources]:
        """Tell for each protocol which kinds of figure of its listeners may be shown.

        Without the listeners themselves nothing can be said of their half-open connections.
        """
        inet, syn_recv, waiting = (source.healthy(now) for source in (self.inet, self.syn_recv, self.waiting))
        kinds = {"accept": inet, "syn_recv": inet and syn_recv, "oldest_wait": inet and waiting}
        return {
            ListenerProtocol.UNIX: PublishableSources({"accept": self.unix.healthy(now)}, self.sysctls),
            ListenerProtocol.TCP: PublishableSources(kinds, self.sysctls),
        }

    def due(self, now: float, slot: float) -> list[Source]:
        """Return the sources to ask now, where the next turn comes in `turn` seconds."""
        return [source for source in self.sources if source.due <= now + slot / 2]

    def set_min_interval(self, slot: float) -> None:
        """Ask no more often than every `turn` seconds."""
        for source in self.sources:
            source.set_min_interval(slot * _COUNTERS_TURNS if source is self.netstat else slot)

    def configure(self, config: Config) -> None:
        """Take another configuration; histories go on. The caller holds the lock."""
        self._rules = RuleSet(config)
        self._peak_window = config.sampling.peak_window_seconds
        for reader in (self._tcp, self._unix, self._syn_recv_reader):
            reader.fallback.choose(config.sampling.method)
        self._tcp.forget()
        fast = config.sampling.interval_seconds
        for source, slowest in (
            (self.inet, 0.0),
            (self.unix, 0.0),
            (self.syn_recv, _SYN_RECV_SECONDS),
            (self.waiting, _WAITING_SECONDS),
        ):
            source.set_interval(max(fast, slowest))
        for state in self.states.values():
            state.judge(self._rules, self._peak_window)

    def inodes(self) -> dict[int, int]:
        """Return the inode of every listening socket, with the id of the cgroup it was made in."""
        return {
            listener.inode: listener.cgroup_id
            for register in self._registers.values()
            for listener, _ in register.listeners()
        }

    def judge(self, state: ListenerState) -> None:
        """Ask the rules about a listener whose owner is known now."""
        state.judge(self._rules, self._peak_window)

    def replace(self, state: ListenerState) -> ListenerState:
        """Start a listener's histories afresh, since another program took its place."""
        state.group.discard_closed_drops()
        fresh = self._watch(state.group)
        fresh.observe_accept()
        return fresh

    def _take_tcp(self, now: float) -> None:
        self._fold(self._tcp.read(now, empty=not self._filled), self.inet, ListenerProtocol.TCP, now)

    def _take_unix(self, now: float) -> None:
        self._fold(self._unix.read(now), self.unix, ListenerProtocol.UNIX, now)

    def _fold(self, changes: Changes, source: Source, protocol: ListenerProtocol, now: float) -> None:
        register = self._registers[protocol]
        with self._lock:
            source.clock.tick(now, source.interval_in_force)
            if changes.opened or changes.closed:
                self.sockets_changed = True
                self._matcher = None
            for group in register.apply(changes, now):
                (self.states.get(group) or self._watch(group)).observe_accept()
                if protocol is ListenerProtocol.TCP:
                    (self._filled.add if group.length else self._filled.discard)(group)
            for group in register.forget(now):
                self._nonzero_syn_recv.discard(self.states.pop(group))

    def _watch(self, group: ListenerGroup) -> ListenerState:
        tcp = group.key.protocol is ListenerProtocol.TCP
        clocks = (self.inet.clock, self.syn_recv.clock) if tcp else (self.unix.clock, None)
        state = ListenerState(group, clocks, self._syn_recv_limit, self._peak_window)
        state.judge(self._rules, self._peak_window)
        state.observe_syn_recv(0)
        self.states[group] = state
        return state

    def _sample_syn_recv(self, now: float) -> None:
        counts, unmatched = self.syn_recv_counter.count(now, self._matcher_now())
        with self._lock:
            self.syn_recv.clock.tick(now, self.syn_recv.interval_in_force)
            self.unmatched = unmatched
            by_group = {self.states[group]: count for group, count in counts.items()}
            for state in self._nonzero_syn_recv - by_group.keys():
                state.observe_syn_recv(0)
            for state, count in by_group.items():
                state.observe_syn_recv(count)
            self._nonzero_syn_recv = set(by_group)

    def _matcher_now(self) -> Matcher:
        if self._matcher is None:
            self._matcher = Matcher(self._registers[ListenerProtocol.TCP].listeners())
        return self._matcher

    def _syn_recv_limit(self, group: ListenerGroup) -> int | None:
        """Return how many half-open connections the kernel admits at a listener.

        With SYN cookies off, new peers are refused once fewer than a quarter of tcp_max_syn_backlog
        is free (tcp_conn_request, net/ipv4/tcp_input.c).
        """
        most = self.sysctls.max_syn_backlog
        if self.sysctls.syncookies == 0 and most is not None:
            return group.syn_recv_limit(most - (most >> 2) + 1)
        return group.syn_recv_limit(None)

    def _anyone_waits(self, _now: float) -> bool:
        if not self._filled:
            # An empty queue has no age that a failed look could have missed.
            self.waiting.error = None
        return bool(self._filled)

    def _take_waits(self, now: float) -> None:
        if self._tcp.fallback.method is Method.PROCFS:
            raise UnavailableError("/proc/net does not tell how long a connection has waited", "procfs")
        groups = list(self._filled)
        oldest = self.namespace.oldest_waits({int(group.key.port) for group in groups})
        with self._lock:
            self.waiting.clock.tick(now, self.waiting.interval_in_force)
            for group in groups:
                self.states[group].observe_wait(None)
            for endpoint, seconds in oldest.items():
                owner = self._matcher_now().find(endpoint)
                if owner is not None:
                    state = self.states[owner]
                    state.observe_wait(max(state.oldest_wait_seconds or 0.0, seconds))

    def _take_counters(self, now: float) -> None:
        counters, sysctls = self.namespace.counters(), self.namespace.sysctls()
        with self._lock:
            self.netstat.clock.tick(now, self.netstat.interval_in_force)
            self.counters, self.sysctls = counters, sysctls
