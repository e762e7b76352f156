"""The pages as they are served."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from urllib.parse import urljoin, urlsplit

import pytest

from exporter.status_page.status_pages import PATHS
from tests.listeners.sockets import tcp
from tests.sampling.simulation import Simulation
from tests.status_page.shown_host import HOST_NAME, MARKUP, VERSION, busy, quiet, served
from tests.status_page.test_markup import Parsed
from tests.web.server_thread import ServerThread

NGINX = "/listener?netns=host&protocol=tcp&address=10.0.0.1&port=80&process=nginx"
POLICY = {
    "default-src": "'none'",
    "style-src": "'self'",
    "script-src": "'self'",
    "img-src": "'self' data:",
    "connect-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
}


@pytest.fixture(scope="module")
def host() -> Simulation:
    return busy()


@pytest.fixture(scope="module")
def server(host: Simulation) -> Iterator[ServerThread]:
    with served(host) as running:
        yield running


def page(server: ServerThread, path: str) -> Parsed:
    response = server.request(path)
    assert (response.status, response.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    return Parsed(response.body.decode())


@pytest.mark.parametrize("path", ["/", "/?search=tcp&sort=peak", NGINX])
def test_nothing_inline_and_nothing_from_another_host_may_run(server: ServerThread, path: str) -> None:
    response = server.request(path)
    policy = dict(part.split(" ", 1) for part in response.headers["Content-Security-Policy"].split("; "))
    assert policy == POLICY
    assert response.headers["Cache-Control"] == "no-store"
    parsed = Parsed(response.body.decode())
    for tag, attributes in parsed.tags:
        assert tag != "style"
        assert [name for name in attributes if name == "style" or name.startswith("on")] == []
        if tag == "script":
            assert attributes["src"]


@pytest.mark.parametrize("path", ["/", NGINX])
def test_every_link_is_relative_and_leads_somewhere(server: ServerThread, path: str) -> None:
    """A proxy may serve all of this below a path of its own."""
    links = {
        each[name] or ""
        for _, each in page(server, path).tags
        for name in ("href", "src", "action")
        if name in each and each[name] != "data:,"
    }
    assert "./-/metrics&more" in links
    for link in links:
        below = urlsplit(urljoin(f"http://proxy.example/below/here{path}", link))
        assert (below.netloc, below.path.startswith("/below/here/")) == ("proxy.example", True), link
        address = below.path.removeprefix("/below/here") + (f"?{below.query}" if below.query else "")
        assert server.request(address).status == 200, link


def test_names_of_listeners_host_and_version_are_text(server: ServerThread) -> None:
    parsed = page(server, "/")
    assert f"Listen queues of {HOST_NAME}" in parsed.text
    assert f"listen-queue-exporter {VERSION}" in parsed.text
    assert MARKUP.decode() in parsed.text
    assert {tag for tag, _ in parsed.tags}.isdisjoint({"img", "b", "beta"})


def test_details(server: ServerThread) -> None:
    text = page(server, NGINX).text
    for part in (
        "10 connections for 3.0 s",
        "Accept queue, last 10 minutes",
        "nginx.service",
        "critical from 90%",
    ):
        assert part in text


def test_who_waits_is_there_where_it_is_asked_for(server: ServerThread) -> None:
    assert "192.0.2." not in page(server, NGINX).text
    text = page(server, f"{NGINX}&clients=10").text
    assert "10 waiting and 0 half-open connections of 3 addresses." in text
    assert "192.0.2.1401.5 s192.0.2.2301.5 s192.0.2.3301.5 s192.0.2.0/241001.5 s3" in text


def test_a_listener_that_is_not_there_is_no_empty_page(server: ServerThread) -> None:
    response = server.request(NGINX.replace("port=80", "port=81"))
    assert response.status == 404
    assert "It is not open now, or cannot be read" in response.body.decode()


@pytest.mark.parametrize("path", ["/?sort=age", "/?x=1", "/listener", "/listener?x=1", f"{NGINX}&clients=x"])
def test_a_wrong_parameter_gets_400_and_one_line(server: ServerThread, path: str) -> None:
    response = server.request(path)
    assert (response.status, response.headers["Content-Type"]) == (400, "text/plain; charset=utf-8")
    assert response.body.count(b"\n") == 1


@pytest.mark.parametrize("path", ["/", NGINX, "/static/page.css", "/static/page.js"])
def test_gzip_and_head(server: ServerThread, path: str) -> None:
    packed = server.request(path, Accept_Encoding="gzip")
    assert packed.headers["Content-Encoding"] == "gzip"
    assert len(packed.body) < len(gzip.decompress(packed.body))
    head = server.request(path, "HEAD")
    assert (head.status, head.body) == (200, b"")


def test_style_and_script_may_be_kept_for_their_address_is_that_of_their_version(
    server: ServerThread,
) -> None:
    text = server.request("/").body.decode()
    for name, kind in (("page.css", "text/css"), ("page.js", "text/javascript")):
        (address,) = re.findall(rf'"\.(/static/{name}\?v=[0-9a-f]{{12}})"', text)
        response = server.request(address)
        assert response.headers["Content-Type"] == f"{kind}; charset=utf-8"
        assert "immutable" in response.headers["Cache-Control"]
        assert b"url(" not in response.body
        assert b"@import" not in response.body


def test_ten_thousand_listeners_make_no_page_of_megabytes() -> None:
    made = quiet()
    made.kernel.tcp.open(*(tcp(10 + port, "10.0.0.2", port) for port in range(1, 10_001)), limit=9)
    made.run_for(2.0)
    with served(made) as running:
        body = running.request("/").body
    assert len(body) < 400_000
    assert b"9,802 listeners more are not shown" in body


def test_every_path_is_known() -> None:
    assert PATHS == ("/", "/listener", "/static/page.css", "/static/page.js")
