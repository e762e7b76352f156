"""Single values of the configuration: durations, percentages, numbers, ports, addresses, names of owners."""

from __future__ import annotations

import ipaddress
import math
from typing import Any

from exporter.config.addresses import Address
from exporter.config.owner_patterns import OwnerPattern
from exporter.config.ports import PortRange
from exporter.yamlfile.quantities import Duration, Percentage, WholeNumber
from exporter.yamlfile.scalar import Scalar, ScalarType, WrongValueError
from exporter.yamlfile.values import ScalarValue, Text
from tests.fuzz.target import Target

_DURATION = Duration("1ms", "24h", "1s")
_PERCENTAGE = Percentage("a core", 100, "2%")
_NUMBER = WholeNumber(0, 1_000_000, "1")
_TEXT = Text("name", "a name", "web")
_FACTS = ("process", "unit", "container", "pod", "namespace", "user")


def run(data: bytes) -> None:
    """Parse the text as each of them; all that is wrong is a WrongValueError with a printable text."""
    text = data.decode("utf-8", "replace")
    for scalar in (Scalar(text, ScalarType.NUMBER, quoted=False), Scalar(text, ScalarType.TEXT, quoted=True)):
        types: tuple[ScalarValue[Any], ...] = (_DURATION, _PERCENTAGE, _NUMBER, PortRange(), Address())
        owners = (OwnerPattern(fact, _TEXT) for fact in _FACTS)
        for kind in (*types, *owners):
            try:
                _check(kind.parse(scalar))
            except WrongValueError as error:
                assert str(error).isprintable()
                assert error.instead is None or error.instead.isprintable()


def _check(value: object) -> None:
    match value:
        case float():
            assert math.isfinite(value)
            assert value >= 0
        case (int() as first, int() as last):
            assert 1 <= first <= last <= 65535
        case ipaddress.IPv4Network() | ipaddress.IPv6Network():
            assert ipaddress.ip_network(str(value)) == value


TARGET = Target(
    run,
    max_bytes=1024,
    words=(
        b"50ms",
        b"1.5h",
        b"%",
        b"80-90",
        b"::ffff:",
        b"10.0.0.0/8",
        b"fe80::1%eth0",
        b".service",
        b"*",
        b"9" * 400,
    ),
)
