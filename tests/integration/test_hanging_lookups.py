"""What hangs when names are looked up delays no page, no sample, no start and no end."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from exporter.broker.capabilities import Capability, keep_only
from testbed import figures, syscalls
from testbed.daemon import Daemon, running
from testbed.hanging_files import HangingFiles
from testbed.repeated import repeated
from testbed.waiting import until
from tests.integration import listening_sockets
from tests.integration.hanging_name_service import make_name_service_hang
from tests.integration.metric_values import EAGER, figure, until_figure, until_sampled
from tests.integration.service import Service

pytestmark = pytest.mark.netns

# Of no user in /etc/passwd.
UIDS = (50_001, 50_002, 50_003)
LABELS = "labels: [process, user]\n"
# A page takes some milliseconds, and more on a busy machine. What hangs here hangs for good.
LONGEST_SECONDS = 5.0
_PR_CAPBSET_DROP = 24


def of_user(uid: int, port: int) -> Callable[[], list[socket.socket]]:
    """A function that becomes a user and listens on a port."""

    def listen() -> list[socket.socket]:
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
        return [socket.create_server(("127.0.0.1", port))]

    return listen


@contextmanager
def measuring(daemon: Daemon) -> Iterator[list[float]]:
    """Ask for pages all the time, and collect what each took in seconds."""
    seconds: list[float] = []

    def ask() -> None:
        for path in ("/metrics", "/-/healthy"):
            began = time.monotonic()
            assert daemon.request(path).status == 200
            seconds.append(time.monotonic() - began)

    with repeated(ask, pause_seconds=0.05):
        yield seconds


def note_longest(seconds: list[float]) -> None:
    """Fail where a page took too long, and note the longest time."""
    assert max(seconds) < LONGEST_SECONDS
    figures.note(f"a page in {max(seconds):.2f} s at most")


def hung(daemon: Daemon) -> float:
    return figure(daemon, "exporter_hung_lookups_total") or 0


@pytest.mark.fault(
    "a name service that never answers",
    "pages and samples as ever, and an end in time; users that only it knows are shown as numbers",
)
def test_a_name_service_that_hangs(tmp_path: Path) -> None:
    """Users that only a directory in the network knows are shown by their numbers, all others by name."""
    make_name_service_hang(tmp_path)
    with ExitStack() as services:
        services.enter_context(Service(b"before", of_user(UIDS[0], 8001)))
        services.enter_context(Service(b"root", lambda: [listening_sockets.tcp("127.0.0.1", 8000)]))
        began = time.monotonic()
        with running(config=EAGER + LABELS) as daemon, measuring(daemon) as seconds:
            until_figure(daemon, 0, "accept_length", port="8001", user=str(UIDS[0]))
            until_figure(daemon, 0, "accept_length", port="8000", user="root")
            assert time.monotonic() - began < LONGEST_SECONDS + 3
            for uid, port in zip(UIDS[1:], (8002, 8003), strict=True):
                services.enter_context(Service(b"later", of_user(uid, port)))
                until_figure(daemon, 0, "accept_length", port=str(port), user=str(uid), process="later")
            until(lambda: hung(daemon), lambda count: count >= 2)
            until_sampled(daemon, "inet", 50)
            until_sampled(daemon, "owners", 1)
            until_figure(daemon, 1, "exporter_source_success", source="owners")
            daemon.wait_for_log("looking up the name of a user hangs")
            assert daemon.log.count("hangs") == 1
            began = time.monotonic()
        assert time.monotonic() - began < LONGEST_SECONDS, "it ends while lookups hang"
        assert len(seconds) > 20
        note_longest(seconds)


def unix_at(path: str) -> Callable[[], list[socket.socket]]:
    """A function that listens on a path."""
    return lambda: [listening_sockets.unix(path)]


@pytest.mark.parametrize("killable", [True, False])
@pytest.mark.fault(
    "a file system that never answers, under the path of a unix socket",
    "pages and samples as ever; the socket is shown as it was bound, others with their names",
)
def test_a_file_system_that_hangs_under_the_path_of_a_socket(tmp_path: Path, killable: bool) -> None:  # noqa: FBT001
    """It is shown as it was bound; paths elsewhere are looked at all the same."""
    os.chdir(tmp_path)
    for name in ("a", "b"):
        Path(name).mkdir()
    with (
        Service(b"hanging", unix_at("a/x.sock")),
        HangingFiles(tmp_path / "a", killable=killable),
        running(config=EAGER) as daemon,
        measuring(daemon) as seconds,
    ):
        until_figure(daemon, 0, "accept_length", address="a/x.sock", process="hanging")
        until(lambda: hung(daemon), lambda count: count >= 1)
        with Service(b"later", unix_at("b/y.sock")):
            until_figure(daemon, 0, "accept_length", address=f"{tmp_path}/b/y.sock", process="later")
        until_sampled(daemon, "unix", 50)
        until_figure(daemon, 1, "exporter_source_success", source="owners")
        daemon.wait_for_log("looking up the file of a unix socket hangs")
    note_longest(seconds)


def unix_without_capabilities(path: str) -> Callable[[], list[socket.socket]]:
    """A function that gives up its capabilities, so that others without any may look at it, and listens."""

    def listen() -> list[socket.socket]:
        keep_only(())
        return [listening_sockets.unix(path)]

    return listen


@pytest.mark.fault(
    "the same for an exporter without brokers",
    "pages and samples as ever, and an end in time",
)
def test_without_a_broker_a_file_system_that_hangs_delays_nothing_either(tmp_path: Path) -> None:
    """The thread that looks up names waits in the exporter itself, and is left behind."""
    os.chdir(tmp_path)
    Path("a").mkdir()
    with Service(b"hanging", unix_without_capabilities("a/x.sock")), HangingFiles(tmp_path / "a"):
        for capability in Capability:
            syscalls.prctl(_PR_CAPBSET_DROP, capability)
        # Who becomes another user has a file broker in any case.
        with running("--user=root", config=EAGER) as daemon, measuring(daemon) as seconds:
            until_figure(daemon, 0, "accept_length", address="a/x.sock", process="hanging")
            until(lambda: hung(daemon), lambda count: count >= 1)
            assert set(processor_time(daemon)) == {"exporter"}
            until_sampled(daemon, "unix", 50)
            began = time.monotonic()
        assert time.monotonic() - began < LONGEST_SECONDS, "it ends while the lookup hangs"
        note_longest(seconds)


def processor_time(daemon: Daemon) -> dict[str, float]:
    """Return the processor time of each process of the exporter."""
    found = daemon.metrics().all("listen_queue_exporter_cpu_seconds_total")
    return {dict(labels)["process"]: seconds for labels, seconds in found.items()}
