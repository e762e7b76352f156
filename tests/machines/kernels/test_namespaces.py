"""Other network namespaces: every listener as `ss` sees it there, and nothing of them is kept later."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

import pytest

from testbed.netns import Namespaces
from testbed.waiting import equals, until
from tests.integration import reference
from tests.integration.metric_values import until_figure
from tests.integration.other_namespaces import listeners, only, watching

_COUNT = 4
_PORTS = (8000, 8001, 8002)

pytestmark = [pytest.mark.netns, pytest.mark.timeout(1500)]


@pytest.mark.parametrize("keeps_open", [pytest.param(True, marks=pytest.mark.short), False])
def test_namespaces_are_seen_as_by_ss_and_let_go_at_their_end(
    *, keeps_open: bool, seen: Callable[[str, object], None]
) -> None:
    with Namespaces() as namespaces:
        made = [namespaces.container() for _ in range(_COUNT)]
        for number, each in enumerate(made):
            each.veth(f"10.98.{number}.1/30", f"10.98.{number}.2/30", device=str(each.inode))
            each.listen_tcp(*_PORTS, backlog=number)
            each.listen_unix("queue", backlog=5)
            each.fill_tcp(_PORTS[0], number % 2)
            each.fill_unix("queue", number % 3)
        config = only(*(str(each.inode) for each in made), sampling="interval: 100ms, cpu_budget: 30%")
        with watching(config, keeps_open=keeps_open) as daemon:
            for each in made:
                with reference.within(each.pid):
                    wanted = reference.from_ss()
                until(
                    lambda: reference.of_namespace(daemon.metrics(), netns=str(each.inode)),  # noqa: B023
                    equals(wanted),
                )
                assert len(wanted) == len(_PORTS) + 1
            slowest = 0.0
            for each in made:
                each.stop()
                stopped = time.monotonic()
                until(_devices, lambda names: str(each.inode) not in names)  # noqa: B023
                slowest = max(slowest, time.monotonic() - stopped)
                until(lambda: listeners(daemon.metrics()).get(str(each.inode)), equals(None))  # noqa: B023
            until_figure(daemon, 1, "exporter_namespaces")
    how = "held open" if keeps_open else "entered for each sample"
    seen(
        f"{_COUNT} namespaces, {how}: as `ss` shows them; veth gone after death, at the latest",
        f"{slowest:.1f} s",
    )


def _devices() -> set[str]:
    return {name for _, name in socket.if_nameindex()}
