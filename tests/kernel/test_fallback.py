"""Which method is used: procfs where sock_diag is missing, and never one against the setting."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from exporter.kernel.errors import (
    ForeignDatagramError,
    KernelError,
    MalformedReplyError,
    UnavailableError,
    UnimplementedError,
)
from exporter.kernel.fallback import MethodFallback
from exporter.kernel.records import Method

MINUTE = 60.0


class Methods:
    """Both methods, of which sock_diag can fail; `asked` has those that were used."""

    def __init__(self) -> None:
        self.fault: KernelError | None = None
        self.asked: list[str] = []

    def sock_diag(self) -> str:
        """Fail with the fault, if there is one."""
        self.asked.append("sock_diag")
        if self.fault is not None:
            raise self.fault
        return "from sock_diag"

    def procfs(self) -> str:
        """Succeed always."""
        self.asked.append("procfs")
        return "from procfs"

    def ask(self, fallback: MethodFallback, now: float) -> str:
        """Ask once; `asked` has the methods of this time alone."""
        self.asked.clear()
        return fallback.ask(now, sock_diag=self.sock_diag, procfs=self.procfs)


@pytest.fixture
def methods() -> Methods:
    return Methods()


MISSING = UnavailableError("sock_diag dump failed", "ENOENT")


def raising(error: KernelError) -> Callable[[], str]:
    """A method that fails with `error` whenever it is asked."""

    def ask() -> str:
        raise error

    return ask


@pytest.mark.parametrize("method", [Method.AUTO, Method.SOCK_DIAG])
def test_sock_diag_is_asked_first_and_alone(methods: Methods, method: Method) -> None:
    fallback = MethodFallback(method)
    assert methods.ask(fallback, 0.0) == "from sock_diag"
    assert methods.asked == ["sock_diag"]
    assert fallback.method is Method.SOCK_DIAG


def test_where_sock_diag_is_missing_auto_asks_procfs_at_once(methods: Methods) -> None:
    fallback = MethodFallback(Method.AUTO)
    methods.fault = MISSING
    assert methods.ask(fallback, 0.0) == "from procfs"
    assert methods.asked == ["sock_diag", "procfs"]
    assert fallback.method is Method.PROCFS


def test_sock_diag_that_is_missing_is_not_asked_for_a_minute(methods: Methods) -> None:
    fallback = MethodFallback(Method.AUTO)
    methods.fault = MISSING
    methods.ask(fallback, 1000.0)
    methods.ask(fallback, 1000.0 + MINUTE - 0.1)
    assert methods.asked == ["procfs"]
    assert methods.ask(fallback, 1000.0 + MINUTE) == "from procfs"
    assert methods.asked == ["sock_diag", "procfs"]
    methods.ask(fallback, 1000.0 + 2 * MINUTE - 0.1)
    assert methods.asked == ["procfs"]


def test_sock_diag_that_is_available_again_is_used_again(methods: Methods) -> None:
    fallback = MethodFallback(Method.AUTO)
    methods.fault = MISSING
    methods.ask(fallback, 0.0)
    methods.fault = None
    assert methods.ask(fallback, MINUTE) == "from sock_diag"
    assert fallback.method is Method.SOCK_DIAG
    assert methods.ask(fallback, MINUTE + 0.1) == "from sock_diag"
    assert methods.asked == ["sock_diag"]


def test_with_sock_diag_alone_its_error_is_raised_each_time(methods: Methods) -> None:
    fallback = MethodFallback(Method.SOCK_DIAG)
    methods.fault = MISSING
    for now in (0.0, 1.0, MINUTE):
        with pytest.raises(UnavailableError):
            methods.ask(fallback, now)
        assert methods.asked == ["sock_diag"]
        assert fallback.method is Method.SOCK_DIAG


def test_with_procfs_alone_sock_diag_is_never_asked(methods: Methods) -> None:
    fallback = MethodFallback(Method.PROCFS)
    for now in (0.0, MINUTE, 10 * MINUTE):
        assert methods.ask(fallback, now) == "from procfs"
        assert methods.asked == ["procfs"]


@pytest.mark.parametrize(
    "fault",
    [KernelError("sock_diag dump", "ENOBUFS"), MalformedReplyError("short row"), ForeignDatagramError(1)],
    ids=lambda fault: type(fault).__name__,
)
@pytest.mark.parametrize("method", [Method.AUTO, Method.SOCK_DIAG])
def test_an_error_that_may_pass_does_not_change_the_method(
    methods: Methods, method: Method, fault: KernelError
) -> None:
    fallback = MethodFallback(method)
    methods.fault = fault
    with pytest.raises(type(fault)):
        methods.ask(fallback, 0.0)
    assert methods.asked == ["sock_diag"]
    assert fallback.method is Method.SOCK_DIAG
    methods.fault = None
    assert methods.ask(fallback, 0.1) == "from sock_diag"


def test_another_setting_holds_from_the_next_time_on(methods: Methods) -> None:
    fallback = MethodFallback(Method.AUTO)
    fallback.choose(Method.PROCFS)
    assert fallback.method is Method.PROCFS
    assert methods.ask(fallback, 0.0) == "from procfs"
    fallback.choose(Method.SOCK_DIAG)
    assert methods.ask(fallback, 0.1) == "from sock_diag"


def test_after_another_setting_sock_diag_is_tried_at_once(methods: Methods) -> None:
    fallback = MethodFallback(Method.AUTO)
    methods.fault = MISSING
    methods.ask(fallback, 0.0)
    methods.fault = None
    fallback.choose(Method.AUTO)
    assert methods.ask(fallback, 1.0) == "from sock_diag"


def test_an_error_of_procfs_is_raised(methods: Methods) -> None:
    broken = raising(MalformedReplyError("net/tcp"))
    with pytest.raises(MalformedReplyError):
        MethodFallback(Method.PROCFS).ask(0.0, sock_diag=methods.sock_diag, procfs=broken)


def test_where_procfs_does_not_work_either_it_is_not_the_method_in_force(methods: Methods) -> None:
    """Else it would be asked alone for a minute, although it never worked."""
    broken = raising(MalformedReplyError("net/tcp"))
    fallback = MethodFallback(Method.AUTO)
    methods.fault = MISSING
    with pytest.raises(MalformedReplyError):
        fallback.ask(0.0, sock_diag=methods.sock_diag, procfs=broken)
    assert fallback.method is Method.SOCK_DIAG
    methods.fault = None
    assert methods.ask(fallback, 0.1) == "from sock_diag"


def test_what_procfs_will_never_tell_is_still_its_answer(methods: Methods) -> None:
    """As in gVisor, which has no sock_diag either."""
    unimplemented = raising(UnimplementedError("/proc/net/tcp has no lengths"))
    fallback = MethodFallback(Method.AUTO)
    methods.fault = MISSING
    with pytest.raises(UnimplementedError):
        fallback.ask(0.0, sock_diag=methods.sock_diag, procfs=unimplemented)
    assert fallback.method is Method.PROCFS


def test_while_sock_diag_is_tried_again_no_error_of_it_is_raised(methods: Methods) -> None:
    """Whatever kind it is: procfs worked."""
    fallback = MethodFallback(Method.AUTO)
    methods.fault = MISSING
    methods.ask(fallback, 0.0)
    methods.fault = KernelError("sock_diag dump", "ENOBUFS")
    assert methods.ask(fallback, MINUTE) == "from procfs"
    assert fallback.method is Method.PROCFS
