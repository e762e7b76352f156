"""Prints the example of README: what `doctor` says of a web server that was stopped, `python -m docs.doctor`.

It runs in a network namespace of its own; that needs root, or user namespaces.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from functools import partial
from signal import SIGSTOP
from typing import Final

from testbed import namespace, privileges
from testbed.full_queue import accepts, fill
from testbed.waiting import equals, until

_PORT: Final = 8000


def main() -> None:
    """Stop a web server, fill its queue, and print what the command says."""
    namespace.enter()
    with tempfile.TemporaryDirectory() as folder:
        server = subprocess.Popen(
            [sys.executable, "-m", "http.server", str(_PORT), "--directory", folder],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=privileges.deny_other_namespaces,  # noqa: PLW1509  (one thread)
        )
        try:
            until(partial(accepts, _PORT), equals(wanted=True))
            server.send_signal(SIGSTOP)
            clients = fill(_PORT)
            subprocess.run(
                [sys.executable, "-m", "exporter", "doctor"],
                check=True,
                preexec_fn=privileges.deny_other_namespaces,
            )
            for client in clients:
                client.close()
        finally:
            server.kill()
            server.wait()


if __name__ == "__main__":
    main()
