"""What a source is: one question that the kernel is asked again and again, and what its answer changes.

To add one: write a class here, and name it in `namespace_sources` (exporter/sampling/namespace_sampler.py).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from typing import ClassVar, Generic, TypeVar

from exporter.config.model import Config
from exporter.kernel.errors import KernelError
from exporter.sampling.history.timeline import SampleTimeline

Answer = TypeVar("Answer")


class SourceStats:
    """What a source, or several of one name, have counted since the program started."""

    def __init__(self) -> None:
        self.samples = 0
        self.missed = 0
        self.cpu_seconds = 0.0
        self.errors: Counter[str] = Counter()

    def count_sample(self) -> None:
        """Count a sample that succeeded."""
        self.samples += 1

    def count_cpu(self, seconds: float) -> None:
        """Count processor time."""
        self.cpu_seconds += seconds

    def count_missed(self, due_times: int) -> None:
        """Count due times that passed without a sample."""
        self.missed += due_times

    def count_error(self, error: KernelError) -> None:
        """Count a sample that failed, by the reason."""
        self.errors[error.reason] += 1

    def add(self, other: SourceStats) -> None:
        """Add what another source has counted."""
        self.samples += other.samples
        self.missed += other.missed
        self.cpu_seconds += other.cpu_seconds
        # A copy, since the other source may go on.
        self.errors += other.errors.copy()


class Source(ABC, Generic[Answer]):
    """A source of one network namespace. Times are monotonic seconds; one thread calls all methods."""

    # The shortest time between two samples, where sampling.interval is not longer; in seconds.
    min_interval_seconds: ClassVar[float] = 0.0
    # The same in another namespace whose queues have been empty for a minute.
    quiet_interval_seconds: ClassVar[float] = 0.0
    # The files of /proc that it reads, which the broker opens where the namespace is another one; it opens
    # those of NAMESPACE_FILES (exporter/broker/readable_files.py) only.
    file_names: ClassVar[tuple[str, ...]] = ()
    # Whether an error stands until the next answer, or is void as soon as there is nothing to ask.
    keeps_error_while_idle: ClassVar[bool] = False

    def __init__(self, name: str, timeline: SampleTimeline | None = None) -> None:
        """Set the value of the label `source`, and the timeline that histories made from it count by."""
        self.name = name
        self.timeline = SampleTimeline() if timeline is None else timeline
        self.stats = SourceStats()
        # The processor time that another limit than that of its schedule accounts for, in seconds.
        self.limited_seconds = 0.0

    @property
    @abstractmethod
    def method(self) -> str | None:
        """How the kernel is asked now, for the label `method`; None where it cannot be asked."""

    @property
    @abstractmethod
    def asks_for(self) -> str:
        """What it asks for, in the words of a message to people who cannot see it."""

    def interval(self, configured: float) -> float:
        """Return the seconds between two samples where sampling.interval is `configured`."""
        return max(configured, self.min_interval_seconds)

    def pending(self, now: float) -> bool:  # noqa: ARG002  (for sources that have nothing to ask at times)
        """Tell whether there is anything to ask."""
        return True

    @abstractmethod
    def ask(self, now: float) -> Answer:
        """Ask the kernel. Called without the lock; changes nothing that is published. Raises KernelError."""

    @abstractmethod
    def apply(self, answer: Answer, now: float) -> None:
        """Change the published state, with the lock held and the sample on the timeline.

        Raises KernelError where the answer is used and yet tells too little to be called a success.
        """

    def configure(self, config: Config) -> None:
        """Take another configuration; called with the lock held."""
