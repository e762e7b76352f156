"""The drop-in for containers: everything is seen, and only broker and supervisor may do what that takes."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from signal import SIGKILL

import pytest

from testbed import programs
from testbed.waiting import equals, until
from tests.deploy.systemd.booted import EXPORTER, Booted
from tests.deploy.systemd.installation import HOME, Installation
from tests.integration.metric_values import figure, until_figure, until_sampled

CONTAINERS = f"{EXPORTER}.d/containers.conf"
# Each second there is a look for namespaces, and what is found is visited on the next beat of 50 ms.
SAMPLES_FOR_A_VISIT = 40
THREE = ("CAP_SYS_ADMIN", "CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH")
# As bits 21, 19 and 2 of a set.
THREE_MASK = 1 << 21 | 1 << 19 | 1 << 2
PYTHON = f"{HOME}/python/bin/python{sys.version_info[0]}.{sys.version_info[1]}"
LISTENS = """\
import os, socket, time
open("/proc/self/comm", "w").write("inner")
listener = socket.create_server(("0.0.0.0", 8080), backlog=9)
socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])
time.sleep(1000)
"""


def start_container(systemd: Booted, name: str, network: str) -> str:
    """Start a service with a network namespace, in which another user listens; return its inode number."""
    systemd.file("/run/listens.py", LISTENS)
    unit = f"""\
