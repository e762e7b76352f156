"""A filter of system calls refuses with an error, and with the right one."""

from __future__ import annotations

import ctypes
import os
import platform
import re
import struct
import subprocess
from pathlib import Path

import pytest

from exporter.sandbox import profiles, seccomp
from exporter.sandbox.seccomp import Argument, Rules
from exporter.sandbox.syscalls import ARCHITECTURES, CLONE3, NEWEST, number
from testbed import syscalls
from tests.sandbox.confined import WORKS, outcomes

_HEADERS = {
    "x86_64": "/usr/include/x86_64-linux-gnu/asm/unistd_64.h",
    "aarch64": "/usr/include/asm-generic/unistd.h",
}
_WANTED = ("SYS_CLONE3", "SET_GET_RLIMIT", "NEW_STAT")
# What a child process needs to report.
_REPORTING: Rules = dict.fromkeys(("write", "exit_group", "rt_sigprocmask", "rt_sigaction"), ())

needs_known_architecture = pytest.mark.skipif(
    platform.machine() not in ARCHITECTURES, reason="the numbers of this architecture are not known"
)


def call(number: int, *arguments: int) -> None:
    syscalls.call("syscall", ctypes.c_long(number), *map(ctypes.c_long, arguments))


def native(name: str) -> int:
    found = number(name, ARCHITECTURES[platform.machine()])
    assert found is not None
    return found


@needs_known_architecture
def test_what_is_not_allowed_fails_with_eperm_and_what_is_newer_is_missing() -> None:
    calls = {
        "allowed": lambda: os.write(1, b""),
        "not allowed": lambda: call(native("getppid")),
        "clone3": lambda: call(CLONE3, 0, 0),
        "newer": lambda: call(NEWEST + 1),
        "of another architecture": lambda: call(0x40000000 | native("getppid")),
    }
    assert outcomes(lambda: seccomp.install(_REPORTING), calls) == {
        "allowed": WORKS,
        "not allowed": "EPERM",
        "clone3": "ENOSYS",
        "newer": "ENOSYS",
        "of another architecture": "ENOSYS",
    }


@needs_known_architecture
def test_one_alternative_whose_conditions_all_hold_is_enough() -> None:
    rules: Rules = {
        **_REPORTING,
        # The process itself with signal 0, or any process with signal 18.
        "kill": ((Argument(0, os.getpid()), Argument(1, 0)), (Argument(1, 0x12, 0x13),)),
    }
    own, init = os.getpid(), 1
    calls = {
        "both": lambda: call(native("kill"), own, 0),
        "one of two": lambda: call(native("kill"), init, 0),
        "other of two": lambda: call(native("kill"), own, 1),
        "masked": lambda: call(native("kill"), 0x7FFFFFF0, 0x12 | 0x1000),
    }
    assert outcomes(lambda: seccomp.install(rules), calls) == {
        "both": WORKS,
        "one of two": "EPERM",
        "other of two": "EPERM",
        "masked": "ESRCH",
    }


def test_a_filter_that_allows_nothing_cannot_be_mistaken_for_one_that_allows_all() -> None:
    """The last instruction refuses, and each jump stays inside of the program."""
    for architecture in ARCHITECTURES.values():
        for rules in ({}, profiles.exporter(), profiles.supervisor(), profiles.broker(1)):
            code = list(struct.iter_unpack("=HBBI", seccomp.program(rules, architecture)))
            assert code[-1] == (0x06, 0, 0, 0x00050000 | 1)
            assert len(code) < 4096
            for position, (_, then, otherwise, _) in enumerate(code[:-1]):
                assert position + 1 + max(then, otherwise) < len(code)


@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_numbers_are_those_of_the_headers_of_linux(machine: str) -> None:
    header = Path(_HEADERS[machine])
    if not header.exists():
        pytest.skip(f"{header} is not here")
    # What an architecture of 64 bits asks the generic table for.
    wanted = ("__BITS_PER_LONG 64", *(f"__ARCH_WANT_{each}" for each in _WANTED))
    source = "".join(f"#define {each}\n" for each in wanted) + f'#include "{header}"\n'
    try:
        done = subprocess.run(["cpp", "-dM", "-"], input=source, capture_output=True, text=True, check=True)
    except FileNotFoundError:
        pytest.skip("there is no C preprocessor")
    defined = dict(re.findall(r"#define (__NR\w+) (\S+)", done.stdout))
    for name in {*profiles.exporter(), *profiles.supervisor()}:
        value = defined.get(f"__NR_{name}")
        while value is not None and not value.isdigit():
            value = defined[value]
        # Calls that the header lacks are older than the architecture.
        assert (None if value is None else int(value)) == number(name, ARCHITECTURES[machine]), name
    assert int(defined["__NR_clone3"]) == CLONE3
