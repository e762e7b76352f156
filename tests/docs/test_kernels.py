"""The table of docs/kernels.md, as it is made from what machines leave."""

from __future__ import annotations

from tools import kernels


def test_a_row_for_each_thing_that_was_seen_and_a_column_for_each_kernel() -> None:
    seen = {"5.10.0": {"listeners": "17", "owners": "right"}, "6.1.0": {"owners": "right", "mptcp": "2"}}
    assert kernels.table(seen) == (
        "|  | 5.10.0 | 6.1.0 |\n"
        "| --- | --- | --- |\n"
        "| listeners | 17 | not seen |\n"
        "| owners | right | right |\n"
        "| mptcp | not seen | 2 |\n"
    )
