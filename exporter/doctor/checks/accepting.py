"""Whether services accept the connections that wait for them."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil
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
# Where so many would have been accepted, it is not by chance that none was: once in 20 times, if they are
# accepted independently of each other.
_ENOUGH: Final = 3.0
# A client that waits in connect() takes a place as soon as it gets free: of a unix socket that accepted 20
# connections a second, one sample in 200 found fewer than it holds.
_LENGTH_ALONE_SECONDS: Final = 5.0
_LENGTH_ALONE_SAMPLES: Final = 20
_LONGER: Final = "whether it accepts at all shows in a longer watch: --for=10s"


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

    Connections are accepted in the order in which they came, so while those that came first stay, none is
    accepted. One that ended with RST has no age, and those of unix sockets have none either. There a queue
    that stays exactly full tells less, since clients that wait outside take each place that gets free.
    """
    if not any(each.shortest and not each.decreased for each in listener.sockets):
        return None
    waited = listener.oldest_wait_seconds
    if waited is None:
        return _by_length(listener, seconds)
    long_enough = listener.same_oldest_seconds >= max(_MIN_SECONDS, _COVERED * seconds)
    if not long_enough or waited < _LONG_SECONDS:
        return None
    if _all_stopped(listener) or listener.same_oldest_seconds >= _ENOUGH * _each_seconds(listener):
        return Certainty.CERTAIN
    return Certainty.LIKELY


def _each_seconds(listener: ListenerView) -> float:
    """Return how long a service takes for each connection in whose queue they wait for so long.

    That is Little's law. More seconds for each would make them wait longer.
    """
    length = max((each.shortest for each in listener.sockets if not each.decreased), default=0)
    return (listener.oldest_wait_seconds or 0.0) / max(1, length)


def _all_stopped(listener: ListenerView) -> bool:
    return bool(listener.processes) and all(process.stopped for process in listener.processes)


def _by_length(listener: ListenerView, seconds: float) -> Certainty | None:
    """Tell it of a queue none of whose connections has an age."""
    unmoved = [each for each in listener.sockets if each.always_full and each.unchanged]
    if not unmoved:
        return None
    if any(process.stopped or process.out_of_files for process in listener.processes):
        return Certainty.LIKELY
    if seconds >= _LONG_SECONDS and (listener.idle or listener.has_syn_queue):
        return Certainty.LIKELY
    samples = max(each.samples for each in unmoved)
    if seconds >= _LENGTH_ALONE_SECONDS and samples >= _LENGTH_ALONE_SAMPLES:
        return Certainty.POSSIBLE
    return None


def _stuck(listener: ListenerView, namespace: NamespaceView, certainty: Certainty, seconds: float) -> Finding:
    cause, change = cause_of(listener.processes)
    # Others may accept what comes to them (SO_REUSEPORT).
    some = any(each.decreased or not each.shortest for each in listener.sockets)
    what = f"{listener.name}: one of its {len(listener.sockets)} sockets" if some else listener.name
    possible = certainty is Certainty.POSSIBLE
    return finding_about(
        listener,
        name=NOT_ACCEPTING,
        title=f"{what} {'may accept' if possible else 'accepts'} no connection",
        severity=FindingSeverity.CRITICAL,
        certainty=certainty,
        evidence=(
            *_seen(listener, certainty, seconds, some=some),
            *load.evidence(listener, namespace),
            *(("its processes used no processor time in this watch",) if listener.idle and not cause else ()),
            *cause,
        ),
        change=f"{change}; if it accepts, give it more workers, or less load" if possible else change,
    )


def _seen(listener: ListenerView, certainty: Certainty, seconds: float, *, some: bool) -> Iterator[str]:
    """Say what was seen, and what else would look the same."""
    age = listener.oldest_wait_seconds
    if age is None:
        samples = max((each.samples for each in listener.sockets if each.unchanged), default=0)
        queue = "a queue" if some else "the queue"
        yield (
            f"in all of the {seconds:.1f} s of this watch {queue} stayed exactly full, "
            f"in each of {load.count(samples, 'sample')}"
        )
        if certainty is Certainty.POSSIBLE:
            yield "one that accepts looks the same where clients wait outside to take each free place"
        return
    same = listener.same_oldest_seconds
    if some:
        yield f"the oldest connection was not accepted in {same:.1f} s, and has waited for {age:.1f} s"
    else:
        yield f"nothing was accepted in {same:.1f} s: the oldest connection has waited for {age:.1f} s"
    if certainty is not Certainty.CERTAIN:
        each = _each_seconds(listener)
        yield (
            f"a service that accepts one connection in {each:.1f} s would look the same; "
            f"--for={ceil(_ENOUGH * each) + 1}s tells"
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
            *((_LONGER,) if not tcp and always and seconds < _LENGTH_ALONE_SECONDS else ()),
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
