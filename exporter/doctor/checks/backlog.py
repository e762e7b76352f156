"""Whether backlogs are as large as they could be, where queues fill."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from exporter.doctor.backlog_settings.backlog_setting import BacklogSetting
from exporter.doctor.backlog_settings.lookup import setting_of
from exporter.doctor.checks import load
from exporter.doctor.checks.accepting import accepts_nothing
from exporter.doctor.checks.subject import finding_about
from exporter.doctor.finding import Certainty, Finding, FindingSeverity
from exporter.doctor.host_view import HostView, ListenerView, NamespaceView

CAPPED: Final = "backlog-capped"
SMALL: Final = "backlog-small"
TINY: Final = "backlog-tiny"
# The default of net.core.somaxconn since Linux 5.4.
_LARGE: Final = 4096
# A burst of this many clients at once is nothing unusual for whoever can be reached from everywhere.
_TINY: Final = 16
_EVERYWHERE: Final = frozenset({"0.0.0.0", "::"})  # noqa: S104  (compared with, not bound to)


def backlogs(host: HostView) -> Iterator[Finding]:
    """Find backlogs that are too small for what happens, each with what limits it."""
    for namespace in host.namespaces:
        somaxconn = namespace.sysctls.somaxconn if namespace.sysctls is not None else None
        for listener in namespace.listeners:
            limit = listener.limit
            # A larger queue would be full as well where nothing is accepted.
            if limit is None or accepts_nothing(listener, host.seconds):
                continue
            setting = setting_of(listener.owner)
            loaded = load.busy(listener, namespace)
            # A larger one was granted before the setting was lowered.
            if somaxconn is not None and limit == somaxconn:
                if loaded or (setting.backlog or 0) > limit:
                    yield _capped(listener, namespace, setting, somaxconn)
            elif somaxconn is not None and limit <= somaxconn / 2 and loaded:
                yield _small(listener, namespace, setting, somaxconn)
            elif limit < _TINY and listener.key.address in _EVERYWHERE:
                yield _tiny(listener, setting, limit, lost=loaded or load.may_have_lost(listener, namespace))


def _capped(
    listener: ListenerView, namespace: NamespaceView, setting: BacklogSetting, somaxconn: int
) -> Finding:
    loaded = load.busy(listener, namespace)
    wanted = max(_LARGE, 2 * somaxconn)
    own = f"; its own setting is {setting.key} (default: {setting.default})" if setting.service else ""
    asked = f"{setting.service} asks for {setting.backlog} unless it is told otherwise"
    return finding_about(
        listener,
        name=CAPPED,
        title=f"{listener.name}: its backlog is capped by net.core.somaxconn",
        severity=FindingSeverity.WARNING if loaded else FindingSeverity.NOTE,
        certainty=Certainty.CERTAIN if listener.was_full else Certainty.LIKELY,
        evidence=(
            f"its backlog is {somaxconn}, which is net.core.somaxconn here: the kernel grants no more",
            *((asked,) if (setting.backlog or 0) > somaxconn else ()),
            *load.evidence(listener, namespace),
        ),
        change=(
            f"set net.core.somaxconn to {wanted} (sysctl -w net.core.somaxconn={wanted}, and in "
            "/etc/sysctl.d; a container has its own), then restart the service: a socket keeps the backlog "
            f"that it got{own}"
        ),
    )


def _small(
    listener: ListenerView, namespace: NamespaceView, setting: BacklogSetting, somaxconn: int
) -> Finding:
    return finding_about(
        listener,
        name=SMALL,
        title=f"{listener.name}: its backlog is far below what the kernel would grant",
        severity=FindingSeverity.WARNING,
        certainty=Certainty.CERTAIN if listener.was_full else Certainty.LIKELY,
        evidence=(
            f"its backlog is {listener.limit}, and net.core.somaxconn here is {somaxconn}",
            *load.evidence(listener, namespace),
        ),
        change=_larger(setting),
    )


def _tiny(listener: ListenerView, setting: BacklogSetting, limit: int, *, lost: bool) -> Finding:
    waiting = load.count(limit + 1, "client waits", "clients wait")
    return finding_about(
        listener,
        name=TINY,
        title=f"{listener.name}: reachable on every address with a tiny backlog",
        severity=FindingSeverity.NOTE,
        certainty=Certainty.CERTAIN,
        evidence=(
            f"its backlog is {limit}: when {waiting}, the next one is dropped",
            *(() if lost else ("nobody was lost so far, as far as the kernel counts",)),
        ),
        change=_larger(setting),
    )


def _larger(setting: BacklogSetting) -> str:
    if not setting.service:
        return f"raise {setting.key} in its program, or the setting that it comes from, and restart it"
    return (
        f"raise {setting.key} ({setting.service}; default: {setting.default}); applied by: {setting.applied}"
    )
