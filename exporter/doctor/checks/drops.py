"""Packets that were dropped during the watch, and why: what the counters of the namespace tell."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from exporter.doctor.checks import load
from exporter.doctor.checks.subject import finding_about
from exporter.doctor.finding import Certainty, Finding, FindingSeverity
from exporter.doctor.host_view import HostView, ListenerView, NamespaceView
from exporter.kernel.procfs.counters import TcpCounters

OVERFLOW: Final = "drops-overflow"
SYN_QUEUE: Final = "drops-syn-queue"
UNANSWERED: Final = "drops-unanswered"
COOKIES_SENT: Final = "syn-queue-full"
DEFER_ACCEPT: Final = "drops-defer-accept"
OTHER: Final = "drops-other"
_MAX_NAMES: Final = 3
# The kernel adds to a counter and to the drops of a listener one after the other, and a client of such a
# listener may repeat a SYN as any other.
_NEARLY_ALL: Final = 0.9
# Of its limit, what a SYN queue that was full between two samples still holds.
_NEAR: Final = 0.5
# net.ipv4.tcp_syncookies.
_COOKIES_OFF: Final = 0


def drops(host: HostView) -> Iterator[Finding]:
    """Find what was dropped. A SYN to a port on which nobody listens is refused, and counts nowhere here."""
    for namespace in host.namespaces:
        rose = namespace.increases
        if rose is None:
            continue
        dropped = [each for each in namespace.tcp if each.more_drops]
        # Of a listener that was seen full, another check tells.
        unexplained = [each for each in dropped if not each.was_full]
        if rose.listen_overflows and not any(each.was_full for each in namespace.tcp):
            yield _overflow(namespace, rose, unexplained)
        elif _dropped_syns(rose):
            full = _may_be_full(namespace, rose, unexplained)
            yield (_syn_queue if full else _unanswered)(namespace, rose, unexplained)
        elif unexplained and rose.listen_overflows:
            yield _beside_overflows(namespace, rose, unexplained)
        elif unexplained:
            yield _harmless(namespace, rose, unexplained)
        if rose.syn_queue_full_cookies and namespace.sysctls and namespace.sysctls.syncookies == 1:
            yield _cookies(namespace, rose)


def _dropped_syns(rose: TcpCounters) -> int:
    """Return how many SYNs were dropped where no accept queue overflowed."""
    if rose.listen_overflows:
        return 0
    return rose.syn_queue_full_drops or rose.listen_drops or 0


def _may_be_full(namespace: NamespaceView, rose: TcpCounters, dropped: Sequence[ListenerView]) -> bool:
    """Tell whether a full SYN queue may have dropped SYNs: with SYN cookies it drops none.

    Without them one that holds its backlog + 1 counts in TCPReqQFullDrop, and one that tcp_max_syn_backlog
    limits in ListenDrops alone, as a SYN without an answer does; half-open connections stay for seconds, so
    that a sample sees whether they come near that limit. Source: tcp_conn_request, net/ipv4/tcp_input.c.
    """
    if rose.syn_queue_full_drops:
        return True
    cookies = namespace.sysctls.syncookies if namespace.sysctls is not None else None
    if cookies not in (None, _COOKIES_OFF):
        return False
    return any(each.syn_recv is None or _syn_recv_ratio(each) >= _NEAR for each in dropped or namespace.tcp)


def _overflow(namespace: NamespaceView, rose: TcpCounters, dropped: Sequence[ListenerView]) -> Finding:
    return finding_about(
        _subject(namespace, dropped),
        name=OVERFLOW,
        title=f"an accept queue overflowed between two samples{_at(dropped)}",
        severity=FindingSeverity.CRITICAL,
        certainty=Certainty.CERTAIN if len(dropped) == 1 else Certainty.LIKELY,
        evidence=(
            f"ListenOverflows rose by {rose.listen_overflows} in this watch, and no sample saw a queue full",
            *_counts(dropped),
        ),
        change="give it a larger backlog, since the burst was short",
    )


def _syn_queue(namespace: NamespaceView, rose: TcpCounters, dropped: Sequence[ListenerView]) -> Finding:
    fullest = max(dropped or namespace.tcp, key=_syn_recv_ratio, default=None)
    if rose.syn_queue_full_drops:
        certainty = Certainty.CERTAIN
    else:
        known = fullest is not None and fullest.syn_recv is not None
        certainty = Certainty.LIKELY if known else Certainty.POSSIBLE
    return finding_about(
        _subject(namespace, dropped),
        name=SYN_QUEUE,
        title=f"SYNs are dropped because a SYN queue is full{_at(dropped)}",
        severity=FindingSeverity.CRITICAL,
        certainty=certainty,
        evidence=(
            f"ListenDrops rose by {rose.listen_drops or 0}, and ListenOverflows did not",
            f"TCPReqQFullDrop rose by {rose.syn_queue_full_drops or 0}",
            *_half_open(fullest),
            *_counts(dropped),
        ),
        change="sysctl -w net.ipv4.tcp_syncookies=1, and in /etc/sysctl.d; it counts at once",
    )


def _unanswered(namespace: NamespaceView, rose: TcpCounters, dropped: Sequence[ListenerView]) -> Finding:
    off = namespace.sysctls is None or namespace.sysctls.syncookies in (None, _COOKIES_OFF)
    fullest = max(dropped or namespace.tcp, key=_syn_recv_ratio, default=None)
    return finding_about(
        _subject(namespace, dropped),
        name=UNANSWERED,
        title=f"SYNs are dropped, though no queue is full{_at(dropped)}",
        severity=FindingSeverity.WARNING,
        certainty=Certainty.LIKELY,
        evidence=(
            f"ListenDrops rose by {rose.listen_drops or 0}; ListenOverflows and TCPReqQFullDrop did not",
            "no SYN queue came near its limit: the host cannot send an answer"
            if off
            else "SYN cookies are on, so a full SYN queue drops none: the host cannot send an answer",
            *(_half_open(fullest) if off else ()),
            *_counts(dropped),
        ),
        change=(
            "see who sends them (tcpdump 'tcp[13] == 2') and whether they have a route (ip route get "
            "ADDRESS); where they have one, look for lack of memory in the log of the kernel"
        ),
    )


def _cookies(namespace: NamespaceView, rose: TcpCounters) -> Finding:
    sent, back = rose.syncookies_sent or 0, rose.syncookies_received or 0
    fullest = max(namespace.tcp, key=_syn_recv_ratio, default=None)
    at = "" if fullest is None or not fullest.syn_recv else f", most likely that of {fullest.name}"
    flood = back < sent / 2
    likely = "most likely a flood of SYNs" if flood else "real clients in a burst"
    return finding_about(
        namespace,
        name=COOKIES_SENT,
        title=f"a SYN queue is full, and the kernel answers with SYN cookies{at}",
        severity=FindingSeverity.WARNING,
        certainty=Certainty.CERTAIN,
        evidence=(
            f"TCPReqQFullDoCookies rose by {rose.syn_queue_full_cookies} in this watch",
            f"{load.count(sent, 'cookie was', 'cookies were')} sent, {back} came back: {likely}",
        ),
        change=(
            "look where the SYNs come from (ss -tn state syn-recv); clients are still served"
            if flood
            else "give the listener a larger backlog, which is also the size of its SYN queue"
        ),
    )


def _half_open(listener: ListenerView | None) -> tuple[str, ...]:
    if listener is None or listener.syn_recv is None or listener.syn_recv_limit is None:
        return ()
    most = load.count(listener.syn_recv, "connection")
    return (f"{listener.name} had {most} half-open at most, of {listener.syn_recv_limit} that it admits",)


def _syn_recv_ratio(listener: ListenerView) -> float:
    return (listener.syn_recv or 0) / (listener.syn_recv_limit or 1)


def _beside_overflows(
    namespace: NamespaceView, rose: TcpCounters, dropped: Sequence[ListenerView]
) -> Finding:
    full = [each for each in namespace.tcp if each.was_full]
    return finding_about(
        _subject(namespace, dropped),
        name=OTHER,
        title=f"drops rise{_at(dropped)}, while another accept queue overflows",
        severity=FindingSeverity.NOTE,
        certainty=Certainty.POSSIBLE,
        evidence=(
            *_counts(dropped),
            f"ListenOverflows rose by {rose.listen_overflows}; seen full{_at(full)}, and nowhere else",
        ),
        change="see to the queue that is full first: what is lost elsewhere shows once that is not",
    )


def _harmless(namespace: NamespaceView, rose: TcpCounters, dropped: Sequence[ListenerView]) -> Finding:
    number = sum(each.more_drops or 0 for each in dropped)
    handshakes = rose.defer_accept_drops or 0
    deferred = handshakes >= number * _NEARLY_ALL
    return finding_about(
        _subject(namespace, dropped),
        name=DEFER_ACCEPT if deferred else OTHER,
        title=f"drops rise{_at(dropped)}, but nobody is lost"
        + (": TCP_DEFER_ACCEPT counts each handshake as one" if deferred else ""),
        severity=FindingSeverity.NOTE,
        certainty=Certainty.LIKELY if deferred else Certainty.POSSIBLE,
        evidence=(
            *_counts(dropped),
            "neither ListenDrops nor ListenOverflows rose",
            *((f"TCPDeferAcceptDrop rose by {handshakes}",) if handshakes else ()),
            *(() if deferred else ("a scan of open ports, or a SYN that was sent twice, looks like this",)),
        ),
        change=(
            "nothing; do not alert on the drops of this listener"
            if deferred
            else "nothing, unless it goes on: then see who ends at once (tcpdump 'tcp[13] & 4 != 0')"
        ),
    )


def _subject(namespace: NamespaceView, dropped: Sequence[ListenerView]) -> ListenerView | NamespaceView:
    """Return the only listener that has dropped packets; the namespace where there are several, or none."""
    return dropped[0] if len(dropped) == 1 else namespace


def _at(dropped: Sequence[ListenerView]) -> str:
    if not dropped:
        return ""
    more = f" and {len(dropped) - _MAX_NAMES} more" if len(dropped) > _MAX_NAMES else ""
    return f" at {', '.join(each.name for each in dropped[:_MAX_NAMES])}{more}"


def _counts(dropped: Sequence[ListenerView]) -> tuple[str, ...]:
    return tuple(
        f"{each.name} dropped {load.count(each.more_drops, 'packet')}" for each in dropped[:_MAX_NAMES]
    )
