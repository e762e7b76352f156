"""Runs a command as root in a virtual machine: `python -m tools.vm [OPTION]... -- COMMAND [ARGUMENT]...`.

The command runs in /project, a copy of the working tree with its .venv. What it prints and its exit status
are those of this program. Needs root, and qemu. What is fetched lies in .debian/machines, so that only the
first machine of a kind needs the network.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from testbed import debian
from tools.vm import machine
from tools.vm.kernel import prepare
from tools.vm.system import PROJECT, SYSTEMS, install

_CACHE = PROJECT / ".debian/machines"


def main(arguments: list[str]) -> int:
    """Run the command that the arguments name, and return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.vm", description=__doc__)
    parser.add_argument(
        "--kernel", default="trixie", help="the release of Debian whose cloud kernel is booted"
    )
    parser.add_argument("--system", choices=SYSTEMS, default="plain", help="what is installed beside it")
    parser.add_argument("--memory", type=int, default=2048, help="in MiB")
    parser.add_argument(
        "--seconds", type=float, default=600.0, help="the time limit; at it the status is 124"
    )
    parser.add_argument("--append", default="", help="words for the command line of the kernel")
    parser.add_argument("--results", type=Path, help="the folder for what the command leaves in $RESULTS")
    parser.add_argument("--files", type=Path, help="a folder of files that the command finds in $FILES")
    parser.add_argument("command", nargs="+")
    given = parser.parse_args(arguments)
    settings = machine.Settings(given.memory, given.seconds, given.append, given.results, given.files)
    try:
        installed = install(SYSTEMS[given.system], _CACHE)
        kernel = prepare(given.kernel, installed, _CACHE)
        return machine.run(installed, kernel, given.command, settings)
    except (debian.UnavailableError, debian.BootstrapError) as error:
        sys.stderr.write(f"no machine can be made: {error}\n")
        return machine.NO_ANSWER


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
