"""What the log says of sources that fail."""

from __future__ import annotations

import logging

from exporter.sampling.source_runner import SourceRunner

log = logging.getLogger(__name__)


def report(runner: SourceRunner) -> None:
    """Log that a source fails, or that it works again; to be called once for each change of that."""
    fields = {"source": runner.name, "netns": runner.netns}
    if runner.error is None:
        log.info("source works again", extra={"fields": fields})
    else:
        log.warning("source failed: %s", runner.error, extra={"fields": fields})
