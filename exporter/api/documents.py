"""Every document of the API, with the handler of those that are served."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass

from exporter.api.details import Details
from exporter.api.handler import DocumentHandler, lists_allowance
from exporter.api.history import History
from exporter.api.listeners import Listeners
from exporter.api.overview import Overview
from exporter.sampling.clock import Clock
from exporter.sampling.sampler import Sampler
from exporter.web.cpu_allowance import CpuAllowance
from exporter.web.route import Handler


@dataclass(frozen=True, slots=True)
class Documents:
    """The handlers of those that are served as JSON, and what the pages for people are made from.

    `lists_allowance` is to be charged with what it takes to find out who waits.
    """

    listeners: Handler
    history: Handler
    overview: Overview
    details: Details
    lists_allowance: CpuAllowance


def build_documents(sampler: Sampler, clock: Clock, executor: Executor, allowance: CpuAllowance) -> Documents:
    """Return documents about this sampler; handlers make them in `executor`, charged to `allowance`."""
    lists = lists_allowance(allowance)
    return Documents(
        DocumentHandler(Listeners(sampler, clock).document, executor, allowance, lists),
        DocumentHandler(History(sampler, clock).document, executor, allowance, lists),
        Overview(sampler, clock),
        Details(sampler, clock),
        lists,
    )
