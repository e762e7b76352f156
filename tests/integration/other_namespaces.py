"""An exporter that samples other network namespaces: its configuration, its processes, and its page."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from signal import SIGKILL

from testbed import syscalls
from testbed.daemon import Daemon, running
from testbed.netns import Container
from testbed.page import Page
from testbed.waiting import until
from tests.broker.broker_processes import broker_of, supervisor_of
from tests.integration.metric_values import figure

PortAndBacklog = tuple[int, int]
# Enough for a rate, and two seconds on a machine that has nothing else to do.
_SAMPLES = 200
# All of them are reserved for other things than namespaces.
_TOO_FEW_FILES = 512


def only(*patterns: str, sampling: str = "interval: 10ms, cpu_budget: 50%", enabled: str = "auto") -> str:
    """A configuration with all series of the test's namespace and of those whose names match a pattern."""
    namespaces = f"{{enabled: {enabled}, include: {list(patterns)}}}"
    return f"sampling: {{{sampling}}}\nnamespaces: {namespaces}\ndefaults: {{export: full}}\n"


def watching(config: str, *flags: str, keeps_open: bool = True) -> Daemon:
    """A daemon that may enter other namespaces and is ready, for use in `with`.

    Where it may open few files it keeps no namespace open, and enters each for every sample.
    """
    max_open_files = None if keeps_open else _TOO_FEW_FILES
    daemon = Daemon(*flags, config=config, namespaces=True, max_open_files=max_open_files)
    try:
        return daemon.wait_ready()
    except BaseException as error:
        daemon.__exit__(type(error), error, error.__traceback__)
        raise


def supervisor_and_broker(daemon: Daemon) -> tuple[int, int]:
    """The PIDs of the two processes that a daemon has started."""
    supervisor = supervisor_of(daemon.pid)
    return supervisor, broker_of(supervisor)


def listeners(page: Page) -> dict[str, set[PortAndBacklog]]:
    """Port and backlog of every TCP listener on a page, by the name of its namespace."""
    found: dict[str, set[PortAndBacklog]] = {}
    for labels, limit in page.all("listen_queue_accept_limit", protocol="tcp").items():
        known = dict(labels)
        found.setdefault(known["netns"], set()).add((int(known["port"]), int(limit)))
    return found


def listeners_of(daemon: Daemon, name: str) -> set[PortAndBacklog]:
    """Port and backlog of every TCP listener that the daemon shows of a namespace."""
    return listeners(daemon.metrics()).get(name, set())


def until_shown(daemon: Daemon, name: str, *wanted: PortAndBacklog) -> None:
    """Return when just these listeners are shown of a namespace; fails the test at the deadline."""
    until(lambda: listeners_of(daemon, name), lambda found: found == set(wanted))


def namespaces_of(page: Page) -> set[str]:
    """Every value of the label `netns` on a page."""
    return {value for _, labels in page.samples for label, value in labels if label == "netns"}


def success(daemon: Daemon, source: str, name: str) -> float | None:
    """Whether a source of a namespace succeeds; None where the page has no such series."""
    return figure(daemon, "exporter_source_success", source=source, netns=name)


def samples(daemon: Daemon, source: str) -> float:
    """How many samples a kind of source has taken, in all namespaces."""
    return figure(daemon, "exporter_samples_total", source=source) or 0.0


def sampled(daemon: Daemon, name: str) -> float:
    """How often the TCP listeners of a namespace were sampled: the observations in its first histogram."""
    return sampled_of_all(daemon, [name])[name]


def sampled_of_all(daemon: Daemon, names: Iterable[str]) -> dict[str, float]:
    """The same for several namespaces, from one page: what is read from two cannot be compared."""
    page = daemon.metrics()
    return {name: _sampled(page, name) for name in names}


def _sampled(page: Page, name: str) -> float:
    counts = page.all("listen_queue_accept_sampled_utilization_ratio_count", netns=name)
    return max(counts.values(), default=0.0)


@contextmanager
def exporter_of_own_namespace() -> Iterator[Daemon]:
    """An exporter that samples the test's namespace alone, to compare the rate of another one with.

    What else the machine has to do slows down both.
    """
    config = only("host", enabled="false")
    with running(config=config, port=10512) as daemon:
        yield daemon


def relative_rates(daemon: Daemon, comparison: Daemon, names: Collection[str]) -> dict[str, float]:
    """How often each namespace is sampled while the other exporter samples its own namespace once."""
    before = sampled_of_all(daemon, names)
    first = sampled(comparison, "host")
    until(lambda: sampled(comparison, "host"), lambda now: now >= first + _SAMPLES)
    after = sampled_of_all(daemon, names)
    taken = sampled(comparison, "host") - first
    return {name: (after[name] - begun) / taken for name, begun in before.items()}


def descriptors(pid: int) -> int:
    """How many files a process has open."""
    return len(os.listdir(f"/proc/{pid}/fd"))  # noqa: PTH208  (names are all that is needed)


def resident_mib(pid: int) -> float:
    """The memory that a process has in use."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise LookupError(pid)


@contextmanager
def inside(container: Container, *works: Callable[[Callable[[], object]], object]) -> Iterator[None]:
    """Run functions in processes of a container until the end, as root of its user namespace if it has one.

    Each is given a function to call when it is ready, and must not return.
    """
    pids = [_start_inside(container, work) for work in works]
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, SIGKILL)
        statuses = [os.waitpid(pid, 0)[1] for pid in pids]
    assert all(os.WIFSIGNALED(status) for status in statuses), "a process in the container ended by itself"


def _start_inside(container: Container, work: Callable[[Callable[[], object]], object]) -> int:
    ready, report_ready = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(ready)
            pidfd = os.pidfd_open(container.pid)
            syscalls.call("setns", pidfd, syscalls.CLONE_NEWNET | _user_namespace_of(container))
            # After that: the capabilities gained in a user namespace would undo it.
            syscalls.die_with_parent()
            work(lambda: os.write(report_ready, b"!"))
        except BaseException:  # noqa: BLE001  (nothing above this fork would show it)
            os.write(2, traceback.format_exc().encode())
        finally:
            os._exit(1)
    os.close(report_ready)
    received = os.read(ready, 1)
    os.close(ready)
    assert received == b"!", "the process in the container did not get ready"
    return pid


def _user_namespace_of(container: Container) -> int:
    own, its = (Path(f"/proc/{pid}/ns/user").stat().st_ino for pid in ("self", container.pid))
    return syscalls.CLONE_NEWUSER if own != its else 0
