"""Each service listens as it was told to, and the exporter says the same of it as the kernel."""

from __future__ import annotations

from pathlib import Path

import pytest

from testbed.daemon import running
from testbed.waiting import until_equal
from tests.e2e import services
from tests.integration import reference
from tests.integration.metric_values import EAGER, figure


@pytest.mark.netns
@pytest.mark.parametrize("name", services.ALL)
def test_the_limit_is_the_configured_backlog_and_the_name_is_right(name: str, folder: Path) -> None:
    service = services.ALL[name](folder)
    with service.running() as process, running(config=EAGER) as daemon:
        until_equal(lambda: reference.from_page(daemon), reference.from_ss)
        by_kernel = reference.from_ss()
        # Nothing else listens here but the exporter's own port.
        assert {place for place in by_kernel if place.port != "10511"} == {
            listener.place for listener in service.listeners
        }
        assert Path(f"/proc/{process.pid}/comm").read_text().strip() == service.process
        for listener in service.listeners:
            labels = listener.place._asdict() | {"netns": "host", "process": service.process}
            assert by_kernel[listener.place].limit == listener.backlog
            assert figure(daemon, "accept_limit", **labels) == listener.backlog
            assert figure(daemon, "sockets", **labels) == 1
            assert service.answers(listener)
