"""`python -m deploy.grafana [FILE]`: write the dashboard anew, or to another file."""

from __future__ import annotations

import sys
from pathlib import Path

from deploy.grafana.dashboard import FILE, text

Path(sys.argv[1] if len(sys.argv) > 1 else FILE).write_text(text())
