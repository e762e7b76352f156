"""Which ports are used for what."""

from __future__ import annotations

from typing import Final

EXPORTER_PORT: Final = 10511
# Their queues change all the time.
BUSY_PORTS: Final = range(12_000, 12_010)
# These listeners come and go.
CHURNED_PORTS: Final = range(12_100, 12_140)
# Their queues change twice a minute.
STEADY_PORTS: Final = range(12_200, 12_220)
