"""HTML that is escaped by the way it is made: whatever is no Markup becomes text."""

from __future__ import annotations

from html import escape
from typing import Final

# https://html.spec.whatwg.org/multipage/syntax.html#void-elements, those that are used.
_VOID: Final = frozenset({"input", "link", "meta"})


class Markup(str):
    """Text that is HTML. Only `element` and `joined` make it, from parts that are HTML or were escaped."""

    __slots__ = ()


def element(tag: str, *content: str | None, **attributes: str | float | bool | None) -> Markup:
    """Return an element. Content that is no Markup is escaped, and so are the values of attributes.

    Names of attributes end in `_` where they are words of Python, and have `_` for `-` elsewhere. None and
    False leave out an attribute or content, True stands for an attribute without a value.
    """
    opening = tag + "".join(
        _attribute(name, value)
        for name, value in attributes.items()
        if value is not None and value is not False
    )
    if tag in _VOID:
        return Markup(f"<{opening}>")
    return Markup(f"<{opening}>{joined(*content)}</{tag}>")


def joined(*content: str | None) -> Markup:
    """Return parts one after the other; what is no Markup is escaped."""
    return Markup(
        "".join(
            part if isinstance(part, Markup) else escape(part, quote=False)
            for part in content
            if part is not None
        )
    )


def _attribute(name: str, value: str | float | bool) -> str:  # noqa: FBT001 # an attribute may be set or not
    name = name.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{escape(str(value))}"'
