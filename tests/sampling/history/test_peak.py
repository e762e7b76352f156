"""The highest value in a window, without keeping every value."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from exporter.sampling.history.peak import PeakWindow

WINDOW = 60.0
SLOT = WINDOW / 120
# Quarters, so that sums of them are exact.
GAPS = st.integers(1, 120).map(lambda quarters: quarters / 4)
SAMPLES = st.lists(st.tuples(GAPS, st.integers(0, 6)), min_size=1, max_size=60)


def fed(samples: list[tuple[float, int]], window: PeakWindow) -> tuple[float, list[tuple[float, int]]]:
    """Feed the window; return the time now and every sample with its time."""
    now, kept = 0.0, list[tuple[float, int]]()
    for gap, value in samples:
        if kept and value < kept[-1][1]:
            window.add(kept[-1][1], kept[-1][0])
        now += gap
        kept.append((now, value))
    return now, kept


@given(SAMPLES)
def test_peak_leaves_at_most_one_slot_late_and_never_early(samples: list[tuple[float, int]]) -> None:
    window = PeakWindow(WINDOW)
    now, kept = fed(samples, window)
    least = max(value for seen, value in kept if seen >= now - WINDOW)
    most = max(value for seen, value in kept if seen >= now - WINDOW - SLOT)
    assert least <= window.highest(kept[-1][1], now) <= most


def test_peak_stays_as_long_as_the_window() -> None:
    window = PeakWindow(WINDOW)
    window.add(9.0, 100.0)
    assert window.highest(1.0, 100.0 + WINDOW) == 9.0
    assert window.highest(1.0, 100.25 + WINDOW) == 1.0


def test_value_held_now_is_the_peak_where_nothing_was_higher() -> None:
    window = PeakWindow(WINDOW)
    assert window.highest(3.0, 100.0) == 3.0
    window.add(2.0, 100.0)
    assert window.highest(3.0, 101.0) == 3.0


def test_lower_peak_follows_when_the_higher_leaves() -> None:
    window = PeakWindow(WINDOW)
    window.add(9.0, 100.0)
    window.add(5.0, 130.0)
    assert [window.highest(1.0, now) for now in (131.0, 161.0, 191.0)] == [9.0, 5.0, 1.0]


def test_memory_does_not_grow_with_the_samples() -> None:
    """A queue that falls all the time is noted once a slot; the worst case is a long way down."""
    window = PeakWindow(WINDOW)
    for sample in range(100_000):
        window.add(100_000.0 - sample, sample / 20)
    assert len(window._past) <= 122  # noqa: SLF001 # what is kept is not public


def test_narrower_window_forgets_sooner() -> None:
    window = PeakWindow(WINDOW)
    window.add(9.0, 100.0)
    window.set_window(10.0)
    assert window.highest(1.0, 111.0) == 1.0
