"""Makes the streams of bytes of connections, in TLS or plain as the web configuration says."""

from __future__ import annotations

import logging
import socket
import ssl
import time
from collections.abc import Callable
from typing import Final

from exporter.web.certificates import Certificates
from exporter.web.channel import Channel, PlainChannel
from exporter.web.client_certificate import is_allowed
from exporter.web.tls_channel import TlsChannel
from exporter.web.web_settings import WebSettings

_log = logging.getLogger("exporter.web")

# A line for each reason; scanners and clients that give up would fill the log.
_LOG_SECONDS: Final = 60.0
# What an administrator has to see: these clients have meant to come here.
_OF_CLIENT_CERTIFICATES: Final = ("PEER_DID_NOT_RETURN_A_CERTIFICATE", "CERTIFICATE_VERIFY_FAILED")


class ConfiguredTransport:
    """Makes a channel of each socket that was accepted, by the configuration in force."""

    def __init__(self, settings: WebSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._clock = clock
        self._logged_at: dict[str, float] = {}

    @property
    def refuses_in_http(self) -> bool:
        """Whether a client that is refused before its channel is made can read a response."""
        return self._settings.certificates is None

    def open(self, accepted: socket.socket) -> Channel:
        """Return the channel of a socket."""
        certificates = self._settings.certificates
        if certificates is None:
            return PlainChannel(accepted)

        def agreed(tls: ssl.SSLObject) -> None:
            self._check_client(tls, certificates)

        return TlsChannel(accepted, certificates.context, agreed, self._note_failure)

    def _check_client(self, tls: ssl.SSLObject, certificates: Certificates) -> None:
        if not is_allowed(tls.getpeercert(), certificates.allowed_sans):
            self._note("its certificate has none of client_allowed_sans")
            raise ConnectionRefusedError

    def _note_failure(self, error: ssl.SSLError) -> None:
        reason = getattr(error, "verify_message", "") or error.reason or ""
        if error.reason in _OF_CLIENT_CERTIFICATES:
            self._note(reason.replace("_", " ").lower())
        else:
            _log.debug("a client was refused in its handshake: %s", reason)

    def _note(self, reason: str) -> None:
        now = self._clock()
        if now - self._logged_at.get(reason, -_LOG_SECONDS) >= _LOG_SECONDS:
            self._logged_at[reason] = now
            _log.warning("a client was refused in its handshake: %s", reason)
