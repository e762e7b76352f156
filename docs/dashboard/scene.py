"""A host with a few services, one of which stops accepting, with an exporter and a Prometheus."""

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

from docs.dashboard.service import Plan, Service, enter_cgroup
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
# More than the queue holds, so that some are refused.
_TOO_MANY: Final = _BACKLOG + 2
# In seconds after the beginning.
_BURST: Final = (60, 66)
_STUCK: Final = 130
_PHP: Final = "/run/php/php8.2-fpm.sock"


def _web(now: float) -> float:
    """Waves, a burst that fills the queue for a few seconds, and in the end nobody accepts."""
    if _BURST[0] <= now < _BURST[1]:
        return _TOO_MANY
    waves = 70 + 45 * math.sin(now / 6) + random.uniform(-12, 12)  # noqa: S311  (nothing depends on it)
    return waves if now < _STUCK else min(_TOO_MANY, 70 + (now - _STUCK) * 20)


def _web_rate(now: float) -> float:
    return 160 if now < _STUCK else 0


def _around(middle: float, swing: float, period: float) -> Callable[[float], float]:
    return lambda now: max(0.0, middle + swing * math.sin(now / period) + random.uniform(-swing, swing) / 2)  # noqa: S311


@contextmanager
def running() -> Iterator[Prometheus]:
    """The host, from its beginning to the end of what happens on it; then it can be asked."""
    namespace.enter()
    # What is made there, sockets and the name of a container, is then seen by these processes alone.
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
        container = Service(
            "gunicorn",
            groups(f"docker-{_CONTAINER}.scope"),
            partial(listening_sockets.tcp, "0.0.0.0", 8000, 128),
            Plan(_around(12, 8, 9)),
        )
        stack.enter_context(inside(shop, partial(container.run, begin)))
        stack.callback(_end, _exporter(folder, groups("listen-queue-exporter.service")))
        server = stack.enter_context(Prometheus(folder, {INSTANCE: _PORT}, _RULES))
        while time.monotonic() < begin + SECONDS:
            time.sleep(0.2)
        yield server


def _services(groups: Callable[[str], str]) -> list[Service]:
    return [
        Service(
            "nginx",
            groups("nginx.service"),
            partial(listening_sockets.tcp, "0.0.0.0", 80, _BACKLOG),
            Plan(_web, _web_rate),
        ),
        Service(
            "nginx",
            groups("nginx.service"),
            partial(listening_sockets.tcp, "0.0.0.0", 443, _BACKLOG),
            Plan(_around(30, 20, 11)),
        ),
        Service(
            "php-fpm8.2", groups("php8.2-fpm.service"), partial(_unix, _PHP, 128), Plan(_around(76, 6, 13))
        ),
        Service(
            "postgres",
            groups("postgresql@15-main.service"),
            partial(listening_sockets.tcp, "::1", 5432, 200),
            Plan(_around(4, 4, 5)),
        ),
        Service(
            "redis-server",
            groups("redis-server.service"),
            partial(listening_sockets.tcp, "127.0.0.1", 6379, _BACKLOG),
            Plan(_around(1, 1, 3)),
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
    """Leave what Docker leaves on disk, where the exporter finds the names of containers."""
    folder = Path("/var/lib/docker/containers", _CONTAINER)
    folder.mkdir(parents=True)
    (folder / "config.v2.json").write_text(json.dumps({"Name": f"/{name}"}))


@contextmanager
def _cgroups() -> Iterator[Callable[[str], str]]:
    """Make cgroups by the names of units; there are none where the machine does not let us."""
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
    """Remove cgroups, from which processes go a moment after they end."""
    while top.exists():
        for folder in (*(path for path in top.iterdir() if path.is_dir()), top):
            with contextlib.suppress(OSError):
                folder.rmdir()
        time.sleep(0.1)


def _end(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
