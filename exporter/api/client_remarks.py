"""What a list of clients does not tell, in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any


def remarks(clients: Mapping[str, Any], number: Callable[[int], str]) -> Iterator[str]:
    """Return what is to be said below the clients of a listener (exporter.api.clients).

    `number` writes a number.
    """
    if clients["unseen"]:
        unseen = number(clients["unseen"])
        yield (
            f"{unseen} more waited when the queue was sampled: accepted since, ended with RST, or redirected"
            " from another address or port"
        )
    if clients["shared"]:
        yield "other programs listen on this port too: some of these may be theirs"
    if not clients["complete"]:
        yield "there are more: not all connections were read"
