"""The filter that a dump of TCP sockets may have: the kernel sends no other socket.

The kernel runs it as a program (inet_diag_bc_run, net/ipv4/inet_diag.c; struct inet_diag_bc_op in
include/uapi/linux/inet_diag.h): each operand is compared, and a match jumps to the end.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Sequence
from typing import Final

# A jump is counted in 16 bits, which ends at 5461 ports; but the kernel checks each jump by walking the
# program (inet_diag_bc_audit), so that 1000 ports cost 2 ms and 5000 cost 40.
MAX_PORTS: Final = 1000
# 4096 do not fit into an attribute, whose length has 16 bits. To check them costs as much as of ports.
MAX_CGROUPS: Final = 1000

_INET_DIAG_REQ_BYTECODE: Final = 1
_INET_DIAG_BC_JMP: Final = 1
_INET_DIAG_BC_S_EQ: Final = 11
_INET_DIAG_BC_CGROUP_COND: Final = 13
# struct inet_diag_bc_op: code, yes, no.
_OP: Final = struct.Struct("=BBH")
# The port is the `no` of another op.
_PORT: Final = struct.Struct("=2x H")
_CGROUP_ID: Final = struct.Struct("=Q")
_ATTRIBUTE: Final = struct.Struct("=HH")


def at_ports(ports: Collection[int]) -> bytes:
    """Return the attribute of a request for sockets on 1 to MAX_PORTS local ports, also half-open ones."""
    return _any_of(_INET_DIAG_BC_S_EQ, [_PORT.pack(port) for port in sorted(ports)])


def in_cgroups(cgroup_ids: Collection[int]) -> bytes:
    """Return the attribute of a request for sockets of 1 to MAX_CGROUPS cgroups."""
    return _any_of(_INET_DIAG_BC_CGROUP_COND, [_CGROUP_ID.pack(number) for number in sorted(cgroup_ids)])


def _any_of(code: int, operands: Sequence[bytes]) -> bytes:
    last = len(operands) - 1
    program = b""
    for index, operand in enumerate(operands):
        compared = _OP.size + len(operand)
        program += _OP.pack(code, compared, compared + _OP.size) + operand
        if index < last:
            rest = (compared + _OP.size) * (last - index)
            program += _OP.pack(_INET_DIAG_BC_JMP, _OP.size, rest)
    return _ATTRIBUTE.pack(len(program) + _ATTRIBUTE.size, _INET_DIAG_REQ_BYTECODE) + program
