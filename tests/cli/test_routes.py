"""Every path that the exporter serves, with its methods, and the checks of --web.telemetry-path."""

from __future__ import annotations

import asyncio
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from exporter import __version__
from exporter.api.documents import build_documents
from exporter.cli.flags import RunFlags, parse
from exporter.cli.routes import build_router, check_telemetry_path
from exporter.errors import UsageError
from exporter.status_page.status_pages import StatusPages
from exporter.web.cpu_allowance import CpuAllowance
from exporter.web.request import HttpRequest
from exporter.web.response import HttpResponse
from exporter.web.router import Router
from tests.status_page.shown_host import quiet
from tests.web.delivery import FakeDelivery
from tests.web.metrics_pages import shared
from tests.web.server_thread import PLENTY

TEXT_PAGE = b"demo 1\n"
PAGES = ["/", "/listener", "/static/page.css", "/static/page.js"]
READ_PATHS = [*PAGES, "/metrics", "/api/v1/listeners", "/api/v1/history", "/-/healthy", "/-/ready"]
OTHER_METHODS = ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND", "BREW", "get"]


class Exporter:
    """Stands in for page, readiness and daemon."""

    def __init__(self, error: str | None = None) -> None:
        self.reloads = 0
        self.error = error

    def write(self, *, openmetrics: bool) -> bytes:
        return b"# EOF\n" if openmetrics else TEXT_PAGE

    def ready(self) -> bool:
        return True

    def reload(self) -> str | None:
        self.reloads += 1
        return None


def flags(**changes: object) -> RunFlags:
    run = parse([])
    assert isinstance(run, RunFlags)
    return replace(run, **changes)  # type: ignore[arg-type]  # the caller names fields of RunFlags


def router(exporter: Exporter | None = None, **changes: object) -> Router:
    exporter = exporter or Exporter()
    made = quiet()
    allowance = CpuAllowance(lambda: PLENTY)
    executor = ThreadPoolExecutor(1)
    documents = build_documents(made.sampler, made.clock.clock(), executor, allowance)
    status_pages = StatusPages(documents, executor, allowance)
    return build_router(flags(**changes), shared(exporter), documents, status_pages, exporter, exporter)


def respond(router: Router, path: str, method: str = "GET") -> HttpResponse:
    async def response() -> HttpResponse:
        path_alone, _, query = path.partition("?")
        return await router.respond(HttpRequest(method, path_alone, {}, FakeDelivery(), query))

    return asyncio.run(response())


@pytest.mark.parametrize(
    ("path", "content_type", "beginning"),
    [
        ("/", "text/html; charset=utf-8", b"<!DOCTYPE html>"),
        ("/metrics", "text/plain; version=0.0.4; charset=utf-8", TEXT_PAGE),
        ("/-/healthy", "text/plain; charset=utf-8", b"healthy"),
        ("/-/ready", "text/plain; charset=utf-8", b"ready"),
    ],
)
def test_get(path: str, content_type: str, beginning: bytes) -> None:
    response = respond(router(), path)
    assert (response.status, response.content_type) == (200, content_type)
    assert response.body.startswith(beginning)


@pytest.mark.parametrize("path", READ_PATHS)
@pytest.mark.parametrize("method", OTHER_METHODS)
def test_pages_are_only_read(path: str, method: str) -> None:
    response = respond(router(), path, method)
    assert (response.status, response.headers["Allow"]) == (405, "GET, HEAD")
    assert response.body == b"this page answers GET, HEAD only\n"


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "BREW"])
def test_reload_is_only_posted(method: str) -> None:
    """A link that is followed must not reload."""
    exporter = Exporter()
    response = respond(router(exporter, lifecycle=True), "/-/reload", method)
    assert (response.status, response.headers["Allow"]) == (405, "POST")
    assert exporter.reloads == 0


@pytest.mark.parametrize(("lifecycle", "status", "reloads"), [(False, 403, 0), (True, 200, 1)])
def test_reload_only_with_the_flag(lifecycle: bool, status: int, reloads: int) -> None:  # noqa: FBT001
    exporter = Exporter()
    response = respond(router(exporter, lifecycle=lifecycle), "/-/reload", "POST")
    assert (response.status, exporter.reloads) == (status, reloads)


