"""`doctor`: what is wrong with the listen queues of this host, and what to change."""

from __future__ import annotations

import os
import sys
import time

from exporter.cli import output, progress, report
from exporter.cli.doctor_flags import DoctorFlags
from exporter.cli.host_sampling import sampled_host, with_watch_budget
from exporter.cli.terminal import Terminal
from exporter.doctor.examination import examine
from exporter.doctor.watch import Watch
from exporter.sampling.clock import SYSTEM_CLOCK, Clock


def doctor(flags: DoctorFlags, clock: Clock = SYSTEM_CLOCK) -> int:
    """Watch the host, and print what was found. Raises RunError where its listeners cannot be read.

    The status is 0 whatever was found: it tells whether the question was answered, and JSON has the answer.
    """
    sampler = sampled_host(flags.config_file, clock, with_watch_budget)
    with progress.watching(flags.seconds):
        host = Watch(sampler, clock, time.sleep).run(flags.seconds)
    findings = examine(host)
    if flags.json:
        output.write(report.document(host, findings))
        return 0
    terminal = Terminal.of(sys.stdout, os.environ)
    output.write(report.text(host, findings, colour=terminal.colours, encoding=terminal.encoding))
    return 0
