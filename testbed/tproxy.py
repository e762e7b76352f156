"""TPROXY: connections to some ports of this namespace are given to a transparent listener at another."""

from __future__ import annotations

import socket
from collections.abc import Collection

from testbed import programs

IP_TRANSPARENT = 19
IPV6_TRANSPARENT = 75

_MARK = 1
_TABLE = 100
# The chain `output` sends what begins here the way of what comes from outside.
_RULES = """
add table inet redirected
add chain inet redirected output {{ type route hook output priority mangle; }}
add rule inet redirected output tcp dport {{ {ports} }} meta mark set {mark}
add chain inet redirected prerouting {{ type filter hook prerouting priority mangle; }}
add rule inet redirected prerouting tcp dport {{ {ports} }} tproxy ip to :{to} meta mark set {mark}
add rule inet redirected prerouting tcp dport {{ {ports} }} tproxy ip6 to :{to} meta mark set {mark}
"""


def redirect(ports: Collection[int], to: int) -> None:
    """Give every connection that is made to one of these ports to the transparent listener at port `to`.

    Once in a namespace. The test is skipped where there is no nft.
    """
    programs.output("nft", _RULES.format(ports=", ".join(map(str, sorted(ports))), to=to, mark=_MARK))
    for version in ("-4", "-6"):
        programs.output("ip", version, "rule", "add", "fwmark", str(_MARK), "lookup", str(_TABLE))
        programs.output("ip", version, "route", "add", "local", "default", "dev", "lo", "table", str(_TABLE))


def make_transparent(listener: socket.socket) -> None:
    """Let a socket take connections to any address and port; those that wait already are not changed."""
    if listener.family == socket.AF_INET6:
        listener.setsockopt(socket.IPPROTO_IPV6, IPV6_TRANSPARENT, 1)
    else:
        listener.setsockopt(socket.SOL_IP, IP_TRANSPARENT, 1)
