"""The type of values of response headers."""

from __future__ import annotations

from dataclasses import dataclass

from exporter.yamlfile.scalar import Scalar, WrongValueError
from exporter.yamlfile.values import Format, ScalarValue


@dataclass(frozen=True, slots=True)
class HeaderValue(ScalarValue[str]):
    """Printable ASCII (RFC 9110, section 5.5), or one of `words` where there are any; blank for no header."""

    words: tuple[str, ...] = ()

    @property
    def format(self) -> Format:
        """The words, or any text."""
        values = " or ".join(self.words) if self.words else "text in printable ASCII"
        schema = {"enum": ["", *self.words]} if self.words else {"type": "string", "pattern": "^[ -~]*$"}
        return Format("text", values, f'write {values}, or "" for no such header', schema)

    def parse(self, scalar: Scalar) -> str:
        """Return the value; raises WrongValueError."""
        text = scalar.text.strip()
        if text and self.words and text not in self.words:
            raise WrongValueError(f"{scalar.display} is not allowed")
        if not (text.isascii() and text.isprintable()):
            raise WrongValueError(f"{scalar.display} has a character that no header can have")
        return text
