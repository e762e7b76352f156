"""Entering namespaces: what is opened in one belongs to it, and the process always goes back."""

from __future__ import annotations

import errno
import os
import select
import socket
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from exporter.broker.capabilities import keep_only
from exporter.broker.readable_files import NAMESPACE_FILES
from exporter.broker.switcher import NOT_RESTORED, NamespaceSwitcher, open_here
from exporter.broker.wire import NamespaceTarget
from exporter.kernel.netns.opened import OpenedDescriptors
from testbed import namespace, seccomp
from testbed.waiting import until
from tests.broker.broker_processes import open_one, running_broker, wait_for_brokers
from tests.broker.leaderless_process import leaderless_process
from tests.broker.namespaced_process import (
    NamespacedProcess,
    cookie_of,
    descriptors,
    give_name,
    hide_named,
    own_cookie,
    take_name,
    uptime_ticks,
)
from tests.broker.old_kernels import Linux52, Linux57, serve_on
from tests.broker.opened import Opened
from tests.kernel.limits import no_free_descriptor

pytestmark = pytest.mark.netns


def set_limits(number: int) -> None:
    namespace.write_sysctl("net.core.somaxconn", number)
    namespace.write_sysctl("net.ipv4.tcp_max_syn_backlog", number + 1)


def resets(text: str) -> int:
    """Return OutRsts of net/snmp, which a refused connection adds to."""
    names, values = (line.split() for line in text.splitlines() if line.startswith("Tcp:"))
    return int(values[names.index("OutRsts")])


def refuse_connections(times: int) -> None:
    for _ in range(times):
        with socket.socket() as client:
            assert client.connect_ex(("127.0.0.1", 9)) == errno.ECONNREFUSED


def prepare() -> None:
    set_limits(77)
    refuse_connections(5)


def test_what_is_opened_by_a_process_belongs_to_its_namespace() -> None:
    set_limits(300)
    with (
        socket.create_server(("127.0.0.1", 80)),
        NamespacedProcess(81, 82, prepare=prepare) as process,
        running_broker() as broker,
        Opened(open_one(broker, NamespaceTarget(pid=process.pid, files=NAMESPACE_FILES))) as opened,
    ):
        assert list(opened.files) == list(NAMESPACE_FILES)
        assert opened.text("sys/net/core/somaxconn") == "77\n"
        assert opened.text("sys/net/ipv4/tcp_max_syn_backlog") == "78\n"
        assert resets(opened.text("net/snmp")) == 5
        for name, first in (("net/tcp", ":0051"), ("net/unix", "RefCount"), ("net/netstat", "TcpExt")):
            assert first in opened.text(name)
        assert ":0050 " not in opened.text("net/tcp")
        assert opened.seconds > 0
        assert cookie_of(opened.channel) == process.cookie != own_cookie()
        assert opened.ports() == [81, 82]


def test_what_is_opened_by_a_name_belongs_to_the_namespace_with_this_name() -> None:
    hide_named()
    with NamespacedProcess(81) as process:
        give_name("web", process.pid)
        process.end()
        with running_broker() as broker:
            with Opened(open_one(broker, NamespaceTarget(name=b"web"))) as opened:
                assert cookie_of(opened.channel) == process.cookie
            take_name("web")
            with pytest.raises(FileNotFoundError):
                open_one(broker, NamespaceTarget(name=b"web"))


