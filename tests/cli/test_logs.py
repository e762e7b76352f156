"""What a line of the log looks like, whatever is in it."""

from __future__ import annotations

import json
import logging
import re
import sys
import warnings
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.cli.logs import JsonFormatter, LogfmtFormatter, set_up

# Any characters, surrogates included: file names may hold bytes that are no UTF-8.
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
    """Time in UTC with milliseconds, level, message, then the fields in order."""
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
    """The same as one object; numbers stay numbers."""
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
def test_level_names(level: int, name: str) -> None:
    """The names are those of the flag."""
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
    ],
)
def test_logfmt_escapes(text: str, shown: str) -> None:
    """What would end the line, move the cursor or turn the text around is escaped as in JSON."""
    assert LogfmtFormatter().format(_record("a", fields={"field": text})).endswith(f"field={shown}")


def test_json_escapes() -> None:
    """DEL too, which JSON allows as it is."""
    line = JsonFormatter().format(_record("\x7f\x1b\n"))
    assert r'"msg": "\u007f\u001b\n"' in line


def test_keys_are_made_safe() -> None:
    """A key can neither break the line nor stand for a field of the log's own."""
    line = LogfmtFormatter().format(_record("a", fields={"a b": 1, 'c="d\n': 2, "msg": 3, "": 4}))
    assert line.endswith('msg="a" a_b=1 c__d_=2 msg_=3 _=4')


@given(_TEXT, _FIELDS)
def test_one_printable_line_each(message: str, fields: dict[str, object]) -> None:
    """Whatever the message and the fields hold."""
    logfmt = LogfmtFormatter().format(_record(message, fields=fields))
    assert logfmt.isprintable()
    assert re.match(rf'ts={_TS} level=info msg="', logfmt)
    line = JsonFormatter().format(_record(message, fields=fields))
    assert line.isprintable()
    assert line.isascii()
    assert json.loads(line, parse_constant=_refuse)["msg"] == message


def _refuse(constant: str) -> None:
    pytest.fail(f"{constant} is no JSON")


class _Awkward:
    """Cannot be shown."""

    def __str__(self) -> str:
        message = "no"
        raise RuntimeError(message)

    __repr__ = __str__


def test_faulty_records_are_still_logged() -> None:
    """Arguments that do not fit, and values that cannot be shown."""
    assert "two %s %s ('one',)" in LogfmtFormatter().format(_record("two %s %s", "one"))
    assert "<_Awkward> ()" in LogfmtFormatter().format(_record(_Awkward()))
    assert LogfmtFormatter().format(_record("a", fields={"field": _Awkward()})).endswith("field=<_Awkward>")


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    """Leave logging as it was."""
    logger = logging.getLogger()
    handlers, level, raises = logger.handlers[:], logger.level, logging.raiseExceptions
    logger.handlers = []
    yield logger
    logging.captureWarnings(False)  # noqa: FBT003  (the standard library's signature)
    logger.handlers, logging.raiseExceptions = handlers, raises
    logger.setLevel(level)


@pytest.mark.parametrize("log_format", ["logfmt", "json"])
def test_set_up(log_format: str, root: logging.Logger, capsys: pytest.CaptureFixture[str]) -> None:
    """Everything goes to stderr once, from the level up, with exceptions folded into the line."""
    set_up("debug", "json")
    set_up("warn", log_format)
    root.info("too quiet")
    try:
        int("boom\nbang")
    except ValueError:
        logging.getLogger("exporter.web").exception("failed", extra={"fields": {"path": "/a b"}})
    out, err = capsys.readouterr()
    assert out == ""
    [line] = err.splitlines()
    if log_format == "json":
        values = json.loads(line)
        assert (values["msg"], values["level"], values["path"]) == ("failed", "error", "/a b")
        assert values["exception"].startswith("Traceback ")
        assert values["exception"].endswith(r"'boom\nbang'")
    else:
        assert ' level=error msg="failed" path="/a b" exception="Traceback ' in line
        assert line.endswith("boom\\\\nbang'\"")


def test_warnings_are_logged(root: logging.Logger, capsys: pytest.CaptureFixture[str]) -> None:
    """A library's warning takes one line as well."""
    set_up("info", "logfmt")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(True)  # noqa: FBT003  (catch_warnings has put the printing one back)
        warnings.warn("old\nways", stacklevel=1)
    [line] = capsys.readouterr().err.splitlines()
    assert "level=warn" in line
    assert root.handlers


def test_log_without_reader_is_no_error(
    root: logging.Logger, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever read the log may go; the program goes on."""

    class Broken:
        def write(self, _text: str) -> None:
            raise BrokenPipeError

        def flush(self) -> None:
            raise BrokenPipeError

    with monkeypatch.context() as patched:
        patched.setattr(sys, "stderr", Broken())
        set_up("info", "logfmt")
    root.info("unheard")
    assert capsys.readouterr().err == ""
