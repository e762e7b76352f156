"""Connections in TLS: handshakes, what is refused in them, and pages of any size."""

from __future__ import annotations

import http.client
import select
import socket
import ssl
import time
from contextlib import suppress
from pathlib import Path

import pytest

from exporter.web.limits import Limits
from exporter.web.router import Router
from exporter.web.transport import ConfiguredTransport
from exporter.web.web_settings import WebSettings
from testbed.certificates import Authority, Certificate
from testbed.waiting import until
from tests.web.metrics_pages import LARGE_PAGE, TEXT_PAGE, LargePage, SmallPage, metrics_router
from tests.web.server_thread import TIMEOUT_SECONDS, ServerThread, read_to_end
from tests.web.tls_files import CLIENTS, SERVER, TlsFiles

REQUEST = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture
def files(tmp_path: Path) -> TlsFiles:
    return TlsFiles.made(tmp_path)


def serving(
    files: TlsFiles, keys: str = SERVER, router: Router | None = None, limits: Limits | None = None
) -> ServerThread:
    transport = ConfiguredTransport(WebSettings(files.load(keys)))
    return ServerThread(router or metrics_router(SmallPage()), limits or Limits(), transport)


def get(server: ServerThread, client: ssl.SSLContext) -> bytes:
    connection = http.client.HTTPSConnection(
        "127.0.0.1", server.port, timeout=TIMEOUT_SECONDS, context=client
    )
    try:
        connection.request("GET", "/metrics")
        return connection.getresponse().read()
    finally:
        connection.close()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_page_is_served(files: TlsFiles, version: ssl.TLSVersion) -> None:
    client = files.client()
    client.minimum_version = client.maximum_version = version
    with serving(files) as server:
        assert get(server, client) == TEXT_PAGE


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_page_that_no_buffer_holds_is_served_whole(files: TlsFiles, version: ssl.TLSVersion) -> None:
    client = files.client()
    client.minimum_version = client.maximum_version = version
    with serving(files, router=metrics_router(LargePage())) as server:
        assert get(server, client) == LARGE_PAGE


def test_requests_may_follow_each_other_on_a_connection(files: TlsFiles) -> None:
    with serving(files) as server:
        connection = http.client.HTTPSConnection(
            "127.0.0.1", server.port, timeout=TIMEOUT_SECONDS, context=files.client()
        )
        for _ in range(3):
            connection.request("GET", "/metrics")
            assert connection.getresponse().read() == TEXT_PAGE
        connection.close()


def test_http_2_is_not_agreed_on(files: TlsFiles) -> None:
    client = files.client()
    client.set_alpn_protocols(["h2", "http/1.1"])
    with serving(files) as server, client.wrap_socket(server.connect(), server_hostname="127.0.0.1") as tls:
        assert tls.selected_alpn_protocol() == "http/1.1"


def test_a_client_of_the_authority_is_served_and_others_are_not(files: TlsFiles) -> None:
    ours = files.authority.sign("client", "DNS:prometheus")
    other = Authority(files.folder, "other").sign("client-of-another", "DNS:prometheus")
    with serving(files, f"{SERVER}, {CLIENTS}") as server:
        assert get(server, files.client(ours)) == TEXT_PAGE
        for shown in (None, other):
            with pytest.raises(OSError, match="alert"):
                get(server, files.client(shown))


def test_a_client_without_a_certificate_is_served_where_it_may_have_none(files: TlsFiles) -> None:
    keys = f"{SERVER}, {CLIENTS.replace('RequireAndVerifyClientCert', 'VerifyClientCertIfGiven')}"
    with serving(files, f"{keys}, client_allowed_sans: [prometheus]") as server:
        assert get(server, files.client()) == TEXT_PAGE
        with pytest.raises((OSError, http.client.HTTPException)):
            get(server, files.client(files.authority.sign("client", "DNS:other")))


