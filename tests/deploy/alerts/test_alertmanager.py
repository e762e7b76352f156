"""The configuration for Alertmanager: critical alerts go to the pager, one cause makes one notification."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from testbed import programs
from testbed.alertmanager import Alertmanager
from testbed.waiting import until
from tests.deploy.alerts import shipped

pytestmark = pytest.mark.usefixtures("monitoring_release")

CONFIG = shipped.ROOT / "deploy/alertmanager/alertmanager.yml"
NAME = re.compile(r"ListenQueue[A-Za-z]+")

Labels = dict[str, str]

EXPORTER = {"job": "queues", "instance": "a:10511"}
TCP = EXPORTER | {
    "netns": "host",
    "protocol": "tcp",
    "address": "0.0.0.0",
    "port": "80",
    "process": "nginx",
}
UNIX = EXPORTER | {"netns": "host", "protocol": "unix", "address": "/run/php.sock", "process": "php-fpm"}
OTHER_LISTENERS: tuple[Labels, ...] = (
    {"port": "81"},
    {"address": "::"},
    {"netns": "edge"},
    {"instance": "b:10511"},
)
# Without NearlyFull, which suppresses some of them too.
FOLLOWS_FROM_FULL = ("Filling", "FullAtTimes", "Overflow", "SynCookies", "SynDropping")
WHAT_TO_CHANGE = ("BacklogCapped", "BacklogSmall", "ReuseportSkewed")


def alert(name: str, labels: Labels, **other: str) -> Labels:
    """The labels of an alert."""
    return {"alertname": f"ListenQueue{name}", "severity": "critical"} | labels | other


def around_full(name: str, labels: Labels) -> list[Labels]:
    """An alert that a queue is full, and alerts about the same and about other queues."""
    return [
        alert(name, labels),
        *(alert(each, labels, severity="warning") for each in (*FOLLOWS_FROM_FULL, *WHAT_TO_CHANGE)),
        *(alert("Filling", labels, severity="warning", **other) for other in OTHER_LISTENERS),
        # The labels of the owner differ while one series replaces another.
        alert("Filling", labels, process="other", severity="warning"),
        # The network namespace, not a listener.
        alert("Overflow", EXPORTER, netns="host"),
    ]


# Alerts that fire together, and which of them are suppressed.
CASES: dict[str, tuple[list[Labels], list[str]]] = {
    "full": (around_full("Full", TCP), [*FOLLOWS_FROM_FULL, "Filling"]),
    "unix full": (around_full("UnixFull", UNIX), [*FOLLOWS_FROM_FULL, "Filling"]),
    "stuck": (around_full("Stuck", TCP), [*FOLLOWS_FROM_FULL, "Filling"]),
    "full and nearly full": ([alert("Full", TCP), alert("NearlyFull", TCP)], ["NearlyFull"]),
    "stuck and full": (
        [
            alert("Stuck", TCP),
            alert("Full", TCP),
            alert("Full", TCP, port="81"),
            # Another program with a socket at the same port.
            alert("Full", TCP, process="other"),
        ],
        ["Full"],
    ),
    "nearly full": (
        [alert("NearlyFull", TCP), alert("Filling", TCP), alert("FullAtTimes", TCP)],
        ["Filling", "FullAtTimes"],
    ),
    "exporter stale": (
        [
            alert("ExporterStale", EXPORTER),
            alert("ExporterBlind", EXPORTER, source="inet", netns="host"),
            alert("ExporterBlind", EXPORTER, source="inet", netns="edge", instance="b:10511"),
            alert("ExporterReloadFailed", EXPORTER),
        ],
        ["ExporterBlind"],
    ),
    "exporter down": (
        [
            alert("ExporterDown", EXPORTER),
            alert("ExporterStale", EXPORTER),
            alert("Overflow", TCP),
            alert("Full", TCP, instance="b:10511"),
            alert("Full", TCP, job="other"),
        ],
        ["ExporterStale", "Overflow"],
    ),
    # Without the labels of a target.
    "no exporter at all": ([alert("ExporterDown", {}), alert("Full", TCP)], []),
}


def in_case(case: str, labels: Labels) -> Labels:
    """The labels with a job of the case, so that alerts of different cases do not suppress each other."""
    return labels | {"job": f"{case}: {labels['job']}"} if "job" in labels else labels


def seconds(duration: str) -> int:
    return int(duration[:-1]) * {"s": 1, "m": 60, "h": 3600}[duration[-1]]


def matchers(route: dict[str, Any]) -> Iterator[str]:
    """Every matcher of a route and of its child routes."""
    yield from route.get("matchers", [])
    for child in route.get("routes", []):
        yield from matchers(child)


def test_alertmanager_accepts_the_configuration() -> None:
    assert "SUCCESS" in programs.output("amtool", "check-config", str(CONFIG))


def test_every_alert_and_label_that_it_names_exists() -> None:
    config = yaml.safe_load(CONFIG.read_text())
    used = list(matchers(config["route"]))
    equal: set[str] = set(config["route"]["group_by"]) - {"alertname"}
    assert "cluster" in equal
    for rule in config["inhibit_rules"]:
        used += rule["source_matchers"] + rule["target_matchers"]
        assert rule["equal"][:3] == ["cluster", "job", "instance"]
        equal |= set(rule["equal"])
    names = {name for matcher in used for name in NAME.findall(matcher)}
    assert names - {"ListenQueue"} <= set(shipped.alert_names())
    assert equal - {"cluster"} == TCP.keys()


@pytest.mark.parametrize(
    ("name", "severity", "receiver"),
    [
        ("ListenQueueFull", "critical", "pager"),
        ("ListenQueueFull", "warning", "chat"),
        ("DiskFull", "critical", "chat"),
        ("DiskFull", "warning", "chat"),
    ],
)
def test_the_pager_receives_our_critical_alerts_alone(name: str, severity: str, receiver: str) -> None:
    labels = TCP | {"alertname": name, "severity": severity}
    arguments = (f"{label}={value}" for label, value in labels.items())
    found = programs.output("amtool", "config", "routes", "test", f"--config.file={CONFIG}", *arguments)
    assert found.strip() == receiver


def test_the_pager_is_notified_sooner_and_more_often() -> None:
    chat = yaml.safe_load(CONFIG.read_text())["route"]
    (pager,) = chat["routes"]
    for setting in ("group_wait", "group_interval", "repeat_interval"):
        assert seconds(pager[setting]) < seconds(chat[setting])


def test_each_receiver_has_a_webhook_of_its_name() -> None:
    for receiver in yaml.safe_load(CONFIG.read_text())["receivers"]:
        (webhook,) = receiver["webhook_configs"]
        assert webhook["url"].endswith(f"/{receiver['name']}")


@pytest.mark.netns
def test_an_alert_suppresses_what_follows_from_it_and_nothing_else(tmp_path: Path) -> None:
    with Alertmanager(tmp_path, CONFIG) as manager:
        manager.wait_ready()
        for case, (alerts, _) in CASES.items():
            manager.send(*(in_case(case, labels) for labels in alerts))
        # Alerts are processed in the order in which they are sent (inhibit/inhibit.go), so these come last.
        manager.send(*(in_case("last", labels) for labels in (alert("Stuck", TCP), alert("Full", TCP))))
        until(lambda: suppressed(manager, "last"), bool)
        found = {case: suppressed(manager, case) for case in CASES}
    assert found == {
        case: sorted(f"ListenQueue{name}" for name in names) for case, (_, names) in CASES.items()
    }


def suppressed(manager: Alertmanager, case: str) -> list[str]:
    """The names of the suppressed alerts of a case."""
    return sorted(
        each["labels"]["alertname"]
        for each in manager.alerts()
        if each["status"]["inhibitedBy"] and each["labels"].get("job", "").startswith(f"{case}: ")
    )
