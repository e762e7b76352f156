"""One scene, played in a child process with a network namespace of its own."""

from __future__ import annotations

import traceback
from collections.abc import Callable

from bench.cost import Findings, Missing
from bench.plan import Scene
from testbed import child
from testbed.child import Ending, Outcome

# Nothing takes this many times what was expected unless it hangs.
_PATIENCE = 10
_LEAST_SECONDS = 120.0


def play(scene: Scene, progress: Callable[[float], None]) -> Findings:
    """Play it. Whatever it started is gone afterwards; where it failed, the findings say why."""

    def body() -> Outcome:
        try:
            return Outcome(Ending.PASSED, scene.measure(progress))
        except BaseException as error:  # noqa: BLE001  (the parent has to hear of a skip by pytest's helpers too)
            return Outcome(Ending.FAILED, f"{error}", "".join(traceback.format_exception(error)))

    outcome = child.run(body, max(_LEAST_SECONDS, _PATIENCE * scene.seconds))
    if isinstance(outcome.detail, Findings):
        return outcome.detail
    reason = str(outcome.detail).splitlines()
    where = outcome.log.strip().splitlines()
    return Findings(
        missing=(Missing(scene.name, " ".join([*reason[:1], *where[-3:-1]]).strip() or "failed"),)
    )
