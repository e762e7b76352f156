"""A real Alertmanager with the shipped configuration, which tells one receiver, and at once."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path
from typing import Any

import yaml

from testbed import programs
from testbed.alertmanager import bring_templates
from tests.e2e.alert import Alert
from tests.e2e.process import Process

_PORT = 9093
_SHIPPED = Path(__file__).resolve().parents[2] / "deploy/alertmanager/alertmanager.yml"


class Alertmanager(Process):
    """Alertmanager at `address`, with its data in `folder`; it sends everything to `url`."""

    address = f"127.0.0.1:{_PORT}"

    def __init__(self, folder: Path, url: str) -> None:
        config = folder / "alertmanager.yml"
        config.write_text(yaml.safe_dump(_configured(url)))
        program = programs.find("prometheus-alertmanager")
        command = (
            program,
            f"--config.file={config}",
            f"--storage.path={folder / 'alertmanager'}",
            f"--web.listen-address={self.address}",
            # Alone: no other to talk to.
            "--cluster.listen-address=",
        )
        super().__init__("alertmanager", command, folder, prepare=lambda: bring_templates(program))

    def is_ready(self) -> bool:
        """Whether it answers by now."""
        self.must_run()
        try:
            self.alerts()
        except OSError:
            return False
        return True

    def alerts(self) -> list[Alert]:
        """What it holds, also what it keeps back; OSError where it does not answer."""
        with urllib.request.urlopen(f"http://{self.address}/api/v2/alerts", timeout=10) as answer:
            return [Alert.from_alertmanager(told) for told in json.load(answer)]


def _configured(url: str) -> dict[str, Any]:
    """As shipped, but for the receivers' URL and the time that a group waits."""
    config: dict[str, Any] = yaml.safe_load(_SHIPPED.read_text())
    _hurry(config["route"])
    for receiver in config["receivers"]:
        for webhook in receiver["webhook_configs"]:
            webhook["url"] = url + receiver["name"]
    return config


def _hurry(route: dict[str, Any]) -> None:
    route |= {"group_wait": "0s", "group_interval": "1s"}
    for child in route.get("routes", []):
        _hurry(child)
