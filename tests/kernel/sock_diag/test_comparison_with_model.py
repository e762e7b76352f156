"""Dumps that are split, shuffled, repeated or broken off lead to the same listeners as a simple model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.kernel.errors import KernelError
from exporter.kernel.family import TCP
from exporter.kernel.records import UNCHANGED, Changes, Listener, QueueReading
from exporter.kernel.sock_diag.comparison import DumpComparison
from tests.kernel.datagrams import datagram, tcp_row
from tests.kernel.fake_interfaces import FakeInterfaces

ADDRESSES = ("127.0.0.1", "::1")


@dataclass(frozen=True)
class Dump:
    """Rows as (cookie, length) in the kernel's order, where datagrams end, and whether the dump fails."""

    rows: tuple[tuple[int, int], ...]
    cuts: tuple[int, ...]
    fails: bool

    def datagrams(self) -> Iterator[bytes]:
        """Yield the dump as the kernel would send it."""
        ends = sorted({min(cut, len(self.rows)) for cut in self.cuts} | {0, len(self.rows)})
        for start, end in pairwise(ends):
            # Rows of two sizes, so that datagrams are split in both ways.
            yield datagram(
                tcp_row(cookie, length=length, address=ADDRESSES[cookie % 3 == 0])
                for cookie, length in self.rows[start:end]
            )
        if self.fails:
            raise KernelError("sock_diag dump failed", "ENOMEM")


ROWS = st.tuples(st.integers(1, 6), st.integers(0, 2))
DUMPS = st.builds(
    Dump,
    rows=st.lists(ROWS, max_size=9).map(tuple),
    cuts=st.lists(st.integers(0, 9), max_size=3).map(tuple),
    fails=st.sampled_from([False, False, False, True]),
)
# One dump often resembles the one before: the same, a row more or less, or a row changed.
HISTORIES = st.lists(
    st.tuples(DUMPS, st.sampled_from(["new", "same", "split anew", "less", "more"])), max_size=12
)


def history(steps: list[tuple[Dump, str]]) -> Iterator[Dump]:
    last = Dump((), (), fails=False)
    for fresh, how in steps:
        match how:
            case "same":
                last = Dump(last.rows, last.cuts, fresh.fails)
            case "split anew":
                last = Dump(last.rows, fresh.cuts, fresh.fails)
            case "less":
                last = Dump(last.rows[1:], last.cuts, fresh.fails)
            case "more":
                last = Dump(fresh.rows[:1] + last.rows, last.cuts, fresh.fails)
            case _:
                last = fresh
        yield last


@dataclass
class Model:
    """Decodes everything each time. A listener with several readings in one dump may have any of them."""

    missing: set[int] = field(default_factory=set)
    lengths: dict[int, set[int]] = field(default_factory=dict)

    def update(self, dump: Dump) -> None:
        """Take a whole dump; a listener that is missing for the second time is closed."""
        present: dict[int, set[int]] = {}
        for cookie, length in dump.rows:
            present.setdefault(cookie, set()).add(length)
        absent = self.lengths.keys() - present.keys()
        for cookie in absent & self.missing:
            del self.lengths[cookie]
        self.missing = absent - self.missing
        self.lengths.update(present)


@dataclass
class Applied:
    """The listeners according to the changes alone, as the registry has them."""

    listeners: dict[int, Listener] = field(default_factory=dict)
    readings: dict[int, QueueReading] = field(default_factory=dict)

    def apply(self, changes: Changes) -> None:
        """Apply changes, which may only concern listeners that are open."""
        for cookie in changes.closed:
            del self.listeners[cookie], self.readings[cookie]
        for listener, reading in changes.opened:
            assert listener.cookie not in self.listeners
            assert listener.cookie == reading.cookie
            self.listeners[listener.cookie] = listener
            self.readings[listener.cookie] = reading
        for reading in changes.updated:
            assert reading.cookie in self.listeners
            self.readings[reading.cookie] = reading


@given(HISTORIES)
@settings(max_examples=500)
def test_the_listeners_are_those_of_the_model(steps: list[tuple[Dump, str]]) -> None:
    comparison, model, applied = DumpComparison(TCP.rows, FakeInterfaces()), Model(), Applied()
    for dump in history(steps):
        if dump.fails:
            with pytest.raises(KernelError):
                comparison.update(dump.datagrams())
        else:
            model.update(dump)
            applied.apply(comparison.update(dump.datagrams()))
        assert comparison.known == applied.listeners.keys() == model.lengths.keys()
        for cookie, reading in applied.readings.items():
            assert reading.length in model.lengths[cookie]


@given(HISTORIES, DUMPS)
def test_a_dump_that_comes_three_times_is_unchanged(steps: list[tuple[Dump, str]], last: Dump) -> None:
    comparison = DumpComparison(TCP.rows, FakeInterfaces())
    settled = Dump(last.rows, last.cuts, fails=False)
    for dump in (*history(steps), settled, settled):
        if not dump.fails:
            comparison.update(dump.datagrams())
    assert comparison.update(settled.datagrams()) is UNCHANGED
    assert comparison.known == {cookie for cookie, _ in last.rows}


@given(st.dictionaries(st.integers(1, 60), st.integers(0, 3)), st.randoms(use_true_random=False), DUMPS)
def test_rows_that_are_only_shuffled_and_split_anew_are_no_change(
    table: dict[int, int], random: object, cuts: Dump
) -> None:
    rows = list(table.items())
    comparison = DumpComparison(TCP.rows, FakeInterfaces())
    comparison.update(Dump(tuple(rows), cuts.cuts, fails=False).datagrams())
    random.shuffle(rows)  # type: ignore[attr-defined]
    changes = comparison.update(Dump(tuple(rows), (), fails=False).datagrams())
    assert changes == UNCHANGED
