"""The page for people of a running exporter, with a queue that is full."""

from __future__ import annotations

import re
import socket
from html import unescape

import pytest

from testbed.daemon import Daemon, running
from testbed.full_queue import fill
from testbed.waiting import until

pytestmark = pytest.mark.netns

PORT = 8000


@pytest.mark.parametrize("confined", [True, False])
def test_a_full_queue_is_on_the_page(confined: bool) -> None:  # noqa: FBT001
    """Also of a daemon that has become another user, and may read no file of Python any more."""
    with (
        socket.create_server(("127.0.0.1", PORT), backlog=5),
        Daemon(confined=confined).wait_ready() as daemon,
    ):
        clients = fill(PORT)
        text = until(lambda: daemon.request("/").text, lambda text: ">full</span>" in text)
        assert "127.0.0.1:8000" in text
        links = {unescape(address) for address in re.findall(r'href="\.(/listener[^"]*)"', text)}
        (link,) = [address for address in links if f"port={PORT}&" in address]
        details = daemon.request(link)
        assert details.status == 200
        assert "6 connections for" in details.text
        assert "Who waits?" in details.text
        who_waits = until(
            lambda: daemon.request(f"{link}&clients=10").text, lambda text: "6 waiting and" in text
        )
        assert "<bdi>127.0.0.1</bdi>" in who_waits
        for path in ("/static/page.css", "/static/page.js"):
            assert daemon.request(path).status == 200
        for client in clients:
            client.close()


def test_a_configuration_that_is_wrong_is_on_the_page() -> None:
    with running("--web.enable-lifecycle", config="{}") as daemon:
        daemon.config_file.write_text("labels: [<b>]\n")
        assert daemon.request("/-/reload", "POST").status == 500
        assert "The newest configuration is wrong, and not in force" in daemon.request("/").text


def test_it_works_at_another_path_of_the_metrics() -> None:
    with running("--web.telemetry-path=/-/metrics&more") as daemon:
        assert 'href="./-/metrics&amp;more"' in daemon.request("/").text
