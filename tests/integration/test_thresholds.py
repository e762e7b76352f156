"""Thresholds in per cent and in connections, with hold and release, against the clock."""

from __future__ import annotations

import time
from contextlib import ExitStack

import pytest

from testbed import flood
from testbed.daemon import Daemon, running
from testbed.waiting import equals, until
from tests.integration import listening_sockets
from tests.integration.metric_values import figure, until_figure, until_sampled

EXCEEDED = "threshold_exceeded"
SECONDS = "threshold_exceeded_seconds_total"
WARNING = {"port": "8080", "queue": "accept", "severity": "warning"}
CRITICAL = {"port": "8080", "queue": "accept", "severity": "critical"}


def config(defaults: str) -> str:
    """A configuration that samples fast, with every series."""
    return f"sampling: {{interval: 10ms, cpu_budget: 100%}}\ndefaults: {{export: full, {defaults}}}\n"


def both(daemon: Daemon) -> tuple[float | None, float | None]:
    """Whether the warning and the critical level are exceeded."""
    page = daemon.metrics()
    return (
        page.value(f"listen_queue_{EXCEEDED}", **WARNING),
        page.value(f"listen_queue_{EXCEEDED}", **CRITICAL),
    )


@pytest.mark.netns
@pytest.mark.parametrize("levels", ["warning: 20%, critical: 50%", "warning: 2, critical: 5"])
def test_a_level_is_exceeded_from_its_value_on_in_per_cent_and_in_connections(levels: str) -> None:
    text = config(f"accept: {{{levels}}}, release: 0s")
    with ExitStack() as stack, running(config=text) as daemon:
        listener = stack.enter_context(listening_sockets.tcp("127.0.0.1", backlog=9))
        connected = 0
        for waiting, expected in ((1, (0, 0)), (2, (1, 0)), (4, (1, 0)), (5, (1, 1))):
            for client in listening_sockets.clients(listener, waiting - connected):
                stack.enter_context(client)
            connected = waiting
            until_figure(daemon, waiting, "accept_length", port="8080")
            until(lambda: both(daemon), equals(expected))
            until_sampled(daemon, "inet")
            assert both(daemon) == expected
        stack.enter_context(listening_sockets.accept(listener, 1)[0])
        until(lambda: both(daemon), equals((1, 0)))
        unit = "ratio" if "%" in levels else "connections"
        assert figure(daemon, f"threshold_{unit}", rule="defaults", queue="accept", severity="warning") in (
            2,
            0.2,
        )


@pytest.mark.netns
def test_a_level_counts_after_hold_and_clears_after_release() -> None:
    """Its seconds count from the start, and no longer than it was really exceeded."""
    text = config("accept: {warning: 1, critical: 100%}, hold: 1500ms, release: 1s")
    with listening_sockets.tcp("127.0.0.1", backlog=9) as listener, running(config=text) as daemon:
        until_figure(daemon, 0, EXCEEDED, **WARNING)
        before = time.monotonic()
        (client,) = listening_sockets.clients(listener, 1)
        until(lambda: figure(daemon, SECONDS, **WARNING), lambda found: found is not None and found > 0)
        until_figure(daemon, 1, EXCEEDED, **WARNING)
        assert time.monotonic() - before >= 1.5
        assert (figure(daemon, SECONDS, **WARNING) or 0) >= 1.5
        assert figure(daemon, EXCEEDED, **CRITICAL) == 0

        accepted_from = time.monotonic()
        listening_sockets.accept(listener, 1)[0].close()
        until_figure(daemon, 0, "accept_length", port="8080")
        seconds = figure(daemon, SECONDS, **WARNING)
        assert seconds is not None
        assert seconds <= time.monotonic() - before
        until_figure(daemon, 0, EXCEEDED, **WARNING)
        assert time.monotonic() - accepted_from >= 1
        assert figure(daemon, SECONDS, **WARNING) == seconds
        assert figure(daemon, SECONDS, **CRITICAL) == 0
        client.close()


@pytest.mark.netns
def test_what_does_not_last_as_long_as_hold_never_counts_but_its_seconds_do() -> None:
    text = config("accept: {warning: 1, critical: 2}, hold: 1h")
    with listening_sockets.tcp("127.0.0.1", backlog=9) as listener, running(config=text) as daemon:
        clients = listening_sockets.clients(listener, 3)
        until(lambda: figure(daemon, SECONDS, **CRITICAL), lambda found: found is not None and found > 1)
        assert both(daemon) == (0, 0)
        for client in clients:
            client.close()


@pytest.mark.netns
def test_syn_recv_connections_have_thresholds_of_their_own() -> None:
    text = config("syn_recv: {warning: 5, critical: 40%}")
    levels = {"port": "8080", "queue": "syn_recv"}
    with (
        flood.Tun() as tun,
        listening_sockets.tcp(listening_sockets.TUN_IPV4, backlog=19),
        running(config=text) as daemon,
    ):
        flood.syn_flood(tun, listening_sockets.TUN_IPV4, 8080, 7)
        until_figure(daemon, 1, EXCEEDED, **levels, severity="warning")
        assert figure(daemon, EXCEEDED, **levels, severity="critical") == 0
        flood.syn_flood(tun, listening_sockets.TUN_IPV4, 8080, 1, first=7)
        until_figure(daemon, 1, EXCEEDED, **levels, severity="critical")
        assert both(daemon) == (0, 0)


@pytest.mark.netns
def test_the_first_rule_that_matches_gives_the_levels_and_its_name() -> None:
    rules = """
rules:
  - {name: one, match: {protocol: tcp, port: 8081}, accept: {warning: 1, critical: 9}}
  - {name: two, match: {protocol: tcp, address: 127.0.0.0/8}, accept: {warning: 2, critical: 9}}
  - {name: three, match: {protocol: unix, address: "@que*"}, accept: {warning: 1, critical: 9}}
"""
    with ExitStack() as stack, running(config=config("hold: 0s") + rules) as daemon:
        for listener in (
            listening_sockets.tcp("127.0.0.1", 8081),
            listening_sockets.tcp("127.0.0.1", 8082),
            listening_sockets.tcp("::1", 8083, backlog=0),
            listening_sockets.unix("\0queue"),
        ):
            stack.enter_context(listener)
            stack.enter_context(listening_sockets.clients(listener, 1)[0])
        warning = {"queue": "accept", "severity": "warning"}
        for labels, rule, exceeded in (
            ({"port": "8081"}, "one", 1),
            ({"port": "8082"}, "two", 0),
            ({"port": "8083"}, "defaults", 1),
            ({"protocol": "unix"}, "three", 1),
        ):
            until_figure(daemon, 1, "listener_info", rule=rule, **labels)
            until_figure(daemon, exceeded, EXCEEDED, **warning, **labels)