def test_several_are_opened_at_once_and_those_that_fail_do_not_disturb_the_others() -> None:
    hide_named()
    set_limits(300)
    (Path("/run/netns") / "left-over").touch()
    os.mkfifo("/run/netns/fifo")
    (Path("/run/netns") / "link").symlink_to("/proc/self/ns/net")
    with (
        NamespacedProcess(81, prepare=lambda: set_limits(71)) as first,
        NamespacedProcess(82) as gone,
        NamespacedProcess(83, prepare=lambda: set_limits(73)) as last,
        running_broker() as broker,
    ):
        targets = [
            NamespaceTarget(pid=first.pid, files=NAMESPACE_FILES),
            NamespaceTarget(pid=gone.pid, files=NAMESPACE_FILES),
            NamespaceTarget(name=b"missing", files=NAMESPACE_FILES),
            NamespaceTarget(pid=last.pid, files=NAMESPACE_FILES),
            NamespaceTarget(name=b"left-over", files=NAMESPACE_FILES),
            NamespaceTarget(name=b"fifo", files=NAMESPACE_FILES),
            NamespaceTarget(name=b"link", files=NAMESPACE_FILES),
            NamespaceTarget(name=b"x" * 255, files=NAMESPACE_FILES),
            NamespaceTarget(pid=first.pid, files=NAMESPACE_FILES),
        ]
        gone.end()
        found = list(broker.enter(targets))
        assert [each.errno if isinstance(each, OSError) else 0 for each in found] == [
            0,
            errno.ESRCH,
            errno.ENOENT,
            0,
            errno.EINVAL,
            errno.EINVAL,
            errno.ELOOP,
            errno.ENOENT,
            0,
        ]
        for at, port, limit in ((0, 81, 71), (3, 83, 73), (8, 81, 71)):
            each = found[at]
            assert isinstance(each, OpenedDescriptors)
            with Opened(each) as opened:
                assert opened.text("sys/net/core/somaxconn") == f"{limit}\n"
                assert opened.ports() == [port]


