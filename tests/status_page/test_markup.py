"""HTML that is escaped by the way it is made."""

from __future__ import annotations

from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from exporter.status_page.markup import Markup, element, joined


class Parsed(HTMLParser):
    """What a browser makes of it: the tags with their attributes, and the text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_text_is_escaped_and_markup_is_not() -> None:
    assert element("p", "a <b> & ", element("i", "c")) == "<p>a &lt;b&gt; &amp; <i>c</i></p>"
    assert joined("<", Markup("<br>"), None) == "&lt;<br>"


def test_attributes() -> None:
    made = element(
        "a", href='"><script>', class_="x y", aria_label="it's", hidden=True, title=None, open=False
    )
    assert made == '<a href="&quot;&gt;&lt;script&gt;" class="x y" aria-label="it&#x27;s" hidden></a>'


def test_void_elements_have_no_end() -> None:
    assert element("meta", charset="utf-8") == '<meta charset="utf-8">'


@given(st.text(), st.text())
def test_any_text_stays_text(content: str, attribute: str) -> None:
    parsed = Parsed(element("p", content, title=attribute))
    assert [tag for tag, _ in parsed.tags] == ["p"]
    assert parsed.tags[0][1]["title"] == attribute
    assert parsed.text == content
