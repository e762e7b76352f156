"""The setting of the program at hand, and its default beside that of the real program."""

from __future__ import annotations

import asyncio
import inspect
import socket
import socketserver
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from exporter.doctor.backlog_settings.lookup import BACKLOG_SETTINGS, setting_of
from exporter.doctor.checks.backlog import CAPPED
from exporter.doctor.finding import FindingSeverity
from exporter.owners.owner import UNKNOWN_OWNER, Owner
from testbed import programs, syscalls
from testbed.namespace import write_sysctl
from testbed.waiting import until
from tests.doctor.watching import findings


@pytest.mark.parametrize(
    ("owner", "service"),
    [
        (Owner(process="nginx", command="nginx"), "nginx"),
        (Owner(process="apache2"), "Apache httpd"),
        (Owner(process="php-fpm8.2"), "php-fpm"),
        (Owner(process="gunicorn", command="python3"), "gunicorn"),
        (Owner(process="app.py", command="python3"), "Python (socketserver, asyncio)"),
        (Owner(process="server.js", command="node"), "Node.js"),
        (Owner(process="org.apache.catalina.startup.Bootstrap", command="java"), "Tomcat"),
        (Owner(process="org.eclipse.jetty.start.Main", command="java"), "Jetty"),
        (Owner(process="com.example.Main", command="java"), "Java (ServerSocket)"),
        (Owner(process="beam.smp", unit="rabbitmq-server.service"), "RabbitMQ"),
        (Owner(process="beam.smp", unit="ejabberd.service"), "Erlang (gen_tcp)"),
        (Owner(process="runmqlsr"), "IBM MQ"),
        (Owner(process="systemd"), "systemd"),
        (Owner(process="unheard-of"), ""),
        (UNKNOWN_OWNER, ""),
    ],
)
def test_a_program_has_the_row_of_what_runs_and_else_that_of_its_language(owner: Owner, service: str) -> None:
    assert setting_of(owner).service == service


@pytest.mark.parametrize(
    ("service", "depends_on"),
    [
        ("MariaDB", "`max_connections`"),
        ("HAProxy", "that of `global`"),
        ("php-fpm", "PHP 8.2"),
        ("Rust (tokio::net::TcpListener)", "mio 1.1"),
    ],
)
def test_a_default_that_depends_on_a_setting_or_a_version_is_no_number(service: str, depends_on: str) -> None:
    """The doctor would say that the program asks for it."""
    (row,) = (setting for setting in BACKLOG_SETTINGS if setting.service == service)
    assert row.backlog is None
    assert depends_on in row.default


def test_rows_have_names_of_their_own() -> None:
    assert len({setting.service for setting in BACKLOG_SETTINGS}) == len(BACKLOG_SETTINGS)


def test_the_defaults_of_python_are_those_of_this_one() -> None:
    assert socketserver.TCPServer.request_queue_size == 5

    async def backlog() -> int:
        created = inspect.signature(asyncio.get_running_loop().create_server)
        value: int = created.parameters["backlog"].default
        return value

    assert asyncio.run(backlog()) == 100
    assert setting_of(Owner(process="app.py")).default == "5 in socketserver, 100 in asyncio"


@pytest.mark.netns
def test_redis_asks_for_what_the_table_says(tmp_path: Path) -> None:
    """So a lower somaxconn is known to cap it before a queue fills; with the kernel's default nothing is."""
    with _redis(tmp_path):
        assert CAPPED not in findings()
    write_sysctl("net.core.somaxconn", 128)
    with _redis(tmp_path):
        finding = until(findings, lambda found: CAPPED in found)[CAPPED]
    assert finding.severity is FindingSeverity.NOTE
    assert "Redis asks for 511 unless it is told otherwise" in finding.evidence
    assert finding.change.endswith("its own setting is `tcp-backlog`, for its unix socket too (default: 511)")


@contextmanager
def _redis(folder: Path) -> Iterator[None]:
    command = [programs.find("redis-server"), "--port", "6379", "--bind", "127.0.0.1", "--save", ""]
    process = subprocess.Popen(
        command,
        cwd=folder,
        stdout=subprocess.DEVNULL,
        preexec_fn=syscalls.die_with_parent,  # noqa: PLW1509  (tests have one thread)
    )
    try:
        until(_accepts, bool)
        yield
    finally:
        process.kill()
        process.wait()


def _accepts() -> bool:
    try:
        socket.create_connection(("127.0.0.1", 6379), timeout=1.0).close()
    except OSError:
        return False
    return True