@pytest.mark.parametrize(
    ("allowed", "name", "served"),
    [
        ("prometheus.example.org", "DNS:prometheus.example.org", True),
        ("prometheus.example.org", "DNS:grafana.example.org", False),
        ("example.org", "DNS:prometheus.example.org", False),
        ("192.0.2.1", "IP:192.0.2.1", True),
        ("2001:db8::1", "IP:2001:db8::1", True),
        ("2001:db8::1", "IP:2001:db8::2", False),
        ("a@example.org", "email:a@example.org", True),
        ("spiffe://example.org/a", "URI:spiffe://example.org/a", True),
        ("client", "DNS:other", False),
    ],
)
def test_only_named_clients_are_served(files: TlsFiles, allowed: str, name: str, *, served: bool) -> None:
    """A name is compared as a whole, and the common name is none."""
    client = files.client(files.authority.sign("client", name))
    with serving(files, f'{SERVER}, {CLIENTS}, client_allowed_sans: ["{allowed}"]') as server:
        if served:
            assert get(server, client) == TEXT_PAGE
        else:
            with pytest.raises((OSError, http.client.HTTPException)):
                get(server, client)


def test_who_speaks_plain_http_is_told_so(files: TlsFiles) -> None:
    with serving(files) as server:
        answer = server.send_raw(REQUEST)
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"this port speaks TLS; write https://" in answer


def test_clients_that_say_nothing_keep_nobody_from_being_served(files: TlsFiles) -> None:
    """They are closed at the deadline of a request header; so are those that stop in their handshake."""
    with serving(files, limits=Limits(header_seconds=1.0)) as server:
        silent = [server.connect() for _ in range(50)]
        hello = ssl.MemoryBIO()
        begun = files.client().wrap_bio(ssl.MemoryBIO(), hello, server_hostname="127.0.0.1")
        with pytest.raises(ssl.SSLWantReadError):
            begun.do_handshake()
        first = hello.read()
        for connection in silent[:25]:
            connection.sendall(first[:40])
        assert get(server, files.client()) == TEXT_PAGE
        for connection in silent:
            assert read_to_end(connection) == b""
            connection.close()


def test_a_handshake_may_come_byte_by_byte(files: TlsFiles) -> None:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = files.client().wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
    with serving(files) as server, server.connect() as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def exchange() -> None:
            for byte in outgoing.read():
                connection.sendall(bytes([byte]))
            if select.select([connection], [], [], 0.05)[0]:
                incoming.write(connection.recv(1 << 16))

        def agreed() -> bool:
            try:
                client.do_handshake()
            except ssl.SSLWantReadError:
                exchange()
                return False
            return True

        until(agreed, bool)
        client.write(REQUEST)

        response = bytearray()

        def received() -> bytes:
            exchange()
            with suppress(ssl.SSLWantReadError):
                response.extend(client.read(1 << 16))
            return bytes(response)

        until(received, lambda received: received.endswith(TEXT_PAGE))


def test_a_client_that_reads_nothing_is_closed_at_the_deadline(files: TlsFiles) -> None:
    limits = Limits(stall_seconds=0.3)
    with (
        serving(files, router=metrics_router(LargePage()), limits=limits) as server,
        files.client().wrap_socket(server.connect(), server_hostname="127.0.0.1") as tls,
    ):
        tls.sendall(REQUEST)
        time.sleep(1.5)
        received = 0
        with suppress(ConnectionError, ssl.SSLError):
            while data := tls.recv(1 << 20):
                received += len(data)
        assert received < len(LARGE_PAGE)


def test_another_configuration_is_that_of_the_next_connection(files: TlsFiles) -> None:
    settings = WebSettings()
    with ServerThread(metrics_router(SmallPage()), transport=ConfiguredTransport(settings)) as server:
        assert server.request("/metrics").body == TEXT_PAGE
        assert settings.replace(files.load())
        assert get(server, files.client()) == TEXT_PAGE
        assert not settings.replace(files.load())


def test_refused_certificates_are_logged_once_a_minute(
    files: TlsFiles, caplog: pytest.LogCaptureFixture
) -> None:
    shown: Certificate | None = None
    with serving(files, f"{SERVER}, {CLIENTS}") as server:
        for _ in range(3):
            with pytest.raises(OSError, match="alert"):
                get(server, files.client(shown))
    warned = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert warned == ["a client was refused in its handshake: peer did not return a certificate"]
