"""The text of a configuration as PyYAML's tree of nodes, without aliases and tags.

Nodes, not Python objects: a node keeps its line and column, whether it was quoted, and the text as it
was typed, so that `010`, `1_000` and `yes` are not converted.
"""

from __future__ import annotations

from yaml import SafeLoader
from yaml.composer import ComposerError
from yaml.error import Mark, MarkedYAMLError
from yaml.events import AliasEvent
from yaml.nodes import Node, ScalarNode
from yaml.reader import ReaderError

from exporter.yamlfile.errors import Diagnostics, printable
from exporter.yamlfile.syntax import error_mark, explanation

# A valid file is at most five levels deep. PyYAML recurses once a level.
MAX_DEPTH = 20

_STANDARD_TAG = "tag:yaml.org,2002:"


class RejectedNode(ScalarNode):
    """Takes the place of an alias or of a node with a tag; `value` is the error message.

    The error is added when the node is read, because only then its key path is known.
    """


def compose(text: str, diagnostics: Diagnostics) -> Node | None:
    """Return the root of the one document in `text`, or None where the text has no node.

    Raises ConfigError where it is not YAML, more than one document, or more than MAX_DEPTH levels deep.
    """
    try:
        return _compose(text)
    except MarkedYAMLError as error:
        diagnostics.add(error_mark(error) or _mark(text, 0), explanation(error))
    except ReaderError as error:
        diagnostics.add(
            _mark(text, error.position),
            f"not valid YAML: the character U+{ord(text[error.position]):04X} is not allowed; take it out",
        )
    diagnostics.raise_if_any()
    return None


def _compose(text: str) -> Node | None:
    loader = _Composer(text)
    try:
        root: Node | None = loader.get_single_node()
    except (ValueError, OverflowError) as error:
        # PyYAML lets chr() and int() fail on escapes such as "\UFFFFFFFF" and on numbers of thousands of
        # digits.
        raise MarkedYAMLError(problem="out of range", problem_mark=loader.get_mark()) from error
    finally:
        loader.dispose()
    return root


def _mark(text: str, position: int) -> Mark:
    before = text[:position]
    column = position - (before.rfind("\n") + 1)
    return Mark("", position, before.count("\n"), column, None, 0)


class _Composer(SafeLoader):
    """Composes nodes; an alias and a node with a tag each become a RejectedNode."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0

    def compose_node(self, parent: Node | None, index: int) -> Node | None:
        """Return the next node. Raises ComposerError where it is deeper than MAX_DEPTH."""
        event = self.peek_event()  # type: ignore[no-untyped-call]  # the stubs leave it untyped
        mark, tag = event.start_mark, getattr(event, "tag", None)
        if isinstance(event, AliasEvent):
            self.get_event()  # type: ignore[no-untyped-call]  # the stubs leave it untyped
            return RejectedNode("", _alias(event.anchor or ""), mark)
        if self._depth == MAX_DEPTH:
            raise ComposerError(problem=f"more than {MAX_DEPTH} levels of nesting", problem_mark=mark)
        # No alias is resolved, so an anchor has no effect, and the same anchor twice is no error.
        self.anchors.clear()
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node if tag is None else RejectedNode("", _tag(tag), mark)


def _alias(anchor: str) -> str:
    name = printable(anchor)
    return (
        f'*{name} is an alias in YAML, and aliases are not allowed; write the value out again, or "*{name}"'
        " in double quotes where a pattern is meant"
    )


def _tag(tag: str) -> str:
    name = "!!" + tag.removeprefix(_STANDARD_TAG) if tag.startswith(_STANDARD_TAG) else tag
    return f"the tag {printable(name)} is not allowed; write the value alone"
