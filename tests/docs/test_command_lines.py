"""Every command line of this project in a document is one that the programs take, though most are not run."""

from __future__ import annotations

import contextlib
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter.cli.flags import parse
from exporter.errors import UsageError
from tests.docs.commands import ROOT

DOCUMENTS = sorted(
    [ROOT / "README.md", ROOT / "SECURITY.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("deploy/**/*.md")]
)
_BLOCK = re.compile(r"^ *```(?P<language>\S*)\n(?P<text>.*?)^ *```$", re.MULTILINE | re.DOTALL)
_OF_COMMANDS = {"", "sh", "console"}
_INLINE = re.compile(r"`([^`\n]+)`")
_OURS = re.compile(r"(?:\$ )?listen-queue-exporter(?: (?P<arguments>(?:-|[a-z-]+(?: |$)).*))?$")
_MAKE = re.compile(r"make (?P<target>[a-z-]+)(?: ARGS=(?P<arguments>.*))?$")
_PATH = re.compile(r"(?<![\w/.-])(?:deploy|docs|locks|tools)/[\w./*@-]*[\w*]")


def blocks(document: Path) -> Iterator[str]:
    """The blocks of a document that may have commands, each without breaks within a command."""
    for block in _BLOCK.finditer(document.read_text()):
        if block["language"] in _OF_COMMANDS:
            yield block["text"].replace("\\\n", " ")


def lines(document: Path) -> Iterator[str]:
    """The lines of blocks and the code between backquotes, each without a comment at its end."""
    for block in blocks(document):
        for line in block.splitlines():
            yield re.sub(r"\s+#.*", "", line.strip())
    for code in _INLINE.findall(_BLOCK.sub("", document.read_text())):
        yield code.strip()


def ours(document: Path) -> Iterator[list[str]]:
    """The arguments of each command line of the exporter."""
    for line in lines(document):
        command = re.split(r" (?:[|>&]|&&)(?: |$)", line)[0]
        if found := _OURS.match(command):
            yield shlex.split(found["arguments"] or "")
        elif (found := _MAKE.match(command)) and found["target"] == "run" and found["arguments"]:
            yield shlex.split(" ".join(shlex.split(found["arguments"])))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_exporter_takes_every_command_line(document: Path) -> None:
    for arguments in ours(document):
        try:
            with contextlib.suppress(SystemExit):
                parse(arguments)
        except UsageError as error:
            pytest.fail(f"listen-queue-exporter {shlex.join(arguments)}: {error}")


def test_there_are_command_lines_of_every_command() -> None:
    found = [arguments for document in DOCUMENTS for arguments in ours(document)]
    commands = {arguments[0] for arguments in found if arguments}
    assert commands >= {"show", "doctor", "history", "check-config"}


def test_every_target_of_make_that_a_document_names_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {
        found["target"] for document in DOCUMENTS for line in lines(document) if (found := _MAKE.match(line))
    }
    assert {"run", "test", "site"} <= named
    assert named <= targets


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_in_a_command_exists(document: Path) -> None:
    named = {path for block in blocks(document) for path in _PATH.findall(block)}
    assert [path for path in sorted(named) if not list(ROOT.glob(path))] == []
