"""The certificate of the server and what belongs to it, read again when the files change."""

from __future__ import annotations

import logging
import os
import ssl

from exporter.web.tls_context import ReadFile, build_context, read_pems
from exporter.web_config.model import Pem, Tls
from exporter.yamlfile.errors import ConfigError

_log = logging.getLogger("exporter.web")

# OpenSSL keeps sessions of clients that speak TLS 1.2, about a kilobyte each.
_MAX_SESSIONS = 1000

_Stamp = tuple[int, int, int, int] | None


class Certificates:
    """The context in which TLS is spoken. `check` may be called in another thread than the rest."""

    def __init__(self, tls: Tls, read: ReadFile) -> None:
        """Raises ConfigError where the files cannot be read or do not fit together."""
        self._tls = tls
        self._read = read
        self._stamps = self._seen()
        self._pems = read_pems(tls, read)
        self._context = build_context(tls, self._pems)
        # What was wrong at the last look, and whether that was logged.
        self._error: str | None = None
        self._is_logged = False

    @property
    def context(self) -> ssl.SSLContext:
        """The context for the next connection."""
        return self._context

    @property
    def allowed_sans(self) -> frozenset[str]:
        """Subject alternative names, of which a client's certificate needs one; any will do where empty."""
        return self._tls.allowed_sans

    def check(self) -> None:
        """Read the files again where they have changed. Where they are wrong the old ones stay in force."""
        stamps = self._seen()
        is_known = stamps == self._stamps and None not in stamps and self._error is None
        if is_known and self._context.session_stats()["number"] <= _MAX_SESSIONS:
            return
        try:
            pems = read_pems(self._tls, self._read)
            if is_known or pems != self._pems:
                self._renew(pems)
        except ConfigError as error:
            self._note(str(error))
            return
        except Exception as error:  # noqa: BLE001  (the next look may succeed)
            self._note(f"{type(error).__name__}: {error}")
            return
        self._stamps = stamps
        self._error, self._is_logged = None, False

    def _renew(self, pems: dict[Pem, bytes]) -> None:
        changed = pems != self._pems
        self._context = build_context(self._tls, pems)
        self._pems = pems
        if changed:
            _log.info("certificates read again")

    def _note(self, error: str) -> None:
        """Log what is wrong at the second look: two files are not replaced at the same time."""
        if error == self._error and not self._is_logged:
            self._is_logged = True
            for line in error.splitlines():
                _log.error("certificates not read again: %s", line)
        elif error != self._error:
            self._error, self._is_logged = error, False

    def _seen(self) -> list[_Stamp]:
        return [_stamp(pem.path) for pem in self._tls.pems if pem.path is not None]


def _stamp(path: str) -> _Stamp:
    """Return what changes with the file; None where that cannot be seen."""
    try:
        status = os.stat(path)  # noqa: PTH116  (called each second)
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
