"""`check-config`: validates configuration files, and tells how many series there will be."""

from __future__ import annotations

from typing import Final

from exporter.cli import output, table
from exporter.cli.check_config_flags import CheckConfigFlags
from exporter.cli.web_report import web_report
from exporter.config import ConfigError, ConfigFile
from exporter.config.coverage import Coverage
from exporter.config.model import DEFAULTS, Config, Export, Match
from exporter.kernel.family import FAMILIES
from exporter.metrics.series_count import exporter_series_count, namespace_series_count, series_count
from exporter.yamlfile.errors import printable_path

_NAME_COLUMNS: Final = 2


def check(flags: CheckConfigFlags) -> int:
    """Print that the files are valid, and return 0. Raises ConfigError, whose text has the errors in them."""
    lines: list[str] = []
    texts: list[str] = []
    for path, report in ((flags.web_file, web_report), (flags.file, _report)):
        try:
            texts += [] if path is None else [report(path)]
        except ConfigError as error:
            lines += error.lines
    if lines:
        raise ConfigError(lines)
    output.write("\n".join(texts))
    return 0


def _report(path: str) -> str:
    config = ConfigFile(path).load()
    rules = "1 rule" if len(config.rules) == 1 else f"{len(config.rules)} rules"
    return f"{printable_path(path)}: valid, {rules}\n\n{_series(config)}\n{_other_series(config)}\n"


def _series(config: Config) -> str:
    """Return a table of how many series each listener has that a rule, or none, applies to."""
    rows = [("RULE", "EXPORT", *(f"SERIES OF A {family.protocol.upper()} LISTENER" for family in FAMILIES))]
    rows += [_row(table.name(rule.name), rule.export, rule.match) for rule in config.rules]
    rows.append(_row(DEFAULTS, config.defaults.export, Match()))
    return f"{table.table(rows, _NAME_COLUMNS)}\n"


def _other_series(config: Config) -> str:
    return (
        f"Besides these, each network namespace has {namespace_series_count()} series, "
        f"and the exporter {exporter_series_count(config)}."
    )


def _row(name: str, export: Export, match: Match) -> tuple[str, ...]:
    protocols = Coverage.of(match).protocols
    counts = (
        str(series_count(export, syn_queue=family.has_syn_queue))
        if family.protocol in protocols
        else table.NOTHING
        for family in FAMILIES
    )
    return name, export, *counts
