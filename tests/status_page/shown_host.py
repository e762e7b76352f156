"""A host with full queues and hostile names, at a time that stands still, and a server of its pages."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from exporter.api.documents import build_documents
from exporter.status_page.status_pages import StatusPages
from exporter.web.cpu_allowance import CpuAllowance
from exporter.web.health import HealthyHandler
from exporter.web.route import PageLink, Route
from testbed.repeated import repeated
from tests.integration import hostile_names
from tests.kernel.datagrams import ESTABLISHED, datagram, done, inet_row, tcp_info, with_peer
from tests.kernel.fake_kernel import FakeKernel
from tests.listeners.sockets import endpoint, tcp, unix
from tests.sampling.simulation import Simulation
from tests.web.server_thread import PLENTY, ServerThread, router_of

HOST_NAME = "web<1>"
VERSION = "1.2.3<beta>"
_TICK_SECONDS = 0.05
# Names that would be markup if they were not escaped; a script of this would set the title.
MARKUP = b"<img src=x onerror=\"document.title='broken'\"><script>document.title='broken'</script>&amp;'"
PROCESS = b"<b>&\"'`"
METRICS = Route("/-/metrics&more", HealthyHandler(), link=PageLink("Metrics <1>", "scraped & stored"))


def quiet(config: str = "{}") -> Simulation:
    """Two listeners in whose queues nobody has waited."""
    made = Simulation(config)
    made.host.run(20, b"nginx", 100, cgroup=b"/system.slice/nginx.service")
    made.kernel.tcp.open(tcp(1, "10.0.0.1", 80), length=0, limit=9)
    made.kernel.unix.open(unix(2, b"/run/app.sock"), length=0, limit=4, drops=None)
    made.run_for(2.0)
    return made


def busy(config: str = "{}") -> Simulation:
    """The same with a full queue, one over its threshold, one that was, one unreadable, and hostile names.

    Asked who waits, its kernel tells those in the full queue.
    """
    made = quiet(config)
    made.host.run(30, PROCESS, 300, 500)
    made.kernel.tcp.open(tcp(3, "::", 443), tcp(4, "10.0.0.1", 8080), length=0, limit=99)
    names = (MARKUP, *hostile_names.ABSTRACT)
    made.kernel.unix.open(
        *(unix(5 + index, b"\0" + name[:107]) for index, name in enumerate(names)), limit=9, drops=None
    )
    made.kernel.unix.open(unix(99, b"/run/unreadable.sock"), length=None, limit=None, drops=None)
    made.kernel.syn_recv_dump.counts = {endpoint("::", 443): 60}
    made.run_for(2.0)
    made.kernel.tcp.change(4, length=70)
    made.tick()
    made.kernel.tcp.change(4, length=0)
    made.run_for(40.0)
    made.kernel.tcp.change(1, length=10, drops=7)
    made.kernel.tcp.change(3, length=60)
    made.kernel.waits = {endpoint("10.0.0.1"): 3.25}
    made.run_for(3.0)
    made.kernel.sockets = FakeKernel(done(), datagram([_waits(number) for number in range(10)]), done())
    return made


def _waits(number: int) -> bytes:
    """A connection from one of three addresses of a network, which waits for nginx."""
    row = inet_row(
        100 + number, address="10.0.0.1", port=80, state=ESTABLISHED, inode=0, attributes=tcp_info(1500)
    )
    return with_peer(row, f"192.0.2.{number % 3 + 1}")


@contextmanager
def served(
    made: Simulation,
    *,
    reload_failed: bool = False,
    host: str = HOST_NAME,
    version: str = VERSION,
    linked: Route = METRICS,
) -> Iterator[ServerThread]:
    """A server of the pages about a host, with one that they link."""
    allowance = CpuAllowance(lambda: PLENTY)
    # What a page needs to find clients is opened by the thread that samples.
    serving = repeated(made.sampler.requests.serve, _TICK_SECONDS)
    with ThreadPoolExecutor(1) as executor, serving:
        documents = build_documents(made.sampler, made.clock.clock(), executor, allowance)
        status_pages = StatusPages(documents, executor, allowance)
        routes = [linked, *status_pages.routes([linked], host, version, lambda: reload_failed)]
        with ServerThread(router_of(*routes)) as server:
            yield server
