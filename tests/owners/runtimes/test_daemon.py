"""Options in the arguments of daemons."""

from __future__ import annotations

import pytest

from exporter.owners.runtimes.daemon import options
from tests.owners.runtimes.daemons import daemon


@pytest.mark.parametrize(
    "arguments",
    [
        ("--data-root", "/srv"), ("--data-root=/srv",), ("-g", "/srv"), ("-g/srv",), ("-g=/srv",),
        ("-D", "--data-root", "/srv", "--data-root", "/other"),
        ("/usr/bin/python3", "/usr/bin/dockerd", "--data-root", "/srv"),
    ],
)  # fmt: skip
def test_value_of_an_option(arguments: tuple[str, ...]) -> None:
    assert daemon("dockerd", *arguments).option("--data-root", "-g") == "/srv"


@pytest.mark.parametrize(
    "arguments", [(), ("--data-root",), ("--data-rooted", "/srv"), ("data-root", "/srv")]
)
def test_option_without_a_value(arguments: tuple[str, ...]) -> None:
    assert daemon("dockerd", *arguments).option("--data-root", "-g") == ""


def test_every_value_of_an_option_that_is_repeated() -> None:
    assert list(options(("--arg", "--root", "--arg", "/srv", "--arg=x"), "--arg")) == ["--root", "/srv", "x"]
