"""The bytes of a connection in TLS. The handshake is part of the first reads, and never waits."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from exporter.web.channel import has_ended

# RFC 8446, section 5.1: the most that one record holds.
_RECORD_BYTES: Final = 16 * 1024
_MAX_BYTES_AT_ONCE: Final = 256 * 1024
# Of a client that asks for answers of TLS itself and takes none.
_MAX_UNSENT_BYTES: Final = 256 * 1024
_NO_TLS: Final = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n"
    b"this port speaks TLS; write https:// in place of http://\n"
)


class TlsChannel:
    """A stream of bytes that never waits, as `Channel` says.

    `receive` may return more than asked for, up to a record: what is decrypted is no longer in the kernel,
    which would tell that there is something to read.
    """

    def __init__(
        self,
        connection: socket.socket,
        context: ssl.SSLContext,
        agreed: Callable[[ssl.SSLObject], None],
        failed: Callable[[ssl.SSLError], None],
    ) -> None:
        """`agreed` is called after the handshake, and raises OSError to refuse the client.

        `failed` is told of a handshake that fails.
        """
        connection.setblocking(False)  # noqa: FBT003  (the standard library's signature)
        self._socket = connection
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._agreed = agreed
        self._failed = failed
        self._has_agreed = False
        self._has_finished = False
        self._unsent = b""
        # Of what `send` was given first, that is encrypted already and partly in `_unsent`.
        self._encrypted = 0

    def fileno(self) -> int:
        """Return the descriptor of the socket."""
        return self._socket.fileno()

    def receive(self, size: int) -> bytes:
        """Return what has arrived and can be decrypted."""
        data = self._socket.recv(size)
        if not data or self._has_finished:
            return data
        self._incoming.write(data)
        try:
            if not self._has_agreed:
                self._shake_hands()
            return self._decrypted()
        except ssl.SSLWantReadError:
            raise BlockingIOError from None
        finally:
            # Also the alert that says what is wrong.
            self._flush()

    def has_ended(self) -> bool:
        """Return whether the client has closed, and everything was read."""
        return has_ended(self._socket)

    def send(self, parts: Sequence[memoryview]) -> int:
        """Encrypt and hand the kernel as much as its buffer takes."""
        if not self._flush():
            raise BlockingIOError
        sent, self._encrypted = self._encrypted, 0
        skipped = sent
        for part in parts:
            begin, skipped = min(skipped, len(part)), max(0, skipped - len(part))
            for start in range(begin, len(part), _RECORD_BYTES):
                chunk = part[start : start + _RECORD_BYTES]
                self._tls.write(chunk)
                if not self._flush():
                    self._encrypted = len(chunk)
                    if not sent:
                        raise BlockingIOError
                    return sent
                sent += len(chunk)
                if sent >= _MAX_BYTES_AT_ONCE:
                    return sent
        return sent

    def finish(self) -> None:
        """Send close_notify and FIN."""
        self._has_finished = True
        with suppress(ssl.SSLError):
            # It raises SSLWantReadError, since the client has yet to answer.
            self._tls.unwrap()
        self._flush()
        self._socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def _shake_hands(self) -> None:
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            raise
        except ssl.SSLError as error:
            if error.reason == "HTTP_REQUEST":
                self._socket.send(_NO_TLS, socket.MSG_NOSIGNAL)
            self._failed(error)
            raise
        self._agreed(self._tls)
        self._has_agreed = True

    def _decrypted(self) -> bytes:
        found = bytearray()
        try:
            while chunk := self._tls.read(_RECORD_BYTES):
                found += chunk
        except ssl.SSLZeroReturnError:
            # The client has closed its side.
            pass
        except ssl.SSLWantReadError:
            if not found:
                raise
        return bytes(found)

    def _flush(self) -> bool:
        """Hand the kernel what is encrypted, and return whether it has taken all."""
        self._unsent += self._outgoing.read()
        if not self._unsent:
            return True
        try:
            taken = self._socket.send(self._unsent, socket.MSG_NOSIGNAL)
        except BlockingIOError:
            taken = 0
        self._unsent = self._unsent[taken:]
        if len(self._unsent) > _MAX_UNSENT_BYTES:
            raise ConnectionAbortedError
        return not self._unsent
