"""The exporter with the rights, mounts and limits that the manifests give it, and no others."""

from __future__ import annotations

# To be found before the root of this process is another one: a name is encoded by it.
import encodings.idna  # noqa: F401
import re
import resource
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from exporter.config.model import Config
from testbed import privileges
from testbed.daemon import Daemon, running
from testbed.netns import Namespaces
from testbed.page import Page
from testbed.waiting import equals, until
from tests.deploy.kubernetes.manifests import Manifests, kustomize
from tests.deploy.kubernetes.node import Node
from tests.integration import listening_sockets
from tests.integration.forked_exporter import ForkedExporter
from tests.integration.metric_values import figure, until_figure
from tests.integration.reference import within
from tests.integration.service import Service

BASE, ALL_PODS = "base", "all-pods"
MEBIBYTE = 1 << 20


@pytest.fixture(params=[BASE, ALL_PODS])
def manifests(request: pytest.FixtureRequest) -> Manifests:
    """The base, and the overlay."""
    return kustomize(str(request.param))


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    """A node of the test's own."""
    with Node.made(tmp_path / "node") as made:
        yield made


@pytest.mark.netns
def test_the_exporter_serves_what_the_probes_and_the_monitor_request(manifests: Manifests) -> None:
    container = manifests.pod.container
    (endpoint,) = manifests.one("PodMonitor")["spec"]["podMetricsEndpoints"]
    config = "namespaces: {enabled: false}\n"
    flags = [arg for arg in manifests.pod.args if not arg.startswith("--config.file=")]
    paths = {
        probe: container[probe]["httpGet"]["path"]
        for probe in ("livenessProbe", "readinessProbe")
        if container[probe]["httpGet"]["port"] == "metrics"
    }
    # It serves at the port of its flags, and at one more that the test waits for.
    with Daemon(*flags, config=config, port=manifests.pod.port + 1) as daemon:
        daemon.wait_ready()
        daemon.port = manifests.pod.port
        probed = {probe: daemon.request(path).text for probe, path in paths.items()}
        page = daemon.request(endpoint["path"])
    assert probed == {"livenessProbe": "healthy\n", "readinessProbe": "ready\n"}
    assert (page.status, "listen_queue_exporter_build_info" in page.text) == (200, True)


def of_host_pod() -> list[socket.socket]:
    """The listener of a pod with hostNetwork."""
    return [listening_sockets.tcp("127.0.0.1", 8080, backlog=9)]


def sshd() -> list[socket.socket]:
    """The listener of a service of the node."""
    return [listening_sockets.tcp("127.0.0.1", 8022, backlog=9)]


def shop() -> list[socket.socket]:
    """A listener of another user."""
    # Python loads modules for this that the other user may not read.
    listening_sockets.tcp("127.0.0.1", 0).close()
    privileges.drop_to()
    return of_host_pod()


@pytest.mark.netns
def test_with_the_rights_of_the_base_listeners_have_their_units_and_pods(node: Node) -> None:
    with (
        Service(b"nginx", node.listen("ingress", "nginx-abc", "controller", of_host_pod)),
        Service(b"sshd", node.listen_in_unit("ssh.service", sshd)),
    ):
        flags = node.become_container(kustomize(BASE))
        with ForkedExporter(*flags) as exporter:
            until_figure(exporter, 1, "listener_info", port="8022", unit="ssh.service", process="")
            until_figure(exporter, 1, "listener_info", port="8080", pod="nginx-abc")
            info = _info(exporter.metrics(), "8080")
            assert (info["namespace"], info["container"]) == ("ingress", "controller")
            assert (info["runtime"], info["netns"], info["process"]) == ("containerd", "host", "")
            assert figure(exporter, "exporter_source_info", source="inet", method="sock_diag") == 1


@pytest.mark.netns
def test_with_the_rights_of_all_pods_listeners_in_pods_have_processes_too(node: Node) -> None:
    with Namespaces() as namespaces, ExitStack() as stack:
        made = namespaces.container()
        stack.enter_context(Service(b"sshd", node.listen_in_unit("ssh.service", sshd)))
        with within(made.pid):
            stack.enter_context(Service(b"shop", node.listen("prod", "shop-abc", "app", shop)))
        flags = node.become_container(kustomize(ALL_PODS), made.inode)
        exporter = stack.enter_context(ForkedExporter(*flags))
        wanted = {"process": "shop", "container": "app", "pod": "shop-abc", "namespace": "prod"}
        netns = str(made.inode)
        until_figure(exporter, 9, "accept_limit", port="8080", netns=netns, **wanted)
        until_figure(exporter, 1, "listener_info", port="8022", unit="ssh.service", process="sshd")
        for source in ("namespaces", "owners"):
            until_figure(exporter, 1, "exporter_source_success", source=source)


@pytest.mark.netns
def test_without_one_of_its_capabilities_the_source_namespaces_fails(node: Node) -> None:
    with Namespaces() as namespaces:
        made = namespaces.container()
        overlay = kustomize(ALL_PODS)
        overlay.pod.security["capabilities"]["add"].remove("SYS_ADMIN")
        flags = node.become_container(overlay, made.inode)
        with ForkedExporter(*flags) as exporter:
            until_figure(exporter, 0, "exporter_source_success", source="namespaces")


@pytest.mark.netns
def test_the_memory_limit_is_enough_for_the_largest_page() -> None:
    limit = _bytes(kustomize(BASE).pod.container["resources"]["limits"]["memory"])
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    most = Config().max_listeners
    with ExitStack() as stack:
        for port in range(20_000, 20_000 + most):
            stack.enter_context(listening_sockets.tcp("127.0.0.1", port))
        daemon = stack.enter_context(running(config="namespaces: {enabled: false}\n"))
        # The port of the exporter is one listener more.
        until(lambda: _value(daemon.scrape(), "listen_queue_exporter_listeners_omitted"), equals(1))
        pages = [daemon.scrape() for _ in range(3)]
        assert {_value(page, "listen_queue_exporter_listeners") for page in pages} == {most}
        # Of two requests at the same time both pages are in memory, each with its compressed form.
        assert _peak_resident_bytes(daemon.pid) + 2 * max(map(len, pages)) < limit


def _value(page: str, name: str) -> float:
    """A sample without labels. A parser would take seconds for the whole page."""
    (value,) = re.findall(rf"^{name} (.+)$", page, re.MULTILINE)
    return float(value)


def _bytes(quantity: str) -> int:
    return int(quantity.removesuffix("Mi")) * MEBIBYTE


def _peak_resident_bytes(pid: int) -> int:
    (kib,) = re.findall(r"^VmHWM:\s+(\d+) kB$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return int(kib) * 1024


def _info(page: Page, port: str) -> dict[str, str]:
    (labels,) = page.all("listen_queue_listener_info", port=port)
    return dict(labels)
