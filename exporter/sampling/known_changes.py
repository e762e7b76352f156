"""The changes of a queue, with what is not known for lack of samples."""

from __future__ import annotations

import math

from exporter.config.model import Queue
from exporter.sampling.history.recording import Recording
from exporter.sampling.history.timeline import STALE_SECONDS
from exporter.sampling.listener_state import ListenerState


def known_changes(
    state: ListenerState, queue: Queue, recording: Recording, begin: float, end: float
) -> Recording:
    """Return a copy of the changes between two times, in monotonic seconds."""
    part, history = recording.between(begin, end), state.history(queue)
    if history is None:
        return part
    gaps = [gap for gap in history.gaps if state.since <= gap[0]]
    if end - history.sampled > STALE_SECONDS:
        gaps.append((history.sampled, math.inf))
    for gap_begin, gap_end in gaps:
        if begin < gap_end and gap_begin < end:
            part.add_gap(max(begin, gap_begin), gap_end if gap_end <= end else None)
    return part


def has_connections(state: ListenerState, queue: Queue) -> bool:
    """Tell whether the newest sample of a queue found any."""
    history = state.history(queue)
    return history is not None and bool(history.length)
