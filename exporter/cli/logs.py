"""The log: one line for each record, as logfmt or JSON, whatever the message contains.

To log never waits: log_writer.py writes the lines, and log_limit.py lets no cause fill the log.
"""

from __future__ import annotations

import json
import logging
import math
import re
import sys
import threading
from collections.abc import Mapping
from datetime import UTC, datetime

from exporter.cli.log_limit import LogLimit
from exporter.cli.log_writer import MAX_LINE_BYTES, LogWriter

_LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "error": logging.ERROR,
}
# Values so short are left as they are where a line is too long.
_SHORT_VALUE = 100
_RESERVED = frozenset({"ts", "level", "msg", "exception"})

_UNSAFE_IN_KEY = re.compile(r'[\s="\\]|[^\x21-\x7e]')
_UNQUOTED = re.compile(r"[^\s=\"\\]+")

_Scalar = str | int | float | bool | None


class _Formatter(logging.Formatter):
    """Converts a record to an ordered mapping of scalars, and a subclass that to a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without a newline; of one that is too long values are cut, the longest first.

        The writer would cut the line itself, which is no JSON then.
        """
        values = _values(record)
        while len((line := self._line(values)).encode(errors="backslashreplace")) > MAX_LINE_BYTES:
            texts = {name: value for name, value in values.items() if isinstance(value, str)}
            name, text = max(texts.items(), key=lambda item: len(item[1]))
            if len(text) <= _SHORT_VALUE:
                break
            values[name] = f"{text[: len(text) // 2]}..."
        return line

    def _line(self, values: Mapping[str, _Scalar]) -> str:
        raise NotImplementedError


class LogfmtFormatter(_Formatter):
    """`ts=… level=… msg="…" key=value`; values are quoted where necessary, and escaped as in JSON."""

    def _line(self, values: Mapping[str, _Scalar]) -> str:
        return " ".join(f"{_key(name)}={_logfmt_value(name, value)}" for name, value in values.items())


class JsonFormatter(_Formatter):
    """One JSON object a line, in ASCII only."""

    def _line(self, values: Mapping[str, _Scalar]) -> str:
        return json.dumps(values)


_FORMATTERS: dict[str, type[_Formatter]] = {"logfmt": LogfmtFormatter, "json": JsonFormatter}


class _Handler(logging.Handler):
    """Hands lines to a writer. Logging calls `emit` in one thread at a time."""

    def __init__(self, writer: LogWriter, limit: LogLimit) -> None:
        super().__init__()
        self._writer = writer
        self._limit = limit

    def emit(self, record: logging.LogRecord) -> None:
        """Have the line of a record written, unless its cause has had too many."""
        if self._limit.allows(record):
            self._writer.write(self.format(record))


def set_up(level: str, log_format: str, writer: LogWriter, limit: LogLimit) -> None:
    """Write every record of the process from `level` up; replaces what an earlier call set up.

    `extra={"fields": {...}}` adds fields to a record; an exception is the field `exception`. What Python
    would print of exceptions that nobody catches is logged, too. Raises KeyError for a level or format that
    is not in LOG_LEVELS or LOG_FORMATS of the flags.
    """
    handler = _Handler(writer, limit)
    handler.setFormatter(_FORMATTERS[log_format]())
    logging.basicConfig(handlers=[handler], level=_LEVELS[level], force=True)
    logging.captureWarnings(True)  # noqa: FBT003  (the standard library's signature)
    # Otherwise an error in the handler would print a traceback to the standard error, which may wait.
    logging.raiseExceptions = False
    threading.excepthook = _log_end_of_thread
    sys.unraisablehook = _log_unraisable


def _log_end_of_thread(ended: threading.ExceptHookArgs) -> None:
    name = ended.thread.name if ended.thread else "?"
    _log_error(f"the thread {name} ended by an error", ended.exc_value)


def _log_unraisable(unraisable: sys.UnraisableHookArgs) -> None:
    # The default hook prints it; `object` is not kept, since it may be about to be freed.
    _log_error(unraisable.err_msg or "an error that nothing can catch", unraisable.exc_value)


def _log_error(message: str, error: BaseException | None) -> None:
    logging.getLogger("exporter").error("%s", message, exc_info=error)


def _values(record: logging.LogRecord) -> dict[str, _Scalar]:
    created = datetime.fromtimestamp(record.created, UTC)
    values: dict[str, _Scalar] = {
        "ts": created.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "level": _level(record.levelno),
        "msg": _message(record),
    }
    fields = getattr(record, "fields", None)
    if isinstance(fields, Mapping):
        for name, value in fields.items():
            values[f"{name}_" if name in _RESERVED else str(name)] = _scalar(value)
    if record.exc_info:
        values["exception"] = logging.Formatter().formatException(record.exc_info)
    return values


def _level(number: int) -> str:
    return next((name for name, floor in reversed(_LEVELS.items()) if number >= floor), "debug")


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001  (wrong arguments must not lose the record)
        return f"{_scalar(record.msg)} {_scalar(record.args)}"


def _scalar(value: object) -> _Scalar:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if value is None or isinstance(value, (bool, int, float)):
        return value
    try:
        return str(value)
    except Exception:  # noqa: BLE001  (a value that cannot be converted must not lose the record)
        return f"<{type(value).__name__}>"


def _key(name: str) -> str:
    return _UNSAFE_IN_KEY.sub("_", name) or "_"


def _logfmt_value(name: str, value: _Scalar) -> str:
    if not isinstance(value, str):
        return json.dumps(value)
    if name != "msg" and _UNQUOTED.fullmatch(value) and value.isprintable():
        return value
    quoted = json.dumps(value, ensure_ascii=False)
    return quoted if quoted.isprintable() else "".join(map(_escaped, quoted))


def _escaped(character: str) -> str:
    return character if character.isprintable() else json.dumps(character)[1:-1]
