"""Draws docs/status-page-*.png: the pages that the exporter serves for people, as Chromium shows them.

`make picture` runs it. Ten minutes of a host are simulated with a sample each 50 ms, so that the pictures
show the same each time.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlencode

from exporter import __version__
from exporter.web.health import HealthyHandler
from exporter.web.route import PageLink, Route
from testbed.chromium import Chromium
from tests.listeners.sockets import endpoint, tcp, unix
from tests.sampling.fake_access import FakeAccess
from tests.sampling.simulation import TICK_SECONDS, Simulation
from tests.status_page.shown_host import served

_DOCS: Final = Path(__file__).parent
_SECONDS: Final = 600.0
_SHOP: Final = "shop"
_WIDTH: Final = 1280
_PHONE: Final = 360
_PHONE_HEIGHT: Final = 760
_BURST: Final = 240.0
_STOPS_ACCEPTING: Final = 570.0
_PHP: Final = "/run/php/php8.2-fpm.sock"
_EDGE: Final = {"netns": "host", "protocol": "tcp", "address": "0.0.0.0", "port": "443", "process": "nginx"}


@dataclass(frozen=True, slots=True)
class Service:
    """A program with one listener; `length` is how many connections wait, by the time in seconds."""

    process: str
    unit: str
    address: str
    port: int
    backlog: int
    length: Callable[[float], float] = lambda _: 0.0


@dataclass(frozen=True, slots=True)
class Picture:
    """The name of a picture, and the page, the width of the window and the colours that it shows."""

    name: str
    path: str
    width: int
    scheme: Literal["light", "dark"]


def _edge(now: float) -> float:
    """Waves, a burst of a tenth of a second that fills the queue, and no accept in the end."""
    if _BURST <= now < _BURST + 0.1:
        return 512
    if now >= _STOPS_ACCEPTING:
        return min(512.0, (now - _STOPS_ACCEPTING) * 30)
    return 40 * math.sin(now / 37) + 30 * math.sin(now / 5) * math.sin(now / 91)


SERVICES: Final = (
    Service("nginx", "nginx.service", "0.0.0.0", 443, 511, _edge),
    Service("nginx", "nginx.service", "0.0.0.0", 80, 511, lambda now: 12 * math.sin(now / 20)),
    Service(
        "php-fpm8.2", "php8.2-fpm.service", _PHP, 0, 128, lambda now: 300 * math.sin(now / 32 - 4.6) - 220
    ),
    Service(
        "postgres", "postgresql.service", "127.0.0.1", 5432, 244, lambda now: 90 * math.sin(now / 13) - 70
    ),
    Service("redis-server", "redis-server.service", "::1", 6379, 511),
    Service("sshd", "ssh.service", "::", 22, 128),
    Service("dockerd", "docker.service", "/run/docker.sock", 0, 4096),
)
_METRICS: Final = Route("/metrics", HealthyHandler(), link=PageLink("Metrics", "what Prometheus scrapes"))

PICTURES: Final = (
    Picture("status-page-light", "/", _WIDTH, "light"),
    Picture("status-page-dark", "/", _WIDTH, "dark"),
    Picture("status-page-listener-light", f"/listener?{urlencode(_EDGE)}", _WIDTH, "light"),
    Picture("status-page-listener-dark", f"/listener?{urlencode(_EDGE)}", _WIDTH, "dark"),
    Picture("status-page-phone", "/", _PHONE, "light"),
)


def main() -> None:
    """Write every picture."""
    with (
        tempfile.TemporaryDirectory() as folder,
        served(simulated(), host="web1", version=__version__, linked=_METRICS) as server,
        Chromium(Path(folder)) as browser,
    ):
        for picture in PICTURES:
            address = f"http://127.0.0.1:{server.port}{picture.path}"
            height = _PHONE_HEIGHT
            if picture.width > _PHONE:
                # Where all of the page is in the window there is no scroll bar.
                browser.load(address, width=picture.width, height=1, scheme=picture.scheme)
                height = browser.evaluate("document.documentElement.scrollHeight")
            browser.load(address, width=picture.width, height=height, scheme=picture.scheme)
            (_DOCS / f"{picture.name}.png").write_bytes(browser.screenshot())


def simulated() -> Simulation:
    """A host after ten minutes."""
    others = FakeAccess()
    others.keep = True
    others.add(2, name=_SHOP)
    host = Simulation(others=others)
    for number, service in enumerate(SERVICES, start=1):
        host.host.run(100 + number, service.process.encode(), number * 100, cgroup=_cgroup(service.unit))
        if service.port:
            listener = tcp(number, service.address, service.port)
            host.kernel.tcp.open(listener, limit=service.backlog)
        else:
            host.kernel.unix.open(unix(number, service.address.encode()), limit=service.backlog, drops=None)
    host.tick(40)
    shop = others.kernels[_SHOP].tcp
    shop.open(tcp(90, "0.0.0.0", 3000), limit=511)  # no socket is opened
    begin = host.clock.now
    while (now := host.clock.now - begin) < _SECONDS:
        for number, service in enumerate(SERVICES, start=1):
            family = host.kernel.tcp if service.port else host.kernel.unix
            family.change(number, length=max(0, round(service.length(now))))
        shop.change(90, length=max(0, round(6 * math.sin(now / 11))))
        host.kernel.waits = {
            endpoint("10.0.0.1", 443): max(0.1, now - _STOPS_ACCEPTING),
            endpoint("127.0.0.1", 5432): 0.2,
        }
        host.tick(seconds=TICK_SECONDS)
    return host


def _cgroup(unit: str) -> bytes:
    return f"/system.slice/{unit}".encode()


if __name__ == "__main__":
    main()
