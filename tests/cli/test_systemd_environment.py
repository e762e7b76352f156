"""What a service manager says by variables, whom it means, and what of it is no sense."""

from __future__ import annotations

import asyncio
import os

import pytest

from exporter.cli.systemd import ServiceManager
from exporter.errors import RunError

ANOTHER_PROCESS = "1"
PATIENCE_SECONDS = 10.0


def test_without_a_manager_nothing_is_asked_and_nothing_is_said() -> None:
    told = ServiceManager({})
    informed = told.keep_informed(started=lambda: False, late_seconds=lambda: 0.0, status=str)
    asyncio.run(asyncio.wait_for(informed, PATIENCE_SECONDS))
    told.reloading()
    told.reloaded("new")
    told.stopping()


def test_no_child_finds_anything_of_it_in_its_environment() -> None:
    ours = {"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "1", "WATCHDOG_PID": "1"}
    passed = {"LISTEN_PID": "1", "LISTEN_FDS": "1", "LISTEN_FDNAMES": "web"}
    environment = {"HOME": "/", **ours, **passed}
    ServiceManager(environment)
    assert environment == {"HOME": "/"}


@pytest.mark.parametrize("name", ["LISTEN_FDS", "WATCHDOG_USEC"])
@pytest.mark.parametrize("value", ["", "three", "-1", "1.5", "\N{SUPERSCRIPT TWO}", "9" * 5000])
def test_what_should_be_a_number_and_is_none_is_refused(name: str, value: str) -> None:
    with pytest.raises(RunError) as refused:
        ServiceManager({name: value, "LISTEN_PID": str(os.getpid())})
    assert str(refused.value).startswith(f"{name} is {value!r} and no number")


def test_sockets_for_another_process_are_left_alone() -> None:
    assert ServiceManager({"LISTEN_FDS": "1", "LISTEN_PID": ANOTHER_PROCESS}).sockets() == []
    assert ServiceManager({"LISTEN_FDS": "1"}).sockets() == []
