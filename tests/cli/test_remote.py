"""What is said where the answer is not that of an exporter."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from exporter.cli import remote
from exporter.cli.top.feed import open_feed
from exporter.cli.top_flags import TopFlags
from exporter.errors import RunError, UsageError
from exporter.sampling.clock import SYSTEM_CLOCK
from tests.cli.json_server import serving


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


def refusal(url: str) -> str:
    with pytest.raises(RunError) as raised:
        remote.document(url, "/api")
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
