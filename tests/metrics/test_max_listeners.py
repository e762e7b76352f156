"""Which listeners are on the page where there are too many."""

from __future__ import annotations

from exporter.metrics.page import Page
from tests.listeners.sockets import tcp, unix
from tests.metrics.sample_host import page_of, read, values
from tests.sampling.simulation import Simulation

LENGTH = "listen_queue_accept_length"
PUBLISHED = "listen_queue_exporter_listeners"
OMITTED = "listen_queue_exporter_listeners_omitted"


def test_over_the_limit_the_fullest_stay_and_of_equals_the_oldest() -> None:
    simulation = Simulation("max_listeners: 3")
    simulation.kernel.tcp.open(tcp(1, port=81), limit=99)
    simulation.tick()
    simulation.kernel.tcp.open(tcp(2, port=82), tcp(3, port=83), limit=99)
    simulation.tick()
    simulation.kernel.unix.open(unix(4), limit=99, length=50)
    simulation.kernel.tcp.open(tcp(5, port=85), limit=99, length=90)
    simulation.tick()
    page = page_of(simulation)
    assert values(page, LENGTH, "port") == {"81": 0.0, "": 50.0, "85": 90.0}
    assert (read(page).value(PUBLISHED), read(page).value(OMITTED)) == (3.0, 2.0)


def test_listener_that_was_full_in_the_peak_window_counts_as_full() -> None:
    """Otherwise other listeners would be chosen in every scrape."""
    simulation = Simulation("max_listeners: 1")
    simulation.kernel.tcp.open(tcp(1, port=81), length=1)
    simulation.kernel.tcp.open(tcp(2, port=82), length=9)
    simulation.tick()
    simulation.kernel.tcp.change(2, length=0)
    simulation.tick()
    page = page_of(simulation)
    assert values(page, LENGTH, "port") == {"82": 0.0}
    simulation.run_for(61.0)
    assert values(page, LENGTH, "port") == {"81": 1.0}


def test_nothing_is_omitted_within_the_limit(page: Page) -> None:
    assert (read(page).value(PUBLISHED), read(page).value(OMITTED)) == (4.0, 0.0)


def test_listener_that_is_not_exported_is_not_counted(page: Page) -> None:
    assert read(page).all(LENGTH, address="127.0.0.53") == {}
