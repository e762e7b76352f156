"""Listeners as ss and a page show them are the same places and queues."""

from __future__ import annotations

import pytest

from testbed.daemon import running
from testbed.netns import Namespaces
from testbed.page import metrics
from testbed.waiting import until
from tests.soak import readings
from tests.soak.ports import STEADY_PORTS
from tests.soak.readings import Place, Queue


@pytest.mark.netns
def test_ss_and_a_page_agree_about_the_listeners_of_a_namespace() -> None:
    with Namespaces() as namespaces:
        other = namespaces.container()
        other.listen_tcp(80, backlog=7)
        other.fill_tcp(80, 3)
        place = Place(str(other.inode), "0.0.0.0", "80")
        found = until(readings.listeners_by_ss, lambda seen: seen.get(place) == Queue(3, 7))
        assert set(found) == {place}


@pytest.mark.netns
def test_the_page_of_an_exporter_has_what_ss_shows() -> None:
    with running() as daemon:

        def pages_differ() -> bool:
            return readings.listeners_on(metrics(daemon.scrape())) != readings.listeners_by_ss()

        until(pages_differ, lambda differ: not differ)
        reading = readings.read(1.0, daemon.pid, daemon.log, daemon.scrape())
        assert reading.memory > 10 << 20
        assert reading.descriptors > 5
        assert reading.threads > 1
        assert reading.series > 20
        assert reading.log_lines >= 1


def test_the_length_of_a_queue_that_changes_all_the_time_is_not_compared() -> None:
    line = 'listen_queue_accept_{}{{netns="{}",protocol="tcp",address="::",port="{}",process="{}"}} {}\n'
    text = ""
    for netns, port in (("host", "12000"), ("host", str(STEADY_PORTS[0])), ("4026531999", "12000")):
        for process in ("a", "b"):
            text += line.format("length", netns, port, process, 2) + line.format(
                "limit", netns, port, process, 5
            )
    ordered = sorted(text.splitlines(keepends=True))
    assert readings.listeners_on(metrics("".join(ordered))) == {
        Place("host", "::", "12000"): Queue(None, 10),
        Place("host", "::", str(STEADY_PORTS[0])): Queue(4, 10),
        Place("4026531999", "::", "12000"): Queue(4, 10),
    }
