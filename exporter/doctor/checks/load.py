"""How loaded a listener is, for the checks that ask for it, and the evidence of that."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from exporter.doctor.host_view import ListenerView, NamespaceView

# A queue that was so full in the watch is on the way to be full.
_BUSY_RATIO: Final = 0.5


def busy(listener: ListenerView, namespace: NamespaceView) -> bool:
    """Tell whether a queue filled up in the watch, or clients were lost at it before."""
    fullest = listener.fullest
    return (fullest is not None and fullest.peak_ratio >= _BUSY_RATIO) or lost_before(listener, namespace)


def lost_before(listener: ListenerView, namespace: NamespaceView) -> bool:
    """Tell whether a listener has dropped packets in a namespace where accept queues were full.

    Not where all of them may be handshakes of TCP_DEFER_ACCEPT, each of which counts as one.
    """
    deferred = namespace.counters.defer_accept_drops if namespace.counters is not None else None
    return may_have_lost(listener, namespace) and (listener.drops or 0) > (deferred or 0)


def may_have_lost(listener: ListenerView, namespace: NamespaceView) -> bool:
    """Tell whether any client may have been lost at a listener so far."""
    overflows = namespace.counters.listen_overflows if namespace.counters is not None else None
    return bool(listener.drops and overflows)


def count(number: int | None, word: str, plural: str = "") -> str:
    """Return a number with what it counts; the plural where that is not the word with an s."""
    return f"{number or 0} {word if number == 1 else plural or f'{word}s'}"


def evidence(listener: ListenerView, namespace: NamespaceView) -> Iterator[str]:
    """Say how full the fullest socket was, and what was lost before."""
    fullest = listener.fullest
    if fullest is not None and fullest.longest:
        yield (
            f"{count(fullest.longest, 'connection')} waited at most, of {fullest.limit + 1} that it holds"
            + (f"; it was full for {listener.full_seconds:.1f} s" if fullest.was_full else "")
        )
    if lost_before(listener, namespace) and namespace.counters is not None:
        yield (
            f"it has dropped {count(listener.drops, 'packet')} since it was opened; its namespace counts "
            f"{count(namespace.counters.listen_overflows, 'overflow')} of accept queues (ListenOverflows)"
        )
