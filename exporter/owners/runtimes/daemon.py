"""Processes of container runtimes, whose arguments tell where they keep their files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class ContainerDaemon:
    """A process that manages containers.

    `name` is its command name, `arguments` are those of /proc/<pid>/cmdline. `root` is where its file system
    begins, seen from here: /proc/<pid>/root. `uid` is its effective user, and `cgroup` the content of its
    /proc/<pid>/cgroup.
    """

    name: str
    pid: int
    arguments: tuple[str, ...]
    root: str
    uid: int
    cgroup: bytes

    def option(self, *names: str) -> str:
        """Return the value of the first option with one of these names, empty where there is none."""
        return next(options(self.arguments, *names), "")


class Daemons(Protocol):
    """Finds the daemons that run."""

    def find(self, now: float) -> Iterator[None]:
        """Look for daemons, in steps (`now` in monotonic seconds)."""
        ...

    @property
    def found(self) -> Sequence[ContainerDaemon]:
        """Those that were found last."""
        ...


def options(arguments: Sequence[str], *names: str) -> Iterator[str]:
    """Yield the values of the options with these names.

    As pflag and GLib read them: `--name value`, `--name=value`, and for one letter also `-nvalue`.
    """
    for index, argument in enumerate(arguments):
        if argument in names:
            yield from arguments[index + 1 : index + 2]
            continue
        for name in names:
            if argument.startswith(f"{name}="):
                yield argument.removeprefix(f"{name}=")
            elif len(name) == 2 and argument.startswith(name):  # noqa: PLR2004  (a dash and a letter)
                yield argument.removeprefix(name)
