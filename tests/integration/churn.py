"""Namespaces that are made and removed, each with a listener that identifies it."""

from __future__ import annotations

import itertools
import time
from collections import deque
from dataclasses import dataclass, field

from testbed import programs
from testbed.netns import Container, Namespaces
from testbed.page import Page
from tests.integration.other_namespaces import PortAndBacklog, listeners

_SERIAL = itertools.count()
# Fewer than somaxconn, and a prime, so that neighbouring numbers do not meet again soon.
_BACKLOGS = 4093


@dataclass
class Churn:
    """Makes namespaces and removes them again, and knows which listeners each name has had.

    With `names` they have these names, in turn; without, they are known by their inodes. Every
    namespace listens on a port and with a backlog of its own, and has one end of a veth.
    """

    namespaces: Namespaces
    names: tuple[str, ...] = ()
    alive_at_once: int = 20
    listeners: dict[str, set[PortAndBacklog]] = field(default_factory=dict)
    _alive: deque[tuple[str, Container]] = field(default_factory=deque)

    def run(self, count: int, per_second: float) -> None:
        """Make so many, and keep the newest `alive_at_once`."""
        began = time.monotonic()
        for index in range(count):
            time.sleep(max(0.0, began + index / per_second - time.monotonic()))
            if len(self._alive) == self.alive_at_once:
                self._end(*self._alive.popleft())
            self._begin()

    def end(self) -> None:
        """Remove those that are left."""
        while self._alive:
            self._end(*self._alive.popleft())

    def check(self, page: Page) -> int:
        """How many listeners a page shows; fails where it shows one under the name of another namespace.

        A name that was given again shows the listeners of one namespace at a time.
        """
        shown = 0
        for name, pairs in listeners(page).items():
            if name == "host":
                continue
            wrong = pairs - self.listeners.get(name, set())
            assert not wrong, f"{name} shows {wrong}"
            assert len(pairs) <= 1, f"{name} shows two namespaces at once: {pairs}"
            shown += len(pairs)
        return shown

    def _begin(self) -> None:
        serial = next(_SERIAL)
        pair = (20_000 + serial, 1 + serial * 7 % _BACKLOGS)
        if self.names:
            name = self.names[serial % len(self.names)]
            made = self.namespaces.named(name)
        else:
            made = self.namespaces.container()
            name = str(made.inode)
        device = f"churn{serial}"
        programs.output(
            "ip", "link", "add", device, "type", "veth", "peer", "name", "eth0", "netns", str(made.pid)
        )
        self.listeners.setdefault(name, set()).add(pair)
        made.listen_tcp(pair[0], backlog=pair[1])
        self._alive.append((name, made))

    def _end(self, name: str, made: Container) -> None:
        made.stop()
        if self.names:
            self.namespaces.remove_name(name)
