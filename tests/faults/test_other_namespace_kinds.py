"""Files under /run/netns that are no network namespace."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path

import pytest

from testbed import figures, syscalls
from testbed.netns import Namespaces
from testbed.waiting import until
from tests.integration.metric_values import figure
from tests.integration.other_namespaces import namespaces_of, only, until_shown, watching


@pytest.mark.netns
@pytest.mark.fault(
    "binds of a uts, an ipc and a pid namespace, a FIFO, a link and an empty file under /run/netns",
    "the network namespace beside them is sampled, and no source fails for them",
)
def test_what_is_no_network_namespace() -> None:
    with ExitStack() as stack:
        namespaces = stack.enter_context(Namespaces())
        namespaces.named("kind-net").listen_tcp(8080, backlog=9)
        named = Path("/run/netns")
        for kind in ("uts", "ipc", "pid"):
            (named / f"kind-{kind}").touch()
            syscalls.mount_same(f"/proc/self/ns/{kind}", str(named / f"kind-{kind}"))
        os.mkfifo(named / "kind-fifo")
        (named / "kind-link").symlink_to("/proc/self/ns/net")
        (named / "kind-file").touch()
        daemon = stack.enter_context(watching(only("kind-*")))
        until_shown(daemon, "kind-net", (8080, 9))
        taken = figure(daemon, "exporter_samples_total", source="namespaces") or 0.0
        until(
            lambda: figure(daemon, "exporter_samples_total", source="namespaces") or 0.0,
            lambda now: now >= taken + 2,
        )
        page = daemon.metrics()
        assert namespaces_of(page) == {"host", "kind-net"}
        assert set(page.all("listen_queue_exporter_source_success", netns="kind-net").values()) == {1.0}
        errors = page.all("listen_queue_exporter_sample_errors_total", source="inet")
        assert not any(errors.values())
        figures.note("no sample failed")
