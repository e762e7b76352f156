"""`--user`: whom the exporter becomes, and in which group."""

from __future__ import annotations

import errno
import os

import pytest

from exporter.broker.capabilities import keep_only
from exporter.broker.user import User, refusal
from exporter.cli.user import NOBODY, wanted_user
from exporter.errors import RunError, UsageError
from testbed import privileges


@pytest.mark.netns
@pytest.mark.parametrize(
    ("text", "user"),
    [
        (None, NOBODY),
        ("4711", User(4711, 4711)),
        ("4711:12", User(4711, 12)),
        ("daemon", User(1, 1)),
        ("daemon:4712", User(1, 4712)),
        ("4711:daemon", User(4711, 1)),
        ("root", None),
        ("0:0", None),
        ("0:4711", User(0, 4711)),
    ],
)
def test_root_becomes_whom_the_flag_says(text: str | None, user: User | None) -> None:
    assert wanted_user(text) == user


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("no-such-user", "--user: there is no user 'no-such-user'; see getent passwd"),
        ("daemon:no-such-group", "--user: there is no group 'no-such-group'; see getent group"),
        (":12", "--user: ':12' must be a user, or a user and a group as in nobody:nogroup"),
        ("daemon:", "--user: 'daemon:' must be a user, or a user and a group as in nobody:nogroup"),
        ("4294967295", "--user: 4294967295 is no user or group; the largest is 4294967294"),
        ("1:99999999999999999999999", "is no user or group; the largest is 4294967294"),
    ],
)
def test_a_user_that_there_is_not_is_wrong_use(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        wanted_user(text)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.netns
def test_another_user_stays_and_becomes_nobody_else() -> None:
    privileges.drop_to(4711)
    assert wanted_user(None) is None
    assert wanted_user("4711") is None
    with pytest.raises(RunError, match=r"--user: user id 4711 may not become user id 1 \(Operation not"):
        wanted_user("1")


@pytest.mark.netns
def test_root_that_may_not_change_stays_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    os.setgroups([])
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            keep_only((2, 19, 21))
            assert wanted_user(None) is None
            assert "stays root, which most files belong to" in caplog.text
            with pytest.raises(RunError, match="CAP_SETUID and CAP_SETGID"):
                wanted_user("65534")
            status = 0
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


@pytest.mark.netns
def test_what_cannot_be_is_found_out_without_a_change() -> None:
    assert refusal(User(65534, 65534)) == 0
    assert os.getuid() == 0
    keep_only((2, 19, 21))
    assert refusal(User(65534, 65534)) == errno.EPERM
