"""Every picture of the documents, in a real browser: columns, cut and overlapping texts, and contrast."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Literal

import pytest

from testbed.chromium import Chromium
from tests.docs.rendering import render

DOCS = Path(__file__).resolve().parents[2] / "docs"
PICTURES = sorted([*DOCS.glob("*.svg"), *DOCS.glob("guide/*.svg")])
# A font has leading above and below its letters, so boxes of two lines may touch.
OVERLAP_PIXELS = 3.0
# WCAG 2.1, success criterion 1.4.3.
CONTRAST = 4.5

pytestmark = pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.name)


def test_no_text_is_cut_at_an_edge(browser: Chromium, picture: Path) -> None:
    found = render(browser, picture)
    assert found.texts
    assert [
        (text.text, text.box)
        for text in found.texts
        if text.box.left < 0
        or text.box.top < 0
        or text.box.right > found.width
        or text.box.bottom > found.height
    ] == []


def test_no_text_lies_on_another(browser: Chromium, picture: Path) -> None:
    texts = render(browser, picture).texts
    assert [
        (one.text, other.text)
        for one, other in combinations(texts, 2)
        if one.box.overlap(other.box) > OVERLAP_PIXELS
    ] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_can_be_read(browser: Chromium, picture: Path, scheme: Literal["light", "dark"]) -> None:
    found = render(browser, picture, scheme)
    assert [(text.text, text.contrast) for text in found.texts if text.contrast < CONTRAST] == []
