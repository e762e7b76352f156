"""What is said where the answer is not that of an exporter."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from exporter.cli import remote
from exporter.cli.remote import AnswerLimits
from exporter.cli.top.feed import open_feed
from exporter.cli.top_flags import TopFlags
from exporter.errors import RunError, UsageError
from exporter.sampling.clock import SYSTEM_CLOCK
from tests.cli.json_server import serving
from tests.web.tls_files import TlsFiles


@contextmanager
def answering(data: bytes) -> Iterator[str]:
    """A server that sends these bytes to its one client, and closes."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:

        def serve() -> None:
            client, _ = listener.accept()
            with client:
                client.recv(4096)
                client.sendall(data)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread.join()


def refusal(url: str, **limits: float) -> str:
    with pytest.raises(RunError) as raised:
        remote.document(url, "/api", AnswerLimits(**limits))  # type: ignore[arg-type]  # bytes are given as such
    return str(raised.value)


def test_a_server_that_does_not_speak_http() -> None:
    with answering(b"SSH-2.0-OpenSSH_9\x1b[2J\r\n") as url:
        assert refusal(url) == f"{url} is no listen-queue-exporter: it does not answer in HTTP"


def test_an_answer_that_is_cut_off() -> None:
    with answering(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n{") as url:
        assert refusal(url) == f"{url} stopped in the middle of its answer; try again"


def test_a_password_is_asked_for_where_one_is_missing() -> None:
    with serving(status=401, body=b"") as server:
        found = refusal(server.url)
    assert found.startswith(f"{server.url} answers 401; --url may have a user and a password, as in ")


@contextmanager
def dripping(beginning: bytes) -> Iterator[str]:
    """A server that sends these bytes, and then one each hundredth of a second without an end."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:

        def serve() -> None:
            client, _ = listener.accept()
            with client, suppress(OSError):
                client.recv(4096)
                client.sendall(beginning)
                while True:
                    client.sendall(b"a")
                    time.sleep(0.01)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread.join()


@pytest.mark.parametrize(
    "beginning",
    [
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9999\r\n",
        b"HTTP/1.1 200 OK\r\nX: ",
        b"HTTP/1.1 ",
        b"",
    ],
)
def test_an_answer_that_takes_for_ever_is_given_up(beginning: bytes) -> None:
    with dripping(beginning) as url:
        began = time.monotonic()
        assert (
            refusal(url, seconds=0.3)
            == f"no exporter has answered at {url} within 0.3 s; --url says where one runs"
        )
        assert time.monotonic() - began < 5.0


def test_so_is_the_text_of_an_error() -> None:
    with dripping(b"HTTP/1.1 503 X\r\nContent-Length: 100\r\n\r\n") as url:
        assert refusal(url, seconds=0.3) == f"{url} answers 503"


def test_a_password_does_not_go_to_where_a_redirect_leads() -> None:
    with serving({"a": 1}) as other, serving(status=302, headers={"Location": f"{other.url}/x"}) as server:
        found = refusal(server.url.replace("//", "//me:secret@"))
        assert found == (
            f"{server.url} redirects to {other.url}/x, which is not followed; give --url the address there"
        )
        assert server.authorizations == ["Basic bWU6c2VjcmV0"]
        assert other.paths == []


@pytest.mark.parametrize(
    ("location", "shown"),
    [("https://me:x@a.example/", "https://a.example/"), ("file:///etc/passwd", "file:///etc/passwd")],
)
def test_a_redirect_elsewhere_says_where_to(location: str, shown: str) -> None:
    with serving(status=301, headers={"Location": location}) as server:
        assert f" redirects to {shown}, which is not followed" in refusal(server.url)
    with serving(status=301, headers={"Location": "http://[::1"}) as server:
        assert "redirects to http://[::1, which" in refusal(server.url)


def test_a_redirect_to_the_same_origin_is_followed_a_few_times() -> None:
    with serving(status=308, headers={"Location": "/there it is"}) as server:
        found = refusal(server.url.replace("//", "//me:secret@"))
        assert found == f"{server.url} redirects again and again"
        assert server.paths == ["/api", *["/there%20it%20is"] * 4]
        assert server.authorizations == ["Basic bWU6c2VjcmV0"] * 5


@pytest.mark.parametrize("scheme", ["http_proxy", "HTTP_PROXY", "all_proxy"])
def test_an_address_of_this_host_is_asked_without_a_proxy(
    scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving({"by": "proxy"}) as proxy, serving({"by": "exporter"}) as server:
        monkeypatch.setenv(scheme, proxy.url)
        monkeypatch.delenv("no_proxy", raising=False)
        for host in ("127.0.0.1", "localhost", "127.9.9.9"):
            with suppress(RunError):
                assert remote.document(server.url.replace("127.0.0.1", host), "/") == {"by": "exporter"}
        assert proxy.paths == []


def test_another_host_is_asked_through_the_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving({"by": "proxy"}) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.delenv("no_proxy", raising=False)
        assert remote.document("http://a.example:10511", "/x") == {"by": "proxy"}
        assert proxy.paths == ["http://a.example:10511/x"]


def test_a_certificate_that_is_not_trusted_is_told_with_what_it_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = TlsFiles.made(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "server.crt", tmp_path / "server.key")
    with serving({"a": 1}, tls=context) as server:
        assert refusal(server.url).startswith(f"the certificate of {server.url} is not trusted: ")
        assert refusal(server.url).endswith(
            "; the environment variable SSL_CERT_FILE names a file of those to trust"
        )
        monkeypatch.setenv("SSL_CERT_FILE", str(files.authority.own.certificate))
        assert remote.document(server.url, "/") == {"a": 1}


@pytest.mark.parametrize(
    "body",
    [
        *(b"[" * 100_000, b'{"a":' * 100_000, b"[" * 500 + b"]" * 500, b'{"a": NaN}', b'{"a": -Infinity}'),
        *(b'{"a": ' + b"9" * 5000 + b"}", b"\xff\xfe\x00", b'"\xff"', b""),
    ],
)
def test_json_that_cannot_be_read_is_one_line(body: bytes) -> None:
    with serving(body=body) as server:
        assert refusal(server.url) == f"{server.url} is no listen-queue-exporter: its answer is not JSON"


def test_an_answer_without_an_end_is_not_kept() -> None:
    with serving(body=b"9" * 2000) as server:
        assert refusal(server.url, max_bytes=1000).endswith("it answers more than 1,000 bytes")


@pytest.mark.parametrize("body", [b"\x1b[2Jno\nmore", b""])
def test_any_other_status_is_one_line(body: bytes) -> None:
    with serving(status=503, body=body) as server:
        found = refusal(server.url)
    assert found == f"{server.url} answers 503" + (r": \x1b[2Jno\x0amore" if body else "")


def test_the_password_is_not_shown() -> None:
    with serving(status=500, body=b"x") as server:
        found = refusal(server.url.replace("//", "//me:secret@"))
    assert found == f"{server.url} answers 500: x"


@pytest.mark.parametrize(
    "url",
    [
        *(
            "",
            "localhost:10511",
            "ftp://localhost",
            "http://",
            "http://:10511",
            "http://local host",
            "http://a\n",
        ),
        *("http://[::1:10511", "http://localhost:abc", "http://localhost:99999"),
        *("http://a..b", f"http://{'a' * 64}", "http://\udcff"),
    ],
)
def test_what_is_no_url_is_wrong_use(url: str) -> None:
    wrong = f"--url: {url!r} is no address of an exporter, such as http://localhost:10511"
    with pytest.raises(UsageError) as raised:
        remote.document(url, "/api")
    assert str(raised.value) == wrong
    with pytest.raises(UsageError) as raised:
        open_feed(TopFlags(config_file=None, patterns=(), url=url, plain=False), SYSTEM_CLOCK)
    assert str(raised.value) == wrong


def test_the_password_of_a_wrong_url_is_not_shown() -> None:
    with pytest.raises(UsageError, match=r"--url: 'localhost:abc' is no address"):
        remote.check("http://me:secret@localhost:abc")


@pytest.mark.parametrize(
    "url",
    ["http://localhost", "https://host.example.:1/path", "http://[fe80::1%eth0]:1", "http://bücher.example"],
)
def test_what_may_be_one_is_asked(url: str) -> None:
    assert remote.check(url).geturl() == url
