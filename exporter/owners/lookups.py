"""Answers that are looked up in another thread, as those see them who need the answers."""

from __future__ import annotations

from collections.abc import Collection, Hashable
from typing import Protocol, TypeVar

Key_contra = TypeVar("Key_contra", bound=Hashable, contravariant=True)
Answer_co = TypeVar("Answer_co", covariant=True)


class Lookups(Protocol[Key_contra, Answer_co]):
    """Answers that are looked up in another thread. No method waits."""

    @property
    def version(self) -> int:
        """A number that grows when an answer is new, or is waited for no longer."""
        ...

    @property
    def hung(self) -> int:
        """How many lookups hung."""
        ...

    def answer(self, key: Key_contra) -> Answer_co | None:
        """Return the answer to a key as far as it is known."""
        ...

    def settled(self, key: Key_contra) -> bool:
        """Tell whether there is nothing to wait for."""
        ...

    def retain(self, keys: Collection[Key_contra]) -> None:
        """Forget the answers to all other keys."""
        ...

    def poll(self) -> None:
        """Look after lookups that take too long; to be called now and again."""
        ...
