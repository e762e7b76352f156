"""The example for Alertmanager: it wakes people for what is critical, and for one trouble once."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest
import yaml

from testbed import programs, syscalls
from testbed.alertmanager import bring_templates
from testbed.waiting import equals, until
from tests.deploy.alerts import shipped

CONFIG = shipped.ROOT / "deploy/alertmanager/alertmanager.yml"

_URL = "http://127.0.0.1:9093/api/v2/alerts"
_NAME = re.compile(r"ListenQueue[A-Za-z]+")

HOST = {"job": "queues", "instance": "a:10511"}
SHOP = HOST | {"netns": "host", "protocol": "tcp", "address": "0.0.0.0", "port": "80", "process": "nginx"}
PHP = HOST | {"netns": "host", "protocol": "unix", "address": "/run/php.sock", "process": "php-fpm"}


class Alertmanager:
    """Alertmanager with the shipped configuration on loopback; it says what it does with alerts."""

    def __init__(self, folder: Path) -> None:
        self._log = folder / "alertmanager.log"
        program = programs.find("prometheus-alertmanager")
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [
                    program,
                    f"--config.file={CONFIG}",
                    f"--storage.path={folder / 'data'}",
                    "--web.listen-address=127.0.0.1:9093",
                    # Alone: no other to talk to.
                    "--cluster.listen-address=",
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=lambda: _prepare(program),  # noqa: PLW1509 # the lab has one thread
            )

    def __enter__(self) -> Self:
        try:
            until(self._alerts, lambda found: found is not None)
        except BaseException as error:
            self.__exit__(type(error), error, error.__traceback__)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        if error is not None:
            sys.stderr.write(f"--- alertmanager wrote ---\n{self._log.read_text(errors='backslashreplace')}")

    def send(self, *alerts: dict[str, str]) -> None:
        """Have these alerts fire, and return when all of them are known."""
        body = json.dumps([{"labels": labels} for labels in alerts]).encode()
        request = urllib.request.Request(_URL, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=10):  # noqa: S310 # http, as it says above
            pass
        until(self._alerts, lambda found: found is not None and len(found) == len(alerts))

    def suppressed(self) -> list[str]:
        """The names of the alerts that an inhibition keeps back."""
        kept = [each for each in self._alerts() or [] if each["status"]["inhibitedBy"]]
        return sorted(each["labels"]["alertname"] for each in kept)

    def receivers(self) -> list[str]:
        """The names of who is told of the alerts."""
        return [receiver["name"] for each in self._alerts() or [] for receiver in each["receivers"]]

    def _alerts(self) -> list[dict[str, Any]] | None:
        if self._process.poll() is not None:
            pytest.fail(f"alertmanager exited with {self._process.returncode}")
        try:
            with urllib.request.urlopen(_URL, timeout=10) as answer:
                found: list[dict[str, Any]] = json.load(answer)
        except (urllib.error.URLError, ConnectionError):
            return None
        return found


def _prepare(program: str) -> None:
    bring_templates(program)
    syscalls.die_with_parent()


def alert(name: str, at: dict[str, str], **other: str) -> dict[str, str]:
    """The labels of an alert at a place, some of them other than there."""
    return {"alertname": f"ListenQueue{name}", "severity": "critical"} | at | other


def matchers(route: dict[str, Any]) -> Iterator[str]:
    """Every matcher of a route and of those below it."""
    yield from route.get("matchers", [])
    for child in route.get("routes", []):
        yield from matchers(child)


def test_alertmanager_takes_the_configuration() -> None:
    assert "SUCCESS" in programs.output("amtool", "check-config", str(CONFIG))


def test_it_speaks_of_alerts_and_labels_that_there_are() -> None:
    config = yaml.safe_load(CONFIG.read_text())
    said = list(matchers(config["route"]))
    equal: set[str] = set(config["route"]["group_by"]) - {"alertname"}
    for rule in config["inhibit_rules"]:
        said += rule["source_matchers"] + rule["target_matchers"]
        equal |= set(rule["equal"])
    names = {name for matcher in said for name in _NAME.findall(matcher)}
    assert names - {"ListenQueue"} <= set(shipped.alert_names())
    assert equal == SHOP.keys() - {"process"}


@pytest.mark.netns
@pytest.mark.parametrize("severity", ["critical", "warning"])
@pytest.mark.parametrize("ours", [True, False])
def test_the_pager_is_for_our_critical_alerts(tmp_path: Path, severity: str, ours: bool) -> None:  # noqa: FBT001
    labels = {"alertname": "ListenQueueFull" if ours else "DiskFull", "severity": severity}
    with Alertmanager(tmp_path) as manager:
        wanted = "pager" if ours and severity == "critical" else "chat"
        manager.send(SHOP | labels)
        assert manager.receivers() == [wanted]


@pytest.mark.netns
@pytest.mark.parametrize(("full", "at"), [("Full", SHOP), ("UnixFull", PHP), ("Stuck", SHOP)])
def test_a_full_queue_is_told_of_once(tmp_path: Path, full: str, at: dict[str, str]) -> None:
    """What follows from it is kept back, for the same queue only; what to change is not."""
    follows = ("NearlyFull", "Filling", "FullAtTimes", "Overflow", "SynCookies", "SynDropping")
    says_what_to_do = ("BacklogCapped", "BacklogSmall", "ReuseportSkewed")
    others: tuple[dict[str, str], ...] = (
        {"port": "81"},
        {"address": "::"},
        {"netns": "edge"},
        {"instance": "b"},
    )
    with Alertmanager(tmp_path) as manager:
        manager.send(
            alert(full, at),
            *(alert(name, at, severity="warning") for name in (*follows, *says_what_to_do)),
            *(alert("Filling", at, severity="warning", **other) for other in others),
            # Owner labels may differ while one series gives way to the next.
            alert("Filling", at, process="other", severity="warning"),
            # The namespace alone.
            alert("Overflow", HOST, netns="host"),
        )
        wanted = sorted(f"ListenQueue{name}" for name in (*follows, "Filling"))
        # Inhibitions are worked out a moment after alerts are known.
        until(manager.suppressed, equals(wanted))


@pytest.mark.netns
@pytest.mark.parametrize(
    ("sources", "kept"),
    [
        ([alert("Stuck", SHOP), alert("Full", SHOP), alert("Full", SHOP, port="81")], ["Full"]),
        (
            [alert("NearlyFull", SHOP), alert("Filling", SHOP), alert("FullAtTimes", SHOP)],
            ["Filling", "FullAtTimes"],
        ),
        (
            [
                alert("ExporterStale", HOST),
                alert("ExporterBlind", HOST, source="inet", netns="host"),
                alert("ExporterBlind", HOST, source="inet", netns="edge", instance="b"),
                alert("ExporterReloadFailed", HOST),
            ],
            ["ExporterBlind"],
        ),
        (
            [
                alert("ExporterDown", HOST),
                alert("ExporterStale", HOST),
                alert("Overflow", SHOP),
                alert("Full", SHOP, instance="b"),
                alert("Full", SHOP, job="other"),
            ],
            ["ExporterStale", "Overflow"],
        ),
        # No exporter at all: it has no labels of a target. What is kept back comes last, so that the rest was
        # looked at.
        (
            [
                alert("ExporterDown", {}),
                alert("Full", SHOP),
                alert("ExporterDown", HOST, instance="b"),
                alert("ExporterOmitting", HOST, instance="b"),
            ],
            ["ExporterOmitting"],
        ),
    ],
    ids=["stuck", "nearly full", "stale", "down", "none at all"],
)
def test_what_follows_from_another_alert_is_kept_back(
    tmp_path: Path, sources: list[dict[str, str]], kept: list[str]
) -> None:
    with Alertmanager(tmp_path) as manager:
        manager.send(*sources)
        until(manager.suppressed, equals([f"ListenQueue{name}" for name in kept]))
