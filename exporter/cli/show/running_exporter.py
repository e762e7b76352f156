"""The listeners of a running exporter, asked over HTTP."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlencode

from exporter.api.query import ListenerQuery
from exporter.cli import remote, table
from exporter.errors import RunError
from exporter.kernel.netns.host_label import HOST

_PATH: Final = "/api/v1/listeners"
_LISTS: Final = ("listeners", "namespaces", "errors", "not_seen")


def document(url: str, query: ListenerQuery) -> dict[str, Any]:
    """Return the document of the listeners that are asked for.

    Raises RunError where the exporter does not answer, or cannot read the listeners of its own namespace.
    """
    members = [("members", "true")] if query.members else []
    clients = [] if query.clients is None else [("clients", str(query.clients))]
    parameters = urlencode([*query.patterns, *members, *clients])
    found = remote.document(url, f"{_PATH}?{parameters}" if parameters else _PATH)
    if not all(_is_list_of_objects(found.get(name)) for name in _LISTS):
        raise RunError(f"--url: what answers there is no listen-queue-exporter of this version at {_PATH}")
    _check(found)
    return found


def _check(found: dict[str, Any]) -> None:
    """Refuse to print an empty table where the truth is that nothing could be seen."""
    failed = [each for each in found["errors"] if each.get("hides_listeners") and each.get("netns") == HOST]
    if failed:
        reasons = "; ".join(f"{each.get('source')}: {each.get('error')}" for each in failed)
        raise RunError(table.printable(f"the exporter cannot read the listeners: {reasons}"))


def _is_list_of_objects(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, dict) for each in value)
