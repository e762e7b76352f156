"""Responses of the router: by path and method, and where a handler fails."""

from __future__ import annotations

import asyncio
import logging
from http import HTTPStatus

import pytest

from exporter.web.request import HttpRequest
from exporter.web.response import HttpResponse
from exporter.web.route import Route
from exporter.web.router import Router
from tests.web.delivery import FakeDelivery


class Named:
    """A handler whose response is its own name."""

    def __init__(self, name: str) -> None:
        self._name = name

    async def handle(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse.text(HTTPStatus.OK, f"{self._name} {request.method}")


class Failing:
    """A handler that raises an exception."""

    async def handle(self, _request: HttpRequest) -> HttpResponse:
        raise RuntimeError("secret")


ROUTER = Router(
    [
        Route("/a", Named("a")),
        Route("/b", Named("b"), methods=("POST", "PUT")),
        Route("/fails", Failing()),
    ],
    "no such path",
)


def respond(path: str, method: str = "GET") -> HttpResponse:
    return asyncio.run(ROUTER.respond(HttpRequest(method, path, {}, FakeDelivery())))


@pytest.mark.parametrize(
    ("path", "method", "body"),
    [
        ("/a", "GET", b"a GET\n"),
        ("/a", "HEAD", b"a HEAD\n"),
        ("/b", "POST", b"b POST\n"),
        ("/b", "PUT", b"b PUT\n"),
    ],
)
def test_the_handler_of_the_path_responds(path: str, method: str, body: bytes) -> None:
    response = respond(path, method)
    assert (response.status, response.body) == (HTTPStatus.OK, body)


@pytest.mark.parametrize("path", ["", "/", "/A", "/a/", "//a", "/-/../a", "/%61", "*"])
@pytest.mark.parametrize("method", ["GET", "POST", "BREW"])
def test_any_other_path_is_not_found(path: str, method: str) -> None:
    response = respond(path, method)
    assert (response.status, response.body) == (HTTPStatus.NOT_FOUND, b"no such path\n")


@pytest.mark.parametrize(
    ("path", "method", "allowed"),
    [
        *(("/a", method, "GET, HEAD") for method in ("POST", "PUT", "OPTIONS", "BREW", "get", "")),
        *(("/b", method, "POST, PUT") for method in ("GET", "HEAD", "DELETE")),
    ],
)
def test_any_other_method_is_not_allowed(path: str, method: str, allowed: str) -> None:
    response = respond(path, method)
    assert (response.status, response.headers["Allow"]) == (HTTPStatus.METHOD_NOT_ALLOWED, allowed)
    assert response.body == f"this page answers {allowed} only\n".encode()


def test_exception_of_a_handler_is_logged_and_not_sent(caplog: pytest.LogCaptureFixture) -> None:
    response = respond("/fails")
    assert response.status == HTTPStatus.INTERNAL_SERVER_ERROR
    assert response.body == b"the request failed; the exporter's log says why\n"
    [record] = caplog.records
    assert (record.name, record.levelno) == ("exporter.web", logging.ERROR)
    assert record.getMessage() == "cannot answer a request"
    assert "secret" in caplog.text


def test_two_routes_with_one_path_are_refused() -> None:
    with pytest.raises(ValueError, match="same path"):
        Router([Route("/a", Named("1")), Route("/a", Named("2"))], "")
