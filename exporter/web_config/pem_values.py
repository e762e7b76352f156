"""The types of certificates and keys: the name of a file, or the text itself."""

from __future__ import annotations

from dataclasses import dataclass

from exporter.web_config.model import Pem
from exporter.yamlfile.node import ConfigNode
from exporter.yamlfile.scalar import Scalar, WrongValueError
from exporter.yamlfile.values import TEXT_SCHEMA, Format, parse_text


@dataclass(frozen=True, slots=True)
class PemFile:
    """The path of a file; a relative one begins where the configuration is."""

    example: str

    @property
    def format(self) -> Format:
        """A path."""
        values = f"the path of a file in PEM, such as {self.example}"
        return Format("path", values, f"write {values}", TEXT_SCHEMA)

    def read(self, node: ConfigNode) -> Pem | None:
        """Return where the file is, or None with an error added."""
        path = node.scalar(self.format.allowed, parse_text)
        return None if path is None else Pem(node.place, path=path)


@dataclass(frozen=True, slots=True)
class PemText:
    """A text in PEM; `label` is that of its first line. No message shows the text, which may be a key."""

    label: str

    @property
    def format(self) -> Format:
        """A block."""
        values = f"a block (|) that begins with -----BEGIN {self.label}-----"
        return Format("text", values, f"write {values}", TEXT_SCHEMA)

    def read(self, node: ConfigNode) -> Pem | None:
        """Return the text, or None with an error added."""
        if node.is_rejected:
            node.add_error(f"an alias or a tag does not belong here; {self.format.allowed}")
            return None
        text = node.scalar(self.format.allowed, _parse)
        return None if text is None else Pem(node.place, text=text)


def _parse(scalar: Scalar) -> str:
    if not scalar.text.strip():
        raise WrongValueError("the text is empty")
    if "-----BEGIN " not in scalar.text:
        raise WrongValueError("this is not in PEM")
    return scalar.text
