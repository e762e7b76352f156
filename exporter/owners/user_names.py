"""The names of the users that sockets belong to."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from exporter.kernel.processes.files import ProcessFiles
from exporter.kernel.processes.process import Process
from exporter.kernel.records import Listener
from exporter.kernel.text import printable
from exporter.owners.answers import Repetition
from exporter.owners.background import BackgroundLookups
from exporter.owners.host_users import file_user_name, service_user_name
from exporter.owners.lookup_threads import LookupRunner
from exporter.owners.lookups import Lookups
from exporter.owners.process_users import ProcessUser, ProcessUsers, UserOfProcess

# A user may get a name, or another one.
_MAX_AGE_SECONDS: Final = 3600.0

UsersOfProcesses = Lookups[UserOfProcess, ProcessUser]
UsersOfHost = Lookups[int, bytes]


class UserNames:
    """Names users, by the users that their process has where it has others than this host.

    A name is looked up in another thread. Where it is not known yet, and where there is none, the number of
    the user stands for it.
    """

    def __init__(self, of_processes: UsersOfProcesses, of_file: UsersOfHost, of_service: UsersOfHost) -> None:
        """Take the users of processes, those of /etc/passwd, and those of the name service."""
        self._of_processes = of_processes
        self._of_file = of_file
        self._of_service = of_service

    @property
    def version(self) -> int:
        """A number that grows when a name may be another one than before."""
        return self._of_processes.version + self._of_file.version + self._of_service.version

    @property
    def hung(self) -> int:
        """How many lookups hung."""
        return self._of_processes.hung + self._of_file.hung + self._of_service.hung

    def name(self, uid: int, process: Process | None) -> str:
        """Return the name of the user of a socket as it is known now; printable.

        `process` is the owner of the socket, None where it is not known.
        """
        if process is not None:
            user = self._of_processes.answer(_key(uid, process))
            if user is None or not user.of_host:
                return _shown(None if user is None else user.name, uid)
        # The name service is asked only where the file has no name.
        name = self._of_file.answer(uid)
        return _shown(self._of_service.answer(uid) if name == b"" else name, uid)

    def settled(self, uid: int, process: Process | None) -> bool:
        """Tell whether the name is known, or not worth waiting for."""
        if process is not None:
            key = _key(uid, process)
            user = self._of_processes.answer(key)
            if user is None or not user.of_host:
                return self._of_processes.settled(key)
        return (
            self._of_service.settled(uid) if self._of_file.answer(uid) == b"" else self._of_file.settled(uid)
        )

    def poll(self) -> None:
        """Look after lookups that take too long."""
        for lookups in (self._of_processes, self._of_file, self._of_service):
            lookups.poll()

    def retain(self, held: Collection[tuple[Listener, Process]]) -> None:
        """Forget the users of all other sockets."""
        keys = {_key(listener.uid, process) for listener, process in held if listener.uid is not None}
        self._of_processes.retain(keys)


def user_names(files: ProcessFiles, file_runner: LookupRunner, name_runner: LookupRunner) -> UserNames:
    """Return the names of users on this host.

    `file_runner` reads files, and `name_runner` asks the name service: while that hangs, nothing else waits.
    """
    of_processes: UsersOfProcesses = BackgroundLookups[UserOfProcess, ProcessUser](
        ProcessUsers(files).look_up,
        file_runner,
        "the users of a process",
        origin=lambda user: (user.pid, user.started),
        repetition=Repetition(max_age_seconds=_MAX_AGE_SECONDS),
    )
    of_file: UsersOfHost = BackgroundLookups[int, bytes](
        file_user_name,
        file_runner,
        "users in /etc/passwd",
        origin=lambda _uid: None,
        repetition=Repetition(max_age_seconds=_MAX_AGE_SECONDS),
    )
    of_service: UsersOfHost = BackgroundLookups[int, bytes](
        service_user_name,
        name_runner,
        "the name of a user",
        repetition=Repetition(max_age_seconds=_MAX_AGE_SECONDS),
    )
    return UserNames(of_processes, of_file, of_service)


def _key(uid: int, process: Process) -> UserOfProcess:
    return UserOfProcess(process.pid, process.started, uid)


def _shown(name: bytes | None, uid: int) -> str:
    return printable(name) if name else str(uid)
