"""The type of `match.port`: a port or a range of ports."""

from __future__ import annotations

import re
from dataclasses import dataclass

from exporter.yamlfile.quantities import NUMBER, WholeNumber
from exporter.yamlfile.scalar import Scalar, ScalarType, WrongValueError
from exporter.yamlfile.values import Format, ScalarValue

MAX_PORT = 65535

_PORT = WholeNumber(1, MAX_PORT, example="443", noun="port")
_RANGE = re.compile(rf"({NUMBER})-({NUMBER})")


@dataclass(frozen=True, slots=True)
class PortRange(ScalarValue[tuple[int, int]]):
    """A port (`443`) or an inclusive range (`8000-8999`), read as the first and the last port."""

    @property
    def format(self) -> Format:
        """The bounds, and an example of a range."""
        port = _PORT.format
        values = f"{port.values}, or a range such as 8000-8999"
        schema = {"anyOf": [port.schema, {"type": "string", "pattern": f"^{_RANGE.pattern}$"}]}
        return Format("port", values, f"write a port from {values}", schema)

    def parse(self, scalar: Scalar) -> tuple[int, int]:
        """Return the first and the last port; raises WrongValueError."""
        found = _RANGE.fullmatch(scalar.text)
        if found is None:
            port = _PORT.parse(scalar)
            return port, port
        first, last = (_PORT.parse(Scalar(end, ScalarType.NUMBER, quoted=False)) for end in found.groups())
        if first > last:
            raise WrongValueError(f"{scalar.display} runs backwards", f"write {last}-{first}")
        return first, last
