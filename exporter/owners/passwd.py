"""Users of a user database and of a user namespace, from the text of their files.

Both may have been written by whoever runs a container, so any bytes are accepted. Source: passwd(5),
user_namespaces(7).
"""

from __future__ import annotations

from typing import Final

# LOGIN_NAME_MAX of Linux, without the NUL (limits.h).
_MAX_NAME_BYTES: Final = 255
# User, password and number come first.
_NUMBER_FIELD: Final = 2
_MAP_FIELDS: Final = 3
# Users have 32 bits.
_MAX_DIGITS: Final = len("4294967295")


def user_in(passwd: bytes, uid: int) -> bytes:
    """Return the name that a file of the form of passwd(5) has for a user; empty where it has none."""
    number = str(uid).encode()
    # Most lines are of other users, so it is looked for before a line is taken apart. A line is taken apart
    # once, however often it has the number: in a line of a megabyte that may be every few bytes.
    at = passwd.find(b":%s:" % number)
    while at >= 0:
        start = passwd.rfind(b"\n", 0, at) + 1
        end = passwd.find(b"\n", at)
        end = end if end >= 0 else len(passwd)
        fields = passwd[start:end].split(b":", _NUMBER_FIELD + 1)
        name = fields[0]
        # With `#` begin comments, with `+` and `-` lines of NIS (compat, nsswitch.conf(5)).
        named = 0 < len(name) <= _MAX_NAME_BYTES and name[:1] not in (b"#", b"+", b"-")
        if named and len(fields) > _NUMBER_FIELD and fields[_NUMBER_FIELD] == number:
            return name
        at = passwd.find(b":%s:" % number, end)
    return b""


def inner_uid(uid_map: bytes, uid: int) -> int | None:
    """Return the number that a user has inside of a user namespace; None where it has none there.

    `uid_map` is the file of a process in it, read by a process of the namespace in which the user is `uid`.
    """
    for line in uid_map.splitlines():
        fields = line.split()
        if len(fields) == _MAP_FIELDS and all(map(_is_number, fields)):
            inside, outside, count = map(int, fields)
            if outside <= uid < outside + count:
                return inside + uid - outside
    return None


def _is_number(field: bytes) -> bool:
    return field.isdigit() and len(field) <= _MAX_DIGITS
