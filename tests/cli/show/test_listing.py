"""The table of `show`: bars, colours, and lines that fit."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.cli import table
from exporter.cli.show.columns import cut_owner
from exporter.cli.show.listener import ShownListener
from exporter.cli.show.listing import listing
from exporter.cli.terminal import Terminal
from tests.cli.show.rows import listener, member, row, waiting

PIPE = Terminal()
ESCAPE = re.compile("\x1b\\[[0-9;]*m")
# What a host has with many containers, long names and long numbers.
CROWDED = [
    waiting(
        4097,
        4096,
        netns=f"shop-7d4b9c{number}-xk2p",
        address="2001:db8:85a3::8a2e:370:7334",
        process="php-fpm8.2",
        pod=f"shop-7d4b9c{number}-xk2p",
        state="critical",
        accept_peak_length=4097,
        accept_oldest_wait_seconds=512.25,
        syn_recv=1024,
        drops_total=1234567,
    )
    for number in range(3)
]


def shown(*listeners: ShownListener, terminal: Terminal = PIPE, peaks: bool = False) -> list[str]:
    return listing(listeners, terminal, peaks=peaks).splitlines()


def test_a_listener_has_its_owner_a_bar_and_its_figures() -> None:
    full = waiting(10, unit="nginx.service", accept_oldest_wait_seconds=5.25, drops_total=3, state="full")
    assert shown(full, waiting(1, port="81", process="", syn_recv=7)) == [
        "LISTENER    OWNER                    QUEUE  SYN  DROPS  OLDEST  STATE",
        "0.0.0.0:80  nginx.service  10/9 ##########    0      3    5.2s  full",
        "0.0.0.0:81  -               1/9 #.........    7      0    0.0s  ok",
    ]


def test_the_title_of_peaks_says_for_how_long_the_queues_were_watched() -> None:
    heading, line = shown(listener(accept_peak_length=6, peak_seconds=2.03), peaks=True)
    assert re.split("  +", heading)[3] == "PEAK 2s"
    assert re.split("  +", line)[3] == "6"
    heading, _ = shown(listener(peak_seconds=0.52), peaks=True)
    assert "  PEAK 0.5s  " in heading


def test_namespaces_have_a_column_where_there_are_others() -> None:
    heading, first, second = shown(listener(), listener(netns="web"))
    assert heading.split()[1] == "NETNS"
    assert (first.split()[1], second.split()[1]) == ("host", "web")


@pytest.mark.parametrize(
    ("values", "owner"),
    [
        ({}, "nginx"),
        ({"unit": "web.service"}, "nginx (web.service)"),
        ({"unit": "nginx.service"}, "nginx.service"),
        ({"process": "", "unit": "web.service"}, "web.service"),
        ({"container": "c1", "unit": "docker.service"}, "nginx (c1)"),
        ({"container": "c1", "pod": "p1"}, "nginx (p1)"),
        ({"process": ""}, "-"),
    ],
)
def test_an_owner_is_a_program_and_where_it_runs(values: dict[str, str], owner: str) -> None:
    assert listener(**values).owner == owner


@pytest.mark.parametrize(
    ("limit", "shown"),
    [
        (37, "postgres (postgresql@15-main.service)"),
        (27, "postgres (postg....service)"),
        (19, "postgres (po...ice)"),
        (18, "postgres"),
        (7, "p...res"),
    ],
)
def test_where_space_is_short_the_place_of_a_program_goes_first(limit: int, shown: str) -> None:
    owner = listener(process="postgres", unit="postgresql@15-main.service").owner
    assert cut_owner(owner, limit) == shown


@pytest.mark.parametrize(
    ("drops", "text"), [(0, "0"), (9999, "9999"), (12345, "12k"), (1234567, "1235k"), (4294967296, "4295M")]
)
def test_drops_are_short_however_many_they_are(drops: int, text: str) -> None:
    assert listener(drops_total=drops).drops == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0s"), (59.96, "60.0s"), (999.0, "999.0s"), (1200, "20.0m"), (7200, "2.0h"), (4e8, "4630d")],
)
def test_a_wait_is_short_however_long_it_lasts(seconds: float, text: str) -> None:
    assert waiting(1, accept_oldest_wait_seconds=seconds).oldest_wait == text


def test_each_socket_of_a_group_has_a_line_below_it() -> None:
    group = waiting(11, 18, sockets=2, members=[member(10, 9, 71, 42), member(1, 9, 72, None)])
    _, _, first, second = shown(group)
    assert first.split() == ["socket", "71", "pid", "42", "10/9", "##########", "0"]
    assert second.split() == ["socket", "72", "pid", "-", "1/9", "#.........", "0"]


def test_the_only_socket_of_a_listener_has_no_line() -> None:
    assert len(shown(waiting(1, members=[member(1, 9)]))) == 2


def test_a_queue_that_cannot_be_read_looks_like_no_empty_one() -> None:
    nothing = {"accept_length": None, "accept_utilization_ratio": None, "drops_total": None}
    (_, line) = shown(listener(**nothing, state=None))
    assert line.split() == ["0.0.0.0:80", "nginx", "-/9", "0", "-", "-", "unknown"]


def test_colours_are_those_of_states() -> None:
    terminal = Terminal(100, colours=True, blocks=True)
    lines = shown(
        waiting(10, state="full"),
        waiting(6, state="warning"),
        waiting(0),
        listener(state=None),
        terminal=terminal,
    )
    assert "\x1b" not in lines[0]
    assert ESCAPE.findall(lines[1]) == ["\x1b[1;31m", "\x1b[0m"] * 2
    assert "\x1b[1;31m██████████\x1b[0m" in lines[1]
    assert "\x1b[1;33m██████░░░░\x1b[0m" in lines[2]
    assert "\x1b[1;33mwarning\x1b[0m" in lines[2]
    assert ESCAPE.findall(lines[3]) == ["\x1b[32m", "\x1b[0m"]
    assert "\x1b[1munknown\x1b[0m" in lines[4]


def test_colours_take_no_space() -> None:
    listeners = [waiting(10, state="full"), waiting(6, state="warning", process="長い名前")]
    plain, coloured = (
        shown(*listeners, terminal=Terminal(80, colours=colours, blocks=True)) for colours in (False, True)
    )
    assert [ESCAPE.sub("", line) for line in coloured] == plain


@pytest.mark.parametrize(
    ("encoding", "shown_name"),
    [
        (None, "日本é"),
        ("shift_jis", r"日本\xc3\xa9"),
        ("latin-1", r"\xe6\x97\xa5\xe6\x9c\xacé"),
        ("ascii", r"\xe6\x97\xa5\xe6\x9c\xac\xc3\xa9"),
    ],
)
def test_what_an_encoding_lacks_is_escaped_before_widths_are_taken(
    encoding: str | None, shown_name: str
) -> None:
    both = (listener(process="日本é"), listener(process="plain"))
    lines = shown(*both, terminal=Terminal(100, encoding=encoding))
    assert f" {shown_name} " in lines[1]
    assert len({table.width(line[: line.rindex("ok")]) for line in lines[1:]}) == 1


def test_wide_characters_take_two_columns() -> None:
    heading, *lines = shown(listener(process="長い名前"), listener(process="cafe\N{COMBINING ACUTE ACCENT}"))
    states = [table.width(line[: line.rindex("ok")]) for line in lines]
    assert states == [table.width(heading[: heading.index("STATE")])] * 2


@pytest.mark.parametrize("width", [60, 80, 100, 132])
def test_a_crowded_host_fits_into_the_terminal(width: int) -> None:
    """Its lines are no longer than they may be, and not much shorter."""
    lines = shown(*CROWDED, terminal=Terminal(width, blocks=True), peaks=True)
    widest = max(map(table.width, lines))
    assert width - 12 <= widest <= width
    assert all("4097/4096" in line and line.endswith("critical") for line in lines[1:])


def test_a_bar_and_every_column_are_there_at_80_columns() -> None:
    heading, *lines = shown(*CROWDED, terminal=Terminal(80), peaks=True)
    assert heading.split() == [
        *("LISTENER", "NETNS", "OWNER", "QUEUE", "PEAK", "60s", "SYN", "DROPS", "OLDEST", "STATE"),
    ]
    assert all("###" in line for line in lines)


def test_a_common_host_has_it_all_at_80_columns() -> None:
    rows = [waiting(130, 128, address="127.0.0.1", port="10511", unit="postgresql@15-main.service")]
    heading, line = shown(*rows, terminal=Terminal(80))
    assert heading.split() == ["LISTENER", "OWNER", "QUEUE", "SYN", "DROPS", "OLDEST", "STATE"]
    assert "127.0.0.1:10511" in line
    assert "######" in line
    assert table.width(line) <= 80


@pytest.mark.parametrize("terminal", [PIPE, Terminal(600)])
def test_one_long_name_does_not_push_the_figures_away_where_there_is_space(terminal: Terminal) -> None:
    heading, line = shown(
        waiting(1, address="/run/" + "x" * 100 + "\x1b", process="a" * 90, port=""), terminal=terminal
    )
    assert heading.index("OWNER") <= 64 + 2
    assert line.startswith("/run/xxx")
    assert "..." in line
    assert "a" * 65 not in line
    assert "DROPS" in heading


_ANY = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.lists(st.integers()))


@given(
    st.lists(st.dictionaries(st.sampled_from([*row(), "members"]), _ANY), max_size=4),
    st.integers(1, 200),
    st.booleans(),
)
def test_whatever_an_exporter_sends_is_lines_of_printable_text(
    changes: list[dict[str, object]],
    width: int,
    peaks: bool,  # noqa: FBT001 # Hypothesis hands it in
) -> None:
    lines = shown(*(listener(**each) for each in changes), terminal=Terminal(width), peaks=peaks)
    assert len(lines) == 1 + len(changes)
    assert all(line.isprintable() for line in lines)


@given(st.lists(st.text(max_size=40), min_size=3, max_size=3), st.integers(72, 200))
def test_no_name_makes_a_line_longer_than_the_terminal(names: list[str], width: int) -> None:
    address, process, pod = names
    named = listener(address=address, process=process, pod=pod, port="")
    lines = shown(named, terminal=Terminal(width, blocks=True), peaks=True)
    assert max(map(table.width, lines)) <= width
