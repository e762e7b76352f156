"""Namespaces that come and go, each with a listener that tells whose it is."""

from __future__ import annotations

import itertools
import time
from collections import deque
from dataclasses import dataclass, field

from testbed import programs
from testbed.netns import Container, Namespaces
from testbed.page import Page
from tests.integration.other_namespaces import Pair, listeners

_SERIAL = itertools.count()
# Fewer than somaxconn, and a prime, so that neighbouring numbers do not meet again soon.
_BACKLOGS = 4093


@dataclass
class Churn:
    """Makes namespaces and removes them again, and knows what may be shown of each name.

    With `names` they are named, in turn; without, they have the numbers of their inodes. Every
    namespace listens on a port and with a backlog of its own, and has one end of a veth.
    """

    namespaces: Namespaces
    names: tuple[str, ...] = ()
    alive_at_once: int = 20
    mine: dict[str, set[Pair]] = field(default_factory=dict)
    _alive: deque[tuple[str, Container]] = field(default_factory=deque)

    def run(self, count: int, per_second: float) -> None:
        """Make so many, and keep the newest few alive."""
        began = time.monotonic()
        for index in range(count):
            time.sleep(max(0.0, began + index / per_second - time.monotonic()))
            if len(self._alive) == self.alive_at_once:
                self._end(*self._alive.popleft())
            self._begin()

    def end(self) -> None:
        """Remove the last ones."""
        while self._alive:
            self._end(*self._alive.popleft())

    def check(self, page: Page) -> int:
        """Fail where a page shows anything of a namespace under another's name; return how many it shows.

        A name that was used again shows one namespace at a time.
        """
        shown = 0
        for name, pairs in listeners(page).items():
            if name == "host":
                continue
            wrong = pairs - self.mine.get(name, set())
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
        self.mine.setdefault(name, set()).add(pair)
        made.listen_tcp(pair[0], backlog=pair[1])
        self._alive.append((name, made))

    def _end(self, name: str, made: Container) -> None:
        made.stop()
        if self.names:
            self.namespaces.forget(name)
