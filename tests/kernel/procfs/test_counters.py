"""A namespace's counters and settings, from files that pair names with numbers."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from exporter.kernel.errors import MalformedReplyError, UnavailableError
from exporter.kernel.procfs import counters
from exporter.kernel.procfs.counters import Sysctls, TcpCounters
from exporter.kernel.procfs.files import ProcfsFiles
from tests.kernel.procfs_tree import put, table

FIGURES = {
    "SyncookiesSent": 1,
    "SyncookiesRecv": 2,
    "SyncookiesFailed": 3,
    "ListenOverflows": 4,
    "ListenDrops": 5,
    "TCPReqQFullDoCookies": 6,
    "TCPReqQFullDrop": 2**64 - 1,
    "TCPSomethingNew": 8,
}
IP = table("IpExt", {"InNoRoutes": 0, "InOctets": 9})

SETTINGS = {
    "core/somaxconn": "somaxconn",
    "ipv4/tcp_max_syn_backlog": "max_syn_backlog",
    "ipv4/tcp_syncookies": "syncookies",
    "ipv4/tcp_abort_on_overflow": "abort_on_overflow",
}


def test_counters_are_found_by_their_names(tmp_path: Path) -> None:
    put(tmp_path, "net/netstat", table("TcpExt", FIGURES) + IP)
    assert counters.read_counters(ProcfsFiles.at(tmp_path)) == TcpCounters(
        listen_overflows=4,
        listen_drops=5,
        syn_queue_full_drops=2**64 - 1,
        syn_queue_full_cookies=6,
        syncookies_sent=1,
        syncookies_received=2,
        syncookies_failed=3,
    )


def test_the_order_of_sections_and_names_is_no_matter(tmp_path: Path) -> None:
    put(tmp_path, "net/netstat", table("TcpExt", FIGURES))
    expected = counters.read_counters(ProcfsFiles.at(tmp_path))
    put(tmp_path, "net/netstat", IP + table("TcpExt", dict(reversed(FIGURES.items()))))
    assert counters.read_counters(ProcfsFiles.at(tmp_path)) == expected


def test_what_a_kernel_does_not_count_is_none_and_not_zero(tmp_path: Path) -> None:
    put(tmp_path, "net/netstat", table("TcpExt", {"ListenDrops": 0}))
    found = counters.read_counters(ProcfsFiles.at(tmp_path))
    assert found.listen_drops == 0
    assert found.listen_overflows is None


def test_segments_are_read_from_the_section_of_tcp(tmp_path: Path) -> None:
    content = (
        table("Ip", {"InSegs": 1}) + table("Tcp", {"RtoMax": -1, "InSegs": 42}) + table("TcpX", {"InSegs": 3})
    )
    put(tmp_path, "net/snmp", content)
    assert counters.read_tcp_segments(ProcfsFiles.at(tmp_path)) == 42
    put(tmp_path, "net/snmp", table("Tcp", {"OutSegs": 42}))
    assert counters.read_tcp_segments(ProcfsFiles.at(tmp_path)) is None


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(IP.encode(), id="no such section"),
        pytest.param(b"TcpExt: A B\n", id="no numbers"),
        pytest.param(b"TcpExt: A B\nTcpExt: 1\n", id="a number too few"),
        pytest.param(b"TcpExt: A\nTcpExt: 1 2\n", id="a number too many"),
        pytest.param(b"TcpExt: A\nTcpExt: x\n", id="no number"),
        pytest.param(b"TcpExt: A\nTcpExt: \xff\n", id="no text"),
        pytest.param(b"TcpExt: A\nTcpExt: " + b"1" * 5000, id="an endless number"),
        pytest.param(b"TcpExt: A\nTcpExt: 1\nTcpExt: 2\n", id="three lines"),
    ],
)
def test_a_malformed_table_is_an_error_that_names_file_and_section(tmp_path: Path, content: bytes) -> None:
    put(tmp_path, "net/netstat", content)
    with pytest.raises(MalformedReplyError, match=r"net/netstat.*TcpExt"):
        counters.read_counters(ProcfsFiles.at(tmp_path))


@pytest.mark.parametrize("read", [counters.read_counters, counters.read_tcp_segments])
def test_a_file_that_is_not_there_is_named(tmp_path: Path, read: object) -> None:
    assert callable(read)
    with pytest.raises(UnavailableError, match="/proc/net/"):
        read(ProcfsFiles.at(tmp_path))


def test_settings_are_read_each_from_its_file(tmp_path: Path) -> None:
    for value, name in enumerate(SETTINGS):
        put(tmp_path, f"sys/net/{name}", f"{value}\n")
    assert counters.read_sysctls(ProcfsFiles.at(tmp_path)) == Sysctls(
        somaxconn=0, max_syn_backlog=1, syncookies=2, abort_on_overflow=3
    )


@pytest.mark.parametrize("missing", SETTINGS)
def test_a_setting_that_may_not_be_read_is_none_and_the_others_are_read(tmp_path: Path, missing: str) -> None:
    for name in SETTINGS:
        put(tmp_path, f"sys/net/{name}", "7\n")
    (tmp_path / "sys/net" / missing).unlink()
    found = counters.read_sysctls(ProcfsFiles.at(tmp_path))
    assert {field: getattr(found, field) for field in SETTINGS.values()} == {
        field: None if name == missing else 7 for name, field in SETTINGS.items()
    }


@pytest.mark.parametrize("content", [b"", b"many\n", b"1 2\n", b"\xff\n", b"1" * 5000])
def test_a_setting_that_is_no_number_is_an_error_that_names_its_file(tmp_path: Path, content: bytes) -> None:
    put(tmp_path, "sys/net/core/somaxconn", content)
    with pytest.raises(MalformedReplyError, match="/proc/sys/net/core/somaxconn"):
        counters.read_sysctls(ProcfsFiles.at(tmp_path))


WORDS = st.text(st.characters(exclude_categories=["Z", "C"]), min_size=1, max_size=8)


@given(st.binary() | st.text().map(str.encode))
@example(b"Tcp:\nTcp:\n")
@example("Tcp: a b\nTcp: 1 \u0661\n".encode())
@example(b"Tcp: \xff\nTcp: 1\n")
@settings(max_examples=300)
def test_any_text_is_a_table_or_malformed(text: bytes) -> None:
    try:
        found = counters.parse_table(text, "Tcp", "net/snmp")
    except MalformedReplyError as error:
        assert str(error).startswith("net/snmp: ")  # noqa: PT017  (either outcome is right)
    else:
        assert all(isinstance(value, int) for value in found.values())


@given(st.dictionaries(WORDS, st.integers(-1, 2**64 - 1), max_size=9), st.text(max_size=30))
def test_a_table_reads_back_whatever_stands_around_it(figures: dict[str, int], other: str) -> None:
    around = "".join(f"Other: {line}\n" for line in other.splitlines())
    assert (
        counters.parse_table((around + table("Tcp", figures) + around).encode(), "Tcp", "net/snmp") == figures
    )
