"""Commands of the documents, and the host that they are run on: every kind of queue is full."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import pytest

from testbed import flood, privileges, programs
from testbed.netns import Namespaces
from testbed.waiting import equals, until
from tests.integration import listening_sockets, reference
from tests.integration.command import without_not_seen

ROOT: Final = Path(__file__).resolve().parents[2]
PORT, BACKLOG, SYN_RECV = 8080, 3, 4
NSTAT = "nstat -asz TcpExtListenOverflows TcpExtListenDrops"


def output(command: str, **placeholders: object) -> str:
    """What a command prints; fails the test where it fails, or writes an error."""
    for name, value in placeholders.items():
        command = command.replace(name, str(value))
    ours = command.startswith("listen-queue-exporter")
    command = command.replace("listen-queue-exporter", f"{sys.executable} -m exporter")
    programs.find(command.split()[0])
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=40,
        # The others may have to enter namespaces.
        preexec_fn=privileges.deny_other_namespaces if ours else None,
    )
    errors = without_not_seen(done.stderr) if ours else done.stderr
    # timeout(1) exits with 124 where it had to end the command; strace never ends by itself.
    expected = 124 if command.startswith("timeout") else 0
    if done.returncode != expected or (errors and not command.startswith("timeout")):
        pytest.fail(f"{command} exited with {done.returncode}: {done.stderr}{done.stdout}")
    return done.stdout + errors


@contextmanager
def full_queues(folder: Path) -> Iterator[dict[str, object]]:
    """Full queues of every kind, half-open connections, drops; gives the value of each placeholder."""
    path = folder / "s"
    with ExitStack() as stack:
        tun = stack.enter_context(flood.Tun())
        listener = stack.enter_context(listening_sockets.tcp("0.0.0.0", PORT, BACKLOG))
        flood.syn_flood(tun, listening_sockets.TUN_IPV4, PORT, SYN_RECV)
        for each in (
            listener,
            listening_sockets.unix(str(path), BACKLOG),
            listening_sockets.unix("\0queue", BACKLOG),
        ):
            stack.enter_context(each)
            address = "127.0.0.1" if each is listener else ""
            for client in listening_sockets.clients(each, BACKLOG + 1, address):
                stack.enter_context(client)
        stack.enter_context(listening_sockets.refused_client(listener))
        made = stack.enter_context(Namespaces()).named("edge")
        made.listen_tcp(PORT, backlog=BACKLOG)
        made.fill_tcp(PORT, BACKLOG + 1)
        # The kernel may put a connection into the queue after the client is connected.
        until(queue_lengths, equals(dict.fromkeys(["0.0.0.0", str(path), "@queue"], BACKLOG + 1)))
        until(reference.syn_recv, equals(SYN_RECV))
        until(nstat, lambda counted: counted["TcpExtListenOverflows"] >= 1)
        with reference.within(made.pid):
            until(queue_lengths, equals({"0.0.0.0": BACKLOG + 1}))
        yield {
            "PORT": PORT,
            "SOCKET": path,
            "@NAME": "@queue",
            "NETNS": "edge",
            "FILE": "config.example.yaml",
            "VALUE": 4096,
            "PROCESS": Path("/proc/self/comm").read_text().strip(),
            "PID": os.getpid(),
            "INSIDE": made.pid,
        }


def queue_lengths() -> dict[str, float]:
    """The length of each accept queue of the network namespace, by address."""
    return {endpoint.address: figures.length for endpoint, figures in reference.from_ss().items()}


def nstat() -> dict[str, int]:
    """The counters of the network namespace, by name."""
    return {words[0]: int(words[1]) for words in map(str.split, output(NSTAT).splitlines()[1:])}
