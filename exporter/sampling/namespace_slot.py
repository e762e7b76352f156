"""One of the other namespaces, with the schedule by which it is sampled."""

from __future__ import annotations

from typing import Final

from exporter.kernel.errors import KernelError
from exporter.kernel.netns.remote import RemoteNamespace
from exporter.sampling.clock import Clock
from exporter.sampling.namespace_sampler import NamespaceSampler
from exporter.sampling.schedule import OVERDUE_SECONDS, Schedule
from exporter.sampling.source_runner import SourceRunner

# A namespace counts as quiet when its queues have been empty for so long.
QUIET_SECONDS: Final = 60.0
# So much of its interval a sample may come late, where that saves waking up for it alone.
_WAIT_PART: Final = 0.05


class NamespaceSlot:
    """A namespace whose sources are sampled together, on `schedule`. Times are monotonic seconds.

    `others` are the sources that are not asked each time, and have a share of their own; `others_wait` tells
    that only the listeners were asked for yet. `cpu_seconds` is the processor time that the namespace has
    taken, with what the broker used for it.
    """

    def __init__(
        self, inode: int, remote: RemoteNamespace, sampler: NamespaceSampler, interval: float, clock: Clock
    ) -> None:
        """Start due at once; `interval` is the shortest time between two samples, in seconds."""
        self.inode = inode
        self.remote = remote
        self.sampler = sampler
        self.schedule = Schedule(interval)
        self.cpu_seconds = 0.0
        self.quiet = True
        self.others_wait = True
        self.file_names = {name for runner in sampler.runners for name in runner.file_names}
        self._clock = clock
        self._always = tuple(runner for runner in sampler.runners if runner.every_slot)
        self.others = tuple(runner for runner in sampler.runners if not runner.every_slot)
        self._broker_seconds = 0.0
        self._followed: tuple[float, bool] | None = None
        self._last_waiting_at: float | None = None

    def sample(self, now: float) -> list[SourceRunner]:
        """Ask the sources that are due, and return those whose error came, changed or went.

        The first time that is the listeners alone; the others follow with `sample_others`.
        """
        started = used = self._clock.cpu()
        missed = self.schedule.advance(now)
        changed = []
        for runner in self._always:
            runner.count_missed(missed)
            used = runner.sample(now, used)
            if runner.error_changed():
                changed.append(runner)
        self._note_cost(used - started, now)
        if not self.others_wait:
            changed += self._sample_others(now, used)
        self._look_for_waiting(now)
        return changed

    def sample_others(self, now: float) -> list[SourceRunner]:
        """Ask the other sources for the first time, and return those whose error came, changed or went."""
        self.others_wait = False
        changed = self._sample_others(now, self._clock.cpu())
        self._look_for_waiting(now)
        return changed

    def ask_all_at_once(self) -> None:
        """Have `sample` ask the other sources as well, where they still wait."""
        self.others_wait = False

    def _sample_others(self, now: float, used: float) -> list[SourceRunner]:
        """Ask those of the other sources that are due; `used` is what `clock.cpu` tells now."""
        changed = []
        for runner in self.others:
            if runner.due_in_slot(now, self.schedule.interval_in_force):
                before = used
                used = runner.run_and_note(now, used)
                self.cpu_seconds += used - before
                if runner.error_changed():
                    changed.append(runner)
        return changed

    def due(self, now: float) -> float:
        """Return when it is to be sampled, which is now where it never was."""
        return now if self.schedule.due is None else self.schedule.due

    def latest(self, now: float) -> float:
        """Return until when it may wait for another reason to wake up."""
        return self.due(now) + _WAIT_PART * self.schedule.interval_in_force

    def precedence(self, now: float) -> tuple[int, float]:
        """Return what sorts namespaces that are due: the first is sampled first.

        That is one that never was or is overdue: a queue that fills is seen by a sample alone. Then comes one
        in whose queues connections waited lately.
        """
        due = self.due(now)
        if self.schedule.ran_at is None or now - self.schedule.ran_at > OVERDUE_SECONDS:
            return 0, due
        return (2 if self.quiet else 1), due

    def fail(self, error: KernelError) -> list[SourceRunner]:
        """Note that the sources could not be asked, and return those whose error came or changed."""
        for runner in self.sampler.runners:
            runner.fail(error)
        return [runner for runner in self.sampler.runners if runner.error_changed()]

    def set_interval(self, interval: float, now: float) -> None:
        """Take another shortest time between two samples, in seconds."""
        if interval != self.schedule.interval:
            self.schedule.set_interval(interval)
            self._follow(now)

    def requested_share(self) -> float:
        """Return the share of one core that its listeners, at the shortest interval, would use."""
        return self.schedule.requested_share()

    def least_share(self) -> float:
        """Return the share of one core that its listeners, at the longest interval, would use."""
        return self.schedule.least_share()

    def limit_to(self, share: float, now: float) -> None:
        """Stretch the time between samples until they fit into `share` of one core."""
        self.schedule.limit_to(share, now)
        self._follow(now)

    def set_min_interval(self, seconds: float, now: float) -> None:
        """Sample every `seconds` from now on."""
        self.schedule.set_min_interval(seconds, now)
        self._follow(now)

    def _follow(self, now: float) -> None:
        """Let the sources follow where the interval in force, or whether it is quiet, has changed."""
        followed = self.schedule.interval_in_force, self.quiet
        if followed != self._followed:
            self._followed = followed
            self.sampler.follow_slots(self.schedule.interval_in_force, now, quiet=self.quiet)

    def _note_cost(self, seconds: float, now: float) -> None:
        in_broker = self.remote.broker_seconds - self._broker_seconds
        self._broker_seconds = self.remote.broker_seconds
        self.cpu_seconds += seconds + in_broker
        self.schedule.note_cost(seconds + in_broker, now)

    def _look_for_waiting(self, now: float) -> None:
        if self.sampler.table.waiting():
            self._last_waiting_at = now
            if self.quiet:
                # The budget is divided anew within a second; until then it is sampled at the full rate.
                self.quiet = False
                self.schedule.set_min_interval(0.0, now)
                self._follow(now)
        elif not self.quiet and self._last_waiting_at is not None:
            self.quiet = now - self._last_waiting_at > QUIET_SECONDS
            if self.quiet:
                self._follow(now)
