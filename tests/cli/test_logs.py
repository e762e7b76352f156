"""Lines of the log, for any message and any fields."""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.cli.log_limit import LogLimit
from exporter.cli.log_writer import MAX_LINE_BYTES, LogWriter
from exporter.cli.logs import JsonFormatter, LogfmtFormatter, set_up

# Any characters, surrogates included: names of files may be bytes that are no UTF-8.
_TEXT = st.text(st.characters(codec=None, exclude_categories=()))
_FIELDS = st.dictionaries(
    _TEXT, st.one_of(_TEXT, st.integers(-(2**64), 2**64), st.floats(), st.booleans(), st.none())
)
_TS = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


def _record(
    message: object, *args: object, level: int = logging.INFO, fields: dict[str, object] | None = None
) -> logging.LogRecord:
    record = logging.LogRecord("a", level, "a.py", 1, message, args, None)
    record.created = 1767225600.25
    if fields is not None:
        record.__dict__["fields"] = fields
    return record


def test_logfmt() -> None:
    """Time in UTC with milliseconds, level, message, then the fields in their order."""
    record = _record(
        "listening on %s",
        ":1",
        fields={"port": 10511, "path": "/a=b", "name": "", "ok": True, "none": None, "word": "plain"},
    )
    assert LogfmtFormatter().format(record) == (
        'ts=2026-01-01T00:00:00.250Z level=info msg="listening on :1" '
        'port=10511 path="/a=b" name="" ok=true none=null word=plain'
    )


def test_json() -> None:
    """One object, in which numbers stay numbers."""
    record = _record("listening on %s", ":1", fields={"port": 10511, "ok": True, "none": None})
    assert json.loads(JsonFormatter().format(record)) == {
        "ts": "2026-01-01T00:00:00.250Z",
        "level": "info",
        "msg": "listening on :1",
        "port": 10511,
        "ok": True,
        "none": None,
    }


@pytest.mark.parametrize(
    ("level", "name"),
    [(5, "debug"), (10, "debug"), (20, "info"), (25, "info"), (30, "warn"), (40, "error"), (50, "error")],
)
def test_levels_have_the_names_of_the_flag(level: int, name: str) -> None:
    assert f" level={name} " in LogfmtFormatter().format(_record("a", level=level))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb", r'"a\nb"'),
        ('say "a"', r'"say \"a\""'),
        ("\x1b[31m", r'"\u001b[31m"'),
        ("\x7f\x85\u2028\u202e", r'"\u007f\u0085\u2028\u202e"'),
        ("\udcff", r'"\udcff"'),
        ("back\\slash", r'"back\\slash"'),
        ("grün", "grün"),
        ("grün und rot", '"grün und rot"'),
    ],
)
def test_logfmt_escapes_values(text: str, shown: str) -> None:
    """What ends a line, moves the cursor or changes the direction of text is escaped as in JSON."""
    assert LogfmtFormatter().format(_record("a", fields={"field": text})).endswith(f"field={shown}")


def test_json_escapes_control_characters() -> None:
    """DEL as well, which JSON permits as it is."""
    line = JsonFormatter().format(_record("\x7f\x1b\n"))
    assert r'"msg": "\u007f\u001b\n"' in line


def test_keys_are_escaped_and_differ_from_those_of_the_log() -> None:
    line = LogfmtFormatter().format(_record("a", fields={"a b": 1, 'c="d\n': 2, "": 3}))
    assert line.endswith('msg="a" a_b=1 c__d_=2 _=3')
    reserved: dict[str, object] = dict.fromkeys(("ts", "level", "msg", "exception"), 4)
    line = LogfmtFormatter().format(_record("a", fields=reserved))
    assert line.endswith('msg="a" ts_=4 level_=4 msg_=4 exception_=4')


@pytest.mark.parametrize("character", ["x", "\n", "\U0001f600"])
def test_of_a_line_that_is_too_long_values_are_cut(character: str) -> None:
    """The line stays whole, and what is short in it."""
    record = _record("failed", fields={"long": character * 30_000, "longer": character * 90_000, "port": 1})
    line = JsonFormatter().format(record)
    values = json.loads(line)
    assert len(line) <= MAX_LINE_BYTES
    assert (values["msg"], values["port"]) == ("failed", 1)
    for name in ("long", "longer"):
        assert re.fullmatch(f"{character}{{300,}}\\.\\.\\.", values[name])
    logfmt = LogfmtFormatter().format(record)
    assert len(logfmt.encode()) <= MAX_LINE_BYTES
    assert logfmt.endswith(" port=1")


def test_many_short_values_are_left_to_the_writer() -> None:
    fields: dict[str, object] = {f"field{number}": "x" * 90 for number in range(1000)}
    assert len(JsonFormatter().format(_record("a", fields=fields))) > MAX_LINE_BYTES


@given(_TEXT, _FIELDS)
def test_any_record_is_one_printable_line(message: str, fields: dict[str, object]) -> None:
    logfmt = LogfmtFormatter().format(_record(message, fields=fields))
    assert logfmt.isprintable()
    assert re.match(rf'ts={_TS} level=info msg="', logfmt)
    line = JsonFormatter().format(_record(message, fields=fields))
    assert line.isprintable()
    assert line.isascii()
    assert json.loads(line, parse_constant=_fail)["msg"] == message


