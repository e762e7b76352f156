"""The landing page, for a person who opens the exporter's address in a browser."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from http import HTTPStatus

from exporter.web.request import HttpRequest
from exporter.web.response import HttpResponse
from exporter.web.route import LandingLink, Route

# The page loads nothing, from nowhere.
_HEADERS = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}

_PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>listen-queue-exporter</title>
<style>
:root {{ --ink: #1c2430; --faint: #5b6675; --paper: #fbfbf9; --line: #dcdfe3; --link: #14589c; }}
@media (prefers-color-scheme: dark) {{
  :root {{ --ink: #e4e7eb; --faint: #9aa5b1; --paper: #15181c; --line: #30363d; --link: #8ab8ea; }}
}}
body {{ margin: 0 auto; max-width: 36rem; padding: 12vh 1.25rem 2rem; color: var(--ink);
  background: var(--paper); font: 1rem/1.6 system-ui, sans-serif; }}
h1 {{ margin: 0 0 .5rem; font-size: 1.5rem; font-weight: 600; }}
p {{ margin: 0 0 2rem; }}
ul {{ margin: 0; padding: 0; list-style: none; border-top: 1px solid var(--line); }}
li {{ border-bottom: 1px solid var(--line); }}
a {{ display: block; padding: .75rem 0; color: var(--link); text-decoration: none; }}
a:hover, a:focus {{ text-decoration: underline; }}
a span, footer {{ color: var(--faint); font-size: .875rem; }}
a span {{ display: block; }}
footer {{ margin-top: 2rem; }}
</style>
</head>
<body>
<main>
<h1>listen-queue-exporter</h1>
<p>How full every listen queue of this host is, for Prometheus.</p>
<ul>
{links}
</ul>
</main>
<footer>Version {version}</footer>
</body>
</html>
"""


class LandingHandler:
    """Serves a page with a link to each of `routes` that has one."""

    def __init__(self, routes: Sequence[Route], version: str) -> None:
        links = [_item(route.path, route.link) for route in routes if route.link is not None]
        self._body = _PAGE.format(links="\n".join(links), version=escape(version)).encode()

    async def handle(self, _request: HttpRequest) -> HttpResponse:
        """Return the page."""
        return HttpResponse(HTTPStatus.OK, self._body, "text/html; charset=utf-8", _HEADERS)


def _item(path: str, link: LandingLink) -> str:
    title, description = escape(link.title), escape(link.description)
    return f'<li><a href="{escape(path)}">{title} <span>{description}</span></a></li>'
