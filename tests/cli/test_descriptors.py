"""How many clients may be connected, and wait, within the limit of open files."""

from __future__ import annotations

import resource

import pytest

from exporter.cli.descriptors import max_connections


@pytest.mark.netns
@pytest.mark.parametrize(
    ("limit", "wanted", "allowed"),
    [(20_000, 512, (512, 2048)), (1024, 512, (256, 256)), (40, 512, (10, 10)), (1024, 7, (7, 28))],
)
def test_clients_have_half_of_the_open_files(limit: int, wanted: int, allowed: tuple[int, int]) -> None:
    """At most half of that is for those who are served."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    assert max_connections(wanted) == allowed
