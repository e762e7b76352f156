"""gunicorn: workers that serve one client at a time, accepted from the socket that their arbiter opened."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.e2e.services.service import HTTP, Service, tcp

_PORT = 8000
_APPLICATION = """\
import time


def application(environ, start_response):
    time.sleep({seconds})
    start_response("200 OK", [("Content-Length", "0")])
    return []
"""


def service(folder: Path, *, backlog: int = 5, workers: int = 2, seconds: float = 0) -> Service:
    """Backlog from `--backlog`, whose default is 2048. Each reply takes so many `seconds`."""
    program = Path(sys.executable).with_name("gunicorn")
    if not program.exists():
        pytest.skip(f"{program} is not there (make test installs it)")
    (folder / "application.py").write_text(_APPLICATION.format(seconds=seconds))
    flags = [f"--chdir={folder}", f"--bind=127.0.0.1:{_PORT}", f"--backlog={backlog}", f"--workers={workers}"]
    return Service(
        name="gunicorn",
        process="gunicorn",
        # Its control socket would be in the home folder.
        command=(str(program), *flags, "--no-control-socket", "application"),
        folder=folder,
        listeners=(tcp(_PORT, backlog),),
        exchanges=HTTP,
    )
