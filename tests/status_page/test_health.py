"""The top of the page: nothing reads as healthy that is not known to be."""

from __future__ import annotations

from typing import Any

import pytest

from exporter.api.overview import Overview
from exporter.kernel.errors import KernelError
from exporter.status_page.health import health, overall_state
from tests.sampling.simulation import Simulation
from tests.status_page.shown_host import busy, quiet
from tests.status_page.test_markup import Parsed

FAILED = KernelError("cannot <ask>", "EPERM")


def document(made: Simulation, *words: str) -> dict[str, Any]:
    return Overview(made.sampler, made.clock.clock()).document(words)


def text_of(made: Simulation) -> str:
    return Parsed(health(document(made), reload_failed=False)).text


def test_none_over_its_threshold() -> None:
    assert overall_state(document(quiet())) == ("ok", "2 listeners, none over its threshold.")


def test_the_worst_is_told_whatever_is_looked_for() -> None:
    assert overall_state(document(busy(), "app.sock")) == ("full", "Of 20 listeners: 1 full, 1 warning.")


def test_what_is_over_its_threshold_has_its_figures() -> None:
    text = text_of(busy())
    assert "full 10.0.0.1:80 nginx: 10 wait, backlog 9; the oldest for 3.2 s" in text
    assert "60 half-open connections (60% of what is admitted)" in text
    assert "The queues of 1 listener cannot be read." in text


def test_with_a_source_that_fails_nothing_is_ok() -> None:
    made = quiet()
    made.kernel.tcp.error = FAILED
    made.run_for(1.0)
    assert overall_state(document(made)) == (
        "unseen",
        "Of 1 listener that can be seen, none is over its threshold.",
    )
    assert "Cannot see inet of host: cannot <ask>: EPERM" in text_of(made)


def test_where_nothing_can_be_seen_it_says_so() -> None:
    made = quiet()
    made.clock.now += 10.0
    state, text = overall_state(document(made))
    assert (state, text[:16]) == ("unseen", "No fresh sample:")


def test_an_unreadable_queue_is_not_ok() -> None:
    assert overall_state(document(quiet()) | {"counts": {"ok": 1, "unknown": 1}})[0] == "unseen"


def test_no_listener_is_not_ok() -> None:
    made = quiet("defaults: {export: false}")
    state, text = overall_state(document(made))
    assert (state, text) == ("unseen", "No listener: nothing listens here, or the rules publish none of it.")


def test_errors_are_told_once_and_are_bounded() -> None:
    shared = [{"netns": f"n{i}", "source": source, "error": "x"} for i in range(9) for source in ("a", "b")]
    others = [{"netns": "host", "source": "inet", "error": f"e{i}"} for i in range(20)]
    text = Parsed(health(document(quiet()) | {"errors": shared + others}, reload_failed=False)).text
    assert "Cannot see a, b of n0, n1, n2 and 6 further namespaces: x" in text
    assert "11 further errors." in text


@pytest.mark.parametrize("failed", [True, False])
def test_a_configuration_that_is_not_in_force_is_told(failed: bool) -> None:  # noqa: FBT001
    text = Parsed(health(document(quiet()), reload_failed=failed)).text
    assert ("The newest configuration is wrong, and not in force" in text) is failed


@pytest.mark.parametrize("only_own", [True, False])
def test_it_says_where_other_namespaces_are_not_seen(only_own: bool) -> None:  # noqa: FBT001
    text = Parsed(health(document(quiet()) | {"only_own_namespace": only_own}, reload_failed=False)).text
    assert ("Only this network namespace is seen, and no container." in text) is only_own
