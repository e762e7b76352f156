"""The names of programs, as far as they are known."""

from __future__ import annotations

import errno

import pytest

from exporter.kernel.errors import KernelError
from exporter.kernel.processes.process import Process
from exporter.owners.programs import ProcessId, Programs
from tests.owners.fake_host import FakeHost, FakeLookups

PYTHON = Process(10, 100, b"python3")
ID = ProcessId(10, 100, b"python3")


class Executables(FakeHost):
    """A host that counts how often the executable of a process is read."""

    reads = 0

    def executable(self, pid: int) -> bytes:
        self.reads += 1
        return super().executable(pid)


def test_a_name_that_tells_all_needs_no_arguments() -> None:
    arguments = FakeLookups[ProcessId, tuple[bytes, ...]](pending={ProcessId(10, 100, b"nginx")})
    programs = Programs(FakeHost(), arguments)
    nginx = Process(10, 100, b"nginx")
    assert not programs.read(nginx)
    assert (programs.name(nginx, ""), programs.settled(nginx)) == ("nginx", True)


def test_what_an_interpreter_runs_is_waited_for() -> None:
    arguments = FakeLookups[ProcessId, tuple[bytes, ...]]({ID: (b"python3", b"/srv/app.py")}, pending={ID})
    programs = Programs(FakeHost(), arguments)
    assert (programs.name(PYTHON, ""), programs.settled(PYTHON)) == ("python3", False)
    arguments.pending.clear()
    assert (programs.name(PYTHON, "shop.service"), programs.settled(PYTHON)) == ("app.py", True)


def test_an_executable_is_read_once_for_each_process_and_name() -> None:
    """One that becomes another program has another one."""
    host = Executables()
    host.run(10, b"a-name-of-many-bytes", started=100)
    programs = Programs(host, FakeLookups())
    short = Process(10, 100, b"a-name-of-many-")
    for _ in range(3):
        programs.read(short)
    assert (programs.name(short, ""), host.reads) == ("a-name-of-many-bytes", 1)
    host.run(10, b"another-of-many-bytes", started=100)
    other = Process(10, 100, b"another-of-many")
    programs.read(other)
    assert programs.name(other, "") == "another-of-many-bytes"


def test_the_name_is_another_one_with_other_arguments_and_in_another_unit() -> None:
    arguments = FakeLookups[ProcessId, tuple[bytes, ...]]({ID: (b"python3", b"/srv/app.py")})
    programs = Programs(FakeHost(), arguments)
    assert [programs.name(PYTHON, unit) for unit in ("", "shop.service", "")] == ["app.py"] * 3
    arguments.answers[ID] = (b"python3", b"-c", b"pass")
    assert [programs.name(PYTHON, unit) for unit in ("", "shop.service", "")] == [
        "python3",
        "shop",
        "python3",
    ]


def test_processes_that_own_nothing_are_forgotten() -> None:
    host = Executables()
    arguments = FakeLookups[ProcessId, tuple[bytes, ...]]()
    programs = Programs(host, arguments)
    programs.read(PYTHON)
    programs.retain([PYTHON])
    programs.read(PYTHON)
    assert (host.reads, arguments.retained) == (1, {ID})
    programs.retain([])
    programs.read(PYTHON)
    assert (host.reads, arguments.retained) == (2, set())


def test_a_manager_is_known_by_its_command_name_or_its_script() -> None:
    arguments = FakeLookups[ProcessId, tuple[bytes, ...]]()
    programs = Programs(FakeHost(), arguments)
    assert programs.holds_for_others(Process(5, 5, b"supervisord"))
    assert not programs.holds_for_others(PYTHON)
    for script in ((b"python3", b"/usr/bin/supervisord"), (b"python3", b"-m", b"supervisor.supervisord")):
        arguments.answers[ID] = script
        assert programs.holds_for_others(PYTHON)
    arguments.answers[ID] = (b"python3", b"/srv/app.py", b"supervisord")
    assert not programs.holds_for_others(PYTHON)


@pytest.mark.parametrize("shell", [b"/bin/dash", b"/usr/bin/rbash", b"/usr/bin/fish", b"/bin/tcsh"])
def test_a_script_is_a_manager_until_it_becomes_another_program(shell: bytes) -> None:
    """Which may have its name, so that its executable is read each time."""
    host = FakeHost()
    programs = Programs(host, FakeLookups())
    food = Process(10, 10, b"food")
    host.run(10, b"food")
    host.executables[10] = shell
    assert not programs.holds_for_others(food), "nothing was read yet"
    assert programs.read(food)
    assert programs.holds_for_others(food)
    assert programs.name(food, "") == "food"
    del host.executables[10]
    assert not programs.read(food)
    assert not programs.holds_for_others(food)


class Unreadable(FakeHost):
    """A host whose executables cannot be read; `errno` says why."""

    errno = 0

    def executable(self, pid: int) -> bytes:
        raise KernelError(f"cannot read /proc/{pid}/exe", "error", self.errno)


def test_a_path_that_is_too_long_keeps_nothing_from_being_found() -> None:
    """Anybody may start a program from a deep folder."""
    host = Unreadable()
    programs = Programs(host, FakeLookups())
    host.errno = errno.ENAMETOOLONG
    assert not programs.read(PYTHON)
    host.errno = errno.EIO
    with pytest.raises(KernelError):
        programs.read(Process(11, 11, b"nginx"))


def test_a_command_name_that_was_cut_is_completed_to_tell_a_manager() -> None:
    host = FakeHost()
    programs = Programs(host, FakeLookups())
    for pid, executable in ((10, b"systemd-socket-activate"), (11, b"systemd-socket-proxyd")):
        host.run(pid, b"systemd-socket-")
        host.executables[pid] = b"/usr/bin/" + executable
    assert [programs.read(host.processes[pid][0]) for pid in (10, 11)] == [True, False]


def test_it_is_looked_after_lookups_that_hang() -> None:
    arguments = FakeLookups[ProcessId, tuple[bytes, ...]](hung=3, version=4)
    programs = Programs(FakeHost(), arguments)
    programs.poll()
    assert (arguments.polls, programs.hung, programs.version) == (1, 3, 4)
