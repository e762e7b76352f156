"""The pieces of Prometheus' text formats: headers, label sets, numbers.

prometheus_client is the reference: its own functions are used for what is written once, and a test
compares what is written for every listener with its output, byte for byte. Source:
https://prometheus.io/docs/instrumenting/exposition_formats/ and the OpenMetrics 1.0 text format.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Final

from prometheus_client import generate_latest
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

EOF: Final = b"# EOF\n"
_MILLION = 1e6
# Below this a float has every digit of a whole number.
_EXACT: Final = 10**15
# By the number of digits.
_EXPONENTS: Final = [b"e+%02d" % (digits - 1) for digits in range(len(str(_EXACT)))]


class _Families(Collector):
    def __init__(self, families: Iterable[Family]) -> None:
        self._families = families

    def collect(self) -> Iterator[Family]:
        return iter(self._families)


def families_text(families: Iterable[Family], *, openmetrics: bool) -> bytes:
    """Write whole families as prometheus_client does; the closing `# EOF` is left off."""
    if openmetrics:
        written: bytes = generate_openmetrics(_Families(families))
        return written.removesuffix(EOF)
    return generate_latest(_Families(families))


@lru_cache(maxsize=256)
def header(name: str, type_: str, help_text: str, *, openmetrics: bool) -> bytes:
    """Write the HELP and TYPE lines of a family; `name` is without `_total`."""
    return families_text([Family(name, help_text, type_)], openmetrics=openmetrics)


def number(value: float) -> str:
    """Write a value as Go does, which is what both formats ask for."""
    # Below a million Go and Python write alike; above, Go changes to an exponent sooner.
    if -_MILLION < value < _MILLION:
        return repr(float(value))
    return str(floatToGoString(value))


def whole_number(value: int) -> bytes:
    """Write a number of observations, as `number` does but in a third of the time."""
    if value >= _EXACT:
        return number(value).encode()
    digits = b"%d" % value
    if value < _MILLION:
        return digits + b".0"
    return (digits[:1] + b"." + digits[1:]).rstrip(b"0.") + _EXPONENTS[len(digits)]


def label_set(labels: Mapping[str, str]) -> str:
    """Write labels in the order of their names, with their values escaped."""
    return ",".join(f'{name}="{_escape(labels[name])}"' for name in sorted(labels))


def _escape(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
