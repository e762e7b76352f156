"""Every document of the API, with the handler that serves it."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass

from exporter.api.handler import DocumentHandler
from exporter.api.history import History
from exporter.api.listeners import Listeners
from exporter.sampling.clock import Clock
from exporter.sampling.sampler import Sampler
from exporter.web.cpu_allowance import CpuAllowance
from exporter.web.route import Handler


@dataclass(frozen=True, slots=True)
class Documents:
    """Their handlers."""

    listeners: Handler
    history: Handler


def build_documents(sampler: Sampler, clock: Clock, executor: Executor, allowance: CpuAllowance) -> Documents:
    """Return documents about this sampler, which are made in `executor` and charged to `allowance`."""
    return Documents(
        *(
            DocumentHandler(each.document, executor, allowance)
            for each in (Listeners(sampler, clock), History(sampler, clock))
        )
    )
