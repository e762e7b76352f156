"""Which name a user has for a process: by its root, its mount namespace and its user namespace."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar

import pytest

from exporter.kernel.errors import AccessHungError, KernelError
from exporter.kernel.processes.files import (
    DirectProcessFiles,
    HeldSocket,
    ProcessView,
    SocketFile,
    UserDatabase,
)
from exporter.owners.process_users import (
    NO_NAME,
    OF_HOST,
    OwnUsers,
    ProcessUser,
    ProcessUsers,
    UserOfProcess,
    own_users,
)
from testbed import syscalls
from tests.broker.bound_sockets import start_ticks

OWN = ProcessView(b"/", b"mnt:[1]", b"user:[1]")
OWN_PASSWD = UserDatabase(b"alice:x:5:5::/:\n", 1, 2)
OTHER_PASSWD = UserDatabase(b"bob:x:5:5::/:\nroot:x:0:0::/:\n", 1, 3)
UID_MAP = b"0 5 1\n"
USER = UserOfProcess(10, 1, 5)


@dataclass
class FakeProcessFiles:
    """The files of one process; what is an exception is raised."""

    max_sockets: ClassVar[int] = 1

    seen: ProcessView | KernelError | None = OWN
    users: UserDatabase | KernelError | None = OWN_PASSWD
    mapped: bytes = UID_MAP
    read: list[str] = field(default_factory=list)

    def arguments(self, pid: int, started: int) -> tuple[bytes, ...]:
        raise AssertionError(pid, started)

    def find_sockets(self, held: Sequence[HeldSocket]) -> Sequence[SocketFile | KernelError]:
        raise AssertionError(held)

    def view(self, pid: int, started: int) -> ProcessView | None:
        assert (pid, started) == (10, 1)
        if isinstance(self.seen, KernelError):
            raise self.seen
        return self.seen

    def uid_map(self, pid: int, started: int) -> bytes:
        assert (pid, started) == (10, 1)
        return self.mapped

    def passwd(self, pid: int, started: int) -> UserDatabase | None:
        assert (pid, started) == (10, 1)
        self.read.append("passwd")
        if isinstance(self.users, KernelError):
            raise self.users
        return self.users


def users_of(files: FakeProcessFiles) -> ProcessUsers:
    return ProcessUsers(files, lambda: OwnUsers(OWN, (1, 2)))


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        pytest.param(FakeProcessFiles(), OF_HOST, id="of the host itself"),
        pytest.param(FakeProcessFiles(None), OF_HOST, id="that may not be seen"),
        pytest.param(
            FakeProcessFiles(replace(OWN, mount_namespace=b"mnt:[2]")), OF_HOST, id="with mounts of its own"
        ),
        pytest.param(
            FakeProcessFiles(replace(OWN, root=b"/run/sshd"), None), OF_HOST, id="in an empty directory"
        ),
        pytest.param(
            FakeProcessFiles(replace(OWN, root=b"/srv/jail"), OTHER_PASSWD),
            ProcessUser(b"bob"),
            id="in a directory with users",
        ),
        pytest.param(
            FakeProcessFiles(replace(OWN, mount_namespace=b"mnt:[2]"), OTHER_PASSWD),
            ProcessUser(b"bob"),
            id="of a container",
        ),
        pytest.param(
            FakeProcessFiles(replace(OWN, mount_namespace=b"mnt:[2]"), None),
            OF_HOST,
            id="with mounts of its own and no users",
        ),
        pytest.param(
            FakeProcessFiles(replace(OWN, mount_namespace=b"mnt:[2]"), replace(OTHER_PASSWD, content=b"")),
            NO_NAME,
            id="of a container without this user",
        ),
        pytest.param(
            FakeProcessFiles(ProcessView(b"/", b"mnt:[2]", b"user:[2]"), OTHER_PASSWD),
            ProcessUser(b"root"),
            id="of a rootless container",
        ),
        pytest.param(
            FakeProcessFiles(ProcessView(b"/", b"mnt:[2]", b"user:[2]"), OTHER_PASSWD, b"0 6 1\n"),
            NO_NAME,
            id="of a rootless container in which the user has no number",
        ),
        pytest.param(
            FakeProcessFiles(ProcessView(b"/", b"mnt:[2]", b"user:[2]"), None),
            NO_NAME,
            id="of a rootless container without users",
        ),
        pytest.param(
            FakeProcessFiles(replace(OWN, user_namespace=b"user:[2]"), OTHER_PASSWD),
            ProcessUser(b"root"),
            id="in a user namespace alone",
        ),
    ],
)
def test_the_name_of_a_user_for_a_process(files: FakeProcessFiles, expected: ProcessUser) -> None:
    assert users_of(files).look_up(USER) == expected


@pytest.mark.parametrize("error", [AccessHungError("cannot read"), KernelError("cannot read", "EIO")])
def test_what_cannot_be_read_is_an_error(error: KernelError) -> None:
    with pytest.raises(type(error)):
        users_of(FakeProcessFiles(error)).look_up(USER)
    with pytest.raises(type(error)):
        users_of(FakeProcessFiles(replace(OWN, root=b"/srv"), error)).look_up(USER)


def test_without_its_own_links_it_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(KernelError, match="cannot read the links"):
        own_users(tmp_path)


def test_what_this_process_sees_itself(tmp_path: Path) -> None:
    status = Path("/etc/passwd").stat()
    assert own_users().passwd == (status.st_dev, status.st_ino)
    assert own_users(passwd=tmp_path / "missing").passwd is None
    assert own_users().view == DirectProcessFiles().view(os.getpid(), start_ticks("self"))


@contextmanager
def waiting(prepare: Callable[[], object]) -> Iterator[UserOfProcess]:
    """A process that waits after `prepare`, and its user 5."""
    receiver, sender = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            syscalls.die_with_parent()
            prepare()
            os.write(sender, b"!")
            while True:
                signal.pause()
        finally:
            os._exit(1)
    os.close(sender)
    assert os.read(receiver, 1) == b"!"
    os.close(receiver)
    yield UserOfProcess(pid, start_ticks(pid), 5)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def own_mounts() -> None:
    syscalls.unshare(syscalls.CLONE_NEWNS)
    syscalls.keep_mounts_private()


@pytest.mark.netns
def test_real_processes(tmp_path: Path) -> None:
    """With mounts of their own the users may be others; the same file has the same users."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_bytes(b"inside:x:5:5::/:\nroot:x:0:0::/:\n")

    def other_users() -> None:
        own_mounts()
        syscalls.mount_same(str(tmp_path / "etc/passwd"), "/etc/passwd")

    def without_users() -> None:
        own_mounts()
        syscalls.mount_empty("/etc")

    def rootless() -> None:
        syscalls.unshare(syscalls.CLONE_NEWUSER | syscalls.CLONE_NEWNS)
        os.chroot(tmp_path)

    users = ProcessUsers(DirectProcessFiles())
    cases: list[tuple[Callable[[], object], ProcessUser]] = [
        (lambda: None, OF_HOST),
        (own_mounts, OF_HOST),
        (lambda: os.chroot("/proc"), OF_HOST),
        (lambda: os.chroot(tmp_path), ProcessUser(b"inside")),
        (other_users, ProcessUser(b"inside")),
        (without_users, OF_HOST),
    ]
    for prepare, expected in cases:
        with waiting(prepare) as user:
            assert users.look_up(user) == expected
    with waiting(rootless) as user:
        Path(f"/proc/{user.pid}/uid_map").write_text("0 5 1")
        assert users.look_up(user) == ProcessUser(b"root")
        assert users.look_up(user._replace(uid=6)) == NO_NAME
