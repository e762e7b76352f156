"""Somebody who is called by Alertmanager."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tests.e2e import receiver
from tests.e2e.alert import Alert
from tests.e2e.process import Process

_PORT = 9099


class Webhook(Process):
    """A receiver of notifications at `url`, which are kept in `folder`."""

    url = f"http://127.0.0.1:{_PORT}/"

    def __init__(self, folder: Path) -> None:
        self._notifications = folder / "notifications"
        self._notifications.touch()
        # -P: what lies beside the program is no module of its own.
        command = (sys.executable, "-P", receiver.__file__, str(_PORT), str(self._notifications))
        super().__init__("webhook", command, folder)

    def received(self) -> list[Alert]:
        """The alerts of all notifications so far; each comes again with every notification of its group."""
        complete, _, _ = self._notifications.read_text().rpartition("\n")
        notifications = [json.loads(line) for line in complete.splitlines()]
        return [
            Alert.from_webhook(told, each["receiver"]) for each in notifications for told in each["alerts"]
        ]
