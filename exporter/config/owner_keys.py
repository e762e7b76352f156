"""The facts about the owner of a listener that rules match and that `labels` lists, declared once."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class OwnerKey:
    """One fact. `is_match_key` and `is_label` say whether rules match it and whether it may be a label."""

    name: str
    description: str
    is_match_key: bool = True
    is_label: bool = True


OWNER_KEYS = (
    OwnerKey("process", "Command name of the process."),
    OwnerKey("unit", "Unit of systemd."),
    OwnerKey("container", "Name of the container, or the first 12 digits of its ID."),
    OwnerKey("pod", "Name of the pod in Kubernetes."),
    OwnerKey("namespace", "Namespace of the pod in Kubernetes."),
    OwnerKey("user", "Name of the user that the socket belongs to.", is_match_key=False),
)

OWNER_LABELS = tuple(key.name for key in OWNER_KEYS if key.is_label)
