"""Supervisor and brokers import nothing: they may not be able to read the files of Python when they run."""

from __future__ import annotations

import os
from pathlib import Path
from signal import SIGHUP, SIGKILL

import pytest

from exporter.broker.process_name import FILE_BROKER
from testbed.daemon import Daemon
from testbed.netns import Namespaces
from tests.broker.broker_processes import wait_for_child
from tests.integration import listening_sockets
from tests.integration.metric_values import until_figure
from tests.integration.other_namespaces import only, supervisor_and_broker, until_shown
from tests.integration.service import Service

# Python runs it at its start. Standard error is the only descriptor that supervisor and brokers keep.
_HOOK = """
import os, sys

def tell(event, arguments):
    if event == "import":
        os.write(2, f"imported after a fork: {arguments[0]}\\n".encode())

os.register_at_fork(after_in_child=lambda: sys.addaudithook(tell))
"""


@pytest.mark.netns
def test_supervisor_and_brokers_import_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sitecustomize.py").write_text(_HOOK)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    path = tmp_path / "app.sock"
    with (
        Namespaces() as namespaces,
        Service(b"app", lambda: [listening_sockets.unix(str(path))]),
        Daemon(config=only("other"), namespaces=True, confined=True) as daemon,
    ):
        daemon.config_file.chmod(0o600)
        daemon.wait_ready()
        supervisor, broker = supervisor_and_broker(daemon)
        (file_broker,) = wait_for_child(supervisor, FILE_BROKER)
        # One that is started again does all this as well, and what it reports is formatted.
        for pid in (broker, file_broker):
            os.kill(pid, SIGKILL)
        namespaces.named("other").listen_tcp(8000, backlog=100)
        until_shown(daemon, "other", (8000, 100))
        until_figure(daemon, 16, "accept_limit", address=str(path), process="app")
        daemon.config_file.write_text("nonsense: 1\n")
        daemon.signal(SIGHUP)
        daemon.wait_for_log("nonsense")
        assert "imported after a fork" not in daemon.log
