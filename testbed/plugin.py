"""The marker `netns`: pytest makes the fixtures as always, the body of the test runs in a child process.

Tests with a timeout longer than the usual one run first, so that no worker is left alone with one at the end.
"""

from __future__ import annotations

import inspect
import io
import logging
from collections.abc import Generator
from typing import cast

import pytest
from _pytest._code.code import TerminalRepr

from testbed import figures
from testbed.child import Ending, Outcome, run

# pytest-timeout would report the stack of the process that waits, so it waits longer than the child may run.
_FIXTURES_SECONDS = 15.0
_TIMEOUT = pytest.StashKey[float]()
_RUNS_LONG = pytest.StashKey[bool]()


class FailedInChildError(Exception):
    """A test failed in its namespace; `shown` is what pytest would have printed of it there."""

    def __init__(self, shown: TerminalRepr | str) -> None:
        super().__init__(str(shown))
        self.shown = shown


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker."""
    config.addinivalue_line(
        "markers", "netns: run the body in a process with its own network, mount and PID namespace"
    )


def pytest_itemcollected(item: pytest.Item) -> None:
    """Give the child of a test marked netns the timeout of the test, and pytest-timeout a longer one."""
    seconds = _timeout_seconds(item)
    item.stash[_RUNS_LONG] = seconds is None or seconds > float(
        item.config.getoption("timeout") or item.config.getini("timeout") or 0
    )
    if item.get_closest_marker("netns") is None or seconds is None:
        return
    item.stash[_TIMEOUT] = seconds
    item.add_marker(pytest.mark.timeout(seconds + _FIXTURES_SECONDS), append=False)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Have the tests that may run long run first, and those of an xdist_group in one worker."""
    items.sort(key=lambda item: not item.stash.get(_RUNS_LONG, False))
    if getattr(config.option, "loadgroup", False):
        for item in items:
            _add_group_to_id(item)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run the body of a test marked netns in a child, and end as it ended."""
    if pyfuncitem.get_closest_marker("netns") is None:
        return None
    outcome = run(lambda: _call(pyfuncitem), pyfuncitem.stash.get(_TIMEOUT, None))
    if outcome.log:
        pyfuncitem.add_report_section("call", "log", outcome.log)
    for figure in outcome.figures:
        figures.note(figure)
    match outcome.ending:
        case Ending.PASSED:
            return True
        case Ending.SKIPPED:
            raise pytest.skip.Exception(str(outcome.detail), _use_item_location=True)
        case Ending.XFAILED:
            pytest.xfail(str(outcome.detail))
        case Ending.FAILED:
            raise FailedInChildError(cast("TerminalRepr | str", outcome.detail))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,  # noqa: ARG001 # pytest passes arguments by name
    call: pytest.CallInfo[None],
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show a failure of the child in place of the parent's stack."""
    report = yield
    if call.excinfo is not None and isinstance(call.excinfo.value, FailedInChildError):
        report.longrepr = call.excinfo.value.shown
    return report


def _add_group_to_id(item: pytest.Item) -> None:
    """Do what pytest-xdist 3.8 means to do: it sets an attribute of which pytest 9.1 and newer make no id."""
    markers = item.iter_markers("xdist_group")
    groups = sorted({str(mark.args[0] if mark.args else mark.kwargs["name"]) for mark in markers})
    suffix = f"@{'_'.join(groups)}"
    if groups and item.parent is not None and not item.nodeid.endswith(suffix):
        item._id = item.parent.id.child(item.name + suffix)  # noqa: SLF001  (pytest has no other way)


def _call(item: pytest.Function) -> Outcome:
    wanted = inspect.signature(item.obj).parameters
    try:
        item.obj(**{name: item.funcargs[name] for name in wanted if name in item.funcargs})
    except pytest.skip.Exception as skip:
        return Outcome(Ending.SKIPPED, str(skip.msg), _log())
    except pytest.xfail.Exception as xfail:
        return Outcome(Ending.XFAILED, str(xfail.msg), _log())
    except BaseException as failure:  # noqa: BLE001 # SystemExit too must reach the report
        shown = item.repr_failure(pytest.ExceptionInfo.from_exception(failure))
        return Outcome(Ending.FAILED, shown, _log())
    return Outcome(Ending.PASSED, figures=figures.take())


def _log() -> str:
    """What pytest's handler caught in this process, which the parent's report would miss."""
    for handler in logging.getLogger().handlers:
        stream = getattr(handler, "stream", None)
        if isinstance(stream, io.StringIO):
            return stream.getvalue().strip()
    return ""


def _timeout_seconds(item: pytest.Item) -> float | None:
    marker = item.get_closest_marker("timeout")
    if marker is not None:
        wanted = marker.args[0] if marker.args else marker.kwargs.get("timeout")
    else:
        wanted = item.config.getoption("timeout") or item.config.getini("timeout")
    return float(wanted) if wanted else None
