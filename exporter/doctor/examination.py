"""Every check, and what all of them find on a host, worst first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from exporter.doctor.checks.accepting import accepting
from exporter.doctor.checks.backlog import backlogs
from exporter.doctor.checks.drops import drops
from exporter.doctor.checks.reuseport import unbalanced
from exporter.doctor.checks.settings import settings, syn_backlog
from exporter.doctor.finding import Finding
from exporter.doctor.host_view import HostView

Check = Callable[[HostView], Iterator[Finding]]

# To add a check: write it in a module of exporter/doctor/checks, and name it here.
CHECKS: Final[tuple[Check, ...]] = (accepting, unbalanced, drops, backlogs, settings, syn_backlog)


def examine(host: HostView) -> tuple[Finding, ...]:
    """Return every finding, the worst first, and of equals the surest."""
    return tuple(sorted((found for check in CHECKS for found in check(host)), key=Finding.order))
