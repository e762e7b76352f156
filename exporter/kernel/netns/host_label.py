"""The label `netns` of the namespace that the exporter runs in."""

from __future__ import annotations

from typing import Final

HOST: Final = "host"
