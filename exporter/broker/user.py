"""The user that a process is, and how root becomes another one for good.

Source: credentials(7), capabilities(7), setresuid(2), PR_SET_KEEPCAPS(2const).
"""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from typing import Final

from exporter import libc
from exporter.broker.capabilities import use_all

_PR_SET_DUMPABLE: Final = 4
_PR_SET_KEEPCAPS: Final = 8


@dataclass(frozen=True, slots=True)
class User:
    """A user and its only group, by their numbers."""

    uid: int
    gid: int


def become(user: User) -> None:
    """Become this user, in its group and no other, with all capabilities that are held.

    To be called before there are threads. Raises OSError, as where the user namespace of this process has no
    such user.
    """
    # Without this they would be lost with the last identifier that is 0.
    libc.prctl(_PR_SET_KEEPCAPS, 1)
    use_all()
    os.setgroups([])
    os.setresgid(user.gid, user.gid, user.gid)
    os.setresuid(user.uid, user.uid, user.uid)
    libc.prctl(_PR_SET_KEEPCAPS, 0)
    # The change has left them held, but not in use.
    use_all()
    # The kernel has just set it to what fs.suid_dumpable says (commit_creds, kernel/cred.c).
    hide_from_user()


def refusal(user: User) -> int:
    """Return the errno with which this process may not become a user, 0 where it may. Raises OSError.

    A child process tries it: what is missing may be a capability, or the user in a user namespace.
    """
    child = os.fork()
    if child == 0:
        status = errno.EIO
        try:
            become(user)
            status = 0
        except OSError as error:
            status = error.errno or errno.EIO
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def hide_from_user() -> None:
    """Let no process of the same user read this one's memory, take its descriptors or trace it.

    Only who has CAP_SYS_PTRACE may. There are no core dumps either, and its files in /proc belong to root; it
    may read its own all the same, but for those with the mode 0400. Children inherit it. Source:
    PR_SET_DUMPABLE(2const), ptrace(2), pidfd_getfd(2). Raises OSError.
    """
    libc.prctl(_PR_SET_DUMPABLE, 0)
