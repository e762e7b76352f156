"""Users and groups as they are written in flags: each is a name or a number.

A number is not looked up. Names are asked of the name service, so that may take as long as it does.
"""

from __future__ import annotations

import grp
import pwd
from typing import Final

# (uid_t) -1 stands for "unchanged" (setresuid(2), chown(2)).
MAX_NUMBER: Final = 0xFFFFFFFE


class NumberTooLargeError(ValueError):
    """A number that no user or group can have; the text is the number."""


def find_user(text: str) -> tuple[int, int | None]:
    """Return the number of a user, and that of its group where `text` is a name.

    Raises KeyError where no user has the name, and NumberTooLargeError.
    """
    number = _number(text)
    if number is not None:
        return number, None
    entry = pwd.getpwnam(text)
    return entry.pw_uid, entry.pw_gid


def find_group(text: str) -> int:
    """Return the number of a group. Raises KeyError where no group has the name, and NumberTooLargeError."""
    number = _number(text)
    return grp.getgrnam(text).gr_gid if number is None else number


def _number(text: str) -> int | None:
    """Return a number, None for a name. Raises NumberTooLargeError."""
    if not (text.isascii() and text.isdigit()):
        return None
    number = int(text[:20])
    if number > MAX_NUMBER:
        raise NumberTooLargeError(text)
    return number
