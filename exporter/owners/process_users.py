"""The name of a user as a process sees it: by the users below its root, and its user namespace."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from exporter.kernel.errors import from_os_error
from exporter.kernel.processes.files import VIEW_LINKS, ProcessFiles, ProcessView
from exporter.owners.host_users import PASSWD
from exporter.owners.passwd import inner_uid, user_in


class UserOfProcess(NamedTuple):
    """A user, by the number that the exporter sees, and the process whose name for it is looked for."""

    pid: int
    started: int
    uid: int


@dataclass(frozen=True, slots=True)
class ProcessUser:
    """The name of a user, empty where it has none; `of_host` where it is that which this host has."""

    name: bytes = b""
    of_host: bool = False


OF_HOST: Final = ProcessUser(of_host=True)
NO_NAME: Final = ProcessUser()


@dataclass(frozen=True, slots=True)
class OwnUsers:
    """What the exporter sees: the host by its links, and device and inode of its users, None without such."""

    view: ProcessView
    passwd: tuple[int, int] | None


def own_users(root: Path = Path("/proc/self"), passwd: Path = PASSWD) -> OwnUsers:
    """Return what this process sees. Raises KernelError."""
    try:
        links = [os.fsencode((root / name).readlink()) for name in VIEW_LINKS]
    except OSError as error:
        raise from_os_error(f"cannot read the links in {root}", error) from error
    try:
        status = passwd.stat()
    except OSError:
        return OwnUsers(ProcessView(*links), None)
    return OwnUsers(ProcessView(*links), (status.st_dev, status.st_ino))


class ProcessUsers:
    """Looks up users of processes; it is not for the sampling thread."""

    def __init__(self, files: ProcessFiles, own: Callable[[], OwnUsers] = own_users) -> None:
        """Take the files of processes, and what the exporter itself sees."""
        self._files = files
        self._own = own

    def look_up(self, user: UserOfProcess) -> ProcessUser:
        """Return the name that a user has for a process. Raises KernelError."""
        view = self._files.view(user.pid, user.started)
        own = self._own()
        if view is None or view == own.view:
            return OF_HOST
        passwd = self._files.passwd(user.pid, user.started)
        if passwd is None and (
            view.mount_namespace == own.view.mount_namespace or view.user_namespace == own.view.user_namespace
        ):
            # Services go to an empty directory once they run (chroot(2), pivot_root(2)), and are still users
            # of the host.
            return OF_HOST
        uid: int | None = user.uid
        if view.user_namespace != own.view.user_namespace:
            uid = inner_uid(self._files.uid_map(user.pid, user.started), user.uid)
        elif passwd is not None and (passwd.device, passwd.inode) == own.passwd:
            # A service with mounts of its own, as most units of systemd that are confined.
            return OF_HOST
        if passwd is None or uid is None:
            return NO_NAME
        return ProcessUser(user_in(passwd.content, uid))
