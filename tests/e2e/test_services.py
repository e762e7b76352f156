"""Each service has the backlog of its configuration, and the exporter shows what the kernel has."""

from __future__ import annotations

from pathlib import Path

import pytest

from testbed.daemon import running
from testbed.waiting import until_equal
from tests.e2e import services
from tests.integration import reference
from tests.integration.metric_values import EAGER, until_figure

_EXPORTER_PORT = "10511"


@pytest.mark.netns
@pytest.mark.parametrize("name", services.ALL)
def test_the_limit_is_the_configured_backlog_and_the_process_is_named(name: str, folder: Path) -> None:
    service = services.ALL[name](folder)
    with service.running() as program, running(config=EAGER) as daemon:
        until_equal(lambda: reference.from_page(daemon), reference.from_ss)
        by_kernel = reference.from_ss()
        assert {endpoint for endpoint in by_kernel if endpoint.port != _EXPORTER_PORT} == {
            listener.endpoint for listener in service.listeners
        }
        # gunicorn gives itself a title.
        command = Path(f"/proc/{program.pid}/comm").read_text().strip()
        assert command.partition(":")[0] == service.process
        for listener in service.listeners:
            labels = listener.endpoint._asdict() | {"netns": "host", "process": service.process}
            assert by_kernel[listener.endpoint].limit == listener.backlog
            # The name of the process may come with a later sample than the figures.
            until_figure(daemon, listener.backlog, "accept_limit", **labels)
            until_figure(daemon, 1, "sockets", **labels)
            assert service.answers(listener)
