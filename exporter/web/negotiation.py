"""Content negotiation: text format and encoding (RFC 9110, sections 12.4.2, 12.5.1 and 12.5.3)."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

# A scraper sends the same headers each time. They may be as long as a request.
_KEPT_HEADERS: Final = 16


class TextFormat(enum.Enum):
    """A text format of the metrics page; the value is its content type."""

    TEXT = "text/plain; version=0.0.4; charset=utf-8"
    OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"

    @property
    def content_type(self) -> str:
        """The value of the Content-Type header."""
        return self.value


_MEDIA_TYPES = {
    TextFormat.TEXT: ("text", "plain"),
    TextFormat.OPENMETRICS: ("application", "openmetrics-text"),
}

# The versions of each format, best match first. Older releases of Prometheus request OpenMetrics 0.0.1 and
# read 1.0.0.
_VERSIONS = {
    TextFormat.TEXT: ("0.0.4",),
    TextFormat.OPENMETRICS: ("1.0.0", "0.0.1"),
}

# How specific a media range is: no match, */*, type/*, type/subtype.
_NO_MATCH, _ANY, _TYPE, _SUBTYPE = range(4)

# Quantifiers are possessive: without backtracking, the time is linear in the length of the header.
_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]++"
_QUOTED = r'"(?:[^"\\]|\\.)*+"'
_NAME = re.compile(_WORD)
_PARAMETER = re.compile(rf"({_WORD})=({_WORD}|{_QUOTED})")
_QUALITY = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?")
_PARTS = {
    separator: re.compile(rf'((?:[^"{separator}]|{_QUOTED})*+)({separator}|\Z)') for separator in (",", ";")
}
_BLANK = " \t"


class _MalformedError(ValueError):
    """The header does not match the grammar of RFC 9110."""


@dataclass(frozen=True, slots=True)
class _Element:
    """One element of the header: a media range or a coding, its quality and its other parameters."""

    name: str
    quality: float
    parameters: dict[str, str]


def _split(text: str, separator: str) -> list[str]:
    """Split at the separators outside quoted strings. Raises _MalformedError."""
    parts: list[str] = []
    position = 0
    while True:
        match = _PARTS[separator].match(text, position)
        if match is None:
            raise _MalformedError(text)
        parts.append(match[1].strip(_BLANK))
        if not match[2]:
            return parts
        position = match.end()


def _parameters(parts: list[str]) -> dict[str, str]:
    """Return the parameters by name, in lower case. Raises _MalformedError."""
    parameters: dict[str, str] = {}
    for part in filter(None, parts):
        match = _PARAMETER.fullmatch(part)
        if match is None:
            raise _MalformedError(part)
        value = match[2]
        if value.startswith('"'):
            value = re.sub(r"\\(.)", r"\1", value[1:-1])
        parameters[match[1].lower()] = value
    return parameters


def _parse(header: str) -> list[_Element]:
    """Parse a list of elements, each with parameters and an optional quality `q`. Raises _MalformedError."""
    elements = []
    for element in filter(None, _split(header, ",")):
        name, *parts = _split(element, ";")
        parameters = _parameters(parts)
        quality = parameters.pop("q", "1")
        if not _QUALITY.fullmatch(quality):
            raise _MalformedError(quality)
        elements.append(_Element(name.lower(), float(quality), parameters))
    return elements


def _specificity(element: _Element, offer: TextFormat) -> int:
    """Return how specific a media range is for the offer; with the version of the offer above _SUBTYPE.

    Only `version` tells formats apart: the page is the same for any `charset` and `escaping`. Raises
    _MalformedError.
    """
    kind, slash, subtype = element.name.partition("/")
    if not (slash and _NAME.fullmatch(kind) and _NAME.fullmatch(subtype)):
        raise _MalformedError(element.name)
    if (kind, subtype) == ("*", "*"):
        return _ANY
    if (kind, subtype) == (_MEDIA_TYPES[offer][0], "*"):
        return _TYPE
    if (kind, subtype) != _MEDIA_TYPES[offer]:
        return _NO_MATCH
    version = element.parameters.get("version")
    if version is None:
        return _SUBTYPE
    versions = _VERSIONS[offer]
    return _SUBTYPE + len(versions) - versions.index(version) if version in versions else _NO_MATCH


def _quality(elements: list[_Element], offer: TextFormat) -> tuple[float, int]:
    """Return the quality that the most specific range gives the offer, and how specific that range is."""
    ranked = [(_specificity(element, offer), element.quality) for element in elements]
    specificity, quality = max(ranked, default=(_NO_MATCH, 0.0))
    return (quality if specificity else 0.0), specificity


@lru_cache(_KEPT_HEADERS)
def negotiate(accept: str | None) -> TextFormat:
    """Return the format for an Accept header, whatever it contains.

    That is OpenMetrics where a media range names it, with at least the quality of text: a client that sends
    only a wildcard may be unable to read OpenMetrics. It is text for any other header, also for an absent or
    malformed one and one that accepts neither: RFC 9110 lets a server ignore the header in place of a 406.
    """
    if accept is None:
        return TextFormat.TEXT
    try:
        elements = _parse(accept)
        text_quality, _ = _quality(elements, TextFormat.TEXT)
        quality, specificity = _quality(elements, TextFormat.OPENMETRICS)
    except _MalformedError:
        return TextFormat.TEXT
    openmetrics = specificity >= _SUBTYPE and quality > 0 and quality >= text_quality
    return TextFormat.OPENMETRICS if openmetrics else TextFormat.TEXT


@lru_cache(_KEPT_HEADERS)
def accepts_gzip(accept_encoding: str | None) -> bool:
    """Return whether an Accept-Encoding header accepts gzip, with at least the quality of `identity`.

    `gzip` (or `x-gzip`, RFC 9110 section 8.4.1.3) takes precedence over `*`; a quality of 0 refuses it. An
    absent or malformed header does not accept it.
    """
    try:
        elements = _parse(accept_encoding or "")
    except _MalformedError:
        return False
    qualities = {element.name: element.quality for element in elements}
    for name in ("gzip", "x-gzip", "*"):
        if name in qualities:
            return qualities[name] > 0 and qualities[name] >= qualities.get("identity", 0.0)
    return False
