"""docs/config.schema.json, made from the declared keys: `python -m exporter.config.schema`."""

from __future__ import annotations

import json
import sys

from exporter.config.model import Config
from exporter.config.section import MappingType
from exporter.config.values import JsonSchema

_HEAD: JsonSchema = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "$comment": "Written by `make reference` from the declarations in exporter/config/model.py.",
    "title": "Configuration of listen-queue-exporter",
}


def schema() -> JsonSchema:
    """Return a JSON Schema (draft 2020-12) of the file; an empty file is valid, too."""
    return {**_HEAD, **MappingType(Config).format.schema, "type": ["object", "null"]}


if __name__ == "__main__":
    json.dump(schema(), sys.stdout, indent=2)
    sys.stdout.write("\n")
