"""Record the kernel's replies anew: `python -m tests.kernel.record [--to FOLDER] [CASE]...`, as root.

The sockets of each case are made in a network namespace of their own. Of the exporter's code only the request
is used, so that what is recorded does not depend on the code that it will test.
"""

from __future__ import annotations

import argparse
import os
import re
import socket
import struct
import sys
import traceback
from pathlib import Path

from testbed import child, privileges
from testbed.child import Ending, Outcome
from tests.kernel import recordings
from tests.kernel.recorded_cases import CASES, RecordedCase, has_mptcp
from tests.kernel.recordings import Recording

_NETLINK_SOCK_DIAG = 4
_LAST = frozenset({2, 3})  # NLMSG_ERROR and NLMSG_DONE
# An emulated machine takes that long.
_TIMEOUT_SECONDS = 300.0


def main() -> int:
    """Record every case, or those that are named."""
    parser = argparse.ArgumentParser(prog="python -m tests.kernel.record", description=__doc__)
    parser.add_argument("--to", type=Path, default=recordings.FOLDER, metavar="FOLDER")
    parser.add_argument("cases", nargs="*", default=list(CASES), metavar="CASE")
    given = parser.parse_args()
    for name in given.cases:
        case = CASES[name]
        if case.needs_mptcp and not has_mptcp():
            sys.stdout.write(f"{name}: this kernel has no MPTCP\n")
            continue
        outcome = child.run(lambda case=case: _record(case), _TIMEOUT_SECONDS)  # type: ignore[misc]
        if outcome.ending is not Ending.PASSED or not isinstance(outcome.detail, Recording):
            sys.stderr.write(f"{name}: {outcome.ending.name}: {outcome.detail}\n")
            return 1
        recordings.save(name, outcome.detail, given.to)
        sizes = [len(datagram) for datagram in outcome.detail.datagrams]
        sys.stdout.write(f"{name}: datagrams of {sizes} bytes\n")
    return 0


def _record(case: RecordedCase) -> Outcome:
    try:
        return Outcome(Ending.PASSED, _recording(case))
    except Exception:  # noqa: BLE001  (the parent process shows it)
        return Outcome(Ending.FAILED, traceback.format_exc())


def _recording(case: RecordedCase) -> Recording:
    with case.make() as truth:
        if case.unprivileged:
            privileges.drop_to()
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG) as channel:
            channel.send(case.request)
            datagrams = [channel.recv(65536)]
            while not _is_last(datagrams[-1]):
                datagrams.append(channel.recv(65536))
            port_id = channel.getsockname()[0]
    return Recording(
        what=case.what,
        command="python -m tests.kernel.record",
        kernel=f"Linux {_version()}",
        port_id=port_id,
        request=case.request,
        truth=truth,
        datagrams=tuple(datagrams),
    )


def _is_last(datagram: bytes) -> bool:
    """Look at the messages one by one: the last one tells whether more follow."""
    at, kind = 0, 0
    while at < len(datagram):
        length, kind = struct.unpack_from("=IH", datagram, at)
        at += length + 3 & ~3
    return kind in _LAST


def _version() -> str:
    """Return the kernel's version without what a distributor has added."""
    found = re.match(r"[\d.]+\d", os.uname().release)
    return found[0] if found else "unknown"


if __name__ == "__main__":
    sys.exit(main())
