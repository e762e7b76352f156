"""docs/config.schema.json, made from the declared keys: `python -m exporter.config.schema`."""

from __future__ import annotations

import json
import sys

from exporter.config.model import Config
from exporter.yamlfile.section import MappingType
from exporter.yamlfile.values import JsonSchema

_HEAD: JsonSchema = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "$comment": "Written by `make reference` from the declarations in exporter/config/model.py.",
    "title": "Configuration of listen-queue-exporter",
}


def schema() -> JsonSchema:
    """Return a JSON Schema (draft 2020-12) of the file."""
    return {**_HEAD, **MappingType(Config).format.schema}


if __name__ == "__main__":
    json.dump(schema(), sys.stdout, indent=2)
    sys.stdout.write("\n")
