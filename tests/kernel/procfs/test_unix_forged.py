"""Names of unix sockets that look like rows of net/unix: none is made up, and nobody else's is lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.kernel.errors import MalformedReplyError
from exporter.kernel.procfs.unix import UnixTable
from tests.kernel.fake_kernel import FakeFiles
from tests.kernel.procfs_tree import unix_contents, unix_line

FORGED = unix_line(99999, b"/run/forged.sock")
HOSTILE = unix_line(8, b"\0a\n" + FORGED)
HOSTILE_ADDRESS = r"@a\x0a" + FORGED.decode()
A, B, NAMELESS = unix_line(1, b"/a"), unix_line(2, b"/b"), unix_line(3, flags=0)


def read(table: UnixTable, lines: list[bytes], sockets: int | None) -> list[str]:
    """The addresses of the listeners."""
    found = table.listeners(FakeFiles(unix_contents(lines, sockets)))
    return [listener.address for listener, _ in found]


def test_a_row_in_a_name_is_a_part_of_it() -> None:
    table = UnixTable()
    assert read(table, [A, B], 2) == ["/a", "/b"]
    for lines in ([A, HOSTILE, B], [HOSTILE, A, B], [A, B, HOSTILE]):
        addresses = read(table, lines, 3)
        assert sorted(addresses) == ["/a", "/b", HOSTILE_ADDRESS]


def test_it_is_one_from_the_start_where_nothing_else_can_be() -> None:
    assert read(UnixTable(), [NAMELESS, HOSTILE], 2) == [HOSTILE_ADDRESS]


def test_where_either_of_two_lines_may_be_a_part_of_a_name_nothing_is_used() -> None:
    with pytest.raises(MalformedReplyError, match="/proc/net/unix: cannot tell"):
        read(UnixTable(), [HOSTILE, B], 2)


def test_a_doubt_ends_with_the_socket_that_caused_it() -> None:
    table = UnixTable()
    with pytest.raises(MalformedReplyError):
        read(table, [HOSTILE, B], 2)
    assert read(table, [B], 1) == ["/b"]
    assert read(table, [HOSTILE, B], 2) == [HOSTILE_ADDRESS, "/b"]


def test_what_was_taken_for_a_row_once_is_not_for_ever() -> None:
    """While sockets come and go the count may fit by chance."""
    table = UnixTable()
    assert read(table, [A, B], 2) == ["/a", "/b"]
    assert read(table, [A, HOSTILE, B], 4) == ["/a", "@a", "/run/forged.sock", "/b"]
    with pytest.raises(MalformedReplyError):
        read(table, [A, HOSTILE, B], 3)


def test_sockets_that_begin_to_listen_beside_each_other_are_rows() -> None:
    table = UnixTable()
    assert read(table, [A], 1) == ["/a"]
    assert read(table, [A, B, unix_line(4, b"/c"), unix_line(5, b"/d")], 4) == ["/a", "/b", "/c", "/d"]


def test_a_copy_of_a_row_is_no_second_listener() -> None:
    table = UnixTable()
    other = NAMELESS.replace(b"3", b"4")
    assert read(table, [A, NAMELESS, other, B], 4) == ["/a", "/b"]
    copy = unix_line(8, b"\0x\n" + B)
    assert read(table, [A, NAMELESS, copy, other, B], 5) == [
        "/a",
        r"@x\x0a" + B.decode(),
        "/b",
    ]


@pytest.mark.parametrize(
    "more",
    [
        pytest.param(b"0: 00000000 00000000 zzz", id="the beginning of a row"),
        pytest.param(FORGED.removeprefix(b"ffff8880"), id="the pointer of another kernel"),
        pytest.param(FORGED.replace(b" 00000000 ", b" 00000001 "), id="a protocol"),
        pytest.param(FORGED[:-30], id="half a row"),
    ],
)
def test_what_no_kernel_prints_is_a_part_of_a_name_without_a_count(more: bytes) -> None:
    lines = [A, unix_line(8, b"\0a\n" + more), B]
    assert read(UnixTable(), lines, None) == ["/a", r"@a\x0a" + more.decode(), "/b"]


def test_what_is_longer_than_a_name_is_no_part_of_it() -> None:
    long = unix_line(8, b"/" + b"x" * 60)
    assert read(UnixTable(), [long, B], 2) == ["/" + "x" * 60, "/b"]
    with pytest.raises(MalformedReplyError):
        read(UnixTable(), [unix_line(8, b"/" + b"x" * 100), b"garbage that does not fit"], 1)


NAMES = st.sampled_from([b"", b"/a", b"\0b", b"/c d", b"\0x\n" + FORGED, b"/y\nz", b"\n" + FORGED])


@given(st.lists(NAMES, max_size=8), st.data())
def test_no_listener_is_made_up_and_none_is_lost(names: list[bytes], data: st.DataObject) -> None:
    """Whatever is there at first, and opens later in any place."""
    lines = [unix_line(inode, name) for inode, name in enumerate(names, 1)]
    expected = {inode for inode, _ in enumerate(names, 1)}
    table = UnixTable()
    some = [line for line in lines if data.draw(st.booleans())]
    for shown in (some, lines):
        try:
            found = table.listeners(FakeFiles(unix_contents(shown, len(shown))))
        except MalformedReplyError:
            continue
        assert {listener.inode for listener, _ in found} <= expected
        assert len(found) == len(shown)


class ChangingFiles(FakeFiles):
    """Files of which the count of sockets is another one each time."""

    def open(self, name: str) -> int:
        if name == "net/protocols":
            lines = [A, HOSTILE, B]
            self.contents = unix_contents(lines, 2 + self.opened[name] % 3)
        return super().open(name)


def test_while_sockets_come_and_go_nothing_that_may_be_a_name_is_taken_for_a_row() -> None:
    table = UnixTable()
    assert read(table, [A, B], 2) == ["/a", "/b"]
    with pytest.raises(MalformedReplyError):
        table.listeners(ChangingFiles())
