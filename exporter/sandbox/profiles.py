"""Which system calls each process of the exporter may make.

Files can be opened for reading only, by every one of them; openat2(2) has its flags in memory, where a filter
cannot see them, and is allowed to none. Memory is never writable and executable at once.
"""

from __future__ import annotations

import mmap
import os
import signal
import socket
from typing import Final

from exporter.sandbox.seccomp import Alternatives, Argument, Rules

_ANY: Final[Alternatives] = ()
# What open(2) may not be asked for. O_TMPFILE has bits of O_DIRECTORY and is excluded by O_RDWR or O_WRONLY.
_WRITING: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
# CLONE_NEWNS, CLONE_NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET (include/uapi/linux/sched.h).
_CLONE_NAMESPACES: Final = 0x7E020000
_CLONE_NEWNET: Final = 0x40000000
_CLONE_THREAD: Final = 0x00010000
# TCGETS, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX, SIOCGIFNAME, SIOCGIFINDEX, and NS_GET_* of ioctl_nsfs(2).
_IOCTLS: Final = (0x5401, 0x541B, 0x5421, 0x5450, 0x5451, 0x8910, 0x8933, 0xB701, 0xB702, 0xB703, 0xB704)
# PR_SET_PDEATHSIG, PR_GET_DUMPABLE, PR_SET_NAME, PR_GET_NAME and PR_SET_VMA, by which malloc names memory.
_PRCTLS: Final = (1, 3, 15, 16, 0x53564D41)

_READ_ONLY: Final = {
    "open": ((Argument(1, 0, _WRITING),),),
    "openat": ((Argument(2, 0, _WRITING),),),
}
_NOT_EXECUTABLE: Final[Alternatives] = ((Argument(2, 0, mmap.PROT_EXEC),),)
# What every process does that runs Python, however little it does.
_BASIC: Final[Rules] = {
    **dict.fromkeys(
        (
            *("read", "write", "close", "lseek", "fcntl", "readv", "writev", "dup", "close_range"),
            *("fstat", "stat", "lstat", "newfstatat", "statx", "access", "faccessat", "faccessat2"),
            *("readlink", "readlinkat", "getdents64", "getcwd", "statfs", "fstatfs", "fadvise64", "pread64"),
            *("brk", "munmap", "mremap", "madvise", "membarrier", "futex", "rseq", "sched_yield"),
            *("exit", "exit_group", "getpid", "getppid", "gettid", "getuid", "geteuid", "getgid", "getegid"),
            *("rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack", "restart_syscall"),
            *("clock_gettime", "clock_getres", "clock_nanosleep", "nanosleep", "gettimeofday", "time"),
            *("getrandom", "getrusage", "times", "uname", "sysinfo", "getcpu", "sched_getaffinity"),
            *("poll", "ppoll", "recvfrom", "recvmsg", "sendto", "sendmsg", "getsockopt", "setsockopt"),
        ),
        _ANY,
    ),
    **_READ_ONLY,
    "mmap": _NOT_EXECUTABLE,
    "mprotect": _NOT_EXECUTABLE,
    "ioctl": tuple((Argument(1, request),) for request in _IOCTLS),
    "prctl": tuple((Argument(0, option),) for option in _PRCTLS),
}


def exporter() -> Rules:
    """Return what the process may that samples and serves.

    It listens already, and at no other address. The name service may load a library, and ask a daemon or a
    server (nsswitch.conf(5)).
    """
    own = os.getpid()
    return {
        **_BASIC,
        **dict.fromkeys(
            (
                *("preadv", "dup2", "dup3", "inotify_init1", "inotify_add_watch"),
                *("inotify_rm_watch", "memfd_create", "ftruncate", "mincore", "set_robust_list"),
                *("get_robust_list", "set_tid_address", "futex_waitv", "wait4", "waitid", "getgroups"),
                *(
                    "getresuid",
                    "getresgid",
                    "getpgid",
                    "getpgrp",
                    "getsid",
                    "getrlimit",
                    "arch_prctl",
                    "capget",
                ),
                *("rt_sigpending", "rt_sigsuspend", "rt_sigtimedwait", "pause", "pidfd_open"),
                *("select", "pselect6", "epoll_create", "epoll_create1", "epoll_ctl", "epoll_wait"),
                *("epoll_pwait", "epoll_pwait2", "eventfd2", "pipe", "pipe2"),
                *("timerfd_create", "timerfd_settime", "timerfd_gettime"),
                *("socketpair", "connect", "accept", "accept4", "shutdown"),
                *("getsockname", "getpeername", "sendmmsg", "recvmmsg"),
            ),
            _ANY,
        ),
        # Threads, and no processes.
        "clone": ((Argument(0, _CLONE_THREAD, _CLONE_THREAD | _CLONE_NAMESPACES),),),
        "mmap": (*_NOT_EXECUTABLE, (Argument(2, 0, mmap.PROT_WRITE),)),
        "prlimit64": ((Argument(0, 0),), (Argument(0, own),)),
        # To ask whether a process exists, and to itself.
        "kill": ((Argument(1, 0),), (Argument(0, own),)),
        "tgkill": ((Argument(0, own),),),
        "socket": _families(socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK),
    }


def broker(exporter_pid: int) -> Rules:
    """Return what the process may that enters network namespaces, and may kill the exporter."""
    return {
        **_BASIC,
        "socket": _families(socket.AF_NETLINK),
        "bind": _ANY,
        "setns": ((Argument(1, _CLONE_NEWNET),),),
        "pidfd_open": _ANY,
        "kill": ((Argument(0, exporter_pid), Argument(1, signal.SIGKILL)),),
    }


def file_broker() -> Rules:
    """Return what the process may that reads files of others."""
    return {**_BASIC, "timerfd_settime": _ANY}


def supervisor() -> Rules:
    """Return what the process may that starts the brokers: what they may, since they inherit its filter."""
    return {
        **broker(os.getpid()),
        **file_broker(),
        # Before a broker does anything it gives up what is not for it.
        **dict.fromkeys(
            (
                *("wait4", "waitid", "pipe2", "set_robust_list", "set_tid_address", "seccomp", "prctl"),
                *("capget", "capset", "setresuid", "setresgid", "setgroups", "getgroups", "getsockname"),
            ),
            _ANY,
        ),
        # Of one that hangs: which processes those are is known only later.
        "kill": ((Argument(1, signal.SIGKILL),),),
        "clone": ((Argument(0, 0, _CLONE_NAMESPACES),),),
        "fork": _ANY,
    }


def _families(*families: int) -> Alternatives:
    return tuple((Argument(0, family),) for family in families)
