"""The log: one line a record on stderr, as logfmt or JSON, whatever the message holds."""

from __future__ import annotations

import json
import logging
import math
import re
import sys
from collections.abc import Mapping
from datetime import UTC, datetime

_LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "error": logging.ERROR,
}
_RESERVED = frozenset({"ts", "level", "msg", "exception"})

_KEY_BREAKERS = re.compile(r'[\s="\\]|[^\x21-\x7e]')
_BARE = re.compile(r"[^\s=\"\\]+")

_Scalar = str | int | float | bool | None


class _Formatter(logging.Formatter):
    """Turns a record into ordered, plain values; subclasses put them into a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Give the record's line, without a line end."""
        return self._line(_values(record))

    def _line(self, values: Mapping[str, _Scalar]) -> str:
        raise NotImplementedError


class LogfmtFormatter(_Formatter):
    """`ts=… level=… msg="…" key=value`; values are quoted where they must be, and escaped as in JSON."""

    def _line(self, values: Mapping[str, _Scalar]) -> str:
        return " ".join(f"{_key(name)}={_logfmt(name, value)}" for name, value in values.items())


class JsonFormatter(_Formatter):
    """One JSON object a line, in ASCII."""

    def _line(self, values: Mapping[str, _Scalar]) -> str:
        return json.dumps(values)


_FORMATTERS: dict[str, type[_Formatter]] = {"logfmt": LogfmtFormatter, "json": JsonFormatter}


def set_up(level: str, log_format: str) -> None:
    """Send every record of the process from `level` up to stderr; replaces what an earlier call set up.

    A record's own fields come from `extra={"fields": {...}}`; an exception becomes the field `exception`.
    Raises KeyError for a level or format that the flags do not offer.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_FORMATTERS[log_format]())
    logging.basicConfig(handlers=[handler], level=_LEVELS[level], force=True)
    logging.captureWarnings(True)  # noqa: FBT003  (the standard library's signature)
    # A log that cannot be written, to a pipe without reader for one, must not answer with tracebacks.
    logging.raiseExceptions = False


def _values(record: logging.LogRecord) -> dict[str, _Scalar]:
    context = datetime.fromtimestamp(record.created, UTC)
    values: dict[str, _Scalar] = {
        "ts": context.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
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
    except Exception:  # noqa: BLE001  (arguments that do not fit must not cost the record)
        return f"{_scalar(record.msg)} {_scalar(record.args)}"


def _scalar(value: object) -> _Scalar:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if value is None or isinstance(value, (bool, int, float)):
        return value
    try:
        return str(value)
    except Exception:  # noqa: BLE001  (a value that cannot be shown must not cost the record)
        return f"<{type(value).__name__}>"


def _key(name: str) -> str:
    return _KEY_BREAKERS.sub("_", name) or "_"


def _logfmt(name: str, value: _Scalar) -> str:
    if not isinstance(value, str):
        return json.dumps(value)
    if name != "msg" and _BARE.fullmatch(value) and value.isprintable():
        return value
    quoted = json.dumps(value, ensure_ascii=False)
    return quoted if quoted.isprintable() else "".join(map(_escaped, quoted))


def _escaped(character: str) -> str:
    return character if character.isprintable() else json.dumps(character)[1:-1]
