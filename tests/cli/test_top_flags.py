"""The flags of `top`."""

from __future__ import annotations

import pytest

from exporter.cli.top_flags import TopFlags, parse_top
from exporter.errors import UsageError


def test_defaults() -> None:
    assert parse_top([]) == TopFlags(url=None, config_file=None, plain=False)


def test_every_flag() -> None:
    given = ["--url=http://x:1", "--plain", "--port=80", "--process", "nginx*"]
    assert parse_top(given) == TopFlags(
        url="http://x:1", config_file=None, plain=True, patterns=(("port", "80"), ("process", "nginx*"))
    )


def test_the_configuration_is_that_of_this_host() -> None:
    with pytest.raises(UsageError, match=r"--config.file is for this host"):
        parse_top(["--url=http://x:1", "--config.file=x"])
