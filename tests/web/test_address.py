"""Parsing of listen addresses, their sockets, and the message where one cannot be opened."""

from __future__ import annotations

import errno
import gc
import os
import resource
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.errors import RunError, UsageError
from exporter.web.address import ListenAddress, parse_address
from exporter.web.listening import bind
from testbed import privileges

_UNPRIVILEGED_PORTS = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")


def _has_ipv6_loopback() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


_needs_ipv6 = pytest.mark.skipif(not _has_ipv6_loopback(), reason="no IPv6 loopback")


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        (":10511", "", 10511),
        ("127.0.0.1:10511", "127.0.0.1", 10511),
        ("[::1]:10511", "::1", 10511),
        ("[::]:0", "::", 0),
        ("[0:0::1]:1", "::1", 1),
        ("[fe80::1%eth0]:1", "fe80::1%eth0", 1),
        ("[::ffff:127.0.0.1]:1", "127.0.0.1", 1),
        ("[::ffff:0:0]:1", "0.0.0.0", 1),
        ("localhost:65535", "localhost", 65535),
        ("127.1:1", "127.0.0.1", 1),
        ("0:1", "0.0.0.0", 1),
        ("my-host.example.org:80", "my-host.example.org", 80),
    ],
)
def test_address_is_parsed_and_written_as_text_again(text: str, host: str, port: int) -> None:
    address = ListenAddress.parse(text)
    assert address == ListenAddress(host, port)
    assert ListenAddress.parse(str(address)) == address


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "no port"),
        ("10511", "no port"),
        ("127.0.0.1", "no port"),
        ("127.0.0.1:", "no port"),
        (":http", "no port"),
        (":-1", "no port"),
        (":\N{ARABIC-INDIC DIGIT ONE}", "no port"),
        (":65536", "0 to 65535"),
        (":" + "9" * 5000, "0 to 65535"),
        ("::1:10511", "in brackets"),
        ("::", "no port"),
        ("[127.0.0.1]:10511", "no IPv6 address"),
        ("[]:10511", "no IPv6 address"),
        ("[::1:10511", "in brackets"),
        ("http://localhost:10511", "no address"),
        ("/run/x.sock", "no address"),
        ("256.1.1.1:1", "four numbers"),
        ("1.2.3.4.5:1", "four numbers"),
        ("a..b:1", "no address"),
        ("x" * 64 + ":1", "no address"),
        ("x." * 130 + ":1", "no address"),
        ("127.0.0.1:1,127.0.0.1:2", "repeat the flag"),
        ("224.0.0.1:1", "multicast"),
        ("255.255.255.255:1", "broadcast"),
        ("[::ffff:224.0.0.1]:1", "multicast"),
        ("[ff02::1]:1", "multicast"),
        ("[fe80::1]:1", "needs its interface"),
        ("[::1%lo]:1", "only a link-local address"),
        (":1%", "name of an interface"),
        (":1%a b", "name of an interface"),
        (":1%" + "x" * 16, "name of an interface"),
        ("unix:x.sock", "absolute path"),
        ("unix:", "absolute path"),
        ("unix:@name", "absolute path"),
        ("unix:/run/", "absolute path"),
        ("unix:/" + "x" * 107, "107 bytes"),
        ("unix:/a\nb", "cannot be printed"),
        ("a b:10511", "no address"),
        ("*:10511", "no address"),
        ("a\nb:10511", "no address"),
        ("-a:1", "no address"),
    ],
)
def test_wrong_address_gets_one_line(text: str, problem: str) -> None:
    """The line names the flag and what is wrong."""
    with pytest.raises(UsageError, match=problem) as caught:
        parse_address(text)
    assert "--web.listen-address" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_usage_errors_name_the_forms_that_are_allowed() -> None:
    forms = "write :10511, 127.0.0.1:10511, [::1]:10511, a host name and a port, or unix:/run/exporter.sock"
    for text in ("10511", "[]:10511", "*:10511"):
        with pytest.raises(UsageError) as caught:
            ListenAddress.parse(text)
        assert str(caught.value).endswith(f"; {forms}")
    with pytest.raises(UsageError) as caught:
        ListenAddress.parse("::1:10511")
    assert str(caught.value).endswith(": an IPv6 address stands in brackets, as in [::1]:10511")


