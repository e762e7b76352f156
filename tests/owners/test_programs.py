"""The names of programs, as far as they are known."""

from __future__ import annotations

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
    host = Executables()
    programs = Programs(host, arguments)
    nginx = Process(10, 100, b"nginx")
    programs.read(nginx)
    assert (programs.name(nginx, ""), programs.settled(nginx), host.reads) == ("nginx", True, 0)


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


def test_it_is_looked_after_lookups_that_hang() -> None:
    arguments = FakeLookups[ProcessId, tuple[bytes, ...]](hung=3, version=4)
    programs = Programs(FakeHost(), arguments)
    programs.poll()
    assert (arguments.polls, programs.hung, programs.version) == (1, 3, 4)
