"""The names of a container, as far as its runtime or the kubelet has written them down."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from exporter.kernel.text import printable

# Kubernetes, containerd and the engines have shorter names. A longer one is not of their making.
_MAX_LENGTH: Final = 255


@dataclass(frozen=True, slots=True)
class ContainerNames:
    """Printable names, empty where unknown. `runtime` is set where the file that was read implies it."""

    container: str = ""
    pod: str = ""
    namespace: str = ""
    runtime: str = ""

    def or_else(self, other: ContainerNames) -> ContainerNames:
        """Return these names, with those of `other` where one is empty."""
        return ContainerNames(
            self.container or other.container,
            self.pod or other.pod,
            self.namespace or other.namespace,
            self.runtime or other.runtime,
        )


NO_NAMES = ContainerNames()


def name_of(value: Any) -> str:
    """Return a name that was read from a file, printable; empty where the value is none."""
    if not isinstance(value, str) or len(value) > _MAX_LENGTH:
        return ""
    # A string of JSON may contain a lone surrogate, and the name of a file any byte but NUL and slash.
    return printable(value.encode("utf-8", "surrogatepass"))
