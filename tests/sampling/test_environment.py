"""What a sampler reads on this host, with a broker and without."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest

from exporter.broker.host_files import HostFile
from exporter.kernel.netns.broker_client import BrokerClient
from exporter.kernel.processes.file_broker import FileBrokerClient
from exporter.sampling.environment import Brokers, host_environment
from tests.sampling.fake_clock import FakeClock


@dataclass
class FakeBroker:
    """Stands in for BrokerClient where nothing is asked of it."""

    may_enter: bool = False
    may_see_sockets: bool = False
    supervisor: int | None = None
    used: float = 0.0

    def seconds(self) -> float:
        return self.used

    def read_host_file(self, file: HostFile) -> bytes:
        raise AssertionError(file)

    def brokers(self, files_used: float = 0.0) -> Brokers:
        """The same with a file broker, by the type that the program takes."""
        files = FakeBroker(used=files_used)
        return Brokers(cast("BrokerClient", self), cast("FileBrokerClient", files))


def test_without_a_broker_there_is_one_process_and_no_way_into_other_namespaces() -> None:
    environment = host_environment()
    assert environment.others is None
    assert environment.broker_clock is environment.clock
    assert set(environment.cpu_clocks) == {"exporter"}
    before = time.process_time()
    assert before <= environment.cpu_clocks["exporter"]() <= time.process_time()


def test_each_process_has_a_clock_of_its_own() -> None:
    broker = FakeBroker(supervisor=os.getppid(), used=1.5)
    environment = host_environment(broker.brokers(files_used=0.25))
    assert set(environment.cpu_clocks) == {"exporter", "supervisor", "broker"}
    assert environment.cpu_clocks["broker"]() == 1.75
    assert environment.cpu_clocks["supervisor"]() > 0
    assert environment.others is None


def test_a_supervisor_that_is_not_known_has_none() -> None:
    assert set(host_environment(FakeBroker().brokers()).cpu_clocks) == {"exporter", "broker"}


def test_a_supervisor_that_ended_has_used_no_more() -> None:
    pid = os.posix_spawn("/bin/true", ["true"], {})
    os.waitpid(pid, 0)
    environment = host_environment(FakeBroker(supervisor=pid).brokers())
    assert environment.cpu_clocks["supervisor"]() == 0.0


def test_the_clock_of_sources_for_which_the_broker_works_counts_its_time() -> None:
    clock, broker = FakeClock(), FakeBroker()
    environment = host_environment(broker.brokers(), clock.clock())
    clock.spend(0.25)
    broker.used = 0.5
    assert environment.broker_clock.cpu() == 0.75
    assert environment.clock.cpu() == 0.25
    assert environment.broker_clock.monotonic() == environment.clock.monotonic()


@pytest.mark.skipif(not Path("/proc/self/ns/net").exists(), reason="no network namespaces")
def test_a_broker_that_may_enter_opens_other_namespaces() -> None:
    assert host_environment(FakeBroker(may_enter=True).brokers()).others is not None
