"""The end of processes and names, as it is seen with one look."""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from exporter.kernel.errors import KernelError
from exporter.kernel.netns.end_watch import EndWatch
from testbed.waiting import equals, until
from tests.kernel.limits import no_free_descriptor


@dataclass(eq=False)
class Watched:
    """A process or a name."""

    pidfd: int | None = None
    path_name: bytes = b""


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[EndWatch]:
    made = EndWatch(tmp_path)
    yield made
    made.close()


class Sleeping:
    """A process that sleeps until it is killed."""

    def __init__(self) -> None:
        self.pid = os.fork()
        if self.pid == 0:
            while True:
                signal.pause()
        self.watched = Watched(os.pidfd_open(self.pid))

    def kill(self) -> None:
        """Kill it, and leave it a zombie."""
        os.kill(self.pid, signal.SIGKILL)

    def reap(self) -> None:
        """Wait for its end, and close the pidfd."""
        os.waitpid(self.pid, 0)
        assert self.watched.pidfd is not None
        os.close(self.watched.pidfd)


def readable(watch: EndWatch) -> bool:
    return bool(select.select([watch.fileno()], [], [], 0)[0])


def test_a_process_has_ended_when_it_was_killed_and_not_before(watch: EndWatch) -> None:
    first, second = Sleeping(), Sleeping()
    for process in (first, second):
        watch.add(process.watched)
    assert watch.ended() == []
    assert not readable(watch)
    second.kill()
    # Also while nobody has waited for it: its namespace is gone already.
    until(watch.ended, equals([second.watched]))
    assert readable(watch)
    # It goes on to be reported until it is discarded.
    assert watch.ended() == [second.watched]
    watch.discard(second.watched)
    assert watch.ended() == []
    assert not readable(watch)
    first.kill()
    until(watch.ended, equals([first.watched]))
    watch.discard(first.watched)
    for process in (first, second):
        process.reap()


def test_what_was_closed_and_discarded_then_is_not_mixed_up_with_what_has_its_number(watch: EndWatch) -> None:
    """As where a reader finds another namespace, and closes what was open."""
    first, second = Sleeping(), Sleeping()
    watch.add(first.watched)
    first.kill()
    first.reap()
    number, first.watched.pidfd = first.watched.pidfd, None
    assert number is not None
    os.dup2(second.watched.pidfd or 0, number)
    os.close(second.watched.pidfd or 0)
    second.watched.pidfd = number
    watch.add(second.watched)
    watch.discard(first.watched)
    second.kill()
    until(watch.ended, equals([second.watched]))
    watch.discard(second.watched)
    second.reap()


def test_what_was_discarded_is_not_reported(watch: EndWatch) -> None:
    process = Sleeping()
    watch.add(process.watched)
    watch.discard(process.watched)
    watch.discard(process.watched)
    process.kill()
    process.reap()
    assert watch.ended() == []


def test_a_name_has_ended_when_it_is_removed_or_renamed(watch: EndWatch, tmp_path: Path) -> None:
    names = [Watched(path_name=name) for name in (b"a", b"b", b"\xff \n", b"stays")]
    for watched in names:
        (tmp_path / os.fsdecode(watched.path_name)).touch()
        watch.add(watched)
    (tmp_path / "other").touch()
    (tmp_path / "other").unlink()
    assert watch.ended() == []
    (tmp_path / "a").unlink()
    (tmp_path / "b").rename(tmp_path / "c")
    (tmp_path / os.fsdecode(b"\xff \n")).unlink()
    assert {watched.path_name for watched in watch.ended()} == {b"a", b"b", b"\xff \n"}
    for watched in names:
        watch.discard(watched)
    (tmp_path / "stays").unlink()
    assert watch.ended() == []


def test_more_events_than_the_kernel_keeps_are_the_end_of_every_name(watch: EndWatch, tmp_path: Path) -> None:
    kept = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    watched = Watched(path_name=b"a")
    (tmp_path / "a").touch()
    watch.add(watched)
    # Two events that are alike and follow each other are one.
    names = [tmp_path / "0", tmp_path / "1"]
    names[0].touch()
    for number in range(kept + 1):
        os.rename(names[number % 2], names[1 - number % 2])  # noqa: PTH104  (a path would be parsed each time)
    found = [watched for _ in range(kept) for watched in watch.ended()]
    assert watched in found


def test_a_directory_that_is_made_later_is_watched_too(tmp_path: Path) -> None:
    watch = EndWatch(tmp_path / "netns")
    watched = Watched(path_name=b"a")
    with pytest.raises(KernelError) as missing:
        watch.add(watched)
    assert missing.value.reason == "ENOENT"
    (tmp_path / "netns").mkdir()
    (tmp_path / "netns" / "a").touch()
    watch.add(watched)
    (tmp_path / "netns" / "a").unlink()
    assert watch.ended() == [watched]
    watch.close()


def test_without_a_free_descriptor_it_is_a_kernel_error(tmp_path: Path) -> None:
    for spare in (0, 1):
        with no_free_descriptor(spare), pytest.raises(KernelError) as failed:
            EndWatch(tmp_path)
        assert failed.value.reason == "EMFILE"
