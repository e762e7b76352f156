"""Which text format and which encoding a client asked for (RFC 9110, sections 12.4.2, 12.5.1 and 12.5.3)."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass


class Format(enum.Enum):
    """A text format of the metrics page; the value is its content type."""

    TEXT = "text/plain; version=0.0.4; charset=utf-8"
    OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"

    @property
    def content_type(self) -> str:
        """The value of the Content-Type header."""
        return self.value


_MEDIA_TYPES = {
    Format.TEXT: ("text", "plain"),
    Format.OPENMETRICS: ("application", "openmetrics-text"),
}

# The versions that name each format, best match first. Prometheus has long asked for OpenMetrics as 0.0.1,
# and reads 1.0.0.
_VERSIONS = {
    Format.TEXT: ("0.0.4",),
    Format.OPENMETRICS: ("1.0.0", "0.0.1"),
}

_NOT_AT_ALL, _ANYTHING, _KIND, _NAMED = range(4)

# Quantifiers are possessive, so that no header makes the match backtrack.
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
    """The header does not follow the grammar."""


@dataclass(frozen=True, slots=True)
class _Choice:
    """One element of the header: what may be sent, and how much it is wanted."""

    name: str
    quality: float
    parameters: dict[str, str]


def _split(text: str, separator: str) -> list[str]:
    """Cut at the separators that stand outside quoted strings."""
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
    found: dict[str, str] = {}
    for part in filter(None, parts):
        match = _PARAMETER.fullmatch(part)
        if match is None:
            raise _MalformedError(part)
        value = match[2]
        if value.startswith('"'):
            value = re.sub(r"\\(.)", r"\1", value[1:-1])
        found[match[1].lower()] = value
    return found


def _parse(header: str) -> list[_Choice]:
    """Read a list of elements, each with parameters and an optional weight `q`.

    Raises _MalformedError.
    """
    choices = []
    for element in filter(None, _split(header, ",")):
        name, *parts = _split(element, ";")
        parameters = _parameters(parts)
        quality = parameters.pop("q", "1")
        if not _QUALITY.fullmatch(quality):
            raise _MalformedError(quality)
        choices.append(_Choice(name.lower(), float(quality), parameters))
    return choices


def _specificity(choice: _Choice, offer: Format) -> int:
    """Tell how closely the media range fits the offer; a range that gives the version is above _NAMED.

    Only `version` tells formats apart: `charset` and `escaping` change nothing in what is sent.
    """
    kind, slash, subtype = choice.name.partition("/")
    if not (slash and _NAME.fullmatch(kind) and _NAME.fullmatch(subtype)):
        raise _MalformedError(choice.name)
    if (kind, subtype) == ("*", "*"):
        return _ANYTHING
    if (kind, subtype) == (_MEDIA_TYPES[offer][0], "*"):
        return _KIND
    if (kind, subtype) != _MEDIA_TYPES[offer]:
        return _NOT_AT_ALL
    version = choice.parameters.get("version")
    if version is None:
        return _NAMED
    versions = _VERSIONS[offer]
    return _NAMED + len(versions) - versions.index(version) if version in versions else _NOT_AT_ALL


def _weigh(choices: list[_Choice], offer: Format) -> tuple[float, int]:
    """Give the quality that the most specific range assigns to the offer, and how specific that range is."""
    ranked = [(_specificity(choice, offer), choice.quality) for choice in choices]
    specificity, quality = max(ranked, default=(_NOT_AT_ALL, 0.0))
    return (quality if specificity else 0.0), specificity


def negotiate(accept: str | None) -> Format:
    """Choose the format for an Accept header.

    Text unless OpenMetrics is named and wanted at least as much: a wildcard alone does not show that the
    client can read OpenMetrics. An absent or malformed header, or one that admits neither, gets text, which
    everyone reads (RFC 9110 lets a server disregard the header instead of answering 406). Never raises.
    """
    if accept is None:
        return Format.TEXT
    try:
        choices = _parse(accept)
        text_quality, _ = _weigh(choices, Format.TEXT)
        quality, specificity = _weigh(choices, Format.OPENMETRICS)
    except _MalformedError:
        return Format.TEXT
    wanted = specificity >= _NAMED and quality > 0 and quality >= text_quality
    return Format.OPENMETRICS if wanted else Format.TEXT


def accepts_gzip(accept_encoding: str | None) -> bool:
    """Tell whether an Accept-Encoding header admits gzip, and wants it no less than an identity it names.

    `gzip` (or `x-gzip`, RFC 9110 section 8.4.1.3) outranks `*`; a weight of 0 forbids. Absent or malformed
    means no: the identity is always right. Never raises.
    """
    try:
        choices = _parse(accept_encoding or "")
    except _MalformedError:
        return False
    weights = {choice.name: choice.quality for choice in choices}
    for name in ("gzip", "x-gzip", "*"):
        if name in weights:
            return weights[name] > 0 and weights[name] >= weights.get("identity", 0.0)
    return False
