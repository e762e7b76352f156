"""Which way is asked: down where sock_diag is missing, up again after a while, never against the setting."""

from __future__ import annotations

import pytest

from exporter.kernel.errors import ForeignDatagramError, KernelError, MalformedReplyError, UnavailableError
from exporter.kernel.fallback import MethodFallback
from exporter.kernel.records import Method

MINUTE = 60.0


class Ways:
    """Two ways to ask, of which sock_diag can be broken, and a note of who was asked."""

    def __init__(self) -> None:
        self.fault: KernelError | None = None
        self.asked: list[str] = []

    def sock_diag(self) -> str:
        """The way that may be missing."""
        self.asked.append("sock_diag")
        if self.fault is not None:
            raise self.fault
        return "from sock_diag"

    def procfs(self) -> str:
        """The way that is always there."""
        self.asked.append("procfs")
        return "from procfs"

    def ask(self, fallback: MethodFallback, now: float) -> str:
        """Have the ladder choose; `asked` then tells of this question alone."""
        self.asked.clear()
        return fallback.ask(now, sock_diag=self.sock_diag, procfs=self.procfs)


@pytest.fixture
def ways() -> Ways:
    return Ways()


MISSING = UnavailableError("sock_diag dump failed", "ENOENT")


@pytest.mark.parametrize("method", [Method.AUTO, Method.SOCK_DIAG])
def test_sock_diag_is_asked_first_and_alone(ways: Ways, method: Method) -> None:
    fallback = MethodFallback(method)
    assert ways.ask(fallback, 0.0) == "from sock_diag"
    assert ways.asked == ["sock_diag"]
    assert fallback.method is Method.SOCK_DIAG


def test_where_sock_diag_is_missing_auto_answers_from_proc_at_once(ways: Ways) -> None:
    fallback = MethodFallback(Method.AUTO)
    ways.fault = MISSING
    assert ways.ask(fallback, 0.0) == "from procfs"
    assert ways.asked == ["sock_diag", "procfs"]
    assert fallback.method is Method.PROCFS


def test_sock_diag_that_is_missing_is_left_alone_for_a_minute(ways: Ways) -> None:
    fallback = MethodFallback(Method.AUTO)
    ways.fault = MISSING
    ways.ask(fallback, 1000.0)
    ways.ask(fallback, 1000.0 + MINUTE - 0.1)
    assert ways.asked == ["procfs"]
    assert ways.ask(fallback, 1000.0 + MINUTE) == "from procfs"
    assert ways.asked == ["sock_diag", "procfs"]
    ways.ask(fallback, 1000.0 + 2 * MINUTE - 0.1)
    assert ways.asked == ["procfs"]


def test_sock_diag_that_came_back_is_used_again(ways: Ways) -> None:
    fallback = MethodFallback(Method.AUTO)
    ways.fault = MISSING
    ways.ask(fallback, 0.0)
    ways.fault = None
    assert ways.ask(fallback, MINUTE) == "from sock_diag"
    assert fallback.method is Method.SOCK_DIAG
    assert ways.ask(fallback, MINUTE + 0.1) == "from sock_diag"
    assert ways.asked == ["sock_diag"]


def test_forced_to_sock_diag_the_fault_is_raised_every_time(ways: Ways) -> None:
    fallback = MethodFallback(Method.SOCK_DIAG)
    ways.fault = MISSING
    for now in (0.0, 1.0, MINUTE):
        with pytest.raises(UnavailableError):
            ways.ask(fallback, now)
        assert ways.asked == ["sock_diag"]
        assert fallback.method is Method.SOCK_DIAG


def test_forced_to_proc_sock_diag_is_never_asked(ways: Ways) -> None:
    fallback = MethodFallback(Method.PROCFS)
    for now in (0.0, MINUTE, 10 * MINUTE):
        assert ways.ask(fallback, now) == "from procfs"
        assert ways.asked == ["procfs"]


@pytest.mark.parametrize(
    "fault",
    [KernelError("sock_diag dump", "ENOBUFS"), MalformedReplyError("short row"), ForeignDatagramError(1)],
    ids=lambda fault: type(fault).__name__,
)
@pytest.mark.parametrize("method", [Method.AUTO, Method.SOCK_DIAG])
def test_a_fault_that_may_pass_changes_no_method(ways: Ways, method: Method, fault: KernelError) -> None:
    fallback = MethodFallback(method)
    ways.fault = fault
    with pytest.raises(type(fault)):
        ways.ask(fallback, 0.0)
    assert ways.asked == ["sock_diag"]
    assert fallback.method is Method.SOCK_DIAG
    ways.fault = None
    assert ways.ask(fallback, 0.1) == "from sock_diag"


def test_another_setting_counts_from_the_next_question_on(ways: Ways) -> None:
    fallback = MethodFallback(Method.AUTO)
    fallback.choose(Method.PROCFS)
    assert fallback.method is Method.PROCFS
    assert ways.ask(fallback, 0.0) == "from procfs"
    fallback.choose(Method.SOCK_DIAG)
    assert ways.ask(fallback, 0.1) == "from sock_diag"


def test_choosing_again_forgets_that_sock_diag_was_missing(ways: Ways) -> None:
    fallback = MethodFallback(Method.AUTO)
    ways.fault = MISSING
    ways.ask(fallback, 0.0)
    ways.fault = None
    fallback.choose(Method.AUTO)
    assert ways.ask(fallback, 1.0) == "from sock_diag"


def test_a_fault_of_proc_is_raised_as_well(ways: Ways) -> None:
    def broken() -> str:
        raise MalformedReplyError("net/tcp")

    with pytest.raises(MalformedReplyError):
        MethodFallback(Method.PROCFS).ask(0.0, sock_diag=ways.sock_diag, procfs=broken)


def test_a_fault_on_the_way_up_leaves_proc_in_force(ways: Ways) -> None:
    """Whatever kind it is: the rung that held goes on holding."""
    fallback = MethodFallback(Method.AUTO)
    ways.fault = MISSING
    ways.ask(fallback, 0.0)
    ways.fault = KernelError("sock_diag dump", "ENOBUFS")
    assert ways.ask(fallback, MINUTE) == "from procfs"
    assert fallback.method is Method.PROCFS
