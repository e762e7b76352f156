"""`doctor`: what is wrong with the listen queues of this host, and what to change."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import replace
from typing import Final

from exporter.cli import output, report
from exporter.cli.doctor_flags import DoctorFlags
from exporter.cli.host_sampling import sampled_host
from exporter.config import Config
from exporter.doctor.examination import examine
from exporter.doctor.watch import Watch
from exporter.sampling.clock import SYSTEM_CLOCK, Clock

# Of one core, for a few seconds: with the budget of a daemon a watch would see one sample of most namespaces.
_CPU_BUDGET: Final = 0.25


def doctor(flags: DoctorFlags, clock: Clock = SYSTEM_CLOCK) -> int:
    """Watch the host, and print what was found. Raises RunError where its listeners cannot be read.

    The status is 0 whatever was found: it tells whether the question was answered, and JSON has the answer.
    """
    sampler = sampled_host(flags.config_file, clock, _with_budget)
    host = Watch(sampler, clock, time.sleep).run(flags.seconds)
    findings = examine(host)
    if flags.json:
        output.write(report.document(host, findings))
        return 0
    terminal = sys.stdout.isatty()
    text = report.text(host, findings, colour=terminal and not os.environ.get("NO_COLOR"))
    # A program that reads it may know no other characters than ASCII.
    output.write(text if terminal else text.encode("ascii", "backslashreplace").decode())
    return 0


def _with_budget(config: Config) -> Config:
    budget = max(config.sampling.cpu_budget_ratio, _CPU_BUDGET)
    return replace(config, sampling=replace(config.sampling, cpu_budget_ratio=budget))
