"""The drop-in for containers: every namespace is sampled; supervisor and broker alone have capabilities."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from signal import SIGKILL

import pytest

from testbed import programs
from testbed.waiting import equals, until
from tests.deploy.systemd.booted import EXPORTER, BootedSystemd
from tests.deploy.systemd.installation import HOME, Installation
from tests.integration.metric_values import figure, until_figure

CONTAINERS = f"{EXPORTER}.d/containers.conf"
SUPERVISOR, BROKER, FILE_BROKER = "lqe-supervisor", "lqe-broker", "lqe-file-broker"
# The status is written twice in this time. A healthy exporter is never late by as much.
STATUS_SOON = "WatchdogSec=6s\n"
THREE = ("CAP_SYS_ADMIN", "CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH")
# Their bits in a capability set (linux/capability.h).
THREE_MASK = 1 << 21 | 1 << 19 | 1 << 2
TWO_MASK = 1 << 19 | 1 << 2
PYTHON = f"{HOME}/python/bin/python{sys.version_info[0]}.{sys.version_info[1]}"
LISTENS = """\
import os, socket, time
open("/proc/self/comm", "w").write("inner")
listener = socket.create_server(("0.0.0.0", 8080), backlog=9)
socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])
time.sleep(1000)
"""


def start_container(systemd: BootedSystemd, name: str, network: str) -> str:
    """Start a service of another user that listens in a network namespace; returns the namespace's inode."""
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


def start_exporter(systemd: BootedSystemd, drop_in: str = "") -> None:
    systemd.install(EXPORTER, CONTAINERS)
    # Its name sorts after containers.conf.
    systemd.write(f"{EXPORTER}.d/test.conf", f"[Service]\n{drop_in}")
    systemd.systemctl("start", EXPORTER)


def by_name(systemd: BootedSystemd) -> dict[str, int]:
    """The processes of the exporter by command name; that of the exporter itself is python."""
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
def test_every_namespace_is_sampled_and_every_owner_is_named(
    installation: Installation, tmp_path: Path
) -> None:
    """A namespace that gets its name while the exporter runs, too."""
    with BootedSystemd(installation, tmp_path) as systemd:
        nameless = start_container(systemd, "nameless", "PrivateNetwork=yes")
        start_exporter(systemd, STATUS_SOON)
        assert systemd.run(programs.find("ip"), "netns", "add", "blue").returncode == 0
        start_container(systemd, "named", "NetworkNamespacePath=/run/netns/blue")
        for netns in (nameless, "blue"):
            until_figure(systemd, 9, "accept_limit", netns=netns, port="8080", process="inner")
        until_figure(systemd, 1, "listener_info", unit="nameless.service", netns=nameless)
        until_figure(systemd, 1, "listener_info", unit="named.service", netns="blue")
        until_figure(
            systemd, 4096, "accept_limit", netns="host", process="systemd", address="/run/systemd/private"
        )
        until(lambda: succeeding(systemd), equals(dict.fromkeys(["host", nameless, "blue"], True)))
        assert figure(systemd, "exporter_source_info", source="namespaces", method="broker") == 1
        until(lambda: systemd.show(EXPORTER, "StatusText"), lambda text: text.endswith("namespaces: 3"))


def succeeding(systemd: BootedSystemd) -> dict[str, bool]:
    """Whether all sources succeed, by network namespace."""
    found: dict[str, bool] = {}
    for labels, value in systemd.metrics().all("listen_queue_exporter_source_success").items():
        netns = dict(labels)["netns"]
        found[netns] = found.get(netns, True) and value == 1
    return found


@pytest.mark.netns
def test_each_process_has_the_capabilities_that_it_needs(installation: Installation, tmp_path: Path) -> None:
    """All run as the same dynamic user, and none can get more."""
    with BootedSystemd(installation, tmp_path) as systemd:
        start_exporter(systemd)
        processes = by_name(systemd)
        assert set(processes) == {"exporter", SUPERVISOR, BROKER, FILE_BROKER}
        for name, pid in processes.items():
            held = {"exporter": 0, FILE_BROKER: TWO_MASK}.get(name, THREE_MASK)
            assert sets_of(pid) == {
                "CapInh": 0,
                "CapPrm": held,
                "CapEff": 0 if name == SUPERVISOR else held,
                "CapBnd": THREE_MASK,
                "CapAmb": 0,
            }
            status = Path(f"/proc/{pid}/status").read_text()
            assert "NoNewPrivs:\t1\n" in status
            assert "Seccomp:\t2\n" in status
            assert "Uid:\t0" not in status


