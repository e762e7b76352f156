"""The names of other network namespaces on the page."""

from __future__ import annotations

import json
import os
import string
from contextlib import ExitStack
from pathlib import Path

import pytest

from testbed import syscalls
from testbed.netns import Namespaces
from testbed.waiting import equals, until
from tests.broker.namespaced_process import give_name, hide_named
from tests.integration import hostile_names
from tests.integration.other_namespaces import namespaces_of, only, until_shown, watching
from tests.integration.test_netns_values import show

QUEUE = (8080, 9)
# Those of the abstract names that a file can have.
NAMES = {
    raw: shown.removeprefix("@")
    for raw, shown in hostile_names.ABSTRACT.items()
    if raw and b"\0" not in raw and b"/" not in raw
}


@pytest.mark.netns
def test_names_of_any_bytes_are_shown_as_those_of_listeners_are() -> None:
    hide_named()
    with ExitStack() as stack:
        namespaces = stack.enter_context(Namespaces())
        for number, raw in enumerate(NAMES):
            made = namespaces.container()
            give_name(os.fsdecode(raw), made.pid)
            made.listen_tcp(8000 + number, backlog=9)
        # Each of them has a small letter, and the namespaces of the machine have numbers.
        daemon = stack.enter_context(watching(only(*(f"*{letter}*" for letter in string.ascii_lowercase))))
        for number, shown in enumerate(NAMES.values()):
            until_shown(daemon, shown, (8000 + number, 9))


@pytest.mark.netns
def test_a_name_with_brackets_is_selected_as_it_is_written() -> None:
    hide_named()
    with ExitStack() as stack:
        namespaces = stack.enter_context(Namespaces())
        for name in ("web[1]", "web1", "web[2]"):
            namespaces.named(name).listen_tcp(8080, backlog=9)
        daemon = stack.enter_context(watching(only("web[1]*", "web[2]?")))
        until_shown(daemon, "web[1]", QUEUE)
        until(lambda: namespaces_of(daemon.metrics()), equals({"host", "web[1]"}))


@pytest.mark.netns
@pytest.mark.parametrize("name", ["host", "12345", "00", "٣"])
def test_a_name_that_could_be_confused_with_another_is_replaced_by_the_inode(name: str) -> None:
    hide_named()
    with ExitStack() as stack:
        made = stack.enter_context(Namespaces()).container()
        give_name(name, made.pid)
        made.listen_tcp(8080, backlog=9)
        daemon = stack.enter_context(watching(only(str(made.inode))))
        until_shown(daemon, str(made.inode), QUEUE)
        until(lambda: namespaces_of(daemon.metrics()), equals({"host", str(made.inode)}))


@pytest.mark.netns
def test_of_two_names_for_one_namespace_the_first_is_its_name() -> None:
    """When it is removed the other one is, with a new history."""
    hide_named()
    with ExitStack() as stack:
        namespaces = stack.enter_context(Namespaces())
        made = namespaces.container()
        for name in ("web-b", "web-a"):
            give_name(name, made.pid)
        made.listen_tcp(8080, backlog=9)
        daemon = stack.enter_context(watching(only("web-*", str(made.inode))))
        until_shown(daemon, "web-a", QUEUE)
        until(lambda: namespaces_of(daemon.metrics()), equals({"host", "web-a"}))
        namespaces.remove_name("web-a")
        until_shown(daemon, "web-b", QUEUE)
        until(lambda: namespaces_of(daemon.metrics()), equals({"host", "web-b"}))
        namespaces.remove_name("web-b")
        until_shown(daemon, str(made.inode), QUEUE)


@pytest.mark.netns
def test_a_name_for_the_own_namespace_changes_nothing() -> None:
    hide_named()
    with ExitStack() as stack:
        made = stack.enter_context(Namespaces()).container()
        give_name("own", os.getpid())
        made.listen_tcp(8080, backlog=9)
        daemon = stack.enter_context(watching(only("own", str(made.inode))))
        until_shown(daemon, str(made.inode), QUEUE)
        until(lambda: namespaces_of(daemon.metrics()), equals({"host", str(made.inode)}))


@pytest.mark.netns
def test_a_name_of_another_kind_of_namespace_is_not_taken_for_one_by_show(tmp_path: Path) -> None:
    """A namespace of another kind, where setns() refuses."""
    hide_named()
    with ExitStack() as stack:
        made = stack.enter_context(Namespaces()).container()
        made.listen_tcp(8080, backlog=9)
        (Path("/run/netns") / "broken").touch()
        syscalls.mount_same("/proc/self/ns/uts", "/run/netns/broken")
        config = tmp_path / "config.yml"
        config.write_text(only("broken", str(made.inode)))
        done = show(config, "--json")
        assert [(row["netns"], row["port"]) for row in json.loads(done.stdout)] == [(str(made.inode), "8080")]
        assert done.stderr == ""
