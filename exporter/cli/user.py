"""`--user`: which user the process that speaks HTTP becomes when it was started as root."""

from __future__ import annotations

import logging
import os
from typing import Final

from exporter.broker.user import User, refusal
from exporter.cli.accounts import MAX_NUMBER, NumberTooLargeError, find_group, find_user
from exporter.errors import RunError, UsageError

# The user that owns nothing; Debian calls its group nogroup, other systems nobody.
NOBODY: Final = User(65534, 65534)
ROOT: Final = 0

log = logging.getLogger(__name__)


def wanted_user(text: str | None) -> User | None:
    """Return the user to become, None to stay what this process is.

    `text` is the value of the flag: a name or a number, and a group after a colon. Without a group it is that
    of the user, or where the user is a number the same number: nothing is looked up then. Without the flag
    root becomes nobody where it may, and another user stays. To be called before there are threads. Raises
    UsageError for a user that there is not, RunError for one that this process may not become.
    """
    own = User(os.geteuid(), os.getegid())
    if text is None and own.uid != ROOT:
        return None
    user = NOBODY if text is None else _parse(text)
    if user == own:
        return None
    try:
        refused = refusal(user)
    except OSError as error:
        raise RunError(f"cannot start a process: {error}") from error
    if not refused:
        return user
    needs = f"user id {own.uid} may not become user id {user.uid} ({os.strerror(refused)})"
    if text is not None:
        raise RunError(f"--user: {needs}; it takes root with CAP_SETUID and CAP_SETGID")
    log.warning("stays root, which most files belong to: %s; add CAP_SETUID and CAP_SETGID", needs)
    return None


def _parse(text: str) -> User:
    name, colon, group = text.partition(":")
    if not name or (colon and not group):
        raise UsageError(f"--user: {text!r} must be a user, or a user and a group as in nobody:nogroup")
    try:
        uid, gid = find_user(name)
        if not group:
            return User(uid, uid if gid is None else gid)
    except KeyError as error:
        raise UsageError(f"--user: there is no user {name!r}; see getent passwd") from error
    except NumberTooLargeError as error:
        raise _too_large(error) from error
    try:
        return User(uid, find_group(group))
    except KeyError as error:
        raise UsageError(f"--user: there is no group {group!r}; see getent group") from error
    except NumberTooLargeError as error:
        raise _too_large(error) from error


def _too_large(error: NumberTooLargeError) -> UsageError:
    return UsageError(f"--user: {error} is no user or group; the largest is {MAX_NUMBER}")
