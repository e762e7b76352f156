"""The owner of a listener: one record, and where each field of it is used."""

from __future__ import annotations

from dataclasses import dataclass, field, fields


def _fact(
    description: str, *, label: bool = False, match: bool = False, info: bool = False, also: str = ""
) -> dict[str, str | bool]:
    return {"description": description, "label": label, "match": match, "info": info, "also": also}


@dataclass(frozen=True, slots=True)
class Owner:
    """The process that owns a listener and where it runs; an unknown field is empty.

    All text is printable. `process` is the name of the program (exporter.owners.program), `command` that
    which the kernel has (/proc/<pid>/comm), and which rules match as well. `container` is the name of the
    container, or the first 12 digits of `container_id` where the name is unknown. `namespace` is that of
    Kubernetes.
    """

    process: str = field(
        default="", metadata=_fact("Name of the program.", label=True, match=True, also="command")
    )
    command: str = field(
        default="", metadata=_fact("Command name of the process, as ps shows it.", info=True)
    )
    unit: str = field(default="", metadata=_fact("Unit of systemd.", label=True, match=True, info=True))
    slice: str = field(default="", metadata=_fact("Slice of systemd.", info=True))
    container: str = field(
        default="",
        metadata=_fact(
            "Name of the container, or the first 12 digits of its ID.", label=True, match=True, info=True
        ),
    )
    container_id: str = field(default="", metadata=_fact("ID of the container.", info=True))
    runtime: str = field(default="", metadata=_fact("Runtime of the container.", info=True))
    pod: str = field(default="", metadata=_fact("Name of the pod.", label=True, match=True, info=True))
    namespace: str = field(
        default="", metadata=_fact("Kubernetes namespace of the pod.", label=True, match=True, info=True)
    )
    user: str = field(
        default="", metadata=_fact("Name of the user that the socket belongs to.", label=True, info=True)
    )
    cgroup: str = field(default="", metadata=_fact("Path of the cgroup.", info=True))


@dataclass(frozen=True, slots=True)
class OwnerFact:
    """A field of Owner.

    `description` is a sentence for the documents. `label`: the configuration's `labels` may put it on every
    series of a listener. `match`: a rule can match on it, or on the fact called `also` where that is set.
    `info`: it is a label of listen_queue_listener_info.
    """

    name: str
    description: str
    label: bool
    match: bool
    info: bool
    also: str

    def names(self, owner: Owner) -> tuple[str, ...]:
        """Return what rules compare with the patterns for it."""
        return (self.of(owner), getattr(owner, self.also)) if self.also else (self.of(owner),)

    def of(self, owner: Owner) -> str:
        """Return the value that `owner` has for it."""
        value: str = getattr(owner, self.name)
        return value


@dataclass(frozen=True, slots=True)
class SocketOwner:
    """What is known of one socket beside what the kernel's row tells.

    `order` sorts the owners of a group: the first is the owner of the group. `address` is where the socket is
    found now, empty where that is the address in the row. `stale_path` tells whether the path leads to
    another file, or to none. `has_holder` is false where searches of all processes over some
    seconds have found nobody who holds it.
    """

    owner: Owner
    order: tuple[int, int, int] = (3, 0, 0)
    address: str = ""
    stale_path: bool = False
    has_holder: bool = True


OWNER_FACTS = tuple(OwnerFact(declared.name, **declared.metadata) for declared in fields(Owner))
UNKNOWN_OWNER = Owner()
