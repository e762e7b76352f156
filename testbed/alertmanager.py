"""A real Alertmanager, alone and on loopback."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path
from typing import Any

from testbed import programs, syscalls
from testbed.program import Program

_ADDRESS = "127.0.0.1:9093"
_URL = f"http://{_ADDRESS}/api/v2/alerts"
_SHARE = Path("/usr/share")
_TEMPLATES = "prometheus/alertmanager"


class Alertmanager(Program):
    """Alertmanager at `address`, with the configuration of a file and its data in `folder`."""

    address = _ADDRESS

    def __init__(self, folder: Path, config: Path) -> None:
        program = programs.find("prometheus-alertmanager")
        flags = (
            f"--config.file={config}",
            f"--storage.path={folder / 'alertmanager'}",
            f"--web.listen-address={self.address}",
            # No cluster: it would listen on another port, and wait for its peers.
            "--cluster.listen-address=",
        )
        super().__init__(
            (program, *flags), folder / "alertmanager.log", before_exec=lambda: _mount_templates(program)
        )

    def wait_ready(self) -> None:
        """Return when it answers; fails the test at the deadline."""
        self.wait_until(self._answers)

    def alerts(self) -> list[dict[str, Any]]:
        """Every alert that it has, those that it suppresses included; OSError where it does not answer."""
        with urllib.request.urlopen(_URL, timeout=10) as answer:
            found: list[dict[str, Any]] = json.load(answer)
        return found

    def send(self, *labels: dict[str, str]) -> None:
        """Have alerts with these labels fire."""
        body = json.dumps([{"labels": each} for each in labels]).encode()
        request = urllib.request.Request(_URL, body, {"Content-Type": "application/json"})
        urllib.request.urlopen(request, timeout=10).close()  # noqa: S310 # the scheme is http

    def _answers(self) -> bool:
        try:
            self.alerts()
        except OSError:
            return False
        return True


def _mount_templates(program: str) -> None:
    """Let Debian's Alertmanager find its templates in /usr/share, where it was unpacked and not installed."""
    share = Path(program).resolve().parents[1] / "share"
    if not (_SHARE / _TEMPLATES).exists() and (share / _TEMPLATES).exists():
        syscalls.unshare(syscalls.CLONE_NEWNS)
        syscalls.keep_mounts_private()
        syscalls.mount_same(str(share), str(_SHARE))
