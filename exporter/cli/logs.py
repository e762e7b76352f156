"""The log: one line for each record, as logfmt or JSON, whatever the message contains."""

from __future__ import annotations

import json
import logging
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TextIO

_LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "error": logging.ERROR,
}
_RESERVED = frozenset({"ts", "level", "msg", "exception"})

_UNSAFE_IN_KEY = re.compile(r'[\s="\\]|[^\x21-\x7e]')
_UNQUOTED = re.compile(r"[^\s=\"\\]+")

_Scalar = str | int | float | bool | None


class _Formatter(logging.Formatter):
    """Converts a record to an ordered mapping of scalars, and a subclass that to a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without a newline."""
        return self._line(_values(record))

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


def set_up(level: str, log_format: str, stream: TextIO) -> None:
    """Write every record of the process from `level` up to `stream`; replaces what an earlier call set up.

    `extra={"fields": {...}}` adds fields to a record; an exception is the field `exception`.
    Raises KeyError for a level or format that is not in LOG_LEVELS or LOG_FORMATS of the flags.
    """
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_FORMATTERS[log_format]())
    logging.basicConfig(handlers=[handler], level=_LEVELS[level], force=True)
    logging.captureWarnings(True)  # noqa: FBT003  (the standard library's signature)
    # Otherwise a log that cannot be written, as to a pipe without a reader, prints a traceback each time.
    logging.raiseExceptions = False


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
