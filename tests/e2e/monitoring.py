"""Prometheus, Alertmanager and a receiver of notifications, which watch the exporters of a test."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from testbed.alertmanager import Alertmanager
from testbed.prometheus import flags
from testbed.waiting import equals, until
from tests.e2e import shipped
from tests.e2e.alert import Alert, listing
from tests.e2e.alerting_prometheus import AlertingPrometheus
from tests.e2e.webhook import Webhook
from tests.integration.reference import Endpoint

_EXPORTER_PORT = 10511
# Printed where a test fails: every figure that an alert is about, unless it is 0.
_PRINTED = (
    '{__name__=~"listen_queue_(accept_(length|utilization_ratio)|accept_full_seconds_total'
    "|accept_oldest_wait_seconds|syn_recv|drops_total|threshold_exceeded|netns_.+"
    '|exporter_sample_interval_seconds|exporter_listeners_omitted)|up"} != 0'
    " or listen_queue_exporter_source_success or listen_queue_exporter_config_last_reload_successful"
)


class Monitoring:
    """All three on loopback; Prometheus scrapes exporters at `ports`. What each has is printed on failure.

    Prometheus scrapes nothing in its first five seconds (discovery/manager.go), so this is started first, and
    `wait_ready` is called when everything else runs.
    """

    def __init__(
        self, folder: Path, ports: Sequence[int] = (_EXPORTER_PORT,), rule_files: Sequence[Path] | None = None
    ) -> None:
        self._targets = len(ports)
        self._programs = ExitStack()
        try:
            self.webhook = self._programs.enter_context(Webhook(folder))
            config = folder / "alertmanager.yml"
            config.write_text(shipped.alertmanager(self.webhook.url))
            self._alertmanager = self._programs.enter_context(Alertmanager(folder, config))
            rules = shipped.rule_files() if rule_files is None else rule_files
            self.prometheus = self._programs.enter_context(
                AlertingPrometheus(
                    folder, flags(folder, shipped.prometheus(rules, ports, Alertmanager.address))
                )
            )
        except BaseException:
            self._programs.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            sys.stderr.write("".join(self._sections()))
        self._programs.__exit__(kind, error, trace)

    def wait_ready(self) -> Self:
        """Return when every exporter was scraped, and Prometheus sends alerts to Alertmanager."""
        self._alertmanager.wait_ready()
        self.prometheus.wait_until(
            lambda: len(self.prometheus.query("listen_queue:up == 1")) == self._targets
        )
        until(lambda: len(self.prometheus.alertmanagers()), equals(1))
        return self

    def alerts(self, *names: str) -> list[Alert]:
        """The alerts of these names that Alertmanager has, or all; suppressed ones too."""
        alerts = map(Alert.from_alertmanager, self._alertmanager.alerts())
        return [alert for alert in alerts if not names or alert.name in names]

    def listeners(self, *names: str) -> set[Endpoint]:
        """The listeners that those alerts name."""
        return {alert.listener for alert in self.alerts(*names)}

    def states(self, name: str, listener: Endpoint) -> set[str]:
        """The states of the alerts of this name about a listener."""
        return {alert.state for alert in self.alerts(name) if alert.listener == listener}

    def ever_firing(self, *names: str) -> set[Endpoint]:
        """The listeners that alerts of these names (regular expressions) named at any time of the test."""
        pattern = "|".join(names)
        series = self.prometheus.history(f'ALERTS{{alertstate="firing",alertname=~"{pattern}"}}')
        return {Endpoint(*(dict(labels).get(label, "") for label in Endpoint._fields)) for labels in series}

    def notified(self, state: str, *names: str) -> list[Alert]:
        """What the receiver was sent about alerts of these names that were firing, or resolved."""
        return [alert for alert in self.webhook.received() if alert.name in names and alert.state == state]

    def expect_valid_alerts(self) -> None:
        """Every rule was evaluated without an error, and no notification has a broken annotation."""
        until(self._failing_rules, equals([]))
        broken = {
            (alert.name, name): alert.annotations
            for alert in self.webhook.received()
            for name in alert.broken_annotations
        }
        assert not broken

    def _failing_rules(self) -> list[str]:
        return [rule["name"] for rule in self.prometheus.rules() if rule["health"] != "ok"]

    def _sections(self) -> Iterable[str]:
        yield _section("Prometheus' alerts", lambda: listing(self.prometheus.alerts()))
        yield _section("Alertmanager's alerts", lambda: listing(self.alerts()))
        yield _section("notifications", lambda: listing(self.webhook.received()))
        yield _section("scraped figures", partial(_figures, self.prometheus))


def _section(title: str, read: Callable[[], str]) -> str:
    try:
        text = read()
    except (Exception, pytest.fail.Exception) as failed:  # noqa: BLE001 # the test has failed already
        text = f"no answer: {failed}"
    return f"--- {title} ---\n{text}\n"


def _figures(prometheus: AlertingPrometheus) -> str:
    lines = []
    for labels, value in prometheus.query(_PRINTED).items():
        others = ",".join(f"{name}={text}" for name, text in sorted(labels) if name != "__name__")
        lines.append(f"{dict(labels)['__name__']} {others} {value:g}")
    return "\n".join(sorted(lines))
