"""The counters and settings of a namespace, from files that pair names with numbers."""

from __future__ import annotations

import errno
import socket

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from exporter.kernel.errors import KernelError, MalformedReplyError, UnavailableError, UnimplementedError
from exporter.kernel.procfs import counters
from exporter.kernel.procfs.counters import Sysctls, TcpCounters
from exporter.kernel.procfs.files import OWN_PROCFS
from tests.kernel.fake_kernel import FakeFiles
from tests.kernel.procfs_tree import table

FIGURES = {
    "SyncookiesSent": 1,
    "SyncookiesRecv": 2,
    "SyncookiesFailed": 3,
    "ListenOverflows": 4,
    "ListenDrops": 5,
    "TCPReqQFullDoCookies": 6,
    "TCPReqQFullDrop": 2**64 - 1,
    "TCPSomethingNew": 8,
    "TCPDeferAcceptDrop": 7,
}
IP = table("IpExt", {"InNoRoutes": 0, "InOctets": 9})

SETTINGS = {
    "core/somaxconn": "somaxconn",
    "ipv4/tcp_max_syn_backlog": "max_syn_backlog",
    "ipv4/tcp_syncookies": "syncookies",
    "ipv4/tcp_abort_on_overflow": "abort_on_overflow",
}


def netstat(content: str) -> FakeFiles:
    return FakeFiles({"net/netstat": content.encode()})


def snmp(content: str) -> FakeFiles:
    return FakeFiles({"net/snmp": content.encode()})


def test_counters_are_found_by_their_names() -> None:
    assert counters.read_counters(netstat(table("TcpExt", FIGURES) + IP)) == TcpCounters(
        listen_overflows=4,
        listen_drops=5,
        syn_queue_full_drops=2**64 - 1,
        syn_queue_full_cookies=6,
        syncookies_sent=1,
        syncookies_received=2,
        syncookies_failed=3,
        defer_accept_drops=7,
    )


def test_the_order_of_sections_and_names_does_not_matter() -> None:
    expected = counters.read_counters(netstat(table("TcpExt", FIGURES)))
    other = netstat(IP + table("TcpExt", dict(reversed(FIGURES.items()))))
    assert counters.read_counters(other) == expected


def test_what_a_kernel_does_not_count_is_none_and_not_zero() -> None:
    found = counters.read_counters(netstat(table("TcpExt", {"ListenDrops": 0})))
    assert found.listen_drops == 0
    assert found.listen_overflows is None


def test_names_without_values_are_not_implemented() -> None:
    for text in ("TcpExt: ListenDrops TW\n", "TcpExt: ListenDrops TW\nIpExt: InOctets\nIpExt: 9\n"):
        with pytest.raises(UnimplementedError, match=r"/proc/net/netstat.*TcpExt.*no values"):
            counters.read_counters(netstat(text))
    with pytest.raises(UnimplementedError, match="/proc/net/snmp"):
        counters.read_tcp_segments(snmp("Tcp: InSegs\n"))


ZEROS = dict.fromkeys([*FIGURES, "TW"], 0)


def zeros_and_connections(opened: int | None, **figures: int) -> FakeFiles:
    """Counters of which those given are not 0, beside how many connections clients have opened."""
    passive = {} if opened is None else {"PassiveOpens": opened}
    return FakeFiles(
        {
            "net/netstat": (table("TcpExt", ZEROS | figures) + IP).encode(),
            "net/snmp": table("Tcp", {"RtoMax": -1, **passive}).encode(),
        }
    )


def test_a_client_that_connects_between_two_reads_makes_no_counter_unimplemented() -> None:
    """The first of a new network namespace, where nothing was counted before."""
    files = zeros_and_connections(1)

    class Connecting(FakeFiles):
        def open(self, name: str) -> int:
            if self.opened["net/netstat"]:
                self.contents |= {"net/netstat": (table("TcpExt", ZEROS | {"TCPPureAcks": 1}) + IP).encode()}
            return super().open(name)

    assert counters.read_counters(Connecting(files.contents)).listen_overflows == 0


def test_counters_that_stay_zero_while_connections_open_are_not_implemented() -> None:
    with pytest.raises(UnimplementedError, match="/proc/net/netstat"):
        counters.read_counters(zeros_and_connections(1))


@pytest.mark.parametrize(
    "files",
    [
        pytest.param(zeros_and_connections(0), id="no connection yet"),
        pytest.param(zeros_and_connections(9, TW=1), id="another counter counts"),
        pytest.param(zeros_and_connections(None), id="connections are not counted"),
        pytest.param(netstat(table("TcpExt", ZEROS)), id="no file of connections"),
    ],
)
def test_zero_is_zero_where_nothing_shows_that_it_means_nothing(files: FakeFiles) -> None:
    assert counters.read_counters(files).listen_overflows == 0


@pytest.mark.netns
def test_linux_counts_something_as_soon_as_a_client_has_connected() -> None:
    assert counters.read_counters(OWN_PROCFS).listen_overflows == 0
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()),
    ):
        assert counters.read_counters(OWN_PROCFS).listen_overflows == 0


def test_segments_are_read_from_the_section_of_tcp() -> None:
    content = (
        table("Ip", {"InSegs": 1}) + table("Tcp", {"RtoMax": -1, "InSegs": 42}) + table("TcpX", {"InSegs": 3})
    )
    assert counters.read_tcp_segments(snmp(content)) == 42
    assert counters.read_tcp_segments(snmp(table("Tcp", {"OutSegs": 42}))) is None


