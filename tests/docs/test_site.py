"""The site that `make site` builds: without a warning, and its pages load nothing from another host."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from testbed.chromium import Chromium
from testbed.makefile import recipe
from tests.docs.commands import ROOT

DOCS = ROOT / "docs"
PHONE = 360

# One worker builds it once.
pytestmark = pytest.mark.xdist_group("site")


class Links(HTMLParser):
    """What a page loads and what it leads to."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.followed: list[str] = []
        self.ids: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.ids |= {values[name] for name in ("id", "name") if name in values}
        if tag == "a" and "href" in values:
            self.followed.append(values["href"])
        elif tag == "link" and values.get("rel") not in {"canonical", "search", "next", "prev", "index"}:
            self.loaded.append(values.get("href", ""))
        elif tag in {"script", "img", "iframe", "source", "object"} and "src" in values:
            self.loaded.append(values["src"])


def command(target: Path, source: Path = DOCS) -> list[str]:
    """The command of `make site`, with other folders."""
    words = shlex.split(recipe("site").splitlines()[0])
    return [sys.executable, *words[1:-2], str(source), str(target)]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built in a network namespace that has no network."""
    target = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        ["unshare", "--net", *command(target)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )
    if "unshare failed" in done.stderr:
        pytest.skip(f"cannot make a network namespace: {done.stderr}")
    if done.returncode != 0:
        pytest.fail(done.stderr + done.stdout)
    return target


def links(page: Path) -> Links:
    """The links of one page."""
    found = Links()
    found.feed(page.read_text())
    return found


def pages(site: Path) -> Iterator[Path]:
    return site.rglob("*.html")


def test_every_document_is_a_page(site: Path) -> None:
    built = {page.relative_to(site).with_suffix(".md") for page in pages(site)} - {Path("search.md")}
    assert built == {document.relative_to(DOCS) for document in DOCS.rglob("*.md")}


def test_no_page_loads_anything_from_another_host(site: Path) -> None:
    loaded = [(page.name, url) for page in pages(site) for url in links(page).loaded]
    assert len(loaded) > 20
    assert [each for each in loaded if urlsplit(each[1]).netloc] == []
    sheets = list(site.rglob("*.css"))
    assert sheets
    assert [
        sheet.name for sheet in sheets if re.search(r"(url\(|@import)\W*(https?:)?//", sheet.read_text())
    ] == []


def test_every_link_within_the_site_has_a_target(site: Path) -> None:
    ids = {page: links(page).ids for page in pages(site)}
    followed = [(page, url) for page in pages(site) for url in links(page).followed]
    broken = []
    for page, url in followed:
        parts = urlsplit(url)
        if parts.scheme or parts.netloc:
            continue
        target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
        fragment = unquote(parts.fragment)
        if not target.exists() or (fragment and target in ids and fragment not in ids[target]):
            broken.append((page.name, url))
    assert broken == []


def test_links_to_files_of_the_repository_name_files_that_exist(site: Path) -> None:
    pattern = re.compile(
        r"https://github\.com/listen-queue-exporter/listen-queue-exporter/(?:blob|tree)/main/([^#]+)"
    )
    named = {
        found[1] for page in pages(site) for url in links(page).followed if (found := pattern.match(url))
    }
    assert len(named) > 5
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_a_broken_link_fails_the_build(tmp_path: Path) -> None:
    source = tmp_path / "docs"
    source.mkdir()
    (source / "index.md").write_text("# Title\n\n[nowhere](nowhere.md)\n")
    done = subprocess.run(
        command(tmp_path / "site", source), cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode != 0
    assert "nowhere.md" in done.stderr


def test_every_page_of_the_guide_fits_a_telephone(site: Path, browser: Chromium) -> None:
    """Tables and code scroll by themselves; pages do not."""
    wider = {}
    for page in sorted((site / "guide").glob("*.html")):
        browser.open(page, width=PHONE, height=800, scheme="light")
        wider[page.name] = browser.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert len(wider) > 5
    assert {name: pixels for name, pixels in wider.items() if pixels > 0} == {}
