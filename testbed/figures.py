"""What the test that runs in this process has measured, for the table of faults."""

from __future__ import annotations

_noted: list[str] = []


def note(figure: str) -> None:
    """Note a figure, with its unit."""
    _noted.append(figure)


def take() -> tuple[str, ...]:
    """Return what was noted since this was called last."""
    noted = tuple(_noted)
    _noted.clear()
    return noted
