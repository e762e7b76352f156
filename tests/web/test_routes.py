"""Every path and method."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from html.parser import HTMLParser

import pytest

from tests.web.running import PATIENCE_SECONDS, TEXT_PAGE, Running, site

_PAGES = ["/", "/metrics", "/-/healthy", "/-/ready"]
_OTHER_METHODS = ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND", "BREW", "get"]


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    """A server that nothing here changes."""
    with Running(site(version="1.2.3<beta>")) as server:
        yield server


@pytest.mark.parametrize(
    ("path", "status", "content_type"),
    [
        ("/", 200, "text/html; charset=utf-8"),
        ("/metrics", 200, "text/plain; version=0.0.4; charset=utf-8"),
        ("/-/healthy", 200, "text/plain; charset=utf-8"),
        ("/-/ready", 200, "text/plain; charset=utf-8"),
        ("/nothing", 404, "text/plain; charset=utf-8"),
    ],
)
def test_get(running: Running, path: str, status: int, content_type: str) -> None:
    """Each page, and the headers that all of them have."""
    answer = running.ask(path)
    assert (answer.status, answer.headers["Content-Type"]) == (status, content_type)
    assert answer.headers["Content-Length"] == str(len(answer.body))
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Date"]
    assert "ETag" not in answer.headers
    assert "tornado" not in str(answer.headers).lower()


@pytest.mark.parametrize("path", [*_PAGES, "/nothing", "/-/reload"])
@pytest.mark.parametrize("encoding", ["gzip", "identity"])
def test_head_is_get_without_the_body(running: Running, path: str, encoding: str) -> None:
    """Every header is the same, Content-Length included (RFC 9110, section 9.3.2)."""
    get = running.ask(path, Accept_Encoding=encoding)
    head = running.ask(path, "HEAD", Accept_Encoding=encoding)
    assert head.body == b""
    assert head.status == get.status
    assert _steady(head.headers.items()) == _steady(get.headers.items())


def _steady(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(name, value) for name, value in headers if name != "Date"]


@pytest.mark.parametrize("path", _PAGES)
@pytest.mark.parametrize("method", _OTHER_METHODS)
def test_pages_are_only_read(running: Running, path: str, method: str) -> None:
    """Any other method, known or not, gets 405 and the methods that would do."""
    answer = running.ask(path, method)
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")
    assert answer.body == b"this page answers GET, HEAD only\n"


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "BREW"])
def test_reload_is_only_posted(running: Running, method: str) -> None:
    """Following a link must not reload."""
    answer = running.ask("/-/reload", method)
    assert (answer.status, answer.headers["Allow"]) == (405, "POST")


@pytest.mark.parametrize(
    "path", ["/nothing", "/metrics/", "/METRICS", "//", "/-/", "/metrics/../metrics", "/%6d"]
)
@pytest.mark.parametrize("method", ["GET", "POST", "BREW"])
def test_elsewhere_is_nothing(running: Running, path: str, method: str) -> None:
    """404 in one line, whatever the method."""
    answer = running.ask(path, method)
    assert answer.status == 404
    assert answer.body == b"there is nothing here; metrics are at /metrics\n"


@pytest.mark.parametrize(
    "target", ["/metrics?", "/metrics?a=1&b=%zz", "/metrics?" + "&" * 5000, "http://x/metrics?y"]
)
def test_query_and_authority_are_ignored(running: Running, target: str) -> None:
    """Only the path counts (RFC 9112, section 3.2)."""
    answer = running.ask(target)
    assert (answer.status, answer.body) == (200, TEXT_PAGE)


@pytest.mark.parametrize(
    ("target", "status"), [("http://x", b"200"), ("http://[x/metrics", b"400"), ("*", b"404")]
)
def test_targets_that_are_no_path(running: Running, target: str, status: bytes) -> None:
    """An authority alone means the root; one that is malformed is the client's error."""
    reply = running.say(f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    assert reply.split(b" ")[1] == status


def test_metrics_elsewhere() -> None:
    """`telemetry_path` moves the page, and the landing page and 404 say where to."""
    with Running(site(telemetry_path="/-/metrics&more")) as running:
        assert running.ask("/-/metrics&more").body == TEXT_PAGE
        assert running.ask("/metrics").body == b"there is nothing here; metrics are at /-/metrics&more\n"
        assert b'href="/-/metrics&amp;more"' in running.ask("/").body


def test_ready_follows_the_first_sample() -> None:
    """503 until there is a sample; healthy in either case."""
    sampled = threading.Event()
    with Running(site(ready=sampled.is_set)) as running:
        before = running.ask("/-/ready")
        assert (before.status, before.body) == (503, b"not ready: no sample yet\n")
        assert running.ask("/-/healthy").status == 200
        sampled.set()
        assert running.ask("/-/ready").status == 200


class _Links(HTMLParser):
    """Collects where a page points and what it would load."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str | None] = []
        self.loaded: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        if tag == "a":
            self.links.append(named.get("href"))
        if "src" in named or tag in ("link", "script", "img", "iframe"):
            self.loaded.append(tag)


def test_landing_page(running: Running) -> None:
    """Its links work, it loads nothing, and what is handed in is escaped."""
    answer = running.ask("/")
    text = answer.body.decode()
    page = _Links()
    page.feed(text)
    assert page.loaded == []
    assert "@import" not in text
    assert "url(" not in text
    assert "Version 1.2.3&lt;beta&gt;" in text
    assert 'name="viewport"' in text
    assert "prefers-color-scheme: dark" in text
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert sorted(map(str, page.links)) == ["/-/healthy", "/-/ready", "/metrics"]
    assert {running.ask(str(link)).status for link in page.links} == {200}


def test_reload_is_off_by_default() -> None:
    """Without the switch, nothing is called, and the answer names the switch."""
    calls: list[int] = []
    with Running(site(reload=lambda: calls.append(1))) as running:
        answer = running.ask("/-/reload", "POST")
    assert answer.status == 403
    assert b"--web.enable-lifecycle" in answer.body
    assert answer.body.count(b"\n") == 1
    assert calls == []


@pytest.mark.parametrize("body", [None, b"", b"ignored"])
def test_reload(body: bytes | None) -> None:
    """A body is read and ignored."""
    calls: list[int] = []
    with Running(site(reload=lambda: calls.append(1), lifecycle=True)) as running:
        answer = running.ask("/-/reload?x", "POST", body)
    assert (answer.status, answer.body) == (200, b"reloaded\n")
    assert calls == [1]


def test_reload_of_a_wrong_file() -> None:
    """The errors are for the one who asked, whatever they hold."""
    errors = "a.yml:1:1: labels: what\na.yml:2:1: \udcff: ünknown"
    with Running(site(reload=lambda: errors, lifecycle=True)) as running:
        answer = running.ask("/-/reload", "POST")
    assert answer.status == 500
    assert answer.body.decode() == "a.yml:1:1: labels: what\na.yml:2:1: ?: ünknown\n"


def test_reload_that_raises(caplog: pytest.LogCaptureFixture) -> None:
    """A fault of ours is logged, and the server goes on."""

    def fail() -> str | None:
        message = "boom"
        raise RuntimeError(message)

    with Running(site(reload=fail, lifecycle=True)) as running:
        answer = running.ask("/-/reload", "POST")
        assert running.ask("/-/healthy").status == 200
    assert answer.status == 500
    assert b"boom" not in answer.body
    assert [(record.name, record.levelno) for record in caplog.records] == [("exporter.web", logging.ERROR)]


def test_reloads_wait_for_each_other() -> None:
    """One configuration is read at a time, and other pages answer meanwhile."""
    entered, release = threading.Semaphore(0), threading.Event()
    active: list[int] = []
    most: list[int] = []

    def reload() -> None:
        active.append(1)
        most.append(len(active))
        entered.release()
        assert release.wait(PATIENCE_SECONDS)
        active.pop()

    with Running(site(reload=reload, lifecycle=True)) as running:
        callers = [threading.Thread(target=running.ask, args=("/-/reload", "POST")) for _ in range(3)]
        for caller in callers:
            caller.start()
        assert entered.acquire(timeout=PATIENCE_SECONDS)
        for _ in range(10):
            assert running.ask("/-/healthy").status == 200
        release.set()
        for caller in callers:
            caller.join(PATIENCE_SECONDS)
    assert most == [1, 1, 1]


def test_requests_leave_no_trace_in_the_log(running: Running, caplog: pytest.LogCaptureFixture) -> None:
    """A port scanner cannot fill the log."""
    with caplog.at_level(logging.INFO):
        running.ask("/nothing")
        running.ask("/", "BREW")
        running.say(b"\x16\x03\x01 no HTTP\r\n\r\n")
    assert caplog.records == []
