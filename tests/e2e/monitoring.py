"""What watches and what tells: Prometheus, Alertmanager and a receiver of notifications."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from testbed.daemon import Daemon
from testbed.waiting import equals, until
from tests.e2e.alert import Alert, listing
from tests.e2e.alertmanager import Alertmanager
from tests.e2e.prometheus import AlertingPrometheus
from tests.e2e.webhook import Webhook
from tests.integration.reference import CgroupLocation

# What says something where it is not 0: a failure shows these lines of the page.
_TELLING = re.compile(
    r"listen_queue_(accept_(length|utilization_ratio)|accept_full_seconds_total|accept_oldest_wait_seconds"
    r"|syn_recv|drops_total|threshold_exceeded|netns_\w+|exporter_source_success"
    r"|exporter_sample_interval_seconds|exporter_config_last_reload_successful|exporter_listeners_omitted)"
    r"[{ ]"
)


class Stack:
    """All three, on loopback, over these exporters; what each had is shown where the test fails."""

    def __init__(self, folder: Path, *exporters: Daemon) -> None:
        self._exporters = exporters
        self._parts = ExitStack()
        self.webhook = self._parts.enter_context(Webhook(folder))
        self.alertmanager = self._parts.enter_context(Alertmanager(folder, self.webhook.url))
        ports = [exporter.port for exporter in exporters]
        self.prometheus = self._parts.enter_context(
            AlertingPrometheus(folder, ports, self.alertmanager.address)
        )

    def __enter__(self) -> Self:
        try:
            # Every exporter was scraped and found to be one, so a queue is noticed at the next scrape.
            until(
                lambda: len(self.prometheus.query("listen_queue:up == 1")),
                equals(len(self._exporters)),
            )
            until(lambda: len(self.prometheus.alertmanagers()), equals(1))
            until(self.alertmanager.is_ready, bool)
        except BaseException as error:
            self.__exit__(type(error), error, error.__traceback__)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            sys.stderr.write("".join(self._all_that_is_known()))
        self._parts.__exit__(kind, error, trace)

    def told(self, *names: str) -> list[Alert]:
        """The alerts of these names that Alertmanager has."""
        return [alert for alert in self.alertmanager.alerts() if alert.name in names]

    def places(self, *names: str) -> set[CgroupLocation]:
        """The listeners that they name."""
        return {alert.place for alert in self.told(*names)}

    def ever(self, *names: str) -> set[CgroupLocation]:
        """The listeners that alerts of these names have named at any time, by Prometheus's own record."""
        wanted = "|".join(names)
        series = self.prometheus.history(f'ALERTS{{alertstate="firing",alertname=~"{wanted}"}}')
        return {
            CgroupLocation(*(dict(labels).get(label, "") for label in CgroupLocation._fields))
            for labels in series
        }

    def notified(self, state: str, *names: str) -> list[Alert]:
        """What the receiver was told of alerts of these names that were firing, or resolved."""
        return [alert for alert in self.webhook.received() if alert.name in names and alert.state == state]

    def expect_soundness(self) -> None:
        """Every rule could be evaluated, and no alert that was sent has a template that is left or failed."""
        broken = [rule for rule in self.prometheus.rules() if rule["health"] != "ok"]
        assert not broken
        unsound = {
            (alert.name, name): alert.annotations
            for alert in self.webhook.received()
            for name in alert.unsound
        }
        assert not unsound

    def _all_that_is_known(self) -> Iterable[str]:
        yield _section("Prometheus had", lambda: listing(self.prometheus.alerts()))
        yield _section("Alertmanager had", lambda: listing(self.alertmanager.alerts()))
        yield _section("the receiver was told", lambda: listing(self.webhook.received()))
        for exporter in self._exporters:
            yield _section(f"the exporter at port {exporter.port} had", partial(_page, exporter))


def _section(title: str, ask: Callable[[], str]) -> str:
    try:
        text = ask()
    except (Exception, pytest.fail.Exception) as silent:  # noqa: BLE001 # this is shown because something failed
        text = f"no answer: {silent}"
    return f"--- {title} ---\n{text}\n"


def _page(exporter: Daemon) -> str:
    lines = [line for line in exporter.scrape().splitlines() if _TELLING.match(line)]
    return "\n".join(line for line in lines if not line.endswith((" 0", " 0.0")) or "success" in line)
