"""The guide: each command in it works and prints what the text says, and its configurations are valid."""

from __future__ import annotations

import doctest
import re
import textwrap
from pathlib import Path

import pytest

from testbed import programs
from testbed.daemon import running
from tests.docs.commands import ROOT, full_queues, output

GUIDE = ROOT / "docs" / "guide"
PAGES = sorted(GUIDE.glob("*.md"))
_CONSOLE = re.compile(r"^ *```console\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_YAML = re.compile(r"^```yaml\n# (?P<file>\S+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_ANY_YAML = re.compile(r"^ *```yaml$", re.MULTILINE)
_QUESTIONS = 20
# Of the shortest answer that says why.
_WORDS = 30


def commands(page: Path) -> list[tuple[str, str]]:
    """The commands of a page, each with the output that the page shows."""
    found = []
    for block in _CONSOLE.findall(page.read_text()):
        # A block in a list is indented, all lines alike.
        parts = re.split(r"^\$ ", textwrap.dedent(block), flags=re.MULTILINE)
        assert parts[0] == "", f"{page.name}: a block begins with its output: {block}"
        for part in parts[1:]:
            command, _, shown = part.partition("\n")
            found.append((command, shown))
    return found


RUNNABLE = [page for page in PAGES if commands(page)]


@pytest.mark.netns
@pytest.mark.parametrize("page", RUNNABLE, ids=lambda page: page.stem)
def test_each_command_prints_what_the_page_shows(page: Path, tmp_path: Path) -> None:
    """`...` stands for anything, and so much white space for any other."""
    checker = doctest.OutputChecker()
    with full_queues(tmp_path), running():
        for command, shown in commands(page):
            printed = output(command)
            options = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
            if not checker.check_output(shown, printed, options):
                pytest.fail(f"{command} is to print\n{shown}\nand printed\n{printed}")


def test_there_are_commands_on_every_page_but_the_comparison_of_words() -> None:
    assert {page.stem for page in RUNNABLE} >= {
        "index",
        "queues",
        "numbers",
        "tuning",
        "recipes",
        "comparison",
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_configuration_is_valid(page: Path, tmp_path: Path) -> None:
    text = page.read_text()
    blocks = list(_YAML.finditer(text))
    assert len(blocks) == len(_ANY_YAML.findall(text)), "each has the name of its file in its first line"
    for block in blocks:
        file = tmp_path / block["file"]
        file.write_text(block["text"])
        if file.name == "prometheus.yml":
            programs.output("promtool", "check", "config", str(file))
        else:
            output(f"listen-queue-exporter check-config {file}")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_metric_that_it_names_is_documented(page: Path) -> None:
    documented = set(re.findall(r"listen_queue_\w+", (ROOT / "docs" / "metrics.md").read_text()))
    # A name that ends in _ is the beginning of several.
    named = {name for name in re.findall(r"\blisten_queue_\w+", page.read_text()) if not name.endswith("_")}
    # Recorded by a rule, and so behind a colon.
    recorded = set(re.findall(r":(listen_queue_\w+):", page.read_text()))
    assert named - recorded <= documented


def test_every_counter_in_a_picture_is_documented() -> None:
    documented = set(re.findall(r"listen_queue_\w+", (ROOT / "docs" / "metrics.md").read_text()))
    named = re.findall(r">(\w+_\w+)(?: \d+)?</text>", (GUIDE / "full-queues.svg").read_text())
    assert named
    assert {f"listen_queue_netns_{name}" for name in named} <= documented
    others = [(GUIDE / name).read_text() for name in ("two-queues.svg", "reuseport.svg")]
    shown = {name for text in others for name in re.findall(r"listen_queue_\w+", text)}
    assert len(shown) > 3
    assert shown <= documented


def test_there_are_twenty_questions_with_an_answer_each() -> None:
    sections = re.split(r"^## ", (GUIDE / "questions.md").read_text(), flags=re.MULTILINE)[1:]
    asked = {
        heading: len(answer.split()) for heading, _, answer in (text.partition("\n") for text in sections)
    }
    assert len(asked) >= _QUESTIONS
    assert [heading for heading, words in asked.items() if "?" not in heading or words < _WORDS] == []
