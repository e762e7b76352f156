"""What every page has around its content."""

from __future__ import annotations

import re
import time
from http import HTTPStatus

from exporter.status_page.html_page import Content, Site, respond
from exporter.status_page.markup import element
from tests.status_page.test_markup import Parsed

SITE = Site("<host>", "1.0", "./page.css", "./page.js")


def content(cpu_seconds: float = 0.0) -> Content:
    until = time.thread_time() + cpu_seconds
    while time.thread_time() < until:
        pass
    return Content("<title>", 1_700_000_000.0, element("p", "main"), HTTPStatus.NOT_FOUND)


def test_a_page() -> None:
    response = respond(SITE, content, element("form", "fixed"))
    assert response.status == HTTPStatus.NOT_FOUND
    assert response.body.startswith(b'<!DOCTYPE html>\n<html lang="en">')
    parsed = Parsed(response.body.decode())
    assert "<host>: <title>" in parsed.text
    tags = [tag for tag, _ in parsed.tags]
    # The script replaces what is in main alone.
    assert tags.index("form") < tags.index("main") < tags.index("time") < tags.index("footer")


def test_one_that_takes_longer_is_refreshed_less_often() -> None:
    """It takes a hundredth of a core at most."""

    def seconds(cpu_seconds: float) -> float:
        body = respond(SITE, lambda: content(cpu_seconds)).body.decode()
        (found,) = re.findall(r'data-refresh-seconds="([0-9.]+)"', body)
        return float(found)

    assert seconds(0.1) >= 13.0
    assert seconds(0.0) >= 3.0


def test_a_name_that_is_no_unicode_does_not_fail_the_page() -> None:
    response = respond(SITE, lambda: Content("a\udcff", 0.0, element("p", "b\udc80")))
    assert b"<title>&lt;host&gt;: a\\udcff</title>" in response.body
