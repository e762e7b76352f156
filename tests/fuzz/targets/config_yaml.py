"""The configuration: any text gives a Config, or an error with a line and a column for each fault."""

from __future__ import annotations

import re

from exporter.config import Config, ConfigError, parse
from tests.fuzz.target import Target

_LINE = re.compile(r"c:[1-9][0-9]*:[1-9][0-9]*: .+")


def run(data: bytes) -> None:
    """Parse the text."""
    try:
        assert isinstance(parse(data.decode("utf-8", "replace"), "c"), Config)
    except ConfigError as error:
        assert error.lines
        assert all(line.isprintable() for line in error.lines)
        assert all(_LINE.fullmatch(line) or line.startswith("c: and ") for line in error.lines)


TARGET = Target(
    run,
    max_bytes=2048,
    words=(
        b"sampling: ", b"interval: ", b"50ms", b"defaults:\n", b"  accept: {warning: 50%}\n", b"rules:\n",
        b"  - name: a\n", b"    match: {protocol: tcp, ", b"port: [80-90]", b"address: ", b"10.0.0.0/8",
        b'"::1"',
        b"export: false\n", b"fold", b"labels: [process]\n", b"max_listeners: 1\n",
        b"namespaces: {include: [a]}\n",
        b"&a ", b"*a", b"!!int ", b"<<: ", b"? ", b"|\n", b'"\\U', b"[[[[", b"{a: {", b"---\n",
        b"%YAML 1.1\n", b"\t",
    ),
    max_seconds=4.0,
)  # fmt: skip