def test_after_entering_the_process_is_back_in_its_own_namespace() -> None:
    with NamespacedProcess() as process:
        switcher = NamespaceSwitcher()
        with switcher.entered():
            switcher.enter(NamespaceTarget(pid=process.pid))
            assert own_cookie() == process.cookie
            with pytest.raises(ProcessLookupError):
                switcher.enter(NamespaceTarget(pid=2**31 - 1))
            assert own_cookie() == process.cookie
        assert own_cookie() != process.cookie
        with pytest.raises(ZeroDivisionError), switcher.entered():
            switcher.enter(NamespaceTarget(pid=1 // (own_cookie() == process.cookie)))
        assert own_cookie() != process.cookie


@pytest.mark.parametrize("calls", [None, Linux57(), Linux52()], ids=["pidfd", "5.7", "5.2"])
def test_a_process_that_has_entered_another_namespace_is_refused(calls: Linux57 | None) -> None:
    """It was seen in one, and what is opened would be taken for that."""
    hide_named()
    with NamespacedProcess() as process, NamespacedProcess() as other:
        give_name("web", process.pid)
        switcher = NamespaceSwitcher(calls)
        before = descriptors()
        for target in (NamespaceTarget(pid=process.pid), NamespaceTarget(name=b"web")):
            with switcher.entered():
                with pytest.raises(ProcessLookupError):
                    switcher.open_in(replace(target, inode=other.inode))
                for descriptor in switcher.open_in(replace(target, inode=process.inode)).descriptors:
                    os.close(descriptor)
            assert own_cookie() not in (process.cookie, other.cookie)
        assert descriptors() == before


def test_a_process_that_started_at_another_time_is_another_process() -> None:
    with NamespacedProcess() as process, running_broker() as broker:
        started = process.started()
        open_one(broker, NamespaceTarget(pid=process.pid, started=started)).close()
        for other in (started - 1, started + 1, 1, 2**64 - 1):
            with pytest.raises(ProcessLookupError):
                open_one(broker, NamespaceTarget(pid=process.pid, started=other))


@pytest.mark.netns
def test_a_number_that_another_process_has_got_is_refused() -> None:
    with NamespacedProcess() as process, running_broker() as broker:
        pid, started = process.pid, process.started()
        wait_for_brokers()
        open_one(broker, NamespaceTarget(pid=pid, started=started)).close()
        process.end()
        until(uptime_ticks, lambda ticks: ticks > started + 2)
        # Of the PID namespace of the test, in which nobody else starts a process.
        Path("/proc/sys/kernel/ns_last_pid").write_text(str(pid - 1))
        with NamespacedProcess() as other:
            assert other.pid == pid
            open_one(broker, NamespaceTarget(pid=pid)).close()
            with pytest.raises(ProcessLookupError):
                open_one(broker, NamespaceTarget(pid=pid, started=started))


def test_a_process_whose_first_thread_has_ended_is_entered_by_another_one() -> None:
    with (
        leaderless_process(8080) as (pid, _),
        running_broker() as broker,
        Opened(open_one(broker, NamespaceTarget(pid=pid))) as opened,
    ):
        assert opened.ports() == [8080]
        assert opened.pidfd is not None
        # The process has not ended.
        assert select.select([opened.pidfd], [], [], 0)[0] == []


def test_files_that_are_missing_are_left_out(tmp_path: Path) -> None:
    """A kernel without IPv6 has no net/tcp6."""
    relative = os.path.relpath(tmp_path / "missing", "/proc")
    opened, found = open_here(["net/snmp", relative, "net/tcp"])
    assert opened == ["net/snmp", "net/tcp"]
    assert len(found) == 3
    for descriptor in found:
        os.close(descriptor)


@pytest.mark.parametrize("spare", [0, 1, 2])
def test_without_a_free_descriptor_nothing_is_opened(spare: int) -> None:
    """A file that could not be opened now must not look as if it did not exist."""
    before = descriptors()
    with no_free_descriptor(spare), pytest.raises(OSError, match="open files") as failed:
        open_here(["net/snmp", "net/tcp"])
    assert failed.value.errno == errno.EMFILE
    assert descriptors() == before


@pytest.mark.parametrize("number", [errno.ENFILE, errno.ENOMEM])
def test_a_file_that_cannot_be_opened_now_is_an_error(number: int) -> None:
    next_number = os.dup(0)
    os.close(next_number)
    seccomp.deny_call("openat", number)
    with pytest.raises(OSError, match=os.strerror(number)) as failed:
        open_here(["net/snmp"])
    assert failed.value.errno == number
    opened, found = open_here([])
    assert (opened, len(found)) == ([], 1)
    os.close(found[0])
    # What was opened is closed again: the next descriptor has the same number. None can be listed any more.
    assert os.dup(0) == next_number


def test_without_capabilities_no_namespace_is_entered() -> None:
    with NamespacedProcess() as process:
        switcher = NamespaceSwitcher()
        keep_only(())
        own = own_cookie()
        with switcher.entered(), pytest.raises(PermissionError):
            switcher.enter(NamespaceTarget(pid=process.pid))
        assert own_cookie() == own


def test_a_process_that_cannot_go_back_ends() -> None:
    """It would go on answering for the wrong namespace."""
    with NamespacedProcess() as process:
        pid = os.fork()
        if pid == 0:
            switcher = NamespaceSwitcher()
            with switcher.entered():
                switcher.enter(NamespaceTarget(pid=process.pid))
                keep_only(())
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == NOT_RESTORED


@pytest.mark.parametrize(("kernel", "has_pidfd"), [(Linux57, True), (Linux52, False)])
def test_where_setns_takes_no_pidfd_the_file_of_the_namespace_is_entered(
    kernel: type[Linux57],
    has_pidfd: bool,  # noqa: FBT001
) -> None:
    """A pidfd is handed over all the same where the kernel has it: it tells when the process ends."""
    hide_named()
    set_limits(300)
    with (
        NamespacedProcess(81, prepare=lambda: set_limits(71)) as first,
        NamespacedProcess(82) as named,
        NamespacedProcess() as gone,
        running_broker(serve=partial(serve_on, kernel())) as broker,
    ):
        give_name("web", named.pid)
        ended = gone.pid
        gone.end()
        before = descriptors()
        for started in (0, first.started()):
            targets = [
                NamespaceTarget(pid=first.pid, started=started, files=NAMESPACE_FILES),
                NamespaceTarget(pid=ended, started=started),
                NamespaceTarget(name=b"web"),
                NamespaceTarget(pid=first.pid, started=first.started() + 1),
                NamespaceTarget(pid=first.pid, started=started),
            ]
            found = list(broker.enter(targets))
            assert [type(each) for each in found if isinstance(each, OSError)][1:] == [ProcessLookupError]
            assert isinstance(found[1], ProcessLookupError | FileNotFoundError)
            for at, process in ((0, first), (2, named), (4, first)):
                each = found[at]
                assert isinstance(each, OpenedDescriptors)
                with Opened(each) as opened:
                    assert cookie_of(opened.channel) == process.cookie
                    assert (opened.pidfd is not None) == (has_pidfd and process is first)
                    assert opened.ports() == ([81] if process is first else [82])
                    if opened.pidfd is not None:
                        assert not select.select([opened.pidfd], [], [], 0)[0]
        assert descriptors() == before
        assert broker.namespaces([os.getpid()]) == {os.getpid(): Path("/proc/self/ns/net").stat().st_ino}
        (left,) = broker.enter([NamespaceTarget(pid=first.pid)])
        assert isinstance(left, OpenedDescriptors)
        with Opened(left) as opened:
            first.end()
            if opened.pidfd is not None:
                assert select.select([opened.pidfd], [], [], 10)[0]


@pytest.mark.parametrize(
    ("calls", "opened", "refused"),
    [
        pytest.param(Linux57(), 4, 1, id="5.7"),
        pytest.param(Linux52(), 1, 0, id="5.2"),
        pytest.param(Linux52(errno.EPERM), 1, 0, id="a filter of system calls"),
    ],
)
def test_what_the_kernel_lacks_is_tried_once(calls: Linux57, opened: int, refused: int) -> None:
    with NamespacedProcess(81) as first, NamespacedProcess(82) as second:
        switcher = NamespaceSwitcher(calls)
        before = descriptors()
        with switcher.entered():
            for process in (first, second, first, second):
                pidfd = switcher.enter(NamespaceTarget(pid=process.pid))
                assert own_cookie() == process.cookie
                if pidfd is not None:
                    os.close(pidfd)
        assert own_cookie() not in (first.cookie, second.cookie)
        assert (calls.opened, calls.refused) == (opened, refused)
        assert descriptors() == before


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ESRCH])
def test_a_pidfd_that_cannot_be_opened_now_is_an_error_and_tried_again(number: int) -> None:
    calls = Linux52(number)
    with NamespacedProcess() as process:
        switcher = NamespaceSwitcher(calls)
        for _ in range(2):
            with switcher.entered(), pytest.raises(OSError, match=os.strerror(number)):
                switcher.enter(NamespaceTarget(pid=process.pid))
        assert calls.opened == 2