@given(st.text(), st.integers())
def test_any_text_is_an_address_or_a_usage_error(host: str, port: int) -> None:
    for text in (host, f"{host}:{port}", f"[{host}]:{port}", f":1%{host}", f"unix:/{host}"):
        try:
            parse_address(text)
        except UsageError as error:
            assert "\n" not in str(error)  # noqa: PT017  (either outcome is right)


def _reaches(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=30).close()
    except OSError:
        return False
    return True


@pytest.fixture
def opened() -> Iterator[list[socket.socket]]:
    """A list of sockets that are closed after the test."""
    sockets: list[socket.socket] = []
    yield sockets
    for one in sockets:
        one.close()


def test_ipv4_address(opened: list[socket.socket]) -> None:
    """One listening, non-blocking socket."""
    opened += bind([ListenAddress("127.0.0.1", 0)])
    [listener] = opened
    assert listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 1
    assert not listener.getblocking()
    assert _reaches("127.0.0.1", listener.getsockname()[1])


@_needs_ipv6
def test_ipv6_address(opened: list[socket.socket]) -> None:
    """Its port is open over IPv6 and closed over IPv4."""
    opened += bind([ListenAddress.parse("[::1]:0")])
    port = opened[0].getsockname()[1]
    assert _reaches("::1", port)
    assert not _reaches("127.0.0.1", port)


@_needs_ipv6
@pytest.mark.parametrize("text", [":0", "[::]:0"])
def test_every_interface_has_both_families_on_one_port(text: str, opened: list[socket.socket]) -> None:
    """Whatever the sysctl bindv6only is."""
    opened += bind([ListenAddress.parse(text)])
    [listener] = opened
    port = listener.getsockname()[1]
    assert _reaches("::1", port)
    assert _reaches("127.0.0.1", port)


@pytest.mark.parametrize("error", [errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL])
def test_every_interface_without_ipv6(opened: list[socket.socket], error: int) -> None:
    """As with a kernel without IPv6, and with the sysctl disable_ipv6."""

    def open_socket(family: int, kind: int) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(error, os.strerror(error))
        return socket.socket(family, kind)

    opened += bind([ListenAddress("", 0)], open_socket)
    [listener] = opened
    assert listener.family == socket.AF_INET
    assert _reaches("127.0.0.1", listener.getsockname()[1])


@_needs_ipv6
@pytest.mark.netns
def test_every_interface_has_both_families_with_bindv6only() -> None:
    Path("/proc/sys/net/ipv6/bindv6only").write_text("1")
    [listener] = bind([ListenAddress("", 0)])
    port = listener.getsockname()[1]
    assert _reaches("::1", port)
    assert _reaches("127.0.0.1", port)
    listener.close()


def test_no_other_family_where_the_first_fails_for_another_reason() -> None:
    """A port that is taken over IPv6 would be served over IPv4 only."""
    families = []

    def open_socket(family: int, _kind: int) -> socket.socket:
        families.append(family)
        raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))

    with pytest.raises(RunError, match="the port is taken"):
        bind([ListenAddress("", 80)], open_socket)
    assert families == [socket.AF_INET6]


def test_no_address_family_at_all() -> None:
    def open_socket(_family: int, _kind: int) -> socket.socket:
        raise OSError(errno.EAFNOSUPPORT, os.strerror(errno.EAFNOSUPPORT))

    with pytest.raises(RunError, match="cannot listen on :0: this machine has no such address"):
        bind([ListenAddress("", 0)], open_socket)


