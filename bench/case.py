"""One case of the benchmark, measured in a child process with a network namespace of its own."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from bench.results import CaseResult, NotMeasured
from bench.timing import Progress
from testbed import child
from testbed.child import Ending, Outcome

# A case that takes so many times its expected seconds hangs.
_MAX_MULTIPLE: Final = 10
_MIN_TIMEOUT_SECONDS: Final = 120.0


@dataclass(frozen=True, slots=True)
class Case:
    """What is measured, and about how long it takes."""

    name: str
    expected_seconds: float
    measure: Callable[[Progress], CaseResult]


def run(case: Case, progress: Progress) -> CaseResult:
    """Measure a case. All its processes have ended then; where it failed, the result says why."""

    def body() -> Outcome:
        try:
            return Outcome(Ending.PASSED, case.measure(progress))
        except BaseException as error:  # noqa: BLE001  (pytest.skip, which testbed raises, is no Exception)
            return Outcome(Ending.FAILED, f"{error}", "".join(traceback.format_exception(error)))

    outcome = child.run(body, max(_MIN_TIMEOUT_SECONDS, _MAX_MULTIPLE * case.expected_seconds))
    if isinstance(outcome.detail, CaseResult):
        return outcome.detail
    message = str(outcome.detail).splitlines()[:1]
    raised_at = outcome.log.strip().splitlines()[-3:-1]
    reason = " ".join([*message, *raised_at]).strip() or "failed"
    return CaseResult(not_measured=(NotMeasured(case.name, reason),))
