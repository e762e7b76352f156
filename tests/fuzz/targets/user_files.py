"""etc/passwd and uid_map of a container, which whoever runs it may write."""

from __future__ import annotations

from exporter.owners.passwd import inner_uid, user_in
from tests.fuzz.target import Target, parts

_UIDS = (0, 1000, 4294967295)


def run(data: bytes) -> None:
    """Look users up; a name that is found is in the file, at the beginning of a line."""
    passwd, mapping = parts(data, 2)
    for uid in _UIDS:
        name = user_in(passwd, uid)
        assert not name or b"\n%s:" % name in b"\n" + passwd
        inside = inner_uid(mapping, uid)
        assert inside is None or inside >= 0


TARGET = Target(
    run, max_bytes=65536, words=(b":0:" * 5000, b"root:x:0:0:", b"\n", b"0 1000 1\n", b"9" * 5000)
)
