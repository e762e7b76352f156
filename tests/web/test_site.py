"""What a site refuses to be made of."""

from __future__ import annotations

import pytest

from exporter.errors import UsageError
from tests.web.running import site


@pytest.mark.parametrize("path", ["/metrics", "/-/metrics", "/a/b", "/m~1", "/metrics/"])
def test_telemetry_path(path: str) -> None:
    """Any path that is free."""
    assert site(telemetry_path=path).telemetry_path == path


@pytest.mark.parametrize(
    "path",
    [
        "",
        "metrics",
        "/",
        "/-/healthy",
        "/-/ready",
        "/-/reload",
        "/a b",
        "/a?b",
        "/a#b",
        "/a%20b",
        "/é",
        "/a\n",
        '/a"b',
    ],
)
def test_wrong_telemetry_path_gets_one_line(path: str) -> None:
    """The line names the flag and the path."""
    with pytest.raises(UsageError) as caught:
        site(telemetry_path=path)
    assert str(caught.value).startswith(f"--web.telemetry-path: {path!r} ")
    assert "\n" not in str(caught.value)


def test_negative_limit() -> None:
    """A limit below zero means nothing."""
    with pytest.raises(UsageError, match=r"--web\.max-requests"):
        site(max_requests=-1)
