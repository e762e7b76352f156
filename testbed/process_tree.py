"""A process and its descendants, as /proc shows them."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from signal import SIGCONT, SIGKILL, SIGSTOP, Signals

from testbed.waiting import until


def descendants(pid: int) -> list[int]:
    """The process and all that descend from it, parents before children."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        # Processes end while this loop runs.
        with contextlib.suppress(OSError):
            children.setdefault(int(_stat(stat)[1]), []).append(int(stat.parent.name))
    found = [pid]
    for parent in found:
        found += children.get(parent, [])
    return found


def stop(pid: int) -> None:
    """Send SIGSTOP to the whole tree, and return when every process of it has stopped."""

    def stopped() -> bool:
        _send(pid, SIGSTOP)
        # Listed again: a process may have forked before its signal arrived.
        return all(_is_stopped(each) for each in descendants(pid))

    until(stopped, bool)


def stop_last_child(pid: int) -> None:
    """Stop the youngest descendant alone, and return when it has stopped."""
    last = descendants(pid)[-1]
    os.kill(last, SIGSTOP)
    until(lambda: _is_stopped(last), bool)


def resume(pid: int) -> None:
    """Send SIGCONT to the whole tree."""
    _send(pid, SIGCONT)


def kill(pid: int) -> None:
    """Kill the whole tree; the caller waits for its own child."""
    # Stopped first, so that none forks between the listing and the signal.
    stop(pid)
    _send(pid, SIGKILL)


def _send(pid: int, number: Signals) -> None:
    for each in descendants(pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(each, number)


def _stat(path: Path) -> list[str]:
    """The fields after the name, which may hold blanks and brackets: state, parent and so on."""
    return path.read_text(errors="replace").rpartition(")")[2].split()


def _is_stopped(pid: int) -> bool:
    """Whether it runs no more: stopped, traced, ended or gone (proc(5)).

    Nor does a process in an uninterruptible wait, such as the parent in vfork(2) of a stopped child: it stops
    before it returns from its system call.
    """
    try:
        return _stat(Path(f"/proc/{pid}/stat"))[0] in "TtDZX"
    except OSError:
        return True
