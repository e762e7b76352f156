"""The landing page."""

from __future__ import annotations

from html.parser import HTMLParser

from exporter.web.health import HealthyHandler
from exporter.web.landing import LandingHandler
from exporter.web.route import LandingLink, Route
from tests.web.server_thread import Response, ServerThread, router_of

ROUTES = [
    Route("/-/metrics&more", HealthyHandler(), link=LandingLink("Metrics <1>", "scraped & stored")),
    Route("/hidden", HealthyHandler()),
    Route("/-/healthy", HealthyHandler(), link=LandingLink("Healthy", "whether it runs")),
]


class Tags(HTMLParser):
    """Collects the links of a page, its text, and the tags that make a browser load something."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str | None] = []
        self.loading: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        if tag == "a":
            self.links.append(named.get("href"))
        if "src" in named or tag in ("link", "script", "img", "iframe"):
            self.loading.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def landing_page() -> tuple[Response, Tags]:
    with ServerThread(router_of(*ROUTES, Route("/", LandingHandler(ROUTES, "1.2.3<beta>")))) as server:
        response = server.request("/")
    tags = Tags()
    tags.feed(response.body.decode())
    return response, tags


def test_it_links_the_routes_that_have_a_link() -> None:
    response, tags = landing_page()
    assert (response.status, response.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert tags.links == ["/-/metrics&more", "/-/healthy"]
    assert "Metrics <1> scraped & stored" in tags.text
    assert "Healthy whether it runs" in tags.text


def test_text_is_escaped() -> None:
    _, tags = landing_page()
    assert "Version 1.2.3<beta>" in tags.text


def test_it_loads_nothing() -> None:
    response, tags = landing_page()
    assert tags.loading == []
    assert b"@import" not in response.body
    assert b"url(" not in response.body
    assert response.headers["Content-Security-Policy"].startswith("default-src 'none'")


def test_it_fits_small_screens_and_dark_mode() -> None:
    response, _ = landing_page()
    assert b'name="viewport"' in response.body
    assert b"prefers-color-scheme: dark" in response.body
