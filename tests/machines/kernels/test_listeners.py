"""Every kind of listener has the numbers of `ss` on the page, in `show` and in /proc/net."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from testbed.daemon import running
from testbed.waiting import equals, until, until_equal
from tests.integration import reference
from tests.integration.listening_sockets import tcp
from tests.integration.metric_values import until_figure
from tests.integration.test_listener_types import KINDS, ipv4, mptcp, reuse_port, unix_relative_path
from tests.machines.kernels import CONFIG

# They need no IPv6. So do the unix ones.
_IPV4 = (ipv4, mptcp, reuse_port)


@pytest.mark.short
@pytest.mark.netns
@pytest.mark.parametrize("user", ["root", "nobody"])
def test_every_kind_is_as_ss_sees_it(user: str, seen: Callable[[str, object], None], tmp_path: Path) -> None:
    found, missing = list[str](), list[str]()
    with running(config=CONFIG, unprivileged=user == "nobody") as daemon:
        for make, places in KINDS:
            name = make.__name__
            if not _has_ipv6() and make not in _IPV4 and not name.startswith("unix"):
                continue
            # The directory of its process may be seen by root alone.
            if user == "nobody" and make is unix_relative_path:
                continue
            (tmp_path / name).mkdir()
            os.chdir(tmp_path / name)
            with ExitStack() as open_sockets:
                try:
                    made = make()
                except pytest.skip.Exception:
                    missing.append(name)
                    continue
                for each in made:
                    open_sockets.enter_context(each)
                page = until_equal(lambda: reference.from_page(daemon), reference.from_ss)
                until(reference.from_proc, equals(reference.as_in_proc(page)))
                assert len(page) > (0 if places is None else len(places))
                found.append(name)
        until_figure(daemon, 1, "exporter_source_info", source="inet", method="sock_diag")
        with tcp("127.0.0.1", backlog=7):
            until_equal(reference.from_show, reference.from_ss)
    kernel = "" if _has_ipv6() else ", with ipv6.disable=1"
    seen(f"kinds of listeners as `ss` shows them, exporter started by {user}{kernel}", len(found))
    seen(f"kinds that there are not{kernel}", ", ".join(missing) or "none")


def _has_ipv6() -> bool:
    try:
        socket.socket(socket.AF_INET6).close()
    except OSError:
        return False
    return True
