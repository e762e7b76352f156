"""How interpreters read their options."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Options:
    """How an interpreter reads its arguments.

    Of options of one letter, which may stand together, `valued` take the rest of the argument or else the
    next one, `detached` always the next one, and `joined` the rest alone. `short_values` matches those whose
    value may have other letters behind it, with that value. `naming` ones do as `valued`, and their value is
    what runs. After those in `code` there is no script.

    Of others, `valued_names` take the next argument where they have no value after `=`, and `naming_names` as
    well, whose value is what runs; with `underscore_is_dash` their names may have `_` for `-`. After those in
    `code_names`, and a lone dash unless `dash_is_option`, there is no script. `commands` are words before the
    script.
    """

    valued: bytes = b""
    detached: bytes = b""
    joined: bytes = b""
    short_values: re.Pattern[bytes] | None = None
    naming: bytes = b""
    code: bytes = b""
    valued_names: frozenset[bytes] = frozenset()
    naming_names: frozenset[bytes] = frozenset()
    code_names: frozenset[bytes] = frozenset()
    commands: frozenset[bytes] = frozenset()
    dash_is_option: bool = False
    plus_is_option: bool = False
    underscore_is_dash: bool = False


def names(text: str) -> frozenset[bytes]:
    """Return the words of a text."""
    return frozenset(text.encode().split())
