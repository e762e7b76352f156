"""The marker `netns`: a marked test ends as any other test would, and no process of it is left."""

from __future__ import annotations

import errno
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed import flood, namespace, privileges, programs, seccomp, syscalls
from testbed.waiting import equals, until

_PR_GET_DUMPABLE = 3

NAMESPACES_OF_PYTEST = [Path(f"/proc/self/ns/{kind}").stat().st_ino for kind in ("net", "mnt", "pid")]
# A process of a test has this argument, by which it is found: its PID is that of another PID namespace.
ARGUMENT = f"started-by-{os.getpid()}"
START_SLEEP = f'subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)", "{ARGUMENT}"]%s)'
FLOOD = 20_000


@pytest.fixture
def inner(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A folder of tests that know the marker, to be run by a pytest of their own."""
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makeini("[pytest]\naddopts = -p pytest_timeout -p testbed.plugin -p no:cacheprovider -rfs")
    return pytester


def running_with_argument() -> int:
    """How many processes of the machine have been started with ARGUMENT."""
    found = 0
    for process in Path("/proc").glob("[0-9]*"):
        try:
            found += ARGUMENT.encode() in (process / "cmdline").read_bytes().split(b"\0")
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


@pytest.mark.netns
def test_a_network_namespace_has_a_working_loopback_and_no_other_device(tmp_path: Path) -> None:
    own = [Path(f"/proc/self/ns/{kind}").stat().st_ino for kind in ("net", "mnt", "pid")]
    assert set(own).isdisjoint(NAMESPACES_OF_PYTEST)
    assert [name for _, name in socket.if_nameindex()] == ["lo"]
    with socket.create_server(("127.0.0.1", 10511)) as server:
        socket.create_connection(server.getsockname()).close()
    assert tmp_path.is_dir()


@pytest.mark.netns
def test_proc_shows_no_process_but_those_of_the_test() -> None:
    child = subprocess.Popen(["sleep", "1000"])
    shown = {int(process.name) for process in Path("/proc").glob("[0-9]*")}
    child.kill()
    child.wait()
    assert shown == {1, os.getpid(), child.pid}


@pytest.mark.netns
def test_a_process_whose_parent_has_ended_is_reaped() -> None:
    shell = subprocess.run(["sh", "-c", "true & echo $!"], capture_output=True, check=True, text=True)
    until(lambda: not Path(f"/proc/{int(shell.stdout)}").exists(), bool)


@pytest.mark.netns
def test_a_port_taken_in_one_namespace_is_free_in_the_next() -> None:
    with socket.create_server(("127.0.0.1", 10511)):
        assert socket.if_nameindex()


@pytest.fixture
def name_of_the_machine() -> Iterator[str]:
    """A name under /run/netns, made outside of the test's namespaces."""
    if os.getuid() != 0 or Path("/proc/self/uid_map").read_text().split()[2] == "1":
        pytest.skip("only root may write to /run/netns")
    Path("/run/netns").mkdir(exist_ok=True)
    file = Path(f"/run/netns/outside-{os.getpid()}")
    file.touch()
    yield file.name
    file.unlink()


@pytest.mark.netns
def test_a_name_that_the_machine_has_is_not_seen_in_the_test(name_of_the_machine: str) -> None:
    assert name_of_the_machine not in [each.name for each in Path("/run/netns").iterdir()]


@pytest.mark.netns
def test_a_named_namespace_is_not_seen_outside_of_the_test() -> None:
    if os.getuid() != 0 or Path("/proc/self/uid_map").read_text().split()[2] == "1":
        pytest.skip("only root may mount over /run/netns")
    named = Path("/run/netns")
    named.mkdir(exist_ok=True)
    outside = os.open(named, os.O_DIRECTORY)
    namespace.hide_named()
    programs.output("ip", "netns", "add", "of-the-test")
    assert [made.name for made in named.iterdir()] == ["of-the-test"]
    assert "of-the-test" not in os.listdir(outside)  # noqa: PTH208  (pathlib lists no descriptor)
    os.close(outside)


def test_a_failure_is_shown_as_pytest_shows_it(inner: pytest.Pytester) -> None:
    inner.makepyfile("""
        import logging, pytest
        @pytest.mark.netns
        def test_it():
            print("printed in the child")
            logging.getLogger().warning("logged in the child")
            found = {"length": 3}
            assert found == {"length": 4}
    """)
    result = inner.runpytest_subprocess()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            '>*assert found == {"length": 4}',
            "E*AssertionError: assert {'length': 3} == {'length': 4}",
            "*logged in the child*",
            "printed in the child",
            "FAILED *AssertionError: assert {'length': 3} == {'length': 4}",
        ]
    )
    result.stdout.no_fnmatch_line("*FailedInChildError*")


def test_skips_and_expected_failures_come_through(inner: pytest.Pytester) -> None:
    inner.makepyfile("""
        import pytest
        @pytest.mark.netns
        def test_skip():
            pytest.skip("no such kernel")
        @pytest.mark.netns
        def test_xfail():
            pytest.xfail("not yet")
        @pytest.mark.netns
        @pytest.mark.xfail(strict=True)
        def test_marked():
            assert False
        @pytest.mark.netns
        def test_pass():
            pass
    """)
    result = inner.runpytest_subprocess()
    result.assert_outcomes(skipped=1, xfailed=2, passed=1)
    result.stdout.fnmatch_lines(["SKIPPED*no such kernel"])


