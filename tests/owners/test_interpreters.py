"""The options of interpreters, as they are declared."""

from __future__ import annotations

import re

import pytest

from exporter.owners.interpreter_options import Options
from exporter.owners.interpreters import options_of

# Deno and Bun have commands instead of options that give code.
OPTION = re.compile(rb"--?[a-z][a-z0-9-]*[a-z]|--")
WORD = re.compile(rb"[a-z]+")


@pytest.mark.parametrize(
    "interpreter",
    [
        *(b"python3", b"ruby", b"php", b"node", b"bun", b"deno", b"dotnet", b"mono", b"bash", b"zsh"),
        *(b"tclsh", b"guile", b"R"),
    ],
)
def test_each_name_of_an_option_is_whole(interpreter: bytes) -> None:
    options = options_of(interpreter) or Options()
    assert [name for name in options.valued_names | options.naming_names if not OPTION.fullmatch(name)] == []
    words = options.code_names | options.commands
    assert [name for name in words if not OPTION.fullmatch(name) and not WORD.fullmatch(name)] == []
