"""The pictures of the pages for people are those that `make picture` makes."""

from __future__ import annotations

import struct
from pathlib import Path

from docs.status_page import PICTURES

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_every_picture_is_there_in_its_width() -> None:
    found = {path.stem: struct.unpack(">4xI", path.read_bytes()[12:20])[0] for path in DOCS.glob("*.png")}
    assert found == {picture.name: picture.width for picture in PICTURES}
