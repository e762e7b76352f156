"""Messages are decoded as they were encoded, and anything else is malformed."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.broker import wire
from exporter.broker.named_namespaces import NamedNamespace
from exporter.broker.readable_files import NAMESPACE_FILES, PROCESS_FILES, PROCESS_LINKS
from exporter.broker.wire import (
    BrokerReply,
    BrokerRequest,
    MalformedMessageError,
    NamespaceTarget,
    Portion,
    RequestType,
)

U16, U32, U64 = 2**16 - 1, 2**32 - 1, 2**64 - 1

names = st.binary(min_size=1, max_size=255).filter(
    lambda name: not set(name) & set(b"/\0") and name not in (b".", b"..")
)
files = st.sets(st.sampled_from(NAMESPACE_FILES)).map(
    lambda chosen: tuple(name for name in NAMESPACE_FILES if name in chosen)
)
identity = {"started": st.integers(0, U64), "inode": st.integers(0, U64), "files": files}
by_process = st.builds(NamespaceTarget, pid=st.integers(1, 2**31 - 1), **identity)
by_name = st.builds(NamespaceTarget, name=names, **identity)
targets = st.lists(by_process | by_name, max_size=wire.MAX_TARGETS).map(tuple)
numbers = st.integers(0, U32)
entering = st.builds(BrokerRequest, numbers, st.just(RequestType.ENTER), targets)
listing = st.builds(
    BrokerRequest,
    numbers,
    st.sampled_from([RequestType.PIDS, RequestType.SOCKETS, RequestType.NAMES]),
    pid=numbers,
    start=numbers,
)
locating = st.builds(
    BrokerRequest,
    numbers,
    st.just(RequestType.NAMESPACES),
    pids=st.lists(numbers, max_size=20).map(tuple),
)
watching = st.builds(BrokerRequest, numbers, st.just(RequestType.SET_WATCHDOG), seconds=numbers)
opening = st.builds(
    BrokerRequest,
    numbers,
    st.just(RequestType.FILE),
    pid=numbers,
    file=st.sampled_from(PROCESS_FILES),
)
reading = st.builds(
    BrokerRequest,
    numbers,
    st.just(RequestType.LINK),
    pid=numbers,
    file=st.sampled_from(PROCESS_LINKS),
)
portions = st.builds(Portion, st.lists(st.integers(0, U64), max_size=20).map(tuple), numbers)
named_namespaces = st.builds(NamedNamespace, names, st.integers(0, U64), st.integers(0, U64))
replies = st.one_of(
    *(
        st.builds(
            BrokerReply,
            numbers,
            st.integers(-(2**31), 2**31 - 1),
            st.integers(0, U64),
            files,
            portion=portion,
            link=link,
            pidfd=st.booleans(),
            names=named,
        )
        for portion, link, named in (
            (st.none(), st.none(), st.none()),
            (portions, st.none(), st.none()),
            (st.none(), st.binary(max_size=100), st.none()),
            (st.none(), st.none(), st.lists(named_namespaces, max_size=20).map(tuple)),
        )
    )
)


def enter_request(*packed: bytes) -> bytes:
    return struct.pack("=IH", 7, RequestType.ENTER) + b"".join(packed)


def packed_target(pid: int = 0, name: bytes = b"", length: int | None = None) -> bytes:
    return struct.pack("=IQQHB", pid, 0, 0, 0, len(name) if length is None else length) + name


@given(entering | listing | locating | opening | reading | watching)
def test_a_request_is_decoded_as_it_was_encoded(request: BrokerRequest) -> None:
    assert wire.unpack_request(wire.pack_request(request)) == request


@given(replies)
def test_a_reply_is_decoded_as_it_was_encoded(reply: BrokerReply) -> None:
    assert wire.unpack_reply(wire.pack_reply(reply)) == reply


@given(st.binary(max_size=200) | st.binary(max_size=100).map(enter_request))
def test_any_bytes_are_a_request_or_malformed(message: bytes) -> None:
    try:
        request = wire.unpack_request(message)
    except MalformedMessageError:
        return
    assert len(request.targets) <= wire.MAX_TARGETS
    for target in request.targets:
        assert bool(target.name) != bool(target.pid)
        assert target.pid < 2**31
        assert not set(target.name) & set(b"/\0")
        assert target.name not in (b".", b"..")
    assert wire.pack_request(request) == message


@given(st.binary(max_size=200))
def test_any_bytes_are_a_reply_or_malformed(message: bytes) -> None:
    try:
        reply = wire.unpack_reply(message)
    except MalformedMessageError:
        return
    assert wire.pack_reply(reply) == message


@given(entering, st.integers(1, 300))
def test_a_request_that_was_cut_off_is_malformed_or_ends_between_two_targets(
    request: BrokerRequest, missing: int
) -> None:
    message = wire.pack_request(request)[:-missing]
    try:
        cut = wire.unpack_request(message)
    except MalformedMessageError:
        return
    assert cut.targets == request.targets[: len(cut.targets)]


@pytest.mark.parametrize(
    "name",
    [b"/", b"a/b", b"../host", b"/etc/passwd", b".", b"..", b"a\0b", b"\0", b"web/", b"..\0"],
)
def test_a_name_that_is_not_one_file_of_its_directory_is_refused(name: bytes) -> None:
    with pytest.raises(MalformedMessageError):
        wire.unpack_request(enter_request(packed_target(name=name)))


@pytest.mark.parametrize("name", [b"web", b"...", b".hidden", b"a..b", b"\xff\n", b" ", b"x" * 255])
def test_any_other_name_is_accepted(name: bytes) -> None:
    (target,) = wire.unpack_request(enter_request(packed_target(name=name))).targets
    assert target == NamespaceTarget(name=name)


@pytest.mark.parametrize(
    "target",
    [
        pytest.param(packed_target(), id="neither a process nor a name"),
        pytest.param(packed_target(pid=1, name=b"web"), id="both"),
        pytest.param(packed_target(pid=2**31), id="no process has this number"),
        pytest.param(packed_target(name=b"web", length=4), id="a name that is longer than the message"),
        pytest.param(packed_target(name=b"web", length=2), id="a name that is longer than it says"),
        pytest.param(packed_target(pid=1)[:-1], id="half a target"),
    ],
)
def test_a_malformed_target_is_refused(target: bytes) -> None:
    for message in (enter_request(target), enter_request(packed_target(pid=1), target)):
        with pytest.raises(MalformedMessageError):
            wire.unpack_request(message)


def test_more_namespaces_at_once_than_are_allowed_are_refused() -> None:
    target = packed_target(pid=1)
    assert len(wire.unpack_request(enter_request(*[target] * wire.MAX_TARGETS)).targets) == wire.MAX_TARGETS
    with pytest.raises(MalformedMessageError, match="33 namespaces at once"):
        wire.unpack_request(enter_request(*[target] * (wire.MAX_TARGETS + 1)))


@pytest.mark.parametrize("kind", [0, 9, U16])
def test_an_unknown_type_is_refused(kind: int) -> None:
    with pytest.raises(MalformedMessageError):
        wire.unpack_request(struct.pack("=IHII", 1, kind, 1, 0))


@pytest.mark.parametrize("file", [len(PROCESS_FILES), U32])
def test_an_unknown_file_of_a_process_is_refused(file: int) -> None:
    with pytest.raises(MalformedMessageError):
        wire.unpack_request(struct.pack("=IHII", 1, RequestType.FILE, 1, file))


@pytest.mark.parametrize("link", [len(PROCESS_LINKS), U32])
def test_an_unknown_link_of_a_process_is_refused(link: int) -> None:
    with pytest.raises(MalformedMessageError):
        wire.unpack_request(struct.pack("=IHII", 1, RequestType.LINK, 1, link))


@pytest.mark.parametrize(("kind", "payload"), [(0, b"x"), (3, b"x"), (4, b""), (255, b"")])
def test_a_reply_with_something_unknown_is_malformed(kind: int, payload: bytes) -> None:
    with pytest.raises(MalformedMessageError):
        wire.unpack_reply(struct.pack("=IiQHB", 1, 0, 0, 0, kind) + payload)


@pytest.mark.parametrize("bits", [1 << len(NAMESPACE_FILES), U16])
def test_an_unknown_file_of_a_namespace_is_refused(bits: int) -> None:
    with pytest.raises(MalformedMessageError):
        wire.unpack_request(enter_request(struct.pack("=IQQHB", 1, 0, 0, bits, 0)))
    with pytest.raises(MalformedMessageError):
        wire.unpack_reply(struct.pack("=IiQHB", 1, 0, 0, bits, 0))


def test_a_file_that_is_not_to_be_opened_cannot_be_encoded() -> None:
    for request in (
        BrokerRequest(1, RequestType.FILE, pid=1, file="environ"),
        BrokerRequest(1, RequestType.LINK, pid=1, file="fd/0"),
        BrokerRequest(1, RequestType.ENTER, (NamespaceTarget(pid=1, files=("net/raw",)),)),
    ):
        with pytest.raises(ValueError, match="not in tuple"):
            wire.pack_request(request)


def test_a_file_that_is_named_twice_is_opened_once() -> None:
    request = BrokerRequest(1, RequestType.ENTER, (NamespaceTarget(pid=1, files=("net/tcp", "net/tcp")),))
    assert wire.unpack_request(wire.pack_request(request)).targets[0].files == ("net/tcp",)


@pytest.mark.parametrize("size", [1, 3, 5, 11, 13])
def test_a_portion_that_was_cut_off_is_malformed(size: int) -> None:
    with pytest.raises(MalformedMessageError):
        wire.unpack_reply(struct.pack("=IiQHB", 1, 0, 0, 0, 1) + bytes(size))


def test_numbers_go_on_after_the_largest_and_none_is_that_of_an_ended_broker() -> None:
    assert wire.next_number(wire.BROKER_ENDED) == 1
    assert wire.next_number(1) == 2
    assert wire.next_number(U32) == 1


def test_the_largest_request_fits_into_a_message() -> None:
    target = NamespaceTarget(name=b"x" * 255)
    request = BrokerRequest(1, RequestType.ENTER, (target,) * wire.MAX_TARGETS)
    assert len(wire.pack_request(request)) < wire.MAX_MESSAGE_BYTES


def test_the_largest_reply_fits_into_a_message() -> None:
    """Namespaces have two numbers each."""
    reply = BrokerReply(1, portion=Portion((U64,) * 2 * wire.MAX_PER_REPLY, U32))
    assert len(wire.pack_reply(reply)) < wire.MAX_MESSAGE_BYTES


def test_the_files_are_those_that_the_exporter_reads() -> None:
    """A request has bits and no path, so it can name no other file."""
    assert len(NAMESPACE_FILES) <= 16
    assert set(NAMESPACE_FILES) == {
        "net/snmp",
        "net/netstat",
        "net/tcp",
        "net/tcp6",
        "net/unix",
        "net/protocols",
        "sys/net/core/somaxconn",
        "sys/net/ipv4/tcp_max_syn_backlog",
        "sys/net/ipv4/tcp_syncookies",
        "sys/net/ipv4/tcp_abort_on_overflow",
    }
    assert set(PROCESS_FILES) == {"stat", "comm", "cgroup"}
    assert set(PROCESS_LINKS) == {"exe", "cwd", "root", "ns/mnt", "ns/user", "ns/pid"}


def test_more_processes_at_once_than_are_read_are_refused() -> None:
    request = BrokerRequest(1, RequestType.NAMESPACES, pids=range(wire.MAX_PER_REPLY + 1))
    with pytest.raises(MalformedMessageError, match="at most 2048 processes"):
        wire.unpack_request(wire.pack_request(request))


def test_the_longest_request_and_reply_fit_into_a_message() -> None:
    pids = range(wire.MAX_PER_REPLY)
    assert len(wire.pack_request(BrokerRequest(1, RequestType.NAMESPACES, pids=pids))) <= 65536
    numbers = [number for pid in pids for number in (pid, 2**32 - 1)]
    assert len(wire.pack_reply(BrokerReply(1, portion=Portion(numbers)))) <= wire.MAX_MESSAGE_BYTES
