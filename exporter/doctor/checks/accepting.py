"""Whether services accept the connections that wait for them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from exporter.doctor.checks import load
from exporter.doctor.checks.cause import cause_of
from exporter.doctor.checks.subject import finding_about
from exporter.doctor.finding import Certainty, Finding, FindingSeverity
from exporter.doctor.host_view import HostView, ListenerView, NamespaceView

NOT_ACCEPTING: Final = "not-accepting"
QUEUE_FULL: Final = "queue-full"
UNIX_QUEUE_FULL: Final = "unix-queue-full"
QUEUE_FILLING: Final = "queue-filling"
# A service that keeps up accepts at once, so its queue is never half full for long.
_FILLING_RATIO: Final = 0.5
_NEARLY_FULL_RATIO: Final = 0.9
# One client that waits fills half of the smallest queues.
_FEW: Final = 2
# The wait of the oldest connection is read each second, so of a watch it covers so much at least.
_COVERED: Final = 0.5
_MIN_SECONDS: Final = 0.9
# A service may be busy with one thing for so long and yet accept.
_LONG_SECONDS: Final = 2.0


def accepting(host: HostView) -> Iterator[Finding]:
    """Find listeners that accept nothing, and those that accept and whose queue is or was full, or fills."""
    for namespace in host.namespaces:
        for listener in namespace.listeners:
            certainty = accepts_nothing(listener, host.seconds)
            if certainty is not None:
                yield _stuck(listener, namespace, certainty, host.seconds)
            elif listener.was_full:
                yield _full(listener, namespace, host.seconds)
            elif _fills(listener):
                yield _filling(listener, namespace)


def accepts_nothing(listener: ListenerView, seconds: float) -> Certainty | None:
    """Tell how sure it is that nothing was accepted in a watch of so many seconds; None where something was.

    Connections are accepted in the order in which they came, so while the oldest one stays, none is accepted.
    Its age grows as well while those that came with it are accepted, but then the queue becomes shorter.
    One that ended with RST has no age, and those of unix sockets have none either. There a queue that stays
    exactly full tells less, since clients that wait outside take each place that gets free.
    """
    if not any(each.shortest and not each.decreased for each in listener.sockets):
        return None
    waited = listener.oldest_wait_seconds
    if waited is not None:
        long_enough = listener.same_oldest_seconds >= max(_MIN_SECONDS, _COVERED * seconds)
        return Certainty.CERTAIN if long_enough and waited >= _LONG_SECONDS else None
    if not any(each.always_full and each.unchanged for each in listener.sockets):
        return None
    if any(process.stopped or process.out_of_files for process in listener.processes):
        return Certainty.LIKELY
    return Certainty.LIKELY if listener.has_syn_queue and seconds >= _LONG_SECONDS else None


def _stuck(listener: ListenerView, namespace: NamespaceView, certainty: Certainty, seconds: float) -> Finding:
    cause, change = cause_of(listener.processes)
    age = listener.oldest_wait_seconds
    # Others may accept what comes to them (SO_REUSEPORT).
    some = any(each.decreased or not each.shortest for each in listener.sockets)
    what = f"{listener.name}: one of its {len(listener.sockets)} sockets" if some else listener.name
    if age is None:
        queue = "a queue" if some else "the queue"
        seen = f"in all of the {seconds:.1f} s of this watch {queue} stayed exactly full"
    elif some:
        seen = f"the oldest connection was not accepted in {seconds:.1f} s, and has waited for {age:.1f} s"
    else:
        seen = f"nothing was accepted in {seconds:.1f} s: the oldest connection has waited for {age:.1f} s"
    return finding_about(
        listener,
        name=NOT_ACCEPTING,
        title=f"{what} accepts no connection",
        severity=FindingSeverity.CRITICAL,
        certainty=certainty,
        evidence=(
            seen,
            *load.evidence(listener, namespace),
            *cause,
        ),
        change=change,
    )


def _full(listener: ListenerView, namespace: NamespaceView, seconds: float) -> Finding:
    tcp = listener.has_syn_queue
    always = any(each.always_full for each in listener.sockets)
    full = "is full" if any(each.full for each in listener.sockets) else "was full"
    lost = bool(listener.more_drops)
    unseen = "clients that find it full wait in connect(), or get EAGAIN; the kernel counts neither"
    return finding_about(
        listener,
        name=QUEUE_FULL if tcp else UNIX_QUEUE_FULL,
        title=f"{listener.name}: its accept queue {full}",
        severity=FindingSeverity.CRITICAL if lost or not tcp or always else FindingSeverity.WARNING,
        certainty=Certainty.CERTAIN,
        evidence=(
            *load.evidence(listener, namespace),
            *((f"it dropped {load.count(listener.more_drops, 'packet')} in this watch",) if lost else ()),
            *(("every sample found it full",) if always else ()),
            *((unseen,) if not tcp else ()),
        ),
        change=(
            "let it accept faster: more workers or threads, or less load; a larger backlog helps in bursts"
            if always or listener.full_seconds > seconds / 2
            else "give it a larger backlog where this was a burst; else let it accept faster"
        ),
    )


def _fills(listener: ListenerView) -> bool:
    """Tell whether a queue was half full all the time, or nearly full at any time."""
    return any(
        each.longest >= _FEW
        and (each.shortest / (each.limit + 1) >= _FILLING_RATIO or each.peak_ratio >= _NEARLY_FULL_RATIO)
        for each in listener.sockets
    )


def _filling(listener: ListenerView, namespace: NamespaceView) -> Finding:
    fullest = listener.fullest
    nearly = fullest is not None and fullest.peak_ratio >= _NEARLY_FULL_RATIO
    return finding_about(
        listener,
        name=QUEUE_FILLING,
        title=f"{listener.name}: its accept queue is {'nearly' if nearly else 'half'} full",
        severity=FindingSeverity.WARNING if nearly else FindingSeverity.NOTE,
        certainty=Certainty.CERTAIN,
        evidence=tuple(load.evidence(listener, namespace)),
        change="let it accept faster before its load grows: more workers or threads",
    )
