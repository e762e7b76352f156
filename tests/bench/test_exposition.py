"""Finding samples on a page."""

from __future__ import annotations

import pytest

from bench.exposition import Exposition

PAGE = Exposition(
    """# HELP length Connections.
# TYPE length gauge
length{netns="host",port="80"} 3.0
length{netns="pod",port="8080"} 4.0
length_limit{netns="host",port="80"} 128.0
namespaces 2.0
# EOF
"""
)


def test_a_name_is_not_the_begin_of_another() -> None:
    assert PAGE.values("length") == [3.0, 4.0]


@pytest.mark.parametrize(
    ("labels", "values"),
    [
        ({"port": "80"}, [3.0]),
        ({"netns": "pod", "port": "8080"}, [4.0]),
        ({"netns": "pod", "port": "80"}, []),
        ({"ort": "80"}, []),
    ],
)
def test_labels_are_compared_whole(labels: dict[str, str], values: list[float]) -> None:
    assert PAGE.values("length", **labels) == values


def test_a_series_without_labels_is_found() -> None:
    assert PAGE.value("namespaces") == 2.0


@pytest.mark.parametrize("name", ["length", "missing"])
def test_a_value_is_that_of_one_sample(name: str) -> None:
    with pytest.raises(LookupError, match=name):
        PAGE.value(name)


def test_every_series_is_counted_and_no_comment() -> None:
    assert len(list(PAGE.series())) == 4
    assert len(list(PAGE.series(netns="host"))) == 2
