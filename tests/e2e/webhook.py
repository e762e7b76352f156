"""The receiver of Alertmanager's notifications."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from testbed.program import Program
from tests.e2e import receiver
from tests.e2e.alert import Alert

_PORT = 9099


class Webhook(Program):
    """An HTTP server at `url` that keeps each notification in a file in `folder`."""

    url = f"http://127.0.0.1:{_PORT}/"

    def __init__(self, folder: Path) -> None:
        self._notifications = folder / "notifications"
        self._notifications.touch()
        # -P: without the folder of the script on the path, whose modules would hide others.
        command = (sys.executable, "-P", receiver.__file__, str(_PORT), str(self._notifications))
        super().__init__(command, folder / "webhook.log")

    def received(self) -> list[Alert]:
        """The alerts of all notifications so far; each comes again with every notification of its group."""
        complete, _, _ = self._notifications.read_text().rpartition("\n")
        notifications = [json.loads(line) for line in complete.splitlines()]
        return [
            Alert.from_webhook(alert, each["receiver"]) for each in notifications for alert in each["alerts"]
        ]
