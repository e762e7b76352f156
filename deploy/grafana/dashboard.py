"""The dashboard as a whole, and its JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from grafana_foundation_sdk.builders.dashboard import Dashboard, DashboardLink
from grafana_foundation_sdk.builders.dashboard import Row as RowBuilder
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as models

from deploy.grafana.annotations import all_annotations
from deploy.grafana.panels import DOCUMENTS, link
from deploy.grafana.rows import drops, exporter, full, namespaces, now, over_time, syn
from deploy.grafana.rows.row import Row
from deploy.grafana.variables import variables

UID: Final = "listen-queue"
FILE: Final = Path(__file__).with_name("listen-queue.json")

_ROWS: Final = (now, over_time, syn, drops, namespaces, exporter, full)
_ALL_LISTENERS: Final = "&".join(
    f"var-{name}=$__all" for name in ("cluster", "job", "instance", "netns", "process")
)

# Fields that the SDK always writes and that newer versions of Grafana do not have, or not in that place: the
# style of a dashboard, the footer of a table, the id of a variable, and the steps of interval variables.
_OBSOLETE_FIELDS: Final[dict[str, object]] = {
    "style": "dark",
    "footer": {"show": False, "countRows": False, "reducer": []},
    "id": "00000000-0000-0000-0000-000000000000",
    "auto": False,
    "auto_count": 30,
    "auto_min": "10s",
}


def text() -> str:
    """The dashboard as Grafana imports it."""
    written = json.loads(json.dumps(_dashboard(), cls=JSONEncoder), object_hook=_without_obsolete_fields)
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
        .annotations(all_annotations())
        .links(
            [
                DashboardLink("Everything")
                .type(models.DashboardLinkType.LINK)
                .url(f"/d/{UID}?{_ALL_LISTENERS}"),
                link("What to do", f"{DOCUMENTS}/runbooks.md"),
                link("What the numbers mean", f"{DOCUMENTS}/metrics.md"),
            ]
        )
    )
    for row in _ROWS:
        _add(made, row.row())
    return _with_ids(made.build())


def _without_obsolete_fields(written: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value
        for name, value in written.items()
        if name not in _OBSOLETE_FIELDS or value != _OBSOLETE_FIELDS[name]
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


def _with_ids(made: models.Dashboard) -> models.Dashboard:
    """Give every panel an id, which links to single panels contain."""
    ids = iter(range(1, 1000))
    for panel in made.panels or []:
        panel.id_val = next(ids)
        if isinstance(panel, models.RowPanel):
            for inner in panel.panels:
                inner.id_val = next(ids)
    return made
