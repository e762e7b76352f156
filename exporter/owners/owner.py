"""The owner of a listener: one record, and where each field of it is used."""

from __future__ import annotations

from dataclasses import dataclass, field, fields


def _use(*, label: bool = False, match: bool = False, info: bool = False) -> dict[str, bool]:
    return {"label": label, "match": match, "info": info}


@dataclass(frozen=True, slots=True)
class Owner:
    """The process that owns a listener and where it runs; an unknown field is empty.

    All text is printable. `process` is the command name (/proc/<pid>/comm) at the time the process was
    found; a later rename is not followed while the socket lives. `container` is the name of the container,
    or the first 12 digits of `container_id` where the name is unknown. `namespace` is that of Kubernetes.
    """

    process: str = field(default="", metadata=_use(label=True, match=True))
    unit: str = field(default="", metadata=_use(label=True, match=True, info=True))
    slice: str = field(default="", metadata=_use(info=True))
    container: str = field(default="", metadata=_use(label=True, match=True, info=True))
    container_id: str = field(default="", metadata=_use(info=True))
    runtime: str = field(default="", metadata=_use(info=True))
    pod: str = field(default="", metadata=_use(label=True, match=True, info=True))
    namespace: str = field(default="", metadata=_use(label=True, match=True, info=True))
    user: str = field(default="", metadata=_use(label=True, info=True))
    cgroup: str = field(default="", metadata=_use(info=True))


@dataclass(frozen=True, slots=True)
class OwnerFact:
    """A field of Owner.

    `label`: the configuration's `labels` may put it on every series of a listener. `match`: a rule can
    match on it. `info`: it is a label of listen_queue_listener_info.
    """

    name: str
    label: bool
    match: bool
    info: bool

    def of(self, owner: Owner) -> str:
        """Return the value that `owner` has for it."""
        value: str = getattr(owner, self.name)
        return value


OWNER_FACTS = tuple(OwnerFact(declared.name, **declared.metadata) for declared in fields(Owner))
UNKNOWN_OWNER = Owner()