def _fail(constant: str) -> None:
    pytest.fail(f"{constant} is no JSON")


class _Failing:
    """Raises an exception when it is converted to text."""

    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


def test_record_with_wrong_arguments_is_logged() -> None:
    assert "two %s %s ('one',)" in LogfmtFormatter().format(_record("two %s %s", "one"))


def test_value_without_text_is_logged_as_its_type() -> None:
    assert "<_Failing> ()" in LogfmtFormatter().format(_record(_Failing()))
    assert LogfmtFormatter().format(_record("a", fields={"field": _Failing()})).endswith("field=<_Failing>")


class _Log:
    """A log that is written to a file."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._descriptor = os.open(file, os.O_WRONLY | os.O_CREAT)
        self.writer = LogWriter(self._descriptor)
        self.limit = LogLimit(lambda: 0.0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._descriptor)

    def set_up(self, level: str = "info", log_format: str = "logfmt") -> None:
        set_up(level, log_format, self.writer, self.limit)

    def lines(self) -> list[str]:
        self.writer.flush(40)
        return self._file.read_text().splitlines()


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    """The root logger without handlers; logging is restored afterwards."""
    logger = logging.getLogger()
    handlers, level, raises = logger.handlers[:], logger.level, logging.raiseExceptions
    hooks = threading.excepthook, sys.unraisablehook
    _replace_handlers(logger, [])
    yield logger
    logging.captureWarnings(False)  # noqa: FBT003  (the standard library's signature)
    _replace_handlers(logger, handlers)
    logger.setLevel(level)
    logging.raiseExceptions = raises
    threading.excepthook, sys.unraisablehook = hooks


@pytest.fixture
def log(tmp_path: Path) -> Iterator[_Log]:
    with _Log(tmp_path / "log") as log:
        yield log


def _replace_handlers(logger: logging.Logger, handlers: list[logging.Handler]) -> None:
    for handler in logger.handlers[:]:
        logger.removeHandler(handler)
    for handler in handlers:
        logger.addHandler(handler)


@pytest.mark.parametrize("log_format", ["logfmt", "json"])
def test_records_from_the_level_up_are_written_once(
    log_format: str, root: logging.Logger, log: _Log, tmp_path: Path
) -> None:
    """The second call replaces what the first set up; an exception is part of the line."""
    with _Log(tmp_path / "replaced") as replaced:
        replaced.set_up("debug", "json")
        log.set_up("warn", log_format)
        root.info("below the level")
        try:
            int("boom\nbang")
        except ValueError:
            logging.getLogger("exporter.web").exception("failed", extra={"fields": {"path": "/a b"}})
        assert replaced.lines() == []
    [line] = log.lines()
    if log_format == "json":
        values = json.loads(line)
        assert (values["msg"], values["level"], values["path"]) == ("failed", "error", "/a b")
        assert values["exception"].startswith("Traceback ")
        assert values["exception"].endswith(r"'boom\nbang'")
    else:
        assert ' level=error msg="failed" path="/a b" exception="Traceback ' in line
        assert line.endswith("boom\\\\nbang'\"")


@pytest.mark.usefixtures("root")
def test_warnings_are_logged(log: _Log) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        log.set_up()
        warnings.warn("old\nways", stacklevel=1)
        # Inside catch_warnings, which would restore what set_up replaces.
        logging.captureWarnings(False)  # noqa: FBT003  (the standard library's signature)
    [line] = log.lines()
    assert "level=warn" in line


@pytest.mark.usefixtures("root")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_the_end_of_a_thread_by_an_error_is_logged(log: _Log) -> None:
    """Python would write it to the standard error, which may wait for its reader."""
    log.set_up()
    thread = threading.Thread(target=lambda: int("x"), name="worker")
    thread.start()
    thread.join()
    [line] = log.lines()
    assert 'level=error msg="the thread worker ended by an error" exception="Traceback' in line


class _Unfinished:
    """Raises an exception when it is freed."""

    def __del__(self) -> None:
        raise ValueError("in a finalizer")


@pytest.mark.usefixtures("root")
def test_an_error_that_nothing_can_catch_is_logged(log: _Log) -> None:
    log.set_up()
    _Unfinished()
    [line] = log.lines()
    assert "ValueError: in a finalizer" in line


def test_a_cause_is_limited(root: logging.Logger, log: _Log) -> None:
    log.set_up()
    for number in range(1000):
        root.warning("source failed: %s", number)
    root.warning("another")
    lines = log.lines()
    assert [line for line in lines if "another" in line]
    assert len(lines) - 1 == 1000 - log.limit.left_out == 120


def test_log_that_cannot_be_written_is_no_error(
    root: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    """The process continues, prints no traceback to the standard error, and counts."""
    reading, writing = os.pipe()
    os.close(reading)
    writer = LogWriter(writing)
    set_up("info", "logfmt", writer, LogLimit(lambda: 0.0))
    root.info("not written")
    writer.flush(40)
    os.close(writing)
    assert capsys.readouterr().err == ""
    assert writer.dropped == 1
