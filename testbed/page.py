"""What the exporter serves, as numbers to look up."""

from __future__ import annotations

from dataclasses import dataclass

from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

Key = tuple[str, frozenset[tuple[str, str]]]


@dataclass(frozen=True, slots=True)
class Page:
    """A page by family and by sample; a sample's key is its name and the set of its labels."""

    families: dict[str, Metric]
    samples: dict[Key, float]

    def all(self, name: str, **labels: str) -> dict[frozenset[tuple[str, str]], float]:
        """The samples of this name that have at least these labels."""
        wanted = labels.items()
        return {key[1]: value for key, value in self.samples.items() if key[0] == name and wanted <= key[1]}

    def value(self, name: str, **labels: str) -> float:
        """The one sample of this name that has at least these labels; LookupError unless it is one."""
        found = self.all(name, **labels)
        if len(found) != 1:
            near = sorted(sorted(key[1]) for key in self.samples if key[0] == name)
            raise LookupError(f"{len(found)} samples are {name} with {labels}; the page has {near}")
        return next(iter(found.values()))


def metrics(text: str) -> Page:
    """Read a page of either format; ValueError where a sample stands on it twice or the format is broken."""
    parse = parse_openmetrics if text.endswith("# EOF\n") else parse_text
    families: dict[str, Metric] = {}
    samples: dict[Key, float] = {}
    for family in parse(text):
        families[family.name] = family
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            if key in samples:
                raise ValueError(f"{sample.name} {sample.labels} stands on the page twice")
            samples[key] = float(sample.value)
    return Page(families, samples)
