"""The names of users: from the process where it has others, else from the host, and numbers meanwhile."""

from __future__ import annotations

from dataclasses import replace

import pytest

from exporter.kernel.processes.process import Process
from exporter.owners.process_users import NO_NAME, OF_HOST, ProcessUser, UserOfProcess, own_users
from exporter.owners.user_names import UserNames, user_names
from tests.listeners.sockets import tcp
from tests.owners.fake_host import FakeLookups
from tests.owners.inline_lookups import InlineLookups
from tests.owners.test_process_users import OTHER_PASSWD, FakeProcessFiles

PROCESS = Process(10, 1, b"web")
KEY = UserOfProcess(10, 1, 5)
NO_USER = 4_294_967_294


class Users:
    """Users of processes and of the host, as a test sets them."""

    def __init__(self) -> None:
        self.of_processes = FakeLookups[UserOfProcess, ProcessUser](default=OF_HOST)
        self.of_file = FakeLookups[int, bytes](default=b"")
        self.of_service = FakeLookups[int, bytes](default=b"")
        self.names = UserNames(self.of_processes, self.of_file, self.of_service)


@pytest.fixture
def users() -> Users:
    """Users without names."""
    return Users()


@pytest.mark.parametrize(
    ("of_process", "of_host", "shown"),
    [
        (OF_HOST, b"alice", "alice"),
        (OF_HOST, b"", "5"),
        (ProcessUser(b"bob"), b"alice", "bob"),
        (NO_NAME, b"alice", "5"),
        (ProcessUser(b"j\xf6\\\n"), b"", r"j\xf6\x5c\x0a"),
        (OF_HOST, b"j\xf6rg", r"j\xf6rg"),
    ],
)
def test_a_name_or_the_number(users: Users, of_process: ProcessUser, of_host: bytes, shown: str) -> None:
    users.of_processes.answers[KEY] = of_process
    for of_host_users in (users.of_file, users.of_service):
        of_host_users.answers[5] = of_host
        assert users.names.name(5, PROCESS) == shown
        assert users.names.settled(5, PROCESS)
        of_host_users.answers.clear()


def test_without_a_process_the_users_are_those_of_the_host(users: Users) -> None:
    users.of_processes.answers[KEY] = ProcessUser(b"bob")
    users.of_file.answers[5] = b"alice"
    assert users.names.name(5, None) == "alice"


def test_the_name_service_is_asked_for_what_the_file_does_not_have(users: Users) -> None:
    """It may hang, and then the users of the file have their names all the same."""
    users.of_file.answers[0] = b"root"
    users.of_service.pending |= {0, 5}
    assert (users.names.name(0, None), users.names.settled(0, None)) == ("root", True)
    assert (users.names.name(5, None), users.names.settled(5, None)) == ("5", False)


def test_the_number_is_shown_until_the_name_is_known(users: Users) -> None:
    users.of_processes.pending.add(KEY)
    users.of_file.pending.add(5)
    users.of_service.pending.add(5)
    shown = [(users.names.name(5, PROCESS), users.names.settled(5, PROCESS))]
    users.of_processes.pending.clear()
    shown.append((users.names.name(5, PROCESS), users.names.settled(5, PROCESS)))
    users.of_file.pending.clear()
    shown.append((users.names.name(5, PROCESS), users.names.settled(5, PROCESS)))
    users.of_service.pending.clear()
    users.of_service.answers[5] = b"alice"
    shown.append((users.names.name(5, PROCESS), users.names.settled(5, PROCESS)))
    assert shown == [("5", False)] * 3 + [("alice", True)]


def test_versions_and_hung_lookups_of_all_are_added_up(users: Users) -> None:
    users.of_processes.version, users.of_file.version, users.of_service.version = 3, 4, 5
    users.of_processes.hung, users.of_file.hung, users.of_service.hung = 1, 2, 3
    assert (users.names.version, users.names.hung) == (12, 6)


def test_users_are_looked_up_and_forgotten_with_their_sockets() -> None:
    """Numbers of the host are kept: they are few, and any socket may belong to one."""
    files = FakeProcessFiles(replace(own_users().view, mount_namespace=b"mnt:[2]"), OTHER_PASSWD)
    of_files, of_names = InlineLookups(), InlineLookups(held=True)
    names = user_names(files, of_files, of_names)
    assert names.name(5, PROCESS) == "bob"
    assert names.name(0, None) == "root"
    assert names.name(NO_USER, None) == str(NO_USER)
    of_names.run_one()
    assert names.name(NO_USER, None) == str(NO_USER)
    names.retain([(replace(tcp(1), uid=5), PROCESS)])
    names.poll()
    assert names.name(5, PROCESS) == "bob"
    assert len(files.read) == 1
    names.retain([(replace(tcp(1), uid=6), PROCESS), (replace(tcp(1), uid=None), PROCESS)])
    assert names.name(5, PROCESS) == "bob"
    assert len(files.read) == 2
    assert names.name(0, None) == "root"