@pytest.mark.netns
def test_too_many_open_files() -> None:
    """The limit is that of the process of this test."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))
    with pytest.raises(
        RunError, match=r"cannot listen on 127\.0\.0\.1:0: Too many open files; choose another"
    ):
        bind([ListenAddress("127.0.0.1", 0)])


def test_host_name(opened: list[socket.socket]) -> None:
    """Each address of the name gets a socket."""
    opened += bind([ListenAddress("localhost", 0)])
    assert opened
    for listener in opened:
        assert listener.getsockname()[0] in ("127.0.0.1", "::1")


def test_several_addresses(opened: list[socket.socket]) -> None:
    """Each gets a socket."""
    opened += bind([ListenAddress("127.0.0.1", 0), ListenAddress("127.0.0.2", 0)])
    assert [listener.getsockname()[0] for listener in opened] == ["127.0.0.1", "127.0.0.2"]


@pytest.mark.parametrize("host", ["127.0.0.1", ""])
def test_taken_port_is_named(host: str, opened: list[socket.socket]) -> None:
    """The line names the address, and the command that shows which process has the port."""
    opened += bind([ListenAddress("127.0.0.1", 0)])
    port = opened[0].getsockname()[1]
    with pytest.raises(RunError) as caught:
        bind([ListenAddress(host, port)])
    assert str(caught.value).startswith(f"cannot listen on {host}:{port}: the port is taken")
    assert f"ss -ltnp 'sport = :{port}'" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_port_of_connections_in_time_wait_is_free(opened: list[socket.socket]) -> None:
    """The side that closes first has them, as an exporter that is restarted."""
    [listener] = bind([ListenAddress("127.0.0.1", 0)])
    listener.setblocking(True)  # noqa: FBT003  (the standard library's signature)
    address = listener.getsockname()
    with socket.create_connection(address, timeout=30) as client:
        accepted, _ = listener.accept()
        accepted.close()
        assert client.recv(1) == b""
    listener.close()
    opened += bind([ListenAddress(*address)])


def test_address_of_another_machine() -> None:
    """RFC 5737 reserves the address for documentation, so no interface has it."""
    with pytest.raises(
        RunError, match=r"cannot listen on 192\.0\.2\.1:10511: this machine has no such address"
    ):
        bind([ListenAddress("192.0.2.1", 10511)])


@pytest.mark.parametrize(("host", "reason"), [("no-such-host.invalid", ".+"), ("a" * 64, "malformed name")])
def test_name_that_does_not_resolve(host: str, reason: str) -> None:
    """RFC 6761 reserves `.invalid`, and a label has at most 63 letters."""
    with pytest.raises(RunError, match=rf"the name does not resolve \({reason}\); write an IP address"):
        bind([ListenAddress(host, 10511)])


def test_privileged_port_without_the_capability() -> None:
    """The line says from which port on it works, and which capability is missing."""
    if int(_UNPRIVILEGED_PORTS.read_text(encoding="ascii")) <= 1:
        pytest.skip("no port needs a capability here")
    # This clears the effective capabilities, and the way back restores them: capabilities(7).
    with (
        privileges.without_root(),
        pytest.raises(RunError, match=r"cannot listen on 127\.0\.0\.1:1: not permitted; .*1024"),
    ):
        bind([ListenAddress("127.0.0.1", 1)])


def test_failure_leaves_nothing_open(opened: list[socket.socket]) -> None:
    """Sockets that were opened before the failure are closed."""
    opened += bind([ListenAddress("127.0.0.1", 0)])
    taken = opened[0].getsockname()[1]
    with socket.create_server(("127.0.0.1", 0)) as probe:
        free = probe.getsockname()[1]
    before = _descriptors()
    with pytest.raises(RunError):
        bind([ListenAddress("127.0.0.1", free), ListenAddress("127.0.0.1", taken)])
    assert _descriptors() == before


def _descriptors() -> list[str]:
    # What earlier tests left to the garbage collector must not be closed in between.
    gc.collect()
    return sorted(entry.name for entry in Path("/proc/self/fd").iterdir())
