"""Unix listeners from net/unix, whose names may hold any byte."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from exporter.kernel.errors import MalformedReplyError, UnavailableError
from exporter.kernel.procfs.table import Found
from exporter.kernel.procfs.unix import UnixTable
from exporter.kernel.records import QueueReading
from exporter.kernel.text import unix_address
from tests.kernel.fake_kernel import FakeFiles
from tests.kernel.procfs_tree import LISTENING, unix_contents, unix_line

NAMES = [
    b"/run/a.sock",
    b"relative",
    b"\0abstract",
    b"\0",
    b"a b",
    b"/new\nline",
    b"\n",
    b"x\n\n",
    b"\xff\xfe",
]
# A NUL in an abstract name is printed as @, and so is the first byte of a path that begins with @.
READABLE_NAMES = st.binary(max_size=40).filter(lambda name: name[1:].count(b"\0") == 0 and name[:1] != b"@")


def listeners(lines: list[bytes]) -> list[Found]:
    return UnixTable().listeners(FakeFiles(unix_contents(lines)))


def named(found: list[Found]) -> list[tuple[int, str]]:
    return [(listener.inode, listener.address) for listener, _ in found]


def test_listeners_have_a_name_and_no_queue() -> None:
    found = listeners([unix_line(inode, name) for inode, name in enumerate(NAMES, 1)])
    assert named(found) == list(enumerate(map(unix_address, NAMES), 1))
    for listener, reading in found:
        assert reading == QueueReading(listener.inode, None, None, None)
        assert (listener.port, listener.endpoint) == ("", None)


def test_sockets_that_do_not_listen_are_left_out() -> None:
    lines = [
        unix_line(1, flags=0),
        unix_line(2, b"/a", flags=0),
        unix_line(3, b"/b"),
        unix_line(4, flags=0),
        unix_line(1234567, b"/c", flags=LISTENING | 1),
    ]
    assert named(listeners(lines)) == [(3, "/b"), (1234567, "/c")]


def test_a_file_with_nothing_but_its_title_is_empty() -> None:
    assert listeners([]) == []


def test_a_missing_file_is_unavailable_and_named() -> None:
    with pytest.raises(UnavailableError, match="/proc/net/unix: ENOENT"):
        UnixTable().listeners(FakeFiles())


@given(st.lists(st.tuples(READABLE_NAMES, st.sampled_from([0, LISTENING])), max_size=6))
@example([(b"\n", LISTENING), (b"a\n", LISTENING), (b"", 0)])
def test_any_name_is_read_as_it_was_printed(sockets: list[tuple[bytes, int]]) -> None:
    lines = [unix_line(inode, name, flags=flags) for inode, (name, flags) in enumerate(sockets, 1)]
    expected = [(inode, unix_address(name)) for inode, (name, flags) in enumerate(sockets, 1) if flags]
    assert named(listeners(lines)) == expected


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param([b"garbage"], id="alone"),
        pytest.param([b"garbage", unix_line(1, b"/a")], id="before the first"),
        pytest.param([unix_line(1), b"garbage", unix_line(2, b"/a")], id="after one without a name"),
        pytest.param([unix_line(1), b"garbage"], id="at the end"),
        pytest.param([b"", unix_line(1, b"/a")], id="an empty line"),
        pytest.param([unix_line(77777, b"/a").replace(b"77777", b"7" * 5000)], id="an endless inode"),
    ],
)
def test_a_malformed_line_is_an_error_that_names_the_file(lines: list[bytes]) -> None:
    """After a name it cannot be told from the rest of a name."""
    with pytest.raises(MalformedReplyError, match="/proc/net/unix"):
        listeners(lines)


LINES = st.binary(max_size=60) | st.builds(unix_line, st.integers(0, 9), READABLE_NAMES)


@st.composite
def contents(draw: st.DrawFn) -> bytes:
    """A file of good and bad lines, with a few of its bytes changed."""
    content = b"\n".join([b"title", *draw(st.lists(LINES, max_size=5))])
    at = draw(st.integers(0, len(content)))
    return content[:at] + draw(st.binary(max_size=3)) + content[at + draw(st.integers(0, 3)) :]


@given(contents())
@settings(max_examples=300)
def test_any_content_is_read_or_malformed(content: bytes) -> None:
    try:
        found = UnixTable().listeners(FakeFiles({"net/unix": content}))
    except MalformedReplyError:
        return
    assert all(listener.address.isprintable() for listener, _ in found)