@pytest.mark.netns
def test_no_process_makes_a_system_call_that_the_filter_forbids(
    installation: Installation, tmp_path: Path
) -> None:
    """With a filter that kills, all three keep running, and a new broker does."""
    with BootedSystemd(installation, tmp_path) as systemd:
        netns = start_container(systemd, "nameless", "PrivateNetwork=yes")
        start_exporter(systemd, "SystemCallErrorNumber=kill\n")
        until_figure(systemd, 9, "accept_limit", netns=netns, process="inner")
        assert figure(systemd, "exporter_broker_restarts_total") == 0
        broker = by_name(systemd)[BROKER]
        os.kill(broker, SIGKILL)
        until_figure(systemd, 1, "exporter_broker_restarts_total")
        until(lambda: by_name(systemd).get(BROKER, broker), lambda pid: pid != broker)
        until_figure(systemd, 9, "accept_limit", netns=netns, process="inner")
        assert figure(systemd, "exporter_broker_restarts_total") == 1
        assert systemd.show(EXPORTER, "NRestarts") == "0"


def without(capability: str) -> str:
    two = " ".join(each for each in THREE if each != capability)
    sets = ("AmbientCapabilities", "CapabilityBoundingSet")
    return "".join(f"{name}=\n{name}={two}\n" for name in sets)


OWN_NAMESPACE_ALONE = ("exporter_source_info", {"source": "namespaces", "method": "own"})
MISSING = {
    "RestrictNamespaces": (
        "RestrictNamespaces=yes\n",
        ("exporter_sample_errors_total", {"source": "inet", "reason": "EPERM"}),
    ),
    "CAP_SYS_ADMIN": (without("CAP_SYS_ADMIN"), OWN_NAMESPACE_ALONE),
    "CAP_SYS_PTRACE": (without("CAP_SYS_PTRACE"), OWN_NAMESPACE_ALONE),
}


@pytest.mark.netns
@pytest.mark.parametrize(("drop_in", "shown_by"), MISSING.values(), ids=MISSING.keys())
def test_without_one_of_its_settings_other_namespaces_are_not_sampled(
    drop_in: str, shown_by: tuple[str, dict[str, str]], installation: Installation, tmp_path: Path
) -> None:
    name, labels = shown_by
    with BootedSystemd(installation, tmp_path) as systemd:
        netns = start_container(systemd, "nameless", "PrivateNetwork=yes")
        start_exporter(systemd, drop_in)
        until(lambda: figure(systemd, name, **labels), bool)
        assert figure(systemd, "accept_limit", netns=netns) is None
        assert figure(systemd, "accept_limit", netns="host", port="10511") == 2048


@pytest.mark.netns
def test_without_the_third_capability_owners_are_not_found(
    installation: Installation, tmp_path: Path
) -> None:
    with BootedSystemd(installation, tmp_path) as systemd:
        netns = start_container(systemd, "nameless", "PrivateNetwork=yes")
        start_exporter(systemd, without("CAP_DAC_READ_SEARCH"))
        until_figure(systemd, 9, "accept_limit", netns=netns, process="")
        until_figure(systemd, 0, "exporter_source_success", source="owners")


@pytest.mark.netns
@pytest.mark.parametrize("end", ["stop", "kill"])
def test_supervisor_and_broker_end_with_the_exporter(
    end: str, installation: Installation, tmp_path: Path
) -> None:
    with BootedSystemd(installation, tmp_path) as systemd:
        start_exporter(systemd, "Restart=no\n")
        before = by_name(systemd)
        assert len(before) == 4
        if end == "stop":
            systemd.systemctl("stop", EXPORTER)
            assert systemd.show(EXPORTER, "Result") == "success"
        else:
            os.kill(before["exporter"], SIGKILL)
            until(lambda: systemd.show(EXPORTER, "ActiveState"), equals("failed"))
        until(lambda: systemd.processes(EXPORTER), equals([]))
