"""config.example.yaml, made from the declared keys: `python -m exporter.config.example`."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator

from exporter.config.model import Config
from exporter.yamlfile.key import Key, keys_of
from exporter.yamlfile.section import MappingListType, keys_below

_WIDTH = 110

_HEAD = """\
# listen-queue-exporter: every key, with its default. Leave out what you do not want to change.
# Check a file before you use it: listen-queue-exporter check-config FILE (make run ARGS='check-config FILE')
# Durations have a unit: ms, s, m or h. Text with a * at its front, an @ or a colon needs double quotes.
# yaml-language-server: $schema=docs/config.schema.json
#
# Written by `make reference` from exporter/config/model.py; docs/configuration.md has the same as a table.
"""

_RULES = """\
rules:
  # The web servers at the edge must answer early. A port is a number or a range.
  - name: edge
    match:
      protocol: tcp
      port: [80, 443, 8000-8999]
      process: "nginx*"
    accept: {warning: 30%, critical: 70%}

  # PHP behind unix sockets: a name is a pattern, in which * and ? stand for anything. Here the levels
  # are numbers of connections, and must last ten seconds.
  - name: php
    match:
      protocol: unix
      address: "/run/php/*.sock"
    accept: {warning: 10, critical: 100}
    hold: 10s

  # Not published at all: what only this machine can reach. An address is an IP or a network.
  - name: loopback
    match:
      address: ["127.0.0.0/8", "::1"]
    export: false

  # Each transfer of passive FTP listens on a port of its own, for a moment: published as one listener whose
  # port is *, with the sums of all.
  - name: ftp transfers
    match:
      protocol: tcp
      port: 30000-39999
      process: "vsftpd"
    fold: true

  # The other keys of a match, all of which have to fit: jobs in pods that share the exporter's own network
  # namespace, whose name is host.
  - name: batch
    match:
      netns: host
      unit: "batch-*.service"
      container: "*"
      pod: "batch-*"
      namespace: [jobs, "jobs-*"]
    accept: {warning: 20}
    syn_recv: {warning: 80%}
    release: 1m
"""


def example() -> str:
    """Return the file."""
    parts = [_HEAD]
    for key in keys_of(Config):
        lines = _list(key) if isinstance(key.type, MappingListType) else _key(key, "")
        parts.append("".join(f"{line}\n" for line in lines))
    return "\n".join(parts) + _RULES


def _key(key: Key, indent: str) -> Iterator[str]:
    """Yield a comment and the key with its default, or with the keys below it."""
    below = keys_below(key)
    yield from _comment(key.description, indent)
    if not below:
        yield from _comment(key.type.format.sentence, indent)
        yield f"{indent}{key.name}: {key.default}"
        return
    yield f"{indent}{key.name}:"
    for each in below:
        yield from _key(each, indent + "  ")


def _list(key: Key) -> Iterator[str]:
    """Yield a comment on a list and on the keys of its mappings."""
    yield from _comment(f"{key.description} Those below are examples. Keys:", "")
    yield from _outline(keys_below(key), "  ")


def _outline(keys: tuple[Key, ...], indent: str) -> Iterator[str]:
    """Yield a comment on each key; those that inherit their values share one."""
    inheriting = [key for key in keys if key.inherits_from]
    for key in keys:
        if key not in inheriting:
            yield from _comment(f"{key.name}: {key.help}", "", indent)
            yield from _outline(keys_below(key), indent + "  ")
        elif key is inheriting[0]:
            names = ", ".join(each.name for each in inheriting)
            yield from _comment(
                f"{names}: as in {key.inherits_from}, from where those that are left out are taken.",
                "",
                indent,
            )


def _comment(text: str, indent: str, margin: str = "") -> list[str]:
    """Return the lines of a comment at `indent`, with `margin` between the # and the text."""
    first = f"{indent}# {margin}"
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=first,
        subsequent_indent=first + ("  " if margin else ""),
        break_on_hyphens=False,
    )


if __name__ == "__main__":
    sys.stdout.write(example())
