"""The names of users on this host. To ask for one may hang: nothing here is for the sampling thread.

This is the only module below `cli` that asks the name service (nsswitch.conf(5)), whose answer may come from
a directory in the network. So the users of /etc/passwd, among them those of almost all services, are known
without it.
"""

from __future__ import annotations

import os
import pwd
from pathlib import Path
from typing import Final

from exporter.owners.passwd import user_in

PASSWD: Final = Path("/etc/passwd")


def file_user_name(uid: int, passwd: Path = PASSWD) -> bytes:
    """Return the name that /etc/passwd has for a user; empty where it has none."""
    try:
        return user_in(passwd.read_bytes(), uid)
    except OSError:
        return b""


def service_user_name(uid: int) -> bytes:
    """Return the name that the name service has for a user; empty where it has none. It may never return."""
    try:
        return os.fsencode(pwd.getpwuid(uid).pw_name)
    except (KeyError, OverflowError):
        return b""
