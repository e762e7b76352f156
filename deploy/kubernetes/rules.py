"""Writes the rules of deploy/prometheus/rules in the forms that Kubernetes and Helm use.

    python -m deploy.kubernetes.rules

In the kustomize base they are a PrometheusRule. In the Helm chart they are a file that a template inserts as
it is: the annotations are templates of Prometheus, and Helm would expand their braces.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

_DEPLOY = Path(__file__).resolve().parents[1]
_SOURCES = _DEPLOY / "prometheus" / "rules"
_NAME = "listen-queue-exporter"
_HEAD = "# Written by `python -m deploy.kubernetes.rules`; change deploy/prometheus/rules instead.\n"
_WIDTH = 110


class _Dumper(yaml.SafeDumper):
    """Writes text of several lines as a block, and repeats an object that occurs twice."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002  (PyYAML's signature)
        """True: the API server does not know aliases."""
        return True


def _text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def groups() -> list[Any]:
    """Return every group of rules, in the order of the names of the files."""
    loaded = (yaml.safe_load(source.read_text()) for source in sorted(_SOURCES.glob("*.yml")))
    return [group for file in loaded for group in file["groups"]]


def written() -> dict[Path, str]:
    """Return the text of each generated file."""
    spec = {"groups": groups()}
    rule = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": _NAME, "labels": {"app.kubernetes.io/name": _NAME}},
        "spec": spec,
    }
    return {
        _DEPLOY / "kubernetes" / "base" / "prometheusrule.yaml": _HEAD + _yaml(rule),
        _DEPLOY / "helm" / _NAME / "files" / "rules.yaml": _HEAD + _yaml(spec),
    }


def _yaml(content: Any) -> str:
    return yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=_WIDTH)


if __name__ == "__main__":
    for path, text in written().items():
        path.write_text(text)
