"""Requests: who is served, how often, and with which headers."""

from __future__ import annotations

import asyncio
import base64
from http import HTTPStatus

import pytest

from exporter.web.access import Access
from exporter.web.passwords import Passwords
from exporter.web.request import HttpRequest
from exporter.web.response import HttpResponse
from exporter.web.web_settings import Loaded, WebSettings
from exporter.web_config.model import RateLimit, WebConfig
from tests.web.delivery import FakeDelivery

USERS = {"prometheus": b"hash", "zoë": b"hash"}


class Page:
    """Answers each request, and counts them."""

    def __init__(self) -> None:
        self.served = 0

    async def respond(self, _request: HttpRequest) -> HttpResponse:
        self.served += 1
        return HttpResponse(HTTPStatus.OK, b"page", headers={"Vary": "Accept"})


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


def ask(config: WebConfig, *authorizations: str | None) -> tuple[list[HttpResponse], Page]:
    """Send a request for each; the password of each user is `secret`."""

    async def responses() -> list[HttpResponse]:
        passwords = Passwords(lambda: 1000.0, lambda password, _: password == b"secret")
        access = Access(page, WebSettings(Loaded(config, None)), passwords)
        found = []
        for authorization in authorizations:
            headers = {} if authorization is None else {"authorization": authorization}
            found.append(await access.respond(HttpRequest("GET", "/metrics", headers, FakeDelivery())))
        return found

    page = Page()
    return asyncio.run(responses()), page


def test_without_users_everybody_is_served() -> None:
    (response,), page = ask(WebConfig(), None)
    assert response.status == HTTPStatus.OK
    assert page.served == 1


@pytest.mark.parametrize("text", ["prometheus:secret", "zoë:secret"])
def test_the_right_password_is_let_in(text: str) -> None:
    (response, lower), page = ask(WebConfig(users=USERS), basic(text), basic(text).replace("Basic", "basic"))
    assert response.status == lower.status == HTTPStatus.OK
    assert page.served == 2


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Basic",
        "Basic ",
        "Basic !!!",
        "Basic \udcff",
        basic("prometheus"),
        basic("prometheus:"),
        basic("prometheus:Secret"),
        basic("nobody:secret"),
        basic(":secret"),
        basic("prometheus:secret").replace("Basic", "Bearer"),
        basic("prometheus:secret") + ", " + basic("prometheus:secret"),
    ],
)
def test_all_else_is_asked_for_a_password(authorization: str | None) -> None:
    (response,), page = ask(WebConfig(users=USERS), authorization)
    assert response.status == HTTPStatus.UNAUTHORIZED
    assert response.headers["WWW-Authenticate"].startswith("Basic realm=")
    assert b"page" not in response.body
    assert page.served == 0


def test_requests_beyond_the_rate_are_told_when_to_come_again() -> None:
    config = WebConfig(users=USERS, rate_limit=RateLimit(interval_seconds=100.0, burst=2))
    responses, page = ask(config, basic("prometheus:secret"), basic("a:b"), basic("prometheus:secret"))
    assert [each.status for each in responses] == [200, 401, 429]
    assert responses[-1].headers["Retry-After"] == "100"
    assert page.served == 1


def test_headers_are_on_every_response() -> None:
    config = WebConfig(users=USERS, headers={"X-Frame-Options": "deny"})
    responses, _ = ask(config, basic("prometheus:secret"), None)
    assert [each.headers["X-Frame-Options"] for each in responses] == ["deny", "deny"]
    assert responses[0].headers["Vary"] == "Accept"
