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

_LOAD_WORD = 0x20
_JUMP_IF_EQUAL = 0x15
_RETURN = 0x06

_ALLOW = 0x7FFF0000
_ERRNO = 0x00050000

# Where struct seccomp_data holds them; the first argument's low half, both architectures being little-endian.
_OFFSET_NUMBER = 0
_OFFSET_ARCHITECTURE = 4
_OFFSET_FIRST_ARGUMENT = 16

# AUDIT_ARCH, and the numbers of the system calls that can be denied.
_ARCHITECTURES = {
    "x86_64": (0xC000003E, {"socket": 41, "read": 0, "openat": 257, "getdents64": 217}),
    "aarch64": (0xC00000B7, {"socket": 198, "read": 63, "openat": 56, "getdents64": 61}),
}


class _Program(ctypes.Structure):
    """struct sock_fprog."""

    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def deny_socket_family(family: int, errno: int) -> None:
    """Make socket(2) with `family` fail with `errno` in this process and all it starts, for good."""
    architecture, numbers = _architecture()
    _install(
        [
            _instruction(_LOAD_WORD, _OFFSET_ARCHITECTURE),
            _instruction(_JUMP_IF_EQUAL, architecture, otherwise=5),
            _instruction(_LOAD_WORD, _OFFSET_NUMBER),
            _instruction(_JUMP_IF_EQUAL, numbers["socket"], otherwise=3),
            _instruction(_LOAD_WORD, _OFFSET_FIRST_ARGUMENT),
            _instruction(_JUMP_IF_EQUAL, family, otherwise=1),
            _instruction(_RETURN, _ERRNO | errno),
            _instruction(_RETURN, _ALLOW),
        ]
    )


def deny_call(name: str, errno: int) -> None:
    """Make a system call fail with `errno` in this process and all it starts, for good."""
    architecture, numbers = _architecture()
    _install(
        [
            _instruction(_LOAD_WORD, _OFFSET_ARCHITECTURE),
            _instruction(_JUMP_IF_EQUAL, architecture, otherwise=3),
            _instruction(_LOAD_WORD, _OFFSET_NUMBER),
            _instruction(_JUMP_IF_EQUAL, numbers[name], otherwise=1),
            _instruction(_RETURN, _ERRNO | errno),
            _instruction(_RETURN, _ALLOW),
        ]
    )


def _architecture() -> tuple[int, dict[str, int]]:
    machine = platform.machine()
    if machine not in _ARCHITECTURES:
        pytest.skip(f"no seccomp filter is known for {machine}")
    return _ARCHITECTURES[machine]


def _install(instructions: list[bytes]) -> None:
    code = ctypes.create_string_buffer(b"".join(instructions))
    program = _Program(len(instructions), ctypes.addressof(code))
    syscalls.prctl(_PR_SET_NO_NEW_PRIVS, 1)
    syscalls.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.addressof(program))


def _instruction(code: int, operand: int, *, otherwise: int = 0) -> bytes:
    """struct sock_filter: a jump that is not taken skips `otherwise` instructions."""
    return struct.pack("HBBI", code, 0, otherwise, operand)
