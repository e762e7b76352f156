"""Why a service accepts nothing, as far as its processes tell it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from exporter.doctor.checks import load
from exporter.kernel.processes.activity import ProcessActivity

# So many processes are named one by one.
_MAX_PROCESSES: Final = 3


def cause_of(processes: Sequence[ProcessActivity]) -> tuple[tuple[str, ...], str]:
    """Return what the processes tell of the cause, and what to change for it."""
    if stopped := [each for each in processes if each.stopped]:
        # Each has a queue of its own, or a part in one.
        pids = " ".join(str(each.pid) for each in stopped)
        whom = "it" if len(stopped) == 1 else "them"
        return _named(stopped, lambda _: "is stopped"), f"continue {whom}: kill -CONT {pids}"
    if out_of_files := [each for each in processes if each.out_of_files]:
        return (
            _named(
                out_of_files,
                lambda each: f"has {each.open_files} files open and may open {each.max_open_files}",
            ),
            "raise its limit of open files (LimitNOFILE=), and look for what it never closes",
        )
    if waiting := [each for each in processes if each.waits_for_disk]:
        return (
            _named(waiting, lambda _: "waits for a disk or a file server"),
            f"find out what it waits for: cat /proc/{waiting[0].pid}/stack",
        )
    pids = ",".join(str(each.pid) for each in processes)
    look = f"ps -L -o tid,stat,pcpu,wchan:24,comm -p {pids}" if pids else "ps of its process"
    return (), f"look what it does before a restart, which loses every waiting connection: {look}"


def _named(processes: Sequence[ProcessActivity], what: Callable[[ProcessActivity], str]) -> tuple[str, ...]:
    """Say of the first few what each does, and of how many more that is true."""
    texts = [f"process {each.pid} ({each.name}) {what(each)}" for each in processes[:_MAX_PROCESSES]]
    more = len(processes) - _MAX_PROCESSES
    if more > 0:
        texts.append(f"so it is with {load.count(more, 'more process', 'more processes')} of it")
    return tuple(texts)
