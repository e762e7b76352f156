"""The label `netns` of a container's namespace: the name of its container or pod."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from exporter import proc
from testbed import syscalls
from testbed.daemon import Daemon
from testbed.netns import Container, Namespaces
from testbed.waiting import DEADLINE_SECONDS, until
from tests.broker.namespaced_process import give_name, hide_named
from tests.integration.cgroups import new_cgroup
from tests.integration.metric_values import figure, until_figure
from tests.integration.other_namespaces import listeners, namespaces_of, only, until_shown, watching
from tests.integration.test_netns_values import show
from tests.owners.runtimes.daemons import running

ID, OTHER_ID = "0123456789abcdef" * 4, "fedcba9876543210" * 4
POD = "11111111-2222-3333-4444-555555555555"
CNI = f"cni-{POD}"
QUEUE = (8080, 9)
# Longer than a namespace waits for its name.
SETTLED_SECONDS = 2.0


@pytest.fixture
def cgroups() -> Iterator[Path]:
    """A cgroup of the test's own."""
    with new_cgroup() as top:
        yield top


def put(container: Container, cgroup: Path) -> None:
    """Move the process of a namespace to a cgroup, as a runtime does."""
    cgroup.mkdir(parents=True, exist_ok=True)
    (cgroup / "cgroup.procs").write_text(f"{container.pid}\n")


def docker(cgroups: Path, container_id: str = ID) -> Path:
    return cgroups / f"system.slice/docker-{container_id}.scope"


def write(path: str, content: str) -> None:
    """Write a file as a container runtime does, for root alone; /var is a tmpfs of the test."""
    place = Path(path)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.parent.chmod(0o700)
    place.write_text(content)
    place.chmod(0o600)


def name_container(name: str, container_id: str = ID, root: str = "/var/lib/docker") -> None:
    write(f"{root}/containers/{container_id}/config.v2.json", f'{{"Name": "/{name}"}}')


def labels_seen(daemon: Daemon, label: str) -> set[str]:
    """Every label that is on a page from now until this one has been on a page for a while."""
    seen: set[str] = set()
    deadline = time.monotonic() + DEADLINE_SECONDS
    settled: float | None = None
    while settled is None or time.monotonic() < settled:
        seen |= namespaces_of(daemon.metrics())
        if settled is None and label in seen:
            settled = time.monotonic() + SETTLED_SECONDS
        assert time.monotonic() < deadline, seen
    return seen


@pytest.mark.netns
def test_the_label_is_the_name_of_the_container_from_the_first_page_on(cgroups: Path) -> None:
    with ExitStack() as stack:
        syscalls.mount_empty("/var")
        name_container("shop-web")
        namespaces = stack.enter_context(Namespaces())
        before = namespaces.container()
        put(before, docker(cgroups))
        before.listen_tcp(8080, backlog=9)
        daemon = stack.enter_context(watching(only("shop-*", str(before.inode))))
        assert labels_seen(daemon, "shop-web") == {"host", "shop-web"}
        until_shown(daemon, "shop-web", QUEUE)
        # One that starts while the exporter runs, and is in its cgroup a moment later.
        name_container("shop-db", OTHER_ID)
        after = namespaces.container()
        after.listen_tcp(5432, backlog=9)
        put(after, docker(cgroups, OTHER_ID))
        until_shown(daemon, "shop-db", (5432, 9))
        assert namespaces_of(daemon.metrics()) == {"host", "shop-web", "shop-db"}


@pytest.mark.netns
def test_a_container_that_restarts_has_the_same_label(cgroups: Path) -> None:
    with ExitStack() as stack:
        syscalls.mount_empty("/var")
        name_container("shop-web")
        namespaces = stack.enter_context(Namespaces())
        first = namespaces.container()
        put(first, docker(cgroups))
        first.listen_tcp(8080, backlog=9)
        daemon = stack.enter_context(watching(only("shop-*")))
        until_shown(daemon, "shop-web", QUEUE)
        first.stop()
        second = namespaces.container()
        put(second, docker(cgroups))
        second.listen_tcp(8081, backlog=9)
        until_shown(daemon, "shop-web", (8081, 9))
        assert namespaces_of(daemon.metrics()) == {"host", "shop-web"}


@pytest.mark.netns
def test_a_container_that_restarts_goes_on_with_its_counters(cgroups: Path) -> None:
    with ExitStack() as stack:
        syscalls.mount_empty("/var")
        name_container("shop-web")
        namespaces = stack.enter_context(Namespaces())
        first = namespaces.container()
        put(first, docker(cgroups))
        first.listen_tcp(8080, backlog=1)
        daemon = stack.enter_context(watching(only("shop-*")))
        until_shown(daemon, "shop-web", (8080, 1))
        first.fill_tcp(8080, 2)
        full = "accept_full_seconds_total"
        until(lambda: figure(daemon, full, netns="shop-web") or 0.0, lambda seconds: seconds > 0.3)
        first.stop()
        until(lambda: "shop-web" in namespaces_of(daemon.metrics()), lambda shown: not shown)
        second = namespaces.container()
        put(second, docker(cgroups))
        second.listen_tcp(8080, backlog=9)
        until_shown(daemon, "shop-web", QUEUE)
        seconds = figure(daemon, full, netns="shop-web")
        assert seconds is not None
        assert seconds > 0.3
        # Its queue is empty.
        time.sleep(SETTLED_SECONDS)
        assert figure(daemon, full, netns="shop-web") == seconds


