"""Numbers of any length are read, or refused in one short line."""

from __future__ import annotations

import pytest

from exporter.config import ConfigError, parse

# More digits than decimal can multiply; the file is still below the largest that is read.
LONG = "9" * 1_000_005


@pytest.mark.parametrize(
    "text",
    [
        f"sampling: {{interval: {LONG}ms}}",
        f"sampling: {{cpu_budget: {LONG}%}}",
        f"rules: [{{name: a, match: {{port: 1-{LONG}}}}}]",
    ],
    ids=lambda text: text.replace(LONG, "LONG"),
)
def test_a_number_of_a_million_digits_is_an_error_of_one_short_line(text: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse(text, "c")
    assert all(len(line) < 300 for line in error.value.lines)
    assert len(error.value.lines) == 1
