"""Making system calls fail, as the filter of a container runtime or of systemd does.

Source: include/uapi/linux/seccomp.h, include/uapi/linux/bpf_common.h.
"""

from __future__ import annotations

import ctypes
import platform
import struct

import pytest

from testbed import syscalls

_PR_SET_SECCOMP = 22
_PR_SET_NO_NEW_PRIVS = 38
_SECCOMP_MODE_FILTER = 2
_SECCOMP_SET_MODE_FILTER = 1
_SECCOMP_FILTER_FLAG_TSYNC = 1

_LOAD_WORD = 0x20
_JUMP_IF_EQUAL = 0x15
_RETURN = 0x06

_ALLOW = 0x7FFF0000
_ERRNO = 0x00050000

# Where struct seccomp_data holds them; an argument's low half, both architectures being little-endian.
_OFFSET_NUMBER = 0
_OFFSET_ARCHITECTURE = 4
_OFFSET_ARGUMENTS = 16
_ARGUMENT_BYTES = 8

# AUDIT_ARCH, and the numbers of system calls.
_ARCHITECTURES = {
    "x86_64": (
        0xC000003E,
        {
            "read": 0,
            "ioctl": 16,
            "socket": 41,
            "getsockopt": 55,
            "getdents64": 217,
            "openat": 257,
            "seccomp": 317,
            "pidfd_open": 434,
        },
    ),
    "aarch64": (
        0xC00000B7,
        {
            "ioctl": 29,
            "openat": 56,
            "getdents64": 61,
            "read": 63,
            "socket": 198,
            "getsockopt": 209,
            "seccomp": 277,
            "pidfd_open": 434,
        },
    ),
}


class _Program(ctypes.Structure):
    """struct sock_fprog."""

    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def require() -> None:
    """Skip the test where no filter is known for this machine."""
    _architecture()


def deny_socket_family(family: int, errno: int, *, all_threads: bool = False) -> None:
    """Make socket(2) with `family` fail with `errno` in this process and all it starts, for good.

    Of threads that run already, only the calling one has it, unless for `all_threads`.
    """
    _deny("socket", errno, argument=(0, family), all_threads=all_threads)


def deny_socket_option(option: int, errno: int) -> None:
    """Make getsockopt(2) of an option, of whichever level, fail with `errno` likewise."""
    _deny("getsockopt", errno, argument=(2, option))


def deny_call(name: str, errno: int) -> None:
    """Make a system call fail with `errno` in this process and all it starts, for good."""
    _deny(name, errno)


def _deny(
    name: str, errno: int, argument: tuple[int, int] | None = None, *, all_threads: bool = False
) -> None:
    """Deny a system call; with the number of an argument and a value, only where it has that value."""
    architecture, numbers = _architecture()
    compared = [(_OFFSET_ARCHITECTURE, architecture), (_OFFSET_NUMBER, numbers[name])]
    if argument is not None:
        compared.append((_OFFSET_ARGUMENTS + argument[0] * _ARGUMENT_BYTES, argument[1]))
    instructions = []
    for place, (offset, value) in enumerate(compared):
        instructions.append(_instruction(_LOAD_WORD, offset))
        # To the last instruction: over the rest of the comparisons, and what denies.
        after = 2 * (len(compared) - place - 1) + 1
        instructions.append(_instruction(_JUMP_IF_EQUAL, value, otherwise=after))
    instructions += [_instruction(_RETURN, _ERRNO | errno), _instruction(_RETURN, _ALLOW)]
    _install(instructions, all_threads=all_threads)


def _architecture() -> tuple[int, dict[str, int]]:
    machine = platform.machine()
    if machine not in _ARCHITECTURES:
        pytest.skip(f"no seccomp filter is known for {machine}")
    return _ARCHITECTURES[machine]


def _install(instructions: list[bytes], *, all_threads: bool) -> None:
    code = ctypes.create_string_buffer(b"".join(instructions))
    program = _Program(len(instructions), ctypes.addressof(code))
    syscalls.prctl(_PR_SET_NO_NEW_PRIVS, 1)
    if all_threads:
        _, numbers = _architecture()
        arguments = (_SECCOMP_SET_MODE_FILTER, _SECCOMP_FILTER_FLAG_TSYNC, ctypes.byref(program))
        # The number of a thread that cannot have it is no error.
        assert syscalls.call("syscall", numbers["seccomp"], *arguments) == 0
    else:
        syscalls.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.addressof(program))


def _instruction(code: int, operand: int, *, otherwise: int = 0) -> bytes:
    """struct sock_filter: a jump that is not taken skips `otherwise` instructions."""
    return struct.pack("HBBI", code, 0, otherwise, operand)
