"""Only figures that stayed the same are compared, and each of them."""

from __future__ import annotations

from tests.soak.comparison import SETTLED_SECONDS, Stable, differences


def test_a_value_counts_once_it_has_been_the_same_for_long_enough() -> None:
    stable: Stable[str, int] = Stable()
    stable.look({"a": 1, "b": 1}, 0)
    stable.look({"a": 1, "b": 2}, 5)
    assert stable.stable(SETTLED_SECONDS - 1) == {}
    assert stable.stable(SETTLED_SECONDS) == {"a": 1}
    assert stable.stable(5 + SETTLED_SECONDS) == {"a": 1, "b": 2}


def test_what_is_gone_has_to_be_absent() -> None:
    stable: Stable[str, int] = Stable()
    stable.look({"a": 1}, 0)
    stable.look({}, 1)
    assert stable.stable(1) == {}
    assert stable.stable(1 + SETTLED_SECONDS) == {"a": None}


def test_what_is_gone_is_forgotten_at_last() -> None:
    stable: Stable[str, int] = Stable()
    stable.look({"a": 1}, 0)
    stable.look({}, 1)
    stable.look({}, 1000)
    assert stable.stable(1000) == {}


def test_every_difference_is_a_line() -> None:
    assert differences({"a": 1, "b": 2, "c": None, "d": None}, {"a": 1, "b": 3, "c": 4, "x": 9}) == [
        "b: the page says 3, ss 2",
        "c: the page says 4, ss nothing",
    ]
    assert differences({"a": 1}, {}) == ["a: the page says nothing, ss 1"]
