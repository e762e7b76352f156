"""Bytes of the kernel as text that is safe to show: on a page, in a table, in a log."""

from __future__ import annotations

_SURROGATES = range(0xDC80, 0xDD00)


def printable(raw: bytes) -> str:
    r"""Decode UTF-8; every byte that is no printable UTF-8, and backslash, becomes `\xNN`.

    The result names one sequence of bytes only, so two listeners never fall together by accident.
    """
    return "".join(_escape(character) for character in raw.decode("utf-8", "surrogateescape"))


def _escape(character: str) -> str:
    if ord(character) in _SURROGATES:
        return f"\\x{ord(character) - 0xDC00:02x}"
    if character == "\\" or not character.isprintable():
        return "".join(f"\\x{byte:02x}" for byte in character.encode())
    return character
