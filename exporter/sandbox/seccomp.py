"""A filter of system calls: what is not allowed fails with EPERM, and so becomes an error of the caller.

Source: seccomp(2), prctl(2), include/uapi/linux/seccomp.h, bpf_common.h and filter.h.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from exporter import libc
from exporter.sandbox.syscalls import ARCHITECTURES, CLONE3, NEWEST, Architecture, number

_PR_SET_SECCOMP: Final = 22
_SECCOMP_MODE_FILTER: Final = 2

# struct sock_filter: operation, two relative jumps, operand.
_INSTRUCTION: Final = struct.Struct("=HBBI")
_LOAD: Final = 0x20
_AND: Final = 0x54
_JUMP_IF_EQUAL: Final = 0x15
_JUMP_IF_GREATER: Final = 0x25
_RETURN: Final = 0x06
_ALLOW: Final = 0x7FFF0000
_ERRNO: Final = 0x00050000
_WORD: Final = 0xFFFFFFFF

# struct seccomp_data: number, architecture, instruction pointer, six arguments of eight bytes. Of an argument
# the low half is read: the kernel itself ignores the rest of what is an int.
_NUMBER_OFFSET: Final = 0
_ARCHITECTURE_OFFSET: Final = 4
_ARGUMENTS_OFFSET: Final = 16
_ARGUMENT_BYTES: Final = 8


@dataclass(frozen=True, slots=True)
class Argument:
    """A condition: those bits of an argument, counted from 0, that are in `mask` have this value."""

    position: int
    value: int
    mask: int = _WORD


# A call is allowed where every condition of one of these alternatives holds; without alternatives always.
Alternatives = Sequence[Sequence[Argument]]
Rules = Mapping[str, Alternatives]


class _Program(ctypes.Structure):
    """struct sock_fprog."""

    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def program(rules: Rules, architecture: Architecture) -> bytes:
    """Return the instructions of a filter that allows what these rules do. Raises KeyError for unknown names.

    Calls of another architecture fail with EPERM, among them those that a 64-bit process makes as one of 32
    bits. Those that the table does not know because they are newer fail with ENOSYS, and so does clone3,
    whose flags a filter cannot see: the C library then uses what there was before.
    """
    instructions = [
        _instruction(_LOAD, _ARCHITECTURE_OFFSET),
        _instruction(_JUMP_IF_EQUAL, architecture.audit, then=1),
        _instruction(_RETURN, _ERRNO | errno.EPERM),
        _instruction(_LOAD, _NUMBER_OFFSET),
    ]
    for name, alternatives in rules.items():
        known = number(name, architecture)
        if known is not None:
            instructions += _rule(known, alternatives)
    return b"".join(
        [
            *instructions,
            _instruction(_JUMP_IF_EQUAL, CLONE3, then=1),
            _instruction(_JUMP_IF_GREATER, NEWEST, otherwise=1),
            _instruction(_RETURN, _ERRNO | errno.ENOSYS),
            _instruction(_RETURN, _ERRNO | errno.EPERM),
        ]
    )


def install(rules: Rules) -> None:
    """Filter the calls of this thread, and of all that it starts, for good.

    The process must have set no_new_privs. Raises OSError: ENOSYS on an architecture whose calls are not
    known, EINVAL where the kernel has no filters.
    """
    architecture = ARCHITECTURES.get(os.uname().machine)
    if architecture is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    code = ctypes.create_string_buffer(program(rules, architecture))
    filtered = _Program((len(code) - 1) // _INSTRUCTION.size, ctypes.addressof(code))
    libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.addressof(filtered))


def _rule(known: int, alternatives: Alternatives) -> list[bytes]:
    body = [instruction for each in alternatives for instruction in _alternative(each)]
    last = _ERRNO | errno.EPERM if alternatives else _ALLOW
    body.append(_instruction(_RETURN, last))
    return [_instruction(_JUMP_IF_EQUAL, known, otherwise=len(body)), *body]


def _alternative(conditions: Sequence[Argument]) -> list[bytes]:
    """Return what allows the call where all conditions hold, and goes on behind itself where one does not."""
    instructions: list[bytes] = []
    # From the end, so that each comparison knows how much is left to jump over.
    instructions.append(_instruction(_RETURN, _ALLOW))
    for condition in reversed(conditions):
        comparison = [
            _instruction(_LOAD, _ARGUMENTS_OFFSET + condition.position * _ARGUMENT_BYTES),
            _instruction(_AND, condition.mask),
            _instruction(_JUMP_IF_EQUAL, condition.value, otherwise=len(instructions)),
        ]
        instructions = comparison + instructions
    return instructions


def _instruction(operation: int, operand: int, *, then: int = 0, otherwise: int = 0) -> bytes:
    """Return an instruction; a jump goes over `then` or `otherwise` instructions."""
    return _INSTRUCTION.pack(operation, then, otherwise, operand)
