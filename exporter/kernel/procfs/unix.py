"""Unix listeners from /proc/net/unix, for hosts without sock_diag: that they exist, and no more.

Source: net/unix/af_unix.c (unix_seq_show).
"""

from __future__ import annotations

import re
from typing import Final

from exporter.kernel.errors import MalformedReplyError
from exporter.kernel.procfs.files import ProcfsFiles
from exporter.kernel.procfs.table import Found, ProcfsTable
from exporter.kernel.records import Listener, QueueReading
from exporter.kernel.text import unix_address

_FILE: Final = "net/unix"
_SO_ACCEPTCON: Final = 0x10000  # include/uapi/linux/net.h
# A name may hold a newline, so a line that does not begin like one belongs to the name before it.
_LINE: Final = re.compile(
    rb"^[0-9a-f]+: [0-9A-F]{8} [0-9A-F]{8} ([0-9A-F]{8}) [0-9A-F]{4} [0-9A-F]{2} +(\d{1,20})(?: (.*?))?$"
    rb"(?=\n[0-9a-f]+: [0-9A-F]{8} [0-9A-F]{8} |\n?\Z)",
    re.MULTILINE | re.DOTALL,
)


class UnixTable(ProcfsTable):
    """The unix listeners.

    The file prints each NUL of an abstract name as `@`, so the name can differ from what was bound.
    """

    def listeners(self, files: ProcfsFiles) -> list[Found]:
        """Read all listeners. Raises KernelError."""
        _, _, content = files.read(_FILE).partition(b"\n")
        found = []
        at = 0
        for match in _LINE.finditer(content):
            if match.start() != at:
                break
            at = match.end() + 1
            flags, inode, name = int(match[1], 16), int(match[2]), match[3] or b""
            if flags & _SO_ACCEPTCON:
                name = b"\0" + name[1:] if name.startswith(b"@") else name
                listener = Listener(cookie=inode, inode=inode, address=unix_address(name))
                found.append((listener, QueueReading(inode, None, None, None)))
        if at < len(content):
            raise MalformedReplyError(f"/proc/{_FILE}: cannot read {content[at:].splitlines()[0]!r}")
        return found