@pytest.mark.netns
def test_the_label_is_the_name_of_the_pod_though_its_engine_has_named_the_namespace(cgroups: Path) -> None:
    hide_named()
    with ExitStack() as stack:
        syscalls.mount_empty("/var")
        write(f"/var/log/pods/prod_api-0_{POD}/app/0.log", "")
        made = stack.enter_context(Namespaces()).container()
        give_name(CNI, made.pid)
        put(
            made,
            cgroups / f"kubepods.slice/kubepods-pod{POD.replace('-', '_')}.slice/cri-containerd-{ID}.scope",
        )
        made.listen_tcp(8080, backlog=9)
        daemon = stack.enter_context(watching(only("api-0", CNI)))
        until_shown(daemon, "api-0", QUEUE)
        assert labels_seen(daemon, "api-0") == {"host", "api-0"}


@pytest.mark.netns
def test_a_name_by_hand_comes_before_that_of_the_container(cgroups: Path) -> None:
    hide_named()
    with ExitStack() as stack:
        syscalls.mount_empty("/var")
        name_container("shop-web")
        made = stack.enter_context(Namespaces()).container()
        give_name("blue", made.pid)
        put(made, docker(cgroups))
        made.listen_tcp(8080, backlog=9)
        daemon = stack.enter_context(watching(only("blue", "shop-*")))
        until_shown(daemon, "blue", QUEUE)
        assert namespaces_of(daemon.metrics()) == {"host", "blue"}


def started(container: Container) -> int:
    """When the process of a namespace started, in clock ticks."""
    return proc.start_ticks(Path(f"/proc/{container.pid}/stat").read_bytes())


@pytest.mark.netns
def test_two_namespaces_of_one_container_do_not_share_its_name(cgroups: Path) -> None:
    """As where a program in a container makes its own. The older one has it, also after a restart."""
    with ExitStack() as stack:
        syscalls.mount_empty("/var")
        name_container("shop-web")
        namespaces = stack.enter_context(Namespaces())
        made = [namespaces.container(), namespaces.container()]
        while started(made[-2]) == started(made[-1]):
            made.append(namespaces.container())
        older, younger = made[-2:]
        for each, port in ((younger, 8081), (older, 8080)):
            put(each, docker(cgroups))
            each.listen_tcp(port, backlog=9)
        for _ in range(2):
            with watching(only("shop-*", str(older.inode), str(younger.inode))) as daemon:
                until_shown(daemon, str(younger.inode), (8081, 9))
                assert listeners(daemon.metrics())["shop-web"] == {QUEUE}


@pytest.mark.netns
def test_number_instead_of_the_name(cgroups: Path) -> None:
    with ExitStack() as stack:
        syscalls.mount_empty("/var")
        name_container("shop-web")
        made = stack.enter_context(Namespaces()).container()
        put(made, docker(cgroups))
        made.listen_tcp(8080, backlog=9)
        number = str(made.inode)
        config = only("shop-web", number).replace("include", "netns_name: inode, include")
        daemon = stack.enter_context(watching(config))
        until_shown(daemon, number, QUEUE)
        assert namespaces_of(daemon.metrics()) == {"host", number}


@pytest.mark.netns
def test_rules_and_the_selection_take_the_number_as_well(cgroups: Path) -> None:
    with ExitStack() as stack:
        syscalls.mount_empty("/var")
        name_container("shop-web")
        made = stack.enter_context(Namespaces()).container()
        put(made, docker(cgroups))
        made.listen_tcp(8080, backlog=9)
        rules = f"rules: [{{name: by-number, match: {{netns: '{made.inode}'}}}}]"
        daemon = stack.enter_context(watching(only(str(made.inode)) + rules))
        until_figure(daemon, 1, "listener_info", netns="shop-web", port="8080", rule="by-number")


@pytest.mark.netns
def test_the_name_that_a_daemon_elsewhere_keeps(cgroups: Path, tmp_path: Path) -> None:
    with ExitStack() as stack:
        syscalls.mount_empty("/var")
        name_container("shop-web", root=f"{tmp_path}/data")
        stack.enter_context(running(tmp_path, "dockerd", "--data-root", f"{tmp_path}/data"))
        made = stack.enter_context(Namespaces()).container()
        put(made, docker(cgroups))
        made.listen_tcp(8080, backlog=9)
        daemon = stack.enter_context(watching(only("shop-*", str(made.inode))))
        until_shown(daemon, "shop-web", QUEUE)
        until_figure(daemon, 1, "listener_info", netns="shop-web", container="shop-web", runtime="docker")


@pytest.mark.netns
def test_one_sample_has_the_name_too(cgroups: Path, tmp_path: Path) -> None:
    with ExitStack() as stack:
        syscalls.mount_empty("/var")
        name_container("shop-web")
        made = stack.enter_context(Namespaces()).container()
        put(made, docker(cgroups))
        made.listen_tcp(8080, backlog=9)
        config = tmp_path / "config.yaml"
        config.write_text(only("shop-*", str(made.inode)))
        rows = json.loads(show(config, "--json").stdout)
        assert {row["netns"] for row in rows if row["port"] == "8080"} == {"shop-web"}