def test_where_no_namespace_can_be_made_the_test_is_skipped_and_says_why(inner: pytest.Pytester) -> None:
    inner.makeconftest("""
        from testbed import syscalls
        def refuse(flags):
            raise PermissionError(1, "Operation not permitted", "unshare")
        syscalls.unshare = refuse
    """)
    inner.makepyfile("""
        import pytest
        @pytest.mark.netns
        def test_it():
            assert False
    """)
    result = inner.runpytest_subprocess()
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["SKIPPED*cannot make a network namespace*Operation not permitted*"])


def test_a_test_that_hangs_is_killed_with_all_it_started(inner: pytest.Pytester) -> None:
    inner.makepyfile(f"""
        import pytest, subprocess, sys, time
        @pytest.mark.netns
        @pytest.mark.timeout(2)
        def test_it():
            {START_SLEEP % ", start_new_session=False"}
            {START_SLEEP % ", start_new_session=True"}
            print("both started", flush=True)
            time.sleep(1000)
    """)
    result = inner.runpytest_subprocess()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["hung for 2 s and was killed*", "*both started*", "*in test_it*"])
    assert running_with_argument() == 0


def test_what_a_test_started_ends_with_it(inner: pytest.Pytester) -> None:
    inner.makepyfile(f"""
        import pytest, subprocess, sys
        @pytest.mark.netns
        def test_it():
            {START_SLEEP % ", start_new_session=True"}
    """)
    inner.runpytest_subprocess().assert_outcomes(passed=1)
    assert running_with_argument() == 0


@pytest.mark.parametrize(
    ("end", "message"),
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", "died by SIGSEGV"),
        ("os._exit(3)", "exited with status 3 before the test was done"),
        ("sys.exit(4)", "*SystemExit: 4"),
    ],
)
def test_a_process_that_ends_early_is_a_failure_that_says_how(
    inner: pytest.Pytester, end: str, message: str
) -> None:
    inner.makepyfile(f"""
        import os, signal, sys, pytest
        @pytest.mark.netns
        def test_it():
            {end}
    """)
    result = inner.runpytest_subprocess()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([f"*{message}*"])


def test_the_test_ends_with_pytest(inner: pytest.Pytester) -> None:
    inner.makepyfile(f"""
        import pytest, subprocess, sys, time
        @pytest.mark.netns
        def test_it():
            {START_SLEEP % ""}
            time.sleep(1000)
    """)
    command = [sys.executable, "-m", "pytest"]
    with subprocess.Popen(command, cwd=inner.path, stdout=subprocess.DEVNULL) as running:
        until(lambda: (running_with_argument(), running.poll()), equals((1, None)))
        running.kill()
    until(running_with_argument, equals(0))


def test_the_tests_of_a_group_run_in_one_worker_and_those_with_a_long_timeout_first(
    inner: pytest.Pytester,
) -> None:
    inner.makepyfile("""
        import pytest
        @pytest.mark.xdist_group("group")
        @pytest.mark.parametrize("number", range(4))
        def test_short(number):
            pass
        @pytest.mark.xdist_group("group")
        @pytest.mark.timeout(1000)
        def test_long():
            pass
    """)
    result = inner.runpytest_subprocess("-p", "xdist.plugin", "-n2", "--dist=loadgroup", "-v", "--timeout=60")
    result.assert_outcomes(passed=5)
    ran = re.findall(r"\[(gw\d)\].*PASSED.*::(\w+)", result.stdout.str())
    assert len({worker for worker, _ in ran}) == 1
    assert [name for _, name in ran] == ["test_long", *["test_short"] * 4]


@pytest.mark.netns
@pytest.mark.parametrize("destination", [str(flood.Tun.ipv4.ip), str(flood.Tun.ipv6.ip)])
def test_a_flood_leaves_as_many_syn_recv_connections(destination: str) -> None:
    namespace.write_sysctl("net.core.somaxconn", FLOOD * 2)
    family = socket.AF_INET6 if ":" in destination else socket.AF_INET
    with flood.Tun() as tun, socket.create_server((destination, 8080), family=family, backlog=FLOOD * 2):
        flood.syn_flood(tun, destination, 8080, FLOOD - 10)
        flood.syn_flood(tun, destination, 8080, 10, first=FLOOD - 10)
        syn_recv = programs.output("ss", "-Htn", "state", "syn-recv").splitlines()
    assert len(syn_recv) == FLOOD


@pytest.mark.netns
def test_a_denied_family_fails_here_and_in_children_and_others_pass() -> None:
    seccomp.deny_socket_family(socket.AF_NETLINK, errno.EACCES)
    with pytest.raises(PermissionError):
        socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)
    socket.socket(socket.AF_INET, socket.SOCK_STREAM).close()
    child = subprocess.run([programs.find("ip"), "link"], capture_output=True, text=True, check=False)
    assert "Permission denied" in child.stderr


@pytest.mark.netns
def test_a_dropped_process_is_an_ordinary_user_that_sees_itself() -> None:
    privileges.drop_to(privileges.NOBODY)
    assert os.getresuid() == os.getresgid() == (privileges.NOBODY,) * 3
    assert os.getgroups() == []
    assert set(privileges.held().values()) == {0}
    assert Path("/proc/self/fd").stat().st_uid == privileges.NOBODY
    with pytest.raises(PermissionError):
        os.setuid(0)
    with pytest.raises(PermissionError):
        Path("/etc/shadow").read_bytes()


def test_a_test_that_acts_as_another_user_leaves_a_process_that_can_be_looked_at() -> None:
    """Those that are forked later are as it is, and tests read their files without capabilities."""
    with privileges.without_root():
        pass
    assert syscalls.prctl(_PR_GET_DUMPABLE) == 1
