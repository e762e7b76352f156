"""`--web.socket-owner`: whom the file of a unix socket belongs to."""

from __future__ import annotations

import pytest

from exporter.cli.socket_owner import parse_owner
from exporter.errors import UsageError


@pytest.mark.parametrize(
    ("text", "owner"),
    [
        (None, (None, None)),
        ("daemon", (1, None)),
        ("4711", (4711, None)),
        ("daemon:4712", (1, 4712)),
        (":daemon", (None, 1)),
        ("4294967294:0", (4294967294, 0)),
    ],
)
def test_user_and_group_are_names_or_numbers(text: str | None, owner: tuple[int | None, int | None]) -> None:
    assert parse_owner(text) == owner


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("no-such-user", "'no-such-user': there is no such user or group"),
        (":no-such-group", "':no-such-group': there is no such user or group"),
        ("4294967295", "'4294967295': there is no such user or group"),
        ("", "'' names nobody; write USER, USER:GROUP or :GROUP"),
        (":", "':' names nobody; write USER, USER:GROUP or :GROUP"),
    ],
)
def test_an_owner_that_there_is_not_is_wrong_use(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_owner(text)
    assert str(caught.value) == f"--web.socket-owner: {message}"
