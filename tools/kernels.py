"""Runs tests on kernels of Debian in virtual machines: `python -m tools.kernels [--short] [RELEASE]...`.

One machine after the other: for each kernel one with everything, and one without IPv6. What tests saw goes
into docs/kernels.md, once they have passed on all releases. With --record the replies of each kernel to the
requests of tests/kernel go into tests/kernel/recorded.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from testbed import debian
from tools.vm import machine
from tools.vm.kernel import prepare
from tools.vm.system import PLAIN, PROJECT, Installed, install

RELEASES = ("bullseye", "bookworm", "trixie", "sid")
_CACHE = PROJECT / ".debian/machines"
_RECORDED = PROJECT / "tests/kernel/recorded"
_DOCUMENT = PROJECT / "docs/kernels.md"
_NO_IPV6 = "ipv6.disable=1"
_SECONDS = 2400.0
# In the cgroup of which every kernel knows the number.
_RECORD = """(
    echo 0 >/sys/fs/cgroup/cgroup.procs
    python -m tests.kernel.record --to $RESULTS/recorded
) || exit 1"""
_PYTEST = "env PYTHONUNBUFFERED=1 pytest -p no:randomly -p no:cacheprovider --timeout=1500"
_KERNELS = "tests/machines/kernels"
# Of the tests of this project those that depend most on the kernel.
_CHOSEN = (
    "tests/integration/test_drops.py",
    "tests/integration/test_matching.py",
    "tests/integration/test_reference_counts.py",
    "tests/kernel/netns/test_cookie.py",
    "tests/kernel/netns/test_discovery.py",
    "tests/kernel/sock_diag/test_diag_socket.py",
    "tests/kernel/sock_diag/test_interface.py",
)
_HEAD = """# Kernels

What tests have seen on the kernels that Debian ships, each in a virtual machine with pure cgroup v2. Made by
`make test-kernels`, which fails where a figure is wrong; "root" and "nobody" are who started the exporter.

"""
# Marks the folder of what was seen where all tests passed.
_PASSED = "passed"
_Seen = dict[str, str]


def main(arguments: list[str]) -> int:
    """Run the tests, and return 1 where one failed or did not run."""
    parser = argparse.ArgumentParser(prog="python -m tools.kernels", description=__doc__)
    parser.add_argument("--short", action="store_true", help="the most important tests alone")
    parser.add_argument("--record", action="store_true", help="record the replies of the kernels anew")
    parser.add_argument("releases", nargs="*", default=list(RELEASES), metavar="RELEASE")
    given = parser.parse_args(arguments)
    try:
        installed = install(PLAIN, _CACHE)
        failed = False
        for release in given.releases:
            began = time.monotonic()
            ended = _run(installed, release, short=given.short, record=given.record)
            failed |= not ended
            print(
                f"{release}: {'passed' if ended else 'FAILED'} in {(time.monotonic() - began) / 60:.1f} min"
            )
    except (debian.UnavailableError, debian.BootstrapError) as error:
        sys.stderr.write(f"no machine can be made: {error}\n")
        return machine.NO_ANSWER
    folders = [_passed(release) for release in RELEASES]
    if all((folder / _PASSED).exists() for folder in folders):
        seen = {_version(folder): _read(folder / "seen.tsv") | _outcomes(folder) for folder in folders}
        _DOCUMENT.write_text(_HEAD + table(seen))
    return int(failed)


def table(seen: dict[str, _Seen]) -> str:
    """Return a table in Markdown: a row for each thing that was seen, a column for each kernel."""
    rows = dict.fromkeys(what for each in seen.values() for what in each)
    lines = [["", *seen], ["---"] * (len(seen) + 1)]
    lines += [[what, *(each.get(what, "not seen") for each in seen.values())] for what in rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _passed(release: str) -> Path:
    """Return the folder of what the last run saw that passed, a short one where there is no other."""
    folder = _CACHE / f"seen-{release}"
    return folder if (folder / _PASSED).exists() else _CACHE / f"seen-short-{release}"


def _run(installed: Installed, release: str, *, short: bool, record: bool) -> bool:
    """Run both machines of a kernel, and return whether all tests passed."""
    folder = _CACHE / f"seen-{'short-' if short else ''}{release}"
    shutil.rmtree(folder, ignore_errors=True)
    kernel = prepare(release, installed, _CACHE)
    settings = machine.Settings(seconds=_SECONDS, results=folder)
    statuses = [machine.run(installed, kernel, _command(short=short, record=record), settings)]
    if not short:
        without = machine.Settings(seconds=_SECONDS, append=_NO_IPV6, results=folder / "no-ipv6")
        command = f"{_PYTEST} -k root {_KERNELS}/test_listeners.py"
        statuses.append(machine.run(installed, kernel, ["sh", "-c", command], without))
        more = folder / "no-ipv6/seen.tsv"
        if more.exists():
            with (folder / "seen.tsv").open("a") as file:
                file.write(more.read_text())
    if record and (folder / "recorded").is_dir():
        to = _RECORDED / f"linux-{'.'.join(_version(folder).split('.')[:2])}"
        shutil.rmtree(to, ignore_errors=True)
        shutil.copytree(folder / "recorded", to)
    if not any(statuses):
        (folder / _PASSED).touch()
    return not any(statuses)


def _command(*, short: bool, record: bool) -> Sequence[str]:
    chosen = ("-m", "short", _KERNELS) if short else (_KERNELS, *_CHOSEN)
    commands = [
        'python -c "import os; print(os.uname().release)" >$RESULTS/kernel',
        *([_RECORD] if record else []),
        f"{_PYTEST} -n 3 {' '.join(chosen)}",
    ]
    return ["sh", "-c", "\n".join(commands)]


def _version(folder: Path) -> str:
    return (folder / "kernel").read_text().strip() if (folder / "kernel").exists() else folder.name


def _read(file: Path) -> _Seen:
    lines = sorted(file.read_text().splitlines()) if file.exists() else []
    return {what: value for what, _, value in (line.partition("\t") for line in lines)}


def _outcomes(folder: Path) -> _Seen:
    counts = _read(folder / "outcomes.tsv")
    shown = ", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items()))
    return {"tests of this run": shown or "none"}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
