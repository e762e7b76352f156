"""Writes the keys of the exporter's configuration into the schema of the Helm chart's values.

    python -m deploy.kubernetes.chart_schema

Helm checks `config` and `allPods.config` with it before anything is installed.
"""

from __future__ import annotations

import json
from pathlib import Path

from exporter.config.model import Config
from exporter.yamlfile.section import MappingType

PATH = Path(__file__).resolve().parents[1] / "helm" / "listen-queue-exporter" / "values.schema.json"


def written() -> str:
    """Return what the file has to be: all but the definition of `config` is as it is."""
    schema = json.loads(PATH.read_text())
    schema["definitions"]["config"] = MappingType(Config).format.schema
    return json.dumps(schema, indent=2) + "\n"


if __name__ == "__main__":
    PATH.write_text(written())
