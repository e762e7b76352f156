"""The pages in Chromium: light and dark, on a phone, without scripts, and by the rules of axe-core.

https://github.com/dequelabs/axe-core
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlencode

import pytest

from testbed.chromium import Chromium
from testbed.npm import installed
from testbed.waiting import equals, until
from tests.status_page.shown_host import MARKUP, PROCESS, busy, quiet, served
from tests.web.server_thread import ServerThread

AXE = Path(__file__).with_name("axe")
ALL = "/"
NGINX = "/listener?netns=host&protocol=tcp&address=10.0.0.1&port=80&process=nginx"
SPIKE = "/listener?netns=host&protocol=tcp&address=10.0.0.1&port=8080&process="
HOSTILE_NAMES = {
    "netns": "host",
    "protocol": "unix",
    "address": f"@{MARKUP.decode()}",
    "port": "",
    "process": PROCESS.decode(),
}
HOSTILE = f"/listener?{urlencode(HOSTILE_NAMES)}"
GONE = "/listener?netns=host&protocol=tcp&address=10.0.0.1&port=81&process="
WHO_WAITS = f"{NGINX}&clients=10"
PATHS = (ALL, "/?search=tcp&sort=peak", "/?search=nothing", NGINX, WHO_WAITS, SPIKE, HOSTILE, GONE)
PHONE = 360
DESKTOP = 1280
Scheme = Literal["light", "dark"]

pytestmark = [
    # One browser, and npm writes into one folder.
    pytest.mark.xdist_group("status-page"),
]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    with Chromium(tmp_path_factory.mktemp("chromium")) as started:
        yield started


@pytest.fixture(scope="module")
def axe() -> str:
    return (installed(AXE) / "axe-core/axe.min.js").read_text()


@pytest.fixture(scope="module")
def server() -> Iterator[ServerThread]:
    with served(busy(), reload_failed=True) as running:
        yield running


def load(
    browser: Chromium, server: ServerThread, path: str, width: int = DESKTOP, scheme: Scheme = "light"
) -> None:
    browser.load(f"http://127.0.0.1:{server.port}{path}", width=width, height=900, scheme=scheme)


def violations(browser: Chromium, axe: str) -> list[dict[str, Any]]:
    """What axe-core finds on the page, with the first element of each."""
    found: list[dict[str, Any]] = browser.evaluate(
        f"{axe}; axe.run().then(({{violations}}) => violations.map("
        "({id, nodes}) => ({id, html: nodes[0].html, summary: nodes[0].failureSummary})))"
    )
    return found


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(
    browser: Chromium, server: ServerThread, axe: str, path: str, scheme: Scheme
) -> None:
    for width in (DESKTOP, PHONE):
        load(browser, server, path, width, scheme)
        assert violations(browser, axe) == []


def test_axe_finds_what_is_wrong(browser: Chromium, server: ServerThread, axe: str) -> None:
    load(browser, server, ALL)
    browser.evaluate("document.querySelector('#search').labels[0].remove()")
    browser.evaluate("document.querySelector('#search').placeholder = ''")
    browser.evaluate("document.querySelector('.badge.ok').setAttribute('role', 'nothing')")
    assert {each["id"] for each in violations(browser, axe)} >= {"label", "aria-roles"}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("width", [PHONE, 700, DESKTOP])
def test_nothing_is_wider_than_the_window(
    browser: Chromium, server: ServerThread, path: str, width: int
) -> None:
    load(browser, server, path, width)
    assert browser.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


@pytest.mark.parametrize("path", PATHS)
def test_it_asks_nobody_else_and_the_policy_blocks_nothing(
    browser: Chromium, server: ServerThread, path: str
) -> None:
    load(browser, server, path)
    origin = f"http://127.0.0.1:{server.port}/"
    assert [address for address in browser.requests if not address.startswith(origin)] == []
    assert len(browser.requests) == 3
    # The page of a listener that is not there has status 404, which is logged.
    assert [text for text in browser.complaints if "404" not in text] == []
    assert browser.evaluate("document.styleSheets.length") == 1


@pytest.mark.parametrize("path", [ALL, HOSTILE])
def test_markup_in_a_name_does_nothing(browser: Chromium, server: ServerThread, path: str) -> None:
    load(browser, server, path)
    assert "broken" not in browser.evaluate("document.title").replace(MARKUP.decode(), "")
    assert browser.evaluate("document.querySelectorAll('main img, main script, main b').length") == 0
    assert MARKUP.decode() in browser.evaluate("document.body.textContent")


def test_the_policy_blocks_scripts_that_are_no_file_of_the_exporter(
    browser: Chromium, server: ServerThread
) -> None:
    """Were a name not escaped, it would still run nothing."""
    load(browser, server, ALL)
    browser.evaluate(
        "{const script = document.createElement('script'); script.textContent = 'window.ran = true';"
        " document.body.append(script)}"
    )
    assert browser.evaluate("window.ran === undefined")
    assert any("Content Security Policy" in text for text in browser.complaints)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_are_those_that_the_user_prefers(
    browser: Chromium, server: ServerThread, scheme: Scheme
) -> None:
    load(browser, server, ALL, scheme=scheme)
    red = int(browser.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0]"))
    assert (red > 200) is (scheme == "light")


def test_an_expression_has_no_value_where_its_page_is_left(browser: Chromium, server: ServerThread) -> None:
    load(browser, server, ALL)
    assert browser.evaluate("location.search = '?search=8080'; new Promise(() => {})") is None
    until(lambda: browser.evaluate("location.search"), equals("?search=8080"))


def test_without_scripts_it_shows_searches_and_sorts(browser: Chromium, server: ServerThread) -> None:
    browser.load(f"http://127.0.0.1:{server.port}/", width=DESKTOP, height=900, scheme="light", scripts=False)
    assert browser.evaluate("document.querySelectorAll('tbody tr').length") == 20
    browser.evaluate("document.querySelector('#search').value = '8080'")
    browser.evaluate("document.querySelector('form').requestSubmit()")
    rows = "document.querySelectorAll('tbody tr').length"
    until(lambda: browser.evaluate(rows), equals(1))
    browser.evaluate("[...document.querySelectorAll('th a')].find(link => link.text === 'Peak').click()")
    until(lambda: browser.evaluate("location.search"), equals("?search=8080&sort=peak"))
    # The address is the new one before the page is there.
    until(lambda: browser.evaluate("document.querySelector('th.peak')?.ariaSort"), equals("descending"))


def test_without_scripts_a_link_shows_who_waits(browser: Chromium) -> None:
    with served(busy()) as server:
        address = f"http://127.0.0.1:{server.port}{NGINX}"
        browser.load(address, width=DESKTOP, height=900, scheme="light", scripts=False)
        browser.evaluate(
            "[...document.querySelectorAll('a')].find(link => link.text === 'Who waits?').click()"
        )
        rows = "document.querySelectorAll('[aria-labelledby=clients] tbody tr').length"
        until(lambda: browser.evaluate(rows), equals(4))


def test_the_script_shows_what_is_new_and_keeps_focus_scroll_and_what_is_typed(
    browser: Chromium,
) -> None:
    made = busy()
    with served(made) as server:
        load(browser, server, ALL, PHONE)
        browser.evaluate("document.querySelector('#search').value = 'typed'")
        browser.evaluate("document.querySelector('tbody a').focus({preventScroll: true})")
        browser.evaluate("scrollTo(0, 500)")
        focused = browser.evaluate("document.activeElement.href")
        made.kernel.tcp.change(1, length=0)
        made.run_for(6.0)
        until(
            lambda: browser.evaluate("document.querySelector('.overall-state').textContent"),
            equals("Of 20 listeners: 1 warning."),
        )
        assert browser.evaluate("document.title").endswith("Of 20 listeners: 1 warning.")
        assert browser.evaluate("scrollY") == 500
        assert browser.evaluate("document.activeElement.href") == focused
        assert browser.evaluate("document.querySelector('#search').value") == "typed"


def test_where_the_exporter_is_gone_the_page_says_that_it_is_old(browser: Chromium) -> None:
    with served(quiet()) as server:
        load(browser, server, ALL)
    status = "document.querySelector('#refresh-status').textContent"
    until(
        lambda: browser.evaluate(status),
        lambda text: text.startswith("Not refreshed, the figures above are old"),
    )


def test_a_tab_that_is_not_seen_asks_for_nothing(browser: Chromium) -> None:
    with served(quiet()) as server:
        load(browser, server, ALL)
        browser.evaluate("Object.defineProperty(document, 'hidden', {value: true, configurable: true})")
        asked = len(browser.requests)
        # Longer than it is from one refresh to the next.
        browser.evaluate("new Promise(done => setTimeout(done, 5000))")
        assert len(browser.requests) == asked
        browser.evaluate("Object.defineProperty(document, 'hidden', {value: false, configurable: true})")
        browser.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        until(lambda: len(browser.requests) > asked, equals(wanted=True))


def test_the_keyboard_reaches_everything_and_shows_where_it_is(
    browser: Chromium, server: ServerThread
) -> None:
    load(browser, server, ALL)
    reached = []
    for _ in range(4):
        browser.press("Tab")
        reached.append(browser.evaluate("document.activeElement.id || document.activeElement.textContent"))
        assert browser.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
    assert reached == ["Listen queues", "search", "Search", "10.0.0.1:80"]
