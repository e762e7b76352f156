"""The exporter with one thread more, which does to it what a test says while it runs.

    python -m tests.faults.told_exporter FIFO FLAG...

Each line of the FIFO is one of TOLD with an argument.
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from exporter.cli.main import main
from testbed import privileges, seccomp
from testbed.daemon import ExporterProgram, unmeasured
from tests.faults.redirected_exporter import ROOT


class ToldExporter(ExporterProgram):
    """The daemon, which a test tells what to do to itself. It stays root and has no filters of its own."""

    def __init__(self, folder: Path, *flags: str, config: str) -> None:
        self.config_file = folder / "config.yml"
        self.config_file.write_text(config)
        fifo = folder / "told"
        os.mkfifo(fifo)
        command = [sys.executable, "-m", "tests.faults.told_exporter", str(fifo)]
        command += [f"--web.listen-address=127.0.0.1:{self.port}", "--no-sandbox", "--user=root"]
        command += [f"--config.file={self.config_file}", *flags]
        super().__init__(
            command,
            folder / "exporter.log",
            cwd=ROOT,
            # CPython 3.11 runs no further where each line is traced and an error waits for another thread.
            env=unmeasured(),
            before_exec=privileges.deny_other_namespaces,
        )
        self._told = fifo

    def tell(self, what: str, argument: str) -> None:
        """Have it do one of TOLD, and return when it has."""
        done = f"told: {what} {argument} done"
        count = self.log.count(done)
        self._told.write_text(f"{what} {argument}\n")
        self.wait_until(lambda: self.log.count(done) > count)


class ToldError(Exception):
    """What a thread dies of."""


def refuse_netlink(reason: str) -> None:
    """Have socket(AF_NETLINK) fail in every thread, for good, with an error by its name."""
    number = next(number for number, name in errno.errorcode.items() if name == reason)
    seccomp.deny_socket_family(socket.AF_NETLINK, number, all_threads=True)


def break_thread(name: str) -> None:
    """Raise an error in the threads whose names begin so, wherever they are, when they run next."""
    threads = [each for each in threading.enumerate() if each.name.startswith(name)]
    assert threads, [each.name for each in threading.enumerate()]
    for each in threads:
        identity = ctypes.c_ulong(each.ident or 0)
        assert ctypes.pythonapi.PyThreadState_SetAsyncExc(identity, ctypes.py_object(ToldError)) == 1


TOLD: Final[dict[str, Callable[[str], None]]] = {"refuse": refuse_netlink, "break": break_thread}


def _listen(fifo: Path) -> None:
    while True:
        for line in fifo.read_text().splitlines():
            what, _, argument = line.partition(" ")
            TOLD[what](argument)
            os.write(2, f"told: {line} done\n".encode())


if __name__ == "__main__":
    told, sys.argv[1:] = Path(sys.argv[1]), sys.argv[2:]
    threading.Thread(target=_listen, args=(told,), name="told", daemon=True).start()
    raise SystemExit(main())
