"""The owner of the file of a unix socket, as it is written in a flag."""

from __future__ import annotations

from exporter.cli.accounts import find_group, find_user
from exporter.errors import UsageError


def parse_owner(text: str | None) -> tuple[int | None, int | None]:
    """Return the numbers of user and group of `USER`, `USER:GROUP` or `:GROUP`; each is a name or a number.

    Names are asked of the name service, so this may take as long as that. Raises UsageError.
    """
    if text is None:
        return None, None
    user, _, group = text.partition(":")
    try:
        uid = find_user(user)[0] if user else None
        gid = find_group(group) if group else None
    except (KeyError, ValueError):
        raise UsageError(f"--web.socket-owner: {text!r}: there is no such user or group") from None
    if uid is None and gid is None:
        raise UsageError(f"--web.socket-owner: {text!r} names nobody; write USER, USER:GROUP or :GROUP")
    return uid, gid