def test_max_requests_is_that_of_the_flag() -> None:
    async def statuses() -> list[int]:
        limited = router(max_requests=1)
        requests = [HttpRequest("GET", "/metrics", {}, FakeDelivery()) for _ in range(2)]
        return [(await limited.respond(request)).status for request in requests]

    assert asyncio.run(statuses()) == [200, 503]


@pytest.mark.parametrize("path", ["/nothing", "/metrics/", "/METRICS", "//", "/-/", "/metrics/../metrics"])
@pytest.mark.parametrize("method", ["GET", "POST", "BREW"])
def test_any_other_path_is_not_found(path: str, method: str) -> None:
    response = respond(router(), path, method)
    assert (response.status, response.body) == (404, b"there is nothing here; metrics are at /metrics\n")


def test_the_page_links_every_other_and_shows_the_version() -> None:
    routes = router()
    page = respond(routes, "/").body.decode()
    links = re.findall(r'<li><a href="\.([^"]*)">(.*?)</a> <span>(.*?)</span>', page)
    assert links == [
        ("/metrics", "Metrics", "what Prometheus scrapes"),
        ("/-/ready", "Ready", "whether there is a sample to serve"),
        ("/-/healthy", "Healthy", "whether the process answers"),
        ("/api/v1/listeners", "Listeners", "every queue as it is now, as JSON"),
        ("/api/v1/history", "History", "every change of the last minutes, as JSON"),
    ]
    assert {respond(routes, path).status for path, _, _ in links} == {200}
    assert f"listen-queue-exporter {__version__}<" in page


def test_the_page_says_that_the_newest_configuration_is_not_in_force() -> None:
    """Not what is wrong with it: that may quote what is in it."""
    page = respond(router(Exporter("c.yaml:1:1: wrong")), "/").body.decode()
    assert "The newest configuration is wrong, and not in force" in page
    assert "c.yaml" not in page


def test_telemetry_path_moves_the_page() -> None:
    """The page at / and the text for other paths name it."""
    moved = router(telemetry_path="/-/metrics&more")
    assert respond(moved, "/-/metrics&more").body == TEXT_PAGE
    assert respond(moved, "/metrics").body == b"there is nothing here; metrics are at /-/metrics&more\n"
    assert b'href="./-/metrics&amp;more"' in respond(moved, "/").body


@pytest.mark.parametrize("path", ["/metrics", "/-/metrics", "/a/b", "/m~1", "/metrics/"])
def test_telemetry_path_may_be_any_other(path: str) -> None:
    check_telemetry_path(path)
    assert respond(router(telemetry_path=path), path).body == TEXT_PAGE


UNSAFE = "may hold letters, digits and -._~!$&'()*+,;=:@/ only, and neither a query nor percent-encoding"


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("", "must start with '/', such as /metrics"),
        ("metrics", "must start with '/', such as /metrics"),
        *(
            (path, "is a page of its own; choose another, such as /metrics")
            for path in (*PAGES, "/-/healthy", "/-/ready", "/-/reload", "/api/v1/history")
        ),
        *(
            (path, "has a segment '.' or '..', which clients remove before they ask")
            for path in ("/..", "/a/./b")
        ),
        *(
            (path, "has '//', which browsers and proxies take for something else")
            for path in ("//", "//evil.example/x", "/a//b")
        ),
        *((path, UNSAFE) for path in ("/a b", "/a?b", "/a#b", "/a%20b", "/é", "/a\n", '/a"b')),
    ],
)
def test_wrong_telemetry_path_gets_one_line(path: str, problem: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_telemetry_path(path)
    assert str(caught.value) == f"--web.telemetry-path: {path!r} {problem}"
    assert "\n" not in str(caught.value)


def test_telemetry_path_fits_into_a_request() -> None:
    """The line does not have it all."""
    with pytest.raises(UsageError) as caught:
        check_telemetry_path("/" + "a" * 20000)
    assert str(caught.value).endswith("...' has 20001 characters; it may have 512 at most")
    assert len(str(caught.value)) < 150
