"""CSV as RFC 4180 has it."""

from __future__ import annotations

import csv
import io

from exporter.api.listener_row import columns
from exporter.cli.show.csv_rows import csv_rows
from tests.cli.show.rows import ROW, row


def test_a_line_ends_with_cr_and_lf_and_has_every_column() -> None:
    text = csv_rows(list(ROW), [row(), row(port="81")])
    assert text.count("\r\n") == text.count("\n") == 3
    heading, *lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    assert heading == list(ROW)
    assert [dict(zip(heading, line, strict=True))["port"] for line in lines] == ["80", "81"]


def test_commas_and_quotes_are_quoted() -> None:
    text = csv_rows(["address", "process"], [{"address": 'a,"b"', "process": "c"}])
    assert text == 'address,process\r\n"a,""b""",c\r\n'


def test_null_is_empty_and_booleans_are_those_of_json() -> None:
    assert csv_rows(["a", "b", "c"], [{"a": None, "b": True, "c": 0.5}]) == "a,b,c\r\n,true,0.5\r\n"


def test_control_characters_are_written_as_bytes() -> None:
    assert csv_rows(["a"], [{"a": "x\x1b[2J\r\ny"}, {"a": ["\x1b"]}]).split("\r\n")[1:3] == [
        r"x\x1b[2J\x0d\x0ay",
        r"['\x1b']",
    ]
    assert csv_rows(["a\x1b"], []) == "a\\x1b\r\n"


def test_the_rows_of_these_tests_have_the_columns_of_the_document() -> None:
    assert columns() == list(ROW)
