"""The capabilities that the exporter keeps, and its page where some are missing."""

from __future__ import annotations

import ctypes
import os
import socket
from pathlib import Path

import pytest

from exporter.broker.capabilities import Capability
from testbed import privileges, syscalls
from testbed.netns import Container, Namespaces
from testbed.waiting import equals, until
from tests.broker.broker_processes import status
from tests.integration import listening_sockets
from tests.integration.forked_exporter import Fork, ForkedExporter, load_everything
from tests.integration.metric_values import Served, figure, until_figure
from tests.integration.other_namespaces import only, supervisor_and_broker, watching
from tests.integration.service import Service

PR_SET_DUMPABLE, PR_SET_KEEPCAPS, PR_CAPBSET_DROP = 4, 8, 24
CAP_KILL = 5
SUCCESS = "exporter_source_success"
WITHOUT_OWNER = "exporter_sockets_without_owner"
ALL_THREE = frozenset(Capability)
HIDDEN = "the processes of some sockets cannot be seen, since /proc hides those of other users"
NEEDED = "other network namespaces need CAP_SYS_ADMIN and CAP_SYS_PTRACE"
INNER = {"port": "8080"}
OUTER = {"netns": "host", "port": "8081"}


def inner(namespaces: Namespaces) -> Container:
    """A container whose process has the capabilities of root, and listens."""
    made = namespaces.container(process="inner")
    made.listen_tcp(8080, backlog=9)
    return made


def of_another_user() -> list[socket.socket]:
    """A listener of another user."""
    # The user may not read the modules that Python loads for this.
    listening_sockets.tcp("127.0.0.1", 0).close()
    privileges.drop_to(privileges.NOBODY - 2)
    return [listening_sockets.tcp("127.0.0.1", 8081)]


def become_nobody_with(kept: frozenset[Capability]) -> None:
    """Become an ordinary user with these capabilities, as a unit with AmbientCapabilities= is started."""
    load_everything()
    syscalls.prctl(PR_SET_KEEPCAPS, 1)
    os.setgroups([])
    os.setresgid(*[privileges.NOBODY] * 3)
    os.setresuid(*[privileges.NOBODY] * 3)
    # And with the one that lets it kill what this test has started.
    mask = sum(1 << capability for capability in (*kept, CAP_KILL))
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    sets = (ctypes.c_uint32 * 6)(mask, mask, mask, 0, 0, 0)
    syscalls.call("capset", header, sets)
    syscalls.prctl(PR_SET_DUMPABLE, 1)
    syscalls.die_with_parent()


def expect_page_with(served: Served, made: Container, kept: frozenset[Capability]) -> None:
    """The page has what these capabilities allow to see, and the method by which it was found."""
    enters = kept >= {Capability.SYS_ADMIN, Capability.SYS_PTRACE}
    names = kept >= {Capability.SYS_PTRACE, Capability.DAC_READ_SEARCH}
    name = str(made.inode)
    until_figure(served, 9 if enters else None, "accept_limit", netns=name, **INNER)
    until_figure(served, 0, "accept_length", process="web" if names else "", **OUTER)
    method = "broker" if enters else "own"
    until_figure(served, 1, "exporter_source_info", source="namespaces", method=method)
    until_figure(served, 1 if enters else None, SUCCESS, source="namespaces")
    until_figure(served, 1 if names else 0, SUCCESS, source="owners")


def config_file(folder: Path, text: str) -> str:
    """The flag for a configuration that anybody may read."""
    place = folder / "config.yml"
    place.write_text(text)
    for each in (place, *folder.parents[:3], folder):
        each.chmod(each.stat().st_mode | 0o555)
    return f"--config.file={place}"


@pytest.mark.netns
def test_no_thread_of_the_daemon_has_a_capability_and_the_supervisor_uses_none_of_three() -> None:
    with Namespaces() as namespaces:
        made = inner(namespaces)
        with watching(only(str(made.inode))) as daemon:
            until_figure(daemon, 9, "accept_limit", process="inner", **INNER)
            threads = list(Path(f"/proc/{daemon.pid}/task").iterdir())
            assert len(threads) >= 2
            for thread in threads:
                _expect_sets(f"{daemon.pid}/task/{thread.name}", 0)
            three = sum(1 << capability for capability in Capability)
            supervisor, broker = supervisor_and_broker(daemon)
            _expect_sets(str(supervisor), three, in_use=0)
            _expect_sets(str(broker), three)


