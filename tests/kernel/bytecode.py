"""Running and checking the kernel's filter for sockets as the kernel does.

Source: net/ipv4/inet_diag.c (inet_diag_bc_run, inet_diag_bc_audit, valid_cc, valid_port_comparison)
and struct inet_diag_bc_op in include/uapi/linux/inet_diag.h: code, yes and no. The last two are how many
bytes to go on by.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

_OP = struct.Struct("=BBH")
_CGROUP_ID = struct.Struct("=Q")
_JMP = 1
_S_EQ = 11
_CGROUP_COND = 13


@dataclass(frozen=True, slots=True)
class _Op:
    code: int
    yes: int
    no: int


def _op(program: bytes, at: int) -> _Op:
    return _Op(*_OP.unpack_from(program, at))


def passes(program: bytes, port: int, cgroup: int = 1) -> bool:
    """Tell whether a socket with this local port, of this cgroup, passes.

    The program has to end exactly at its end.
    """
    at, left = 0, len(program)
    while left > 0:
        op = _op(program, at)
        match op.code:
            case 1:
                step = op.no
            case 11:
                step = op.yes if _op(program, at + _OP.size).no == port else op.no
            case 13:
                (wanted,) = _CGROUP_ID.unpack_from(program, at + _OP.size)
                step = op.yes if wanted == cgroup else op.no
            case _:
                raise AssertionError(f"the exporter does not use op {op.code}")
        at, left = at + step, left - step
    return left == 0


def is_accepted(program: bytes) -> bool:
    """Tell whether the kernel takes the program at all: no jump may lead into an op or behind the end."""
    at = 0
    while at < len(program):
        if not _is_sound(program, at):
            return False
        at += _op(program, at).yes
    return at == len(program) > 0


def _is_sound(program: bytes, at: int) -> bool:
    left = len(program) - at
    if left < _OP.size:
        return False
    op = _op(program, at)
    # A comparison has the port in a second op, or the id of the cgroup behind it.
    sizes = {_JMP: _OP.size, _S_EQ: 2 * _OP.size, _CGROUP_COND: _OP.size + _CGROUP_ID.size}
    least = sizes.get(op.code)
    if least is None or left < least:
        return False
    fits = all(least <= step <= left + 4 and step % 4 == 0 for step in (op.yes, op.no))
    return fits and (op.no >= left or _leads_to_an_op(program, left - op.no))


def _leads_to_an_op(program: bytes, wanted: int) -> bool:
    """valid_cc: tell whether the path of `yes` passes where so many bytes are left."""
    at, left = 0, len(program)
    while left >= 0:
        if left == wanted:
            return True
        if left < wanted or left < _OP.size:
            return False
        op = _op(program, at)
        if op.yes < _OP.size or op.yes & 3:
            return False
        at, left = at + op.yes, left - op.yes
    return False
