"""Looking up several answers at once, where each request costs more than what it asks for."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from exporter.kernel.errors import KernelError

Key = TypeVar("Key", bound=Hashable)
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class BatchLookup(Generic[Key, Answer]):
    """Looks up the answers to `size` keys at most by one call.

    `look_up` returns those to the first of its keys, at least one, in their order. For the others it is
    called again. A KernelError stands for a lookup that failed, an AccessHungError for one that hung.
    """

    look_up: Callable[[Sequence[Key]], Sequence[Answer | KernelError]]
    size: int


def single(look_up: Callable[[Key], Answer]) -> BatchLookup[Key, Answer]:
    """Return what looks up one answer a call, by what raises KernelError where there is none."""

    def look_up_first(keys: Sequence[Key]) -> Sequence[Answer | KernelError]:
        try:
            return [look_up(keys[0])]
        except KernelError as error:
            return [error]

    return BatchLookup(look_up_first, 1)
