"""What every page has around its content: head, links, and what the script needs to refresh it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from exporter.api.figures import date_and_clock, iso
from exporter.status_page.markup import Markup, element, joined
from exporter.web.response import HttpResponse
from exporter.web.route import PageLink, Route

_POLICY: Final = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_HEADERS: Final = {
    "Content-Security-Policy": _POLICY,
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}
# A page that is looked at takes about a hundredth of a core at most, however long it takes to make.
_REFRESH_SECONDS: Final = 3.0
_REFRESH_PER_CPU_SECOND: Final = 100.0


@dataclass(frozen=True, slots=True)
class Site:
    """What all pages share: name of the host, version, addresses of style sheet and script, and links."""

    host: str
    version: str
    style: str
    script: str
    routes: Sequence[Route] = ()


@dataclass(frozen=True, slots=True)
class Content:
    """What is on one page: its title, when its figures were read (Unix seconds), and its main part."""

    title: str
    time: float
    main: Markup
    status: HTTPStatus = HTTPStatus.OK


def respond(site: Site, make: Callable[[], Content], fixed: Markup | None = None) -> HttpResponse:
    """Return a page with what `make` returns, which the script refreshes; `fixed` above it stays.

    How often it is refreshed depends on the processor time that `make` takes.
    """
    before = time.thread_time()
    content = make()
    seconds = _REFRESH_SECONDS + (time.thread_time() - before) * _REFRESH_PER_CPU_SECOND
    body = element(
        "body",
        element(
            "header",
            element("h1", element("a", "Listen queues", href="./"), " of ", element("bdi", site.host)),
            fixed,
        ),
        element(
            "main",
            content.main,
            element(
                "p",
                "As of ",
                element("time", date_and_clock(content.time), datetime=iso(content.time)),
                ".",
                class_="note",
            ),
            id="content",
            data_refresh_seconds=f"{seconds:.1f}",
        ),
        element("p", role="status", id="refresh-status"),
        element("footer", element("nav", _links(site.routes), aria_label="Other pages"), _version(site)),
    )
    page = joined(
        Markup("<!DOCTYPE html>\n"),
        element("html", _head(site, content.title), body, lang="en"),
        Markup("\n"),
    )
    # A name in another encoding than UTF-8 was escaped where it was read.
    return HttpResponse(
        content.status, page.encode(errors="backslashreplace"), "text/html; charset=utf-8", _HEADERS
    )


def _head(site: Site, title: str) -> Markup:
    return element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", f"{site.host}: {title}"),
        # Browsers would ask for /favicon.ico.
        element("link", rel="icon", href="data:,"),
        element("link", rel="stylesheet", href=site.style),
        element("script", src=site.script, defer=True),
    )


def _links(routes: Sequence[Route]) -> Markup:
    return element(
        "ul",
        *(_item(route.path, route.link) for route in routes if route.link is not None),
    )


def _item(path: str, link: PageLink) -> Markup:
    # Relative, for a proxy may serve all this below a path of its own.
    return element("li", element("a", link.title, href=f".{path}"), " ", element("span", link.description))


def _version(site: Site) -> Markup:
    return element("p", f"listen-queue-exporter {site.version}")
