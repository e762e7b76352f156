"""The committed manual page is that of the parser, and the programs that read it find nothing wrong."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from deploy.man.page import FILE, page
from exporter import __version__
from exporter.cli.command_parsers import command_parsers
from testbed import programs


def rendered(file: Path) -> str:
    """The page as a terminal of 100 columns shows it, with the warnings of groff before it."""
    done = subprocess.run(
        [programs.find("man"), "--warnings", "--local-file", str(file)],
        env={**os.environ, "MANWIDTH": "100", "LC_ALL": "C.UTF-8", "GROFF_NO_SGR": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.stderr + done.stdout


def lint(file: Path) -> str:
    """What mandoc finds wrong in a page."""
    command = [programs.find("mandoc"), "-T", "lint", str(file)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60).stdout


def test_the_file_is_that_of_the_parser() -> None:
    """`make reference` was run after the last change."""
    assert FILE.read_text() == page()


def test_mandoc_finds_nothing_wrong(tmp_path: Path) -> None:
    assert lint(FILE) == ""
    broken = tmp_path / "broken.1"
    broken.write_text(FILE.read_text().replace(".SH NAME", ".SX NAME"))
    assert "SX" in lint(broken)


def test_man_shows_every_command_and_flag() -> None:
    text = rendered(FILE)
    assert text.startswith("LISTEN-QUEUE-EXPORTER(1)")
    assert f"listen-queue-exporter {__version__}" in text
    for name, parser in command_parsers().items():
        assert f"listen-queue-exporter {name}".strip() in text
        for action in parser._actions:  # noqa: SLF001  (argparse has no other list of them)
            written = ", ".join(action.option_strings) or str(action.metavar)
            assert f" {written}" in text
    # Special characters, and a word that begins with a full stop after a line was filled.
    assert "[::1]:10511, :10511%eth1" in text
