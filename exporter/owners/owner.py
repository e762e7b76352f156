"""What is known of the owner of a listener."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Owner:
    """The process behind a listener and where it runs; empty text where that is not known.

    All text is safe to show. `process` is the command name that the process had when it was found:
    one that renames itself keeps the old name here as long as the socket lives. `container` is the
    name of the container, or the first 12 digits of `container_id`. `namespace` is Kubernetes'.
    """

    process: str = ""
    user: str = ""
    unit: str = ""
    slice: str = ""
    container: str = ""
    container_id: str = ""
    runtime: str = ""
    pod: str = ""
    namespace: str = ""
    cgroup: str = ""


UNKNOWN_OWNER = Owner()
