"""Clients of an exporter with TLS and passwords that take more than their part."""

from __future__ import annotations

import base64
import http.client
import itertools
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path

import bcrypt
import pytest

from testbed import figures
from testbed.certificates import Authority
from testbed.daemon import Daemon
from testbed.repeated import repeated

USER, PASSWORD = "prometheus", "secret"
# What is promised is a second; other tests may have the processor meanwhile.
PROMISED_SECONDS = 5.0
# The beginning of a record with a ClientHello, whose rest never comes.
BEGUN = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(40)


class Scraper:
    """Scrapes with the password, on a connection that stays, as Prometheus does."""

    def __init__(self, daemon: Daemon, client: ssl.SSLContext) -> None:
        self._connection = http.client.HTTPSConnection("127.0.0.1", daemon.port, timeout=30, context=client)
        text = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        self._headers = {"Authorization": f"Basic {text}"}

    def scrape(self) -> float:
        """Return how many seconds a page takes."""
        before = time.monotonic()
        self._connection.request("GET", "/metrics", headers=self._headers)
        response = self._connection.getresponse()
        assert response.status == http.HTTPStatus.OK
        assert b"listen_queue_exporter_build_info" in response.read()
        return time.monotonic() - before


@contextmanager
def exporter(folder: Path) -> Iterator[tuple[Daemon, ssl.SSLContext]]:
    authority = Authority(folder)
    authority.sign("server", "IP:127.0.0.1")
    hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(10)).decode()
    file = folder / "web.yml"
    file.write_text(
        "tls_server_config: {cert_file: server.crt, key_file: server.key}\n"
        f"basic_auth_users: {{{USER}: {hashed}}}\n"
    )
    with Daemon(f"--web.config.file={file}") as daemon:
        daemon.wait_for_log('msg="listening"')
        yield daemon, ssl.create_default_context(cafile=str(authority.own.certificate))


@pytest.mark.netns
@pytest.mark.fault(
    "300 TLS clients, half of which say nothing and half stop in their handshake", "pages in a second"
)
def test_clients_that_do_not_finish_their_handshake(tmp_path: Path) -> None:
    with exporter(tmp_path) as (daemon, client), ExitStack() as stack:
        scraper = Scraper(daemon, client)
        scraper.scrape()
        for number in range(300):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", daemon.port), 30))
            if number % 2:
                with suppress(OSError):
                    connection.sendall(BEGUN)
        slowest = max(scraper.scrape() for _ in range(5))
        assert slowest < PROMISED_SECONDS
        assert Scraper(daemon, client).scrape() < 2 * PROMISED_SECONDS
        figures.note(f"{slowest:.2f} s")


@pytest.mark.netns
@pytest.mark.fault("wrong passwords on 8 connections, all the time", "pages in a second; few comparisons")
def test_guesses_of_passwords(tmp_path: Path) -> None:
    with exporter(tmp_path) as (daemon, client):
        scraper = Scraper(daemon, client)
        scraper.scrape()

        def guess(numbers: Iterator[int]) -> None:
            with suppress(OSError, http.client.HTTPException):
                connection = http.client.HTTPSConnection("127.0.0.1", daemon.port, timeout=30, context=client)
                text = base64.b64encode(f"{USER}:{next(numbers)}".encode()).decode()
                connection.request("GET", "/metrics", headers={"Authorization": f"Basic {text}"})
                assert connection.getresponse().status != http.HTTPStatus.OK
                connection.close()

        with ExitStack() as guessing:
            for first in range(8):
                guessing.enter_context(repeated(partial(guess, itertools.count(first, 8))))
            before, began = _cpu_seconds(daemon), time.monotonic()
            slowest = 0.0
            while time.monotonic() - began < 10:
                slowest = max(slowest, scraper.scrape())
                time.sleep(1)
            used = (_cpu_seconds(daemon) - before) / (time.monotonic() - began)
        figures.note(f"{slowest:.2f} s, {used:.0%} of a core")
        assert slowest < PROMISED_SECONDS
        # Without a limit it would be a whole core. This counts the first comparisons, which may come at once.
        assert used < 0.4


def _cpu_seconds(daemon: Daemon) -> float:
    fields = Path(f"/proc/{daemon.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100
