"""The exporter's daemon as a process of its own, scraped over HTTP as Prometheus does."""

from __future__ import annotations

import gzip
import http.client
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Final, Self

from bench.executables import ProgramUnavailableError
from bench.exposition import Exposition
from bench.process_tree import ProcessTree
from bench.programs import wait_for
from testbed import namespace, privileges, syscalls
from testbed.repeated import repeated

EXPORTER: Final = ("exporter",)

_ROOT: Final = Path(__file__).resolve().parents[1]
_PORT: Final = 10511
_STOP_SECONDS: Final = 10
_FIRST_PAGE_SECONDS: Final = 0.005
# As Prometheus sends them.
_HEADERS: Final = {
    "Accept": "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
    "Accept-Encoding": "gzip",
}


class Daemon:
    """The daemon, from its start to SIGTERM."""

    def __init__(
        self,
        stack: ExitStack,
        module: Sequence[str] = EXPORTER,
        config: str = "",
        *,
        namespaces: bool = False,
    ) -> None:
        """Start `python -m` with a module and its arguments; `stack` ends it.

        `config` is the text of its configuration file. It may enter other network namespaces only where
        `namespaces` is true: those of the processes that it sees, without those that have a name.
        """
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        config_file = folder / "config.yml"
        config_file.write_text(config or "{}\n")
        self._log = folder / "log"
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    *module,
                    f"--config.file={config_file}",
                    f"--web.listen-address=127.0.0.1:{_PORT}",
                ],
                cwd=_ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Other network namespaces of this machine are not part of the workload.
                preexec_fn=_hide_named if namespaces else privileges.deny_other_namespaces,  # noqa: PLW1509 # the thread that starts it stays
            )
        stack.callback(self.stop)

    @property
    def tree(self) -> ProcessTree:
        """The process, and those that it has started."""
        return ProcessTree(self._process.pid)

    def wait_ready(self) -> Self:
        """Return once it is ready. Raises ProgramUnavailableError."""
        wait_for(self._ready, "the exporter")
        return self

    def first_page(self) -> Exposition:
        """Scrape it again and again until it answers. Raises ProgramUnavailableError."""
        pages: list[Exposition] = []
        wait_for(lambda: self._scraped(pages), "the first page", every_seconds=_FIRST_PAGE_SECONDS)
        return pages[0]

    def stop(self) -> None:
        """End it with SIGTERM, or with SIGKILL where it does not end in time."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def _ready(self) -> bool:
        self._check_running()
        try:
            return get("/-/ready")[0] == http.HTTPStatus.OK
        except OSError:
            return False

    def _scraped(self, pages: list[Exposition]) -> bool:
        self._check_running()
        try:
            status, body = get("/metrics")
        except OSError:
            return False
        if status == http.HTTPStatus.OK:
            pages.append(_page(body))
        return bool(pages)

    def _check_running(self) -> None:
        if self._process.poll() is not None:
            raise ProgramUnavailableError(f"the exporter ended: {self._log.read_text().strip()}")


class Scraper:
    """A client that keeps its connection from scrape to scrape, as Prometheus does. For one thread."""

    def __init__(self) -> None:
        """Connect at the first scrape."""
        self._connection = http.client.HTTPConnection("127.0.0.1", _PORT, timeout=60)

    def metrics(self) -> Exposition:
        """Scrape the daemon and return the page. Raises ProgramUnavailableError where there is none."""
        self._connection.request("GET", "/metrics", headers=_HEADERS)
        response = self._connection.getresponse()
        body = response.read()
        if response.status != http.HTTPStatus.OK:
            raise ProgramUnavailableError(f"the exporter refused a scrape: {response.status} {body.decode()}")
        return _page(body)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def metrics() -> Exposition:
    """Scrape the daemon once, and return the page. Raises ProgramUnavailableError where there is none."""
    with closing(Scraper()) as scraper:
        return scraper.metrics()


def get(path: str) -> tuple[int, bytes]:
    """Send a request as Prometheus does, and return the status and the body, which may be compressed."""
    connection = http.client.HTTPConnection("127.0.0.1", _PORT, timeout=60)
    try:
        connection.request("GET", path, headers=_HEADERS)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


@contextmanager
def scrapers(count: int) -> Iterator[None]:
    """Have so many clients scrape in a loop, each on a thread, until the end of the block."""
    with ExitStack() as stack:
        for _ in range(count):
            stack.enter_context(repeated(lambda: get("/metrics")))
        yield


def _page(body: bytes) -> Exposition:
    return Exposition(gzip.decompress(body).decode())


def _hide_named() -> None:
    """Hide the namespaces that have a name: they are the machine's. To be called between fork and exec."""
    syscalls.unshare(syscalls.CLONE_NEWNS)
    syscalls.keep_mounts_private()
    namespace.hide_named()
    syscalls.die_with_parent()
