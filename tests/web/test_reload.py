"""/-/reload."""

from __future__ import annotations

import logging
import threading

import pytest

from exporter.web.health import HealthyHandler
from exporter.web.reload import Reloader, ReloadHandler
from exporter.web.route import Route
from exporter.web.router import Router
from tests.web.server_thread import TIMEOUT_SECONDS, ServerThread, router_of


class Config:
    """Counts reloads, each of which ends with `error`."""

    def __init__(self, error: str | None = None) -> None:
        self.error = error
        self.reloads = 0

    def reload(self) -> str | None:
        self.reloads += 1
        return self.error


class Failing:
    """Raises an exception."""

    def reload(self) -> str | None:
        raise RuntimeError("secret")


class Blocking:
    """Takes until `release` is set, and notes how many reloads run at the same time."""

    def __init__(self) -> None:
        self.entered = threading.Semaphore(0)
        self.release = threading.Event()
        self.running = 0
        self.running_at_once: list[int] = []

    def reload(self) -> str | None:
        self.running += 1
        self.running_at_once.append(self.running)
        self.entered.release()
        assert self.release.wait(TIMEOUT_SECONDS)
        self.running -= 1
        return None


def router(reloader: Reloader, *, enabled: bool = True) -> Router:
    return router_of(
        Route("/-/reload", ReloadHandler(reloader, enabled=enabled), methods=("POST",)),
        Route("/-/healthy", HealthyHandler()),
    )


def test_where_it_is_not_enabled_nothing_is_read_and_the_response_names_the_flag() -> None:
    config = Config()
    with ServerThread(router(config, enabled=False)) as server:
        response = server.request("/-/reload", "POST")
    assert response.status == 403
    assert response.body == b"reloading over HTTP is off; send SIGHUP, or start with --web.enable-lifecycle\n"
    assert config.reloads == 0


@pytest.mark.parametrize("body", [None, b"", b"ignored"])
def test_configuration_is_read_once_and_the_body_ignored(body: bytes | None) -> None:
    config = Config()
    with ServerThread(router(config)) as server:
        response = server.request("/-/reload?x", "POST", body)
    assert (response.status, response.body) == (200, b"reloaded\n")
    assert config.reloads == 1


def test_errors_of_the_configuration_are_in_the_response() -> None:
    config = Config("a.yml:1:1: labels: what\na.yml:2:1: \udcff: ünknown")
    with ServerThread(router(config)) as server:
        response = server.request("/-/reload", "POST")
    assert response.status == 500
    assert response.body.decode() == "a.yml:1:1: labels: what\na.yml:2:1: ?: ünknown\n"


def test_exception_is_logged_and_the_server_continues(caplog: pytest.LogCaptureFixture) -> None:
    with ServerThread(router(Failing())) as server:
        response = server.request("/-/reload", "POST")
        assert server.request("/-/healthy").status == 200
    assert response.status == 500
    assert b"secret" not in response.body
    assert [(record.name, record.levelno) for record in caplog.records] == [("exporter.web", logging.ERROR)]


def test_one_reload_runs_at_a_time_while_other_requests_are_served() -> None:
    blocking = Blocking()
    with ServerThread(router(blocking)) as server:
        clients = [threading.Thread(target=server.request, args=("/-/reload", "POST")) for _ in range(3)]
        for client in clients:
            client.start()
        assert blocking.entered.acquire(timeout=TIMEOUT_SECONDS)
        for _ in range(10):
            assert server.request("/-/healthy").status == 200
        blocking.release.set()
        for client in clients:
            client.join(TIMEOUT_SECONDS)
    assert blocking.running_at_once == [1, 1, 1]