def _expect_sets(process: str, mask: int, in_use: int | None = None) -> None:
    found = status(process)
    sets = {name: int(found[name], 16) for name in found if name.startswith("Cap")}
    effective = mask if in_use is None else in_use
    assert sets == {"CapInh": 0, "CapPrm": mask, "CapEff": effective, "CapBnd": 0, "CapAmb": 0}
    assert found["NoNewPrivs"] == "1"


@pytest.mark.netns
@pytest.mark.parametrize("missing", Capability, ids=lambda missing: missing.name)
def test_root_without_one_capability_sees_what_the_others_allow(missing: Capability) -> None:
    with Namespaces() as namespaces, Service(b"web", of_another_user):
        made = inner(namespaces)
        syscalls.prctl(PR_CAPBSET_DROP, missing)
        with watching(only(str(made.inode))) as daemon:
            expect_page_with(daemon, made, ALL_THREE - {missing})


@pytest.mark.netns
@pytest.mark.parametrize("missing", [None, *Capability], ids=["none", *Capability.__members__])
def test_an_ordinary_user_with_capabilities_sees_what_they_allow(
    missing: Capability | None, tmp_path: Path
) -> None:
    kept = ALL_THREE - {missing}
    with Namespaces() as namespaces, Service(b"web", lambda: [listening_sockets.tcp("127.0.0.1", 8081)]):
        made = inner(namespaces)
        flag = config_file(tmp_path, only(str(made.inode)))
        become_nobody_with(kept)
        with ForkedExporter(flag) as exporter:
            expect_page_with(exporter, made, kept)
            found = status(exporter.pid)
            assert [int(found[name], 16) for name in ("CapEff", "CapPrm", "CapAmb")] == [0, 0, 0]
            assert found["NoNewPrivs"] == "1"


@pytest.mark.netns
def test_where_other_namespaces_are_enabled_the_missing_capabilities_are_logged() -> None:
    with Namespaces() as namespaces:
        made = inner(namespaces)
        syscalls.prctl(PR_CAPBSET_DROP, Capability.SYS_ADMIN)
        with watching(only(str(made.inode), enabled="true")) as daemon:
            until_figure(daemon, 0, SUCCESS, source="namespaces", netns="host")
            daemon.wait_for_log(NEEDED)
            until_figure(daemon, 1, "exporter_source_info", source="namespaces", method="own")
            until_figure(daemon, 1, SUCCESS, source="inet", netns="host")
            assert figure(daemon, "accept_limit", **INNER) is None


@pytest.mark.netns
def test_where_proc_hides_other_processes_the_broker_finds_them_all_the_same() -> None:
    with Namespaces() as namespaces, Service(b"web", of_another_user):
        made = inner(namespaces)
        hide_processes()
        with watching(only(str(made.inode))) as daemon:
            until_figure(daemon, 9, "accept_limit", process="inner", netns=str(made.inode), **INNER)
            until_figure(daemon, 0, "accept_length", process="web", **OUTER)
            until_figure(daemon, 1, SUCCESS, source="owners")
            until_figure(daemon, 0, WITHOUT_OWNER)


@pytest.mark.netns
def test_where_proc_hides_other_processes_and_there_is_no_broker_owners_are_missing() -> None:
    """Reading /proc fails with no error: hidden processes are not listed."""
    with Service(b"web", lambda: [listening_sockets.tcp("127.0.0.1", 8081)]):
        hide_processes()
        load_everything()
        privileges.drop_to()
        with ForkedExporter() as exporter:
            until_figure(exporter, 0, "accept_length", process="", **OUTER)
            until_figure(exporter, 1, WITHOUT_OWNER)
            until_figure(exporter, 0, SUCCESS, source="owners")
            until_figure(exporter, 1, "exporter_source_info", source="namespaces", method="own")
            # It fails again each time that owners are searched for.
            failures = {"source": "owners", "reason": "hidepid"}
            until(lambda: figure(exporter, "exporter_sample_errors_total", **failures) or 0, lambda n: n > 2)
            until(lambda: exporter.errors.count(HIDDEN), equals(1))
        shown = Fork("show")
        assert shown.wait() == 0
        assert "127.0.0.1:8081  -  " in shown.output
        assert shown.errors.count("a mount of /proc without the option hidepid") == 1


def hide_processes() -> None:
    """Mount a /proc that hides processes of others, from root's group too."""
    options = f"hidepid=2,gid={privileges.NOBODY - 1}".encode()
    try:
        syscalls.call("mount", b"proc", b"/proc", b"proc", ctypes.c_ulong(0), options)
    except OSError as refused:
        pytest.skip(f"no /proc that hides processes: {refused}")