[Service]
Type=notify
DynamicUser=yes
{network}
Environment=LD_LIBRARY_PATH={HOME}/python/lib
ExecStart={PYTHON} /run/listens.py
"""
    systemd.write(f"{name}.service", unit)
    systemd.systemctl("start", name)
    (pid,) = systemd.processes(f"{name}.service")
    return str(Path(f"/proc/{pid}/ns/net").stat().st_ino)


def start_exporter(systemd: Booted, drop_in: str = "") -> None:
    systemd.install(EXPORTER, CONTAINERS)
    # After containers.conf.
    systemd.write(f"{EXPORTER}.d/test.conf", f"[Service]\n{drop_in}")
    systemd.systemctl("start", EXPORTER)


def by_name(systemd: Booted) -> dict[str, int]:
    """The processes of the exporter by their command names; the exporter itself is python."""
    found = {}
    for pid in systemd.processes(EXPORTER):
        name = Path(f"/proc/{pid}/comm").read_text().strip()
        found["exporter" if name.startswith("python") else name] = pid
    return found


def sets_of(pid: int) -> dict[str, int]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    fields = dict(line.split(":", 1) for line in lines)
    return {name: int(fields[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")}


@pytest.mark.netns
def test_every_namespace_is_seen_and_every_owner_is_named(installation: Installation, tmp_path: Path) -> None:
    """Also one that gets its name while the exporter runs."""
    with Booted(installation, tmp_path) as systemd:
        nameless = start_container(systemd, "box", "PrivateNetwork=yes")
        start_exporter(systemd, "WatchdogSec=2s\n")
        assert systemd.run(programs.find("ip"), "netns", "add", "blue").returncode == 0
        start_container(systemd, "named", "NetworkNamespacePath=/run/netns/blue")
        for netns in (nameless, "blue"):
            until_figure(systemd, 9, "accept_limit", netns=netns, port="8080", process="inner")
        until_figure(systemd, 1, "listener_info", unit="box.service", netns=nameless)
        until_figure(systemd, 1, "listener_info", unit="named.service", netns="blue")
        until_figure(
            systemd, 4096, "accept_limit", netns="host", process="systemd", address="/run/systemd/private"
        )
        page = systemd.metrics()
        successes = page.all("listen_queue_exporter_source_success")
        assert set(successes.values()) == {1.0}
        assert {dict(labels)["netns"] for labels in successes} == {"host", nameless, "blue"}
        assert page.value("listen_queue_exporter_source_info", source="namespaces", method="broker") == 1
        until(lambda: systemd.show(EXPORTER, "StatusText"), lambda text: text.endswith("namespaces: 3"))


@pytest.mark.netns
def test_supervisor_and_broker_have_just_the_three_capabilities_and_the_exporter_none(
    installation: Installation, tmp_path: Path
) -> None:
    """All are one user of its own, and none may get more."""
    with Booted(installation, tmp_path) as systemd:
        start_exporter(systemd)
        processes = by_name(systemd)
        assert set(processes) == {"exporter", "lqe-supervisor", "lqe-broker"}
        for name, pid in processes.items():
            held = 0 if name == "exporter" else THREE_MASK
            assert sets_of(pid) == {
                "CapInh": 0,
                "CapPrm": held,
                "CapEff": held,
                "CapBnd": THREE_MASK,
                "CapAmb": 0,
            }
            told = Path(f"/proc/{pid}/status").read_text()
            assert "NoNewPrivs:\t1\n" in told
            assert "Seccomp:\t2\n" in told
            assert "Uid:\t0" not in told


@pytest.mark.netns
def test_no_call_is_tried_that_the_filter_forbids(installation: Installation, tmp_path: Path) -> None:
    """Where the filter kills in place of refusing, all three live, and a new broker too."""
    with Booted(installation, tmp_path) as systemd:
        box = start_container(systemd, "box", "PrivateNetwork=yes")
        start_exporter(systemd, "SystemCallErrorNumber=kill\n")
        until_figure(systemd, 9, "accept_limit", netns=box, process="inner")
        assert figure(systemd, "exporter_broker_restarts_total") == 0
        broker = by_name(systemd)["lqe-broker"]
        os.kill(broker, SIGKILL)
        until_figure(systemd, 1, "exporter_broker_restarts_total")
        until(lambda: by_name(systemd).get("lqe-broker", broker), lambda pid: pid != broker)
        until_figure(systemd, 9, "accept_limit", netns=box, process="inner")
        assert figure(systemd, "exporter_broker_restarts_total") == 1
        assert systemd.show(EXPORTER, "NRestarts") == "0"


def without(capability: str) -> str:
    two = " ".join(each for each in THREE if each != capability)
    sets = ("AmbientCapabilities", "CapabilityBoundingSet")
    return "".join(f"{name}=\n{name}={two}\n" for name in sets)


CLOSED = {
    "RestrictNamespaces": "RestrictNamespaces=yes\n",
    "CAP_SYS_ADMIN": without("CAP_SYS_ADMIN"),
    "CAP_SYS_PTRACE": without("CAP_SYS_PTRACE"),
}


@pytest.mark.netns
@pytest.mark.parametrize("closed", CLOSED.values(), ids=CLOSED.keys())
def test_without_any_of_what_is_open_other_namespaces_are_dark(
    closed: str, installation: Installation, tmp_path: Path
) -> None:
    with Booted(installation, tmp_path) as systemd:
        box = start_container(systemd, "box", "PrivateNetwork=yes")
        start_exporter(systemd, closed)
        until_sampled(systemd, "inet", SAMPLES_FOR_A_VISIT)
        assert figure(systemd, "accept_limit", netns=box) is None
        assert figure(systemd, "accept_limit", netns="host", port="10511") == 128


@pytest.mark.netns
def test_without_the_third_capability_owners_are_dark(installation: Installation, tmp_path: Path) -> None:
    with Booted(installation, tmp_path) as systemd:
        box = start_container(systemd, "box", "PrivateNetwork=yes")
        start_exporter(systemd, without("CAP_DAC_READ_SEARCH"))
        until_figure(systemd, 9, "accept_limit", netns=box, process="")
        until_figure(systemd, 0, "exporter_source_success", source="owners")


@pytest.mark.netns
@pytest.mark.parametrize("end", ["stop", "kill"])
def test_supervisor_and_broker_end_with_the_exporter(
    end: str, installation: Installation, tmp_path: Path
) -> None:
    with Booted(installation, tmp_path) as systemd:
        start_exporter(systemd, "Restart=no\n")
        before = by_name(systemd)
        assert len(before) == 3
        if end == "stop":
            systemd.systemctl("stop", EXPORTER)
            assert systemd.show(EXPORTER, "Result") == "success"
        else:
            os.kill(before["exporter"], SIGKILL)
            until(lambda: systemd.show(EXPORTER, "ActiveState"), equals("failed"))
        until(lambda: systemd.processes(EXPORTER), equals([]))
