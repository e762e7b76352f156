"""The text of a configuration as PyYAML's tree of nodes, with nothing in it that we do not take.

Nodes, not Python objects: a node keeps its line and column, whether it was quoted, and the text as it
was typed, so that `010`, `1_000` and `yes` reach the readers unconverted.
"""

from __future__ import annotations

from yaml import SafeLoader
from yaml.composer import ComposerError
from yaml.error import Mark, MarkedYAMLError
from yaml.events import AliasEvent
from yaml.nodes import Node, ScalarNode
from yaml.reader import ReaderError

from exporter.config.errors import Faults, shown
from exporter.config.syntax import meaning, place

# The deepest valid file is five deep; PyYAML calls itself for every level.
MAX_DEPTH = 20

_STANDARD_TAG = "tag:yaml.org,2002:"


class RefusedNode(ScalarNode):
    """Stands where the file has an alias or a tag. `value` is the complaint.

    It is noted when a reader comes by, who knows the key path.
    """


def compose(text: str, faults: Faults) -> Node | None:
    """Return the root of the one document in `text`, or None where the text holds nothing.

    Raises ConfigError when it is not YAML, more than one document, or more than MAX_DEPTH deep.
    """
    try:
        return _compose(text)
    except MarkedYAMLError as error:
        faults.add(place(error) or _mark(text, 0), meaning(error))
    except ReaderError as error:
        faults.add(
            _mark(text, error.position),
            f"not valid YAML: the character U+{ord(text[error.position]):04X} is not allowed; take it out",
        )
    faults.raise_if_any()
    return None


def _compose(text: str) -> Node | None:
    loader = _Composer(text)
    try:
        root: Node | None = loader.get_single_node()
    except (ValueError, OverflowError) as error:
        # PyYAML lets chr() and int() fail on escapes such as "\UFFFFFFFF" and on endless numbers.
        raise MarkedYAMLError(problem="out of range", problem_mark=loader.get_mark()) from error
    finally:
        loader.dispose()
    return root


def _mark(text: str, position: int) -> Mark:
    before = text[:position]
    column = position - (before.rfind("\n") + 1)
    return Mark("", position, before.count("\n"), column, None, 0)


class _Composer(SafeLoader):
    """Composes nodes without following aliases or heeding tags."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0

    def compose_node(self, parent: Node | None, index: int) -> Node | None:
        """Return the next node, or a RefusedNode in its place."""
        event = self.peek_event()  # type: ignore[no-untyped-call]  # the stubs leave it open
        mark, tag = event.start_mark, getattr(event, "tag", None)
        if isinstance(event, AliasEvent):
            self.get_event()  # type: ignore[no-untyped-call]  # the stubs leave it open
            return RefusedNode("", _alias(event.anchor or ""), mark)
        if self._depth == MAX_DEPTH:
            raise ComposerError(problem=f"more than {MAX_DEPTH} levels of nesting", problem_mark=mark)
        # No alias is followed, so an anchor is a harmless word, even one that is given twice.
        self.anchors.clear()
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node if tag is None else RefusedNode("", _tag(tag), mark)


def _alias(anchor: str) -> str:
    name = shown(anchor)
    return (
        f'*{name} is an alias in YAML, and aliases are not allowed; write the value out again, or "*{name}"'
        " in double quotes where a pattern is meant"
    )


def _tag(tag: str) -> str:
    name = "!!" + tag.removeprefix(_STANDARD_TAG) if tag.startswith(_STANDARD_TAG) else tag
    return f"the tag {shown(name)} is not allowed; write the value alone"
