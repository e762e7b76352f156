"""The dashboard as a whole, and its JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from grafana_foundation_sdk.builders.dashboard import Dashboard, DashboardLink
from grafana_foundation_sdk.builders.dashboard import Row as RowBuilder
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as models

from deploy.grafana.annotations import marks
from deploy.grafana.panels import DOCUMENTS, link
from deploy.grafana.rows import drops, exporter, namespaces, now, over_time, syn
from deploy.grafana.rows.row import Row
from deploy.grafana.variables import variables

UID: Final = "listen-queue"
FILE: Final = Path(__file__).with_name("listen-queue.json")

_ROWS: Final = (now, over_time, syn, drops, namespaces, exporter)
_EVERYTHING: Final = "&".join(f"var-{name}=$__all" for name in ("job", "instance", "netns", "process"))

# What the SDK writes of its own accord and newer Grafanas have no more, or not in that place: the style of a
# dashboard, the foot of a table, the number of a variable, and the step of variables that are no intervals.
_LEFTOVERS: Final[dict[str, object]] = {
    "style": "dark",
    "footer": {"show": False, "countRows": False, "reducer": []},
    "id": "00000000-0000-0000-0000-000000000000",
    "auto": False,
    "auto_count": 30,
    "auto_min": "10s",
}


def text() -> str:
    """The dashboard as Grafana imports it."""
    written = json.loads(json.dumps(_dashboard(), cls=JSONEncoder), object_hook=_without_leftovers)
    return json.dumps(written, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _dashboard() -> models.Dashboard:
    made = (
        Dashboard("Listen queues")
        .uid(UID)
        .description("Which service fails to accept connections, by how much, and since when.")
        .tags(["listen-queue", "network", "prometheus"])
        .readonly()
        .time("now-1h", "now")
        .refresh("30s")
        .timezone("browser")
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .variables(variables())
        .annotations(marks())
        .links(
            [
                DashboardLink("Everything")
                .type(models.DashboardLinkType.LINK)
                .url(f"/d/{UID}?{_EVERYTHING}"),
                link("What to do", f"{DOCUMENTS}/runbooks.md"),
                link("What the numbers mean", f"{DOCUMENTS}/metrics.md"),
            ]
        )
    )
    for row in _ROWS:
        _add(made, row.row())
    return _numbered(made.build())


def _without_leftovers(written: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value for name, value in written.items() if name not in _LEFTOVERS or value != _LEFTOVERS[name]
    }


def _add(made: Dashboard, row: Row) -> None:
    builder = RowBuilder(row.title)
    if row.closed:
        for panel in row.panels:
            builder.with_panel(panel)
        made.with_row(builder)
        return
    made.with_row(builder)
    for panel in row.panels:
        made.with_panel(panel)


def _numbered(made: models.Dashboard) -> models.Dashboard:
    """Give every panel a number, which links to single panels use."""
    numbers = iter(range(1, 1000))
    for panel in made.panels or []:
        panel.id_val = next(numbers)
        if isinstance(panel, models.RowPanel):
            for inner in panel.panels:
                inner.id_val = next(numbers)
    return made
