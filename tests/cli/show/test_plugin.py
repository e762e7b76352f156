"""The line and the status of `show --check`."""

from __future__ import annotations

import re
from typing import Any

import pytest

from exporter.cli.show.listener import ShownListener
from exporter.cli.show.plugin import PluginOutput, PluginStatus, checked, unknown
from tests.cli.show.rows import listener, waiting

# 'label'=value[UOM];[warn];[crit];[min];[max] of the Monitoring Plugins Development Guidelines; a quote or an
# equals sign is no part of a label.
DATA = re.compile(
    r"'(?P<label>[^'=]+)'=(?P<value>-?[0-9.]+|U)(?P<unit>%?)"
    r";(?P<warning>[0-9.]*);(?P<critical>[0-9.]*);(?P<least>[0-9.]*)(?:;(?P<most>[0-9.]*))?"
)
ERROR = {"netns": "host", "source": "syn_recv", "error": "EPERM", "hides_listeners": False}


def check(*listeners: ShownListener, errors: tuple[Any, ...] = (), **patterns: str) -> PluginOutput:
    return checked(listeners, errors, tuple(patterns.items()))


def data(output: PluginOutput) -> dict[str, dict[str, str | None]]:
    """The performance data by their labels."""
    _, text = output.line.split(" | ")
    found = list(DATA.finditer(text))
    assert " ".join(each[0] for each in found) == text
    assert len({each["label"] for each in found}) == len(found)
    return {each["label"]: each.groupdict() for each in found}


@pytest.mark.parametrize(
    ("states", "status"),
    [
        (["ok"], PluginStatus.OK),
        (["warning", "ok"], PluginStatus.WARNING),
        (["critical", "warning"], PluginStatus.CRITICAL),
        (["full", "ok"], PluginStatus.CRITICAL),
        ([None, "ok"], PluginStatus.UNKNOWN),
        (["warning", None], PluginStatus.WARNING),
        (["nonsense"], PluginStatus.UNKNOWN),
    ],
)
def test_the_status_is_that_of_the_worst_listener(states: list[str | None], status: PluginStatus) -> None:
    output = check(*(listener(state=state, port=str(port)) for port, state in enumerate(states)))
    assert output.status is status
    assert output.line.startswith(f"LISTEN QUEUE {status.name} - ")


def test_statuses_are_those_of_the_guidelines() -> None:
    assert [each.value for each in PluginStatus] == [0, 1, 2, 3]
    assert [each.name for each in PluginStatus] == ["OK", "WARNING", "CRITICAL", "UNKNOWN"]


def test_no_listener_is_unknown() -> None:
    assert check() == unknown("no listener was found")
    assert check(port="81") == unknown("no listener matches the flags")
    assert check().status == 3


def test_what_cannot_be_read_is_unknown_unless_something_is_wrong() -> None:
    assert check(listener(), errors=(ERROR,)).status is PluginStatus.UNKNOWN
    assert check(listener(state="warning"), errors=(ERROR,)).status is PluginStatus.WARNING
    assert "cannot read syn_recv: EPERM" in check(listener(), errors=(ERROR,)).line


@pytest.mark.parametrize(
    ("source", "netns", "patterns", "status"),
    [
        # Without its owner a listener is there all the same, but no pattern of a process finds it.
        ("owners", "host", {}, PluginStatus.OK),
        ("owners", "host", {"process": "nginx"}, PluginStatus.UNKNOWN),
        ("inet", "web", {}, PluginStatus.UNKNOWN),
        ("inet", "web", {"netns": "host"}, PluginStatus.OK),
        ("inet", "web", {"netns": "w*"}, PluginStatus.UNKNOWN),
        ("namespaces", "host", {"netns": "web"}, PluginStatus.UNKNOWN),
    ],
)
def test_an_error_counts_where_it_may_hide_what_is_asked_for(
    source: str, netns: str, patterns: dict[str, str], status: PluginStatus
) -> None:
    error = ERROR | {"source": source, "netns": netns}
    assert check(listener(), errors=(error,), **patterns).status is status


def test_the_text_names_the_worst_listeners() -> None:
    wrong = [waiting(10, port=str(port), state="full", accept_peak_length=10) for port in range(5)]
    assert check(*wrong, listener()).line.split(" | ")[0] == (
        "LISTEN QUEUE CRITICAL - 5 full of 6 listeners: 0.0.0.0:0 nginx full 10/9; 0.0.0.0:1 nginx full 10/9;"
        " 0.0.0.0:2 nginx full 10/9; and 2 more"
    )
    fine = waiting(1, netns="web", accept_peak_length=6, syn_recv=3)
    assert check(fine).line.split(" | ")[0] == (
        "LISTEN QUEUE OK - 1 listener, the fullest 0.0.0.0:80 in web nginx ok 1/9, at most 6, 3 half-open"
    )


def test_performance_data_are_in_the_unit_of_the_thresholds() -> None:
    found = data(check(waiting(9, accept_warning="25%", syn_recv=5)))
    assert found["0.0.0.0:80 nginx"] == {
        "label": "0.0.0.0:80 nginx",
        "value": "90",
        "unit": "%",
        "warning": "25",
        "critical": "90",
        "least": "0",
        "most": None,
    }
    assert found["0.0.0.0:80 nginx syn_recv"]["value"] == "50"
    found = data(check(waiting(9, accept_warning="2", accept_critical="8")))
    assert found["0.0.0.0:80 nginx"] == {
        "label": "0.0.0.0:80 nginx",
        "value": "9",
        "unit": "",
        "warning": "2",
        "critical": "8",
        "least": "0",
        "most": "10",
    }
    mixed = data(check(waiting(9, accept_warning="2", accept_critical="80%")))["0.0.0.0:80 nginx"]
    assert (mixed["value"], mixed["unit"], mixed["warning"], mixed["critical"]) == ("90", "%", "", "80")


def test_a_value_that_is_not_known_is_u() -> None:
    found = data(check(listener(accept_utilization_ratio=None, syn_recv=None, state=None)))
    assert [each["value"] for each in found.values()] == ["U", "U"]


def test_labels_tell_listeners_apart() -> None:
    listeners = [
        listener(),
        listener(netns="web"),
        listener(process="apache2"),
        listener(protocol="unix", address="/run/a b.sock", port="", syn_recv_limit=None),
    ]
    assert set(data(check(*listeners))) == {
        *("0.0.0.0:80 nginx", "web/0.0.0.0:80 nginx", "0.0.0.0:80 apache2", "/run/a b.sock nginx"),
        *("0.0.0.0:80 nginx syn_recv", "web/0.0.0.0:80 nginx syn_recv", "0.0.0.0:80 apache2 syn_recv"),
    }


def test_names_can_neither_begin_performance_data_nor_a_line() -> None:
    output = check(
        listener(process="a|b'='c'=1;2\n\x1b[2J", netns="x|y"), errors=(ERROR | {"error": "a|\nb"},)
    )
    assert output.line.isprintable()
    assert output.line.count("|") == 1
    assert len(data(output)) == 2
