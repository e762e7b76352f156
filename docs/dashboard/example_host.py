"""A host with several services, one of which stops accepting, an exporter and a Prometheus."""

from __future__ import annotations

import contextlib
import json
import math
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

from docs.dashboard.simulated_service import QueueProfile, SimulatedService, enter_cgroup
from exporter.kernel.processes.cgroups import CgroupTree
from testbed import namespace, syscalls
from testbed.netns import Namespaces
from tests.deploy.dashboard.prometheus import Prometheus
from tests.integration import listening_sockets
from tests.integration.other_namespaces import inside

SECONDS: Final = 180
INSTANCE: Final = "web1:10511"

_PORT: Final = 10511
_SHOP: Final = "shop"
_CONTAINER: Final = "a1b2c3d4e5f60718" * 4
_CONFIG: Final = f"""\
namespaces: {{include: [{_SHOP}]}}
rules:
  - name: edge
    match: {{port: [80, 443]}}
    accept: {{warning: 30%, critical: 70%}}
"""
_RULES: Final = """\
groups:
  - name: picture
    rules:
      - alert: ListenQueueFull
        expr: listen_queue_accept_utilization_ratio >= 1
"""
_BACKLOG: Final = 511
# More than the queue takes, so that the kernel drops some.
_OVERFLOWING: Final = _BACKLOG + 2
# In seconds since the beginning.
_BURST: Final = (60, 66)
_STOPS_ACCEPTING: Final = 130
_PHP: Final = "/run/php/php8.2-fpm.sock"


def _web(now: float) -> float:
    """Waves, a burst that fills the queue for a few seconds, and no accept in the end."""
    if _BURST[0] <= now < _BURST[1]:
        return _OVERFLOWING
    waves = 70 + 45 * math.sin(now / 6) + random.uniform(-12, 12)  # noqa: S311  (no secret depends on it)
    return waves if now < _STOPS_ACCEPTING else min(_OVERFLOWING, 70 + (now - _STOPS_ACCEPTING) * 20)


def _web_rate(now: float) -> float:
    return 160 if now < _STOPS_ACCEPTING else 0


def _around(middle: float, swing: float, period: float) -> Callable[[float], float]:
    return lambda now: max(0.0, middle + swing * math.sin(now / period) + random.uniform(-swing, swing) / 2)  # noqa: S311


@contextmanager
def run() -> Iterator[Prometheus]:
    """Run the host for SECONDS; then its Prometheus can be queried."""
    namespace.enter()
    # Sockets and the name of a container are made in directories that only these processes see.
    for covered in ("/run", "/var/lib"):
        syscalls.mount_empty(covered)
    Path(_PHP).parent.mkdir()
    _name_container("shop-web")
    begin = time.monotonic()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="picture-")))
        groups = stack.enter_context(_cgroups())
        shop = stack.enter_context(Namespaces()).named(_SHOP)
        for service in _services(groups):
            stack.callback(_end, service.start(begin))
        container = SimulatedService(
            "gunicorn",
            groups(f"docker-{_CONTAINER}.scope"),
            partial(listening_sockets.tcp, "0.0.0.0", 8000, 128),
            QueueProfile(_around(12, 8, 9)),
        )
        stack.enter_context(inside(shop, partial(container.run, begin)))
        stack.callback(_end, _exporter(folder, groups("listen-queue-exporter.service")))
        server = stack.enter_context(Prometheus(folder, {INSTANCE: _PORT}, _RULES))
        while time.monotonic() < begin + SECONDS:
            time.sleep(0.2)
        yield server


def _services(groups: Callable[[str], str]) -> list[SimulatedService]:
    return [
        SimulatedService(
            "nginx",
            groups("nginx.service"),
            partial(listening_sockets.tcp, "0.0.0.0", 80, _BACKLOG),
            QueueProfile(_web, _web_rate),
        ),
        SimulatedService(
            "nginx",
            groups("nginx.service"),
            partial(listening_sockets.tcp, "0.0.0.0", 443, _BACKLOG),
            QueueProfile(_around(30, 20, 11)),
        ),
        SimulatedService(
            "php-fpm8.2",
            groups("php8.2-fpm.service"),
            partial(_unix, _PHP, 128),
            QueueProfile(_around(76, 6, 13)),
        ),
        SimulatedService(
            "postgres",
            groups("postgresql@15-main.service"),
            partial(listening_sockets.tcp, "::1", 5432, 200),
            QueueProfile(_around(4, 4, 5)),
        ),
        SimulatedService(
            "redis-server",
            groups("redis-server.service"),
            partial(listening_sockets.tcp, "127.0.0.1", 6379, _BACKLOG),
            QueueProfile(_around(1, 1, 3)),
        ),
    ]


def _unix(path: str, backlog: int) -> socket.socket:
    return listening_sockets.unix(path, backlog)


def _exporter(folder: Path, cgroup: str) -> int:
    config = folder / "config.yml"
    config.write_text(_CONFIG)
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "exporter",
            f"--config.file={config}",
            f"--web.listen-address=127.0.0.1:{_PORT}",
            "--log.level=error",
        ],
        preexec_fn=syscalls.die_with_parent,  # noqa: PLW1509  (one thread)
    )
    enter_cgroup(cgroup, process.pid)
    return process.pid


def _name_container(name: str) -> None:
    """Write the file of Docker in which the exporter finds the name of a container."""
    folder = Path("/var/lib/docker/containers", _CONTAINER)
    folder.mkdir(parents=True)
    (folder / "config.v2.json").write_text(json.dumps({"Name": f"/{name}"}))


@contextmanager
def _cgroups() -> Iterator[Callable[[str], str]]:
    """Yields a function that makes a cgroup of a name; it returns "" where cgroups may not be made."""
    mount = CgroupTree().mount
    top = Path(os.fsdecode(mount.point), "listen-queue-picture.slice") if mount else None

    def make(name: str) -> str:
        if top is None:
            return ""
        try:
            (top / name).mkdir(parents=True, exist_ok=True)
        except OSError:
            return ""
        return str(top / name)

    try:
        yield make
    finally:
        if top is not None and top.exists():
            _remove(top)


def _remove(top: Path) -> None:
    """Remove cgroups; a process leaves its cgroup shortly after it ends."""
    while top.exists():
        for folder in (*(path for path in top.iterdir() if path.is_dir()), top):
            with contextlib.suppress(OSError):
                folder.rmdir()
        time.sleep(0.1)


def _end(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