class ReplacedProcess(Linux57):
    """Gives the number of a process to another one at a certain moment, as a busy machine may."""

    def __init__(self, replace: Callable[[], object], *, after_pidfd: bool) -> None:
        super().__init__()
        self._replace = replace
        self._after_pidfd = after_pidfd

    def pidfd_open(self, pid: int) -> int:
        """Replace the process after its pidfd was opened."""
        pidfd = super().pidfd_open(pid)
        if self._after_pidfd:
            self._replace()
        return pidfd

    def setns(self, descriptor: int) -> None:
        """Replace the process before its file is opened."""
        try:
            super().setns(descriptor)
        except OSError:
            self._replace()
            raise


@pytest.mark.parametrize("after_pidfd", [True, False])
def test_a_number_that_another_process_gets_meanwhile_is_refused(after_pidfd: bool) -> None:  # noqa: FBT001
    with ExitStack() as stack:
        process = stack.enter_context(NamespacedProcess())
        pid, started = process.pid, process.started()
        others: list[NamespacedProcess] = []

        def replace() -> None:
            process.end()
            until(uptime_ticks, lambda ticks: ticks > started + 2)
            Path("/proc/sys/kernel/ns_last_pid").write_text(str(pid - 1))
            others.append(stack.enter_context(NamespacedProcess()))

        switcher = NamespaceSwitcher(ReplacedProcess(replace, after_pidfd=after_pidfd))
        before = descriptors()
        with switcher.entered(), pytest.raises(ProcessLookupError):
            switcher.enter(NamespaceTarget(pid=pid, started=started))
        assert [other.pid for other in others] == [pid]
        assert descriptors() == before
