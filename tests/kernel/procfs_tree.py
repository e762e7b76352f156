"""Directories with the layout of /proc: the files that a test needs."""

from __future__ import annotations

import socket
import struct
from pathlib import Path

TCP_TITLE = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode"
TCP6_TITLE = (
    "  sl  local_address                         remote_address                        st tx_queue rx_queue"
    " tr tm->when retrnsmt   uid  timeout inode"
)
PROTOCOLS_TITLE = "protocol  size sockets  memory press maxhdr  slab module     cl co di ac io"
UNIX_TITLE = "Num       RefCount Protocol Flags    Type St Inode Path"

LISTENING = 0x10000
_SYN_RECV = 3


def put(root: Path, name: str, content: str | bytes) -> Path:
    """Write one file below `root`, and return its path."""
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


# The columns behind the inode: reference count, address, retransmission timeout and others. A half-open
# connection has the first two.
LINUX_COLUMNS = " 1 0000000000000000 100 0 0 10 0"
REQUEST_COLUMNS = " 0 0000000000000000"
GVISOR_COLUMNS = " 1 0000000000000000 0 0 0 0 -1"


def tcp_line(  # the columns that differ
    address: str,
    port: int,
    *,
    state: int = 10,
    length: int = 0,
    uid: int = 0,
    inode: int = 1,
    peer_port: int = 0,
    columns: str | None = None,
) -> str:
    """A line of net/tcp or net/tcp6, after get_tcp4_sock and get_openreq4."""
    if columns is None:
        columns = REQUEST_COLUMNS if state == _SYN_RECV else LINUX_COLUMNS
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    packed = socket.inet_pton(family, address)
    words = struct.unpack(f"={len(packed) // 4}I", packed)
    local = "".join(f"{word:08X}" for word in words)
    peer = "0" * len(local)
    line = (
        f"{0:4d}: {local}:{port:04X} {peer}:{peer_port:04X} {state:02X} 00000000:{length:08X} "
        f"00:00000000 00000000 {uid:5d} {0:8d} {inode}{columns}"
    )
    return line.ljust(149) if family == socket.AF_INET else line


def tcp_contents(lines: list[str], lines6: list[str] | None = None) -> dict[str, bytes | Exception]:
    """Return net/tcp, and net/tcp6 unless it is a kernel without IPv6."""
    contents: dict[str, bytes | Exception] = {
        "net/tcp": "\n".join([TCP_TITLE.ljust(149), *lines, ""]).encode()
    }
    if lines6 is not None:
        contents["net/tcp6"] = "\n".join([TCP6_TITLE, *lines6, ""]).encode()
    return contents


def unix_line(inode: int, name: bytes = b"", *, flags: int = LISTENING) -> bytes:
    """A line of net/unix without its end, after unix_seq_show: each NUL in a name is printed as `@`."""
    shown = b" " + name.replace(b"\0", b"@") if name else b""
    head = f"{0xFFFF888000000000 + inode:016x}: {2:08X} {0:08X} {flags:08X} {1:04X} {1:02X} {inode:5d}"
    return head.encode() + shown


def unix_contents(lines: list[bytes], sockets: int | None = None) -> dict[str, bytes | Exception]:
    """Return net/unix, and net/protocols with the number of sockets where that is given."""
    contents: dict[str, bytes | Exception] = {"net/unix": b"\n".join([UNIX_TITLE.encode(), *lines, b""])}
    if sockets is not None:
        stream, datagram = sockets - sockets // 3, sockets // 3
        counts = [
            PROTOCOLS_TITLE,
            _protocol("UNIX-STREAM", stream),
            _protocol("UNIX", datagram),
            _protocol("TCP", 7),
        ]
        contents["net/protocols"] = "\n".join([*counts, ""]).encode()
    return contents


def _protocol(name: str, sockets: int) -> str:
    """A line of net/protocols, after proto_seq_printf."""
    return f"{name:<9s} {1152:4d} {sockets:6d}  {-1:6d}   NI  {0:6d}   yes  kernel      y  n  n  n  n"


def table(section: str, figures: dict[str, int]) -> str:
    """A pair of lines of net/netstat or net/snmp."""
    return f"{section}: {' '.join(figures)}\n{section}: {' '.join(map(str, figures.values()))}\n"


def process(root: Path, pid: int, name: bytes, *, started: int = 1) -> None:
    """Write `comm` and `stat` of a process, both with its name."""
    put(root, f"{pid}/comm", name + b"\n")
    columns = ["S", *map(str, range(1, 19)), str(started), *["0"] * 30]
    put(root, f"{pid}/stat", f"{pid} (".encode() + name + b") " + " ".join(columns).encode() + b"\n")


def descriptors(root: Path, pid: int, targets: list[str]) -> None:
    """Make the links of a process's descriptors."""
    folder = root / str(pid) / "fd"
    folder.mkdir(parents=True, exist_ok=True)
    for number, target in enumerate(targets):
        (folder / str(number)).symlink_to(target)