def test_what_is_sent_again_is_read_from_the_counters_of_tcp() -> None:
    content = netstat(table("TcpExt", {"TCPSynRetrans": 7}) + table("MPTcpExt", {"TCPSynRetrans": 1}))
    assert counters.read_syn_repeats(content) == 7
    assert counters.read_syn_repeats(netstat(table("TcpExt", {"ListenDrops": 0}))) is None


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(IP.encode(), id="no such section"),
        pytest.param(b"TcpExt:\n", id="no names and no numbers"),
        pytest.param(b"TcpExt: 1 2\n", id="no names"),
        pytest.param(b"TcpExt: A B\nTcpExt: 1\n", id="a number too few"),
        pytest.param(b"TcpExt: A\nTcpExt: 1 2\n", id="a number too many"),
        pytest.param(b"TcpExt: ListenDrops\nTcpExt: x\n", id="no number"),
        pytest.param(b"TcpExt: ListenDrops\nTcpExt: \xff\n", id="no text"),
        pytest.param(b"TcpExt: ListenDrops\nTcpExt: " + b"1" * 5000, id="an endless number"),
        pytest.param(b"TcpExt: A\nTcpExt: 1\nTcpExt: 2\n", id="three lines"),
    ],
)
def test_a_malformed_table_is_an_error_that_names_file_and_section(content: bytes) -> None:
    with pytest.raises(MalformedReplyError, match=r"net/netstat.*TcpExt"):
        counters.read_counters(FakeFiles({"net/netstat": content}))


def test_a_missing_file_is_unavailable_and_named() -> None:
    with pytest.raises(UnavailableError, match="/proc/net/netstat: ENOENT"):
        counters.read_counters(FakeFiles())
    with pytest.raises(UnavailableError, match="/proc/net/snmp: ENOENT"):
        counters.read_tcp_segments(FakeFiles())


def settings_files() -> FakeFiles:
    return FakeFiles({f"sys/net/{name}": b"%d\n" % value for value, name in enumerate(SETTINGS)})


def test_settings_are_read_each_from_its_file() -> None:
    assert counters.read_sysctls(settings_files()) == Sysctls(
        somaxconn=0, max_syn_backlog=1, syncookies=2, abort_on_overflow=3
    )


@pytest.mark.parametrize("missing", SETTINGS)
@pytest.mark.parametrize("number", [errno.ENOENT, errno.EACCES, errno.EPERM])
def test_a_setting_that_may_not_be_read_is_none_and_the_others_are_read(missing: str, number: int) -> None:
    files = settings_files()
    files.contents[f"sys/net/{missing}"] = OSError(number, "open")
    found = counters.read_sysctls(files)
    assert {field: getattr(found, field) for field in SETTINGS.values()} == {
        field: None if name == missing else value for value, (name, field) in enumerate(SETTINGS.items())
    }


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO])
def test_a_setting_that_cannot_be_read_now_is_a_kernel_error(number: int) -> None:
    """None would be published as if the kernel had no such setting."""
    files = settings_files()
    files.contents["sys/net/core/somaxconn"] = OSError(number, "open")
    with pytest.raises(KernelError) as failed:
        counters.read_sysctls(files)
    assert (type(failed.value), failed.value.errno) == (KernelError, number)


@pytest.mark.parametrize("content", [b"", b"many\n", b"1 2\n", b"\xff\n", b"1" * 64, b"1" * 5000])
def test_a_setting_that_is_no_number_is_malformed_and_its_file_is_named(content: bytes) -> None:
    files = settings_files()
    files.contents["sys/net/core/somaxconn"] = content
    with pytest.raises(MalformedReplyError, match="/proc/sys/net/core/somaxconn"):
        counters.read_sysctls(files)


WORDS = st.text(st.characters(exclude_categories=["Z", "C"]), min_size=1, max_size=8)


@given(st.binary() | st.text().map(str.encode))
@example(b"Tcp:\nTcp:\n")
@example(b"Tcp: a b\nTcp:\n")
@example("Tcp: a b\nTcp: 1 \u0661\n".encode())
@example(b"Tcp: a\nTcp: \xff\n")
@settings(max_examples=300)
def test_any_text_is_a_table_or_malformed(text: bytes) -> None:
    try:
        found = counters.columns(text, b"Tcp:", (b"a", b"b"), "net/snmp")
    except UnimplementedError as error:
        assert str(error).startswith("/proc/net/snmp has names")  # noqa: PT017  (each outcome is right)
    except MalformedReplyError as error:
        assert str(error).startswith("net/snmp: ")  # noqa: PT017
    else:
        assert len(found) == 2
        assert all(isinstance(value, int | None) for value in found)


@given(st.dictionaries(WORDS, st.integers(-1, 2**64 - 1), max_size=9), st.text(max_size=30), WORDS)
def test_a_table_is_found_among_any_other_lines(figures: dict[str, int], other: str, missing: str) -> None:
    others = "".join(f"Other: {line}\n" for line in other.splitlines())
    text = (others + table("Tcp", figures) + others).encode()
    names = (*figures, missing)
    expected = [figures.get(name) for name in names]
    assert counters.columns(text, b"Tcp:", tuple(map(str.encode, names)), "net/snmp") == expected
