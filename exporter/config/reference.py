"""docs/configuration.md, made from the declared keys: `python -m exporter.config.reference`."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator

from exporter.config.model import Config
from exporter.yamlfile.key import Key, keys_of
from exporter.yamlfile.section import MappingListType, keys_below

_HEAD = """\
# Configuration

<!-- Written by `make reference` from the declarations in exporter/config/model.py. -->

`--config.file` names a YAML file. Without one, and for every key that is left out, the defaults below apply.
[config.example.yaml](../config.example.yaml) has every key with its default, and rules to begin with.

```
listen-queue-exporter check-config FILE
```

prints the errors in a file, one a line: `FILE:LINE:COLUMN: key.path: what is wrong; what is allowed`. The
exporter reads the file again on SIGHUP, or on `POST /-/reload` with `--web.enable-lifecycle`. If it is wrong
then, the old configuration stays in force and `listen_queue_exporter_config_last_reload_successful` is 0.

Editors that know JSON Schema complete and check keys by [config.schema.json](config.schema.json). Only
`check-config` checks the ranges of durations and percentages, and what depends on more than one key.

## How values are written

| type | how |
|---|---|
| duration | a number and a unit: `ms`, `s`, `m` or `h`, as in `1.5s` |
| percentage | a number and `%`, as in `2%` |
| level | a percentage of the queue (backlog + 1), or a whole number of connections |
| boolean | `true` or `false` without quotes, and none of the other words that YAML 1.1 has for them |
| pattern | text in which `*` stands for any characters and `?` for one; all others, `[` too, for themselves |
| address | `10.0.0.1`, `10.0.0.0/8` or `"::1"`; a pattern for a path, or for `@` and an abstract name |
| … or list | one value, or several in brackets |

Text that YAML takes for something else needs quotes: what begins with `*` or `@`, what has a colon, and names
such as `80`, `no` or `null`. Unknown keys, repeated keys, aliases, merge keys and tags are errors.

Patterns are compared with the text of the label, in which a line break is the four characters `\\x0a`. Case
matters. Write `?` for a `*` or `?` in a name, and a list where one of several characters is meant:
`[web-1, web-2]`. For a unix socket whose name looks like an IP or a port, write `?` in place of the first
character: `"?080"` for `8080`.

An IPv4 address that is mapped into IPv6 is the IPv4 address: `"::ffff:10.0.0.1"` is read as `10.0.0.1`, and
`10.0.0.1` matches a program that binds `::ffff:10.0.0.1`, as the JVM does.

## Keys
"""

_TAIL = """
A rule matches a listener where all keys of its `match` do; of a list, one value has to. A rule that no
listener can match is an error: one that contradicts itself, that names only namespaces that are not sampled,
or that comes after a rule which matches every listener that it matches.

A warning level above the critical level of the same queue is an error where both are in the same unit.
"""

_COLUMNS = ("key", "type", "allowed", "default", "meaning")


def reference() -> str:
    """Return the page."""
    parts = [_HEAD]
    for key in keys_of(Config):
        below = keys_below(key)
        intro = f"\n{key.description}\n" if below else ""
        path = f"{key.name}[]." if isinstance(key.type, MappingListType) else f"{key.name}."
        rows = [row for each in below for row in _rows(each, path)] or list(_rows(key, ""))
        parts.append(f"### {key.name}\n{intro}\n{_table(rows)}")
    return "\n".join(parts) + _TAIL


def _table(rows: list[tuple[str, ...]]) -> str:
    lines = [_COLUMNS, tuple("---" for _ in _COLUMNS), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _rows(key: Key, prefix: str, inherits_from: str | None = None) -> Iterator[tuple[str, ...]]:
    """Yield the row of a key and those of the keys below it.

    `inherits_from` is the mapping, where there is one, that has the values of those that are left out.
    """
    source = inherits_from or key.inherits_from
    below = keys_below(key)
    written = key.type.format
    values = ", ".join(each.name for each in below) or written.values
    default = "" if below else _default(key, source)
    yield f"`{prefix}{key.name}`", written.noun, _escaped(values), default, _escaped(key.description)
    for each in below:
        yield from _rows(each, f"{prefix}{key.name}.", f"{source}.{key.name}" if source else None)


def _default(key: Key, source: str | None) -> str:
    if source:
        return f"that of `{source}.{key.name}`"
    if key.required:
        return "none: required"
    return "any" if key.default is None else f"`{key.default}`"


def _escaped(text: str) -> str:
    return re.sub(r"([*|<\[\]])", r"\\\1", text)


if __name__ == "__main__":
    sys.stdout.write(reference())
