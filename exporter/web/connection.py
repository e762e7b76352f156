"""A connection: requests are read from it, and responses are written to it, one after the other."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from typing import Final, Protocol

from exporter.web.admission import Admission
from exporter.web.channel import Channel
from exporter.web.connection_state import State
from exporter.web.exchange import Exchange, HttpError
from exporter.web.limits import Limits
from exporter.web.origin import Origin
from exporter.web.request import HttpRequest
from exporter.web.response import HttpResponse
from exporter.web.router import Responder
from exporter.web.unsent import Unsent

_READ_BYTES: Final = 8 * 1024
_MAX_DISCARDS: Final = 256  # of a client that still sends when its connection ends


class Registry(Protocol):
    """Knows the open connections of a server, and what holds for all of them."""

    @property
    def limits(self) -> Limits: ...  # noqa: D102  (the class says it)

    @property
    def admission(self) -> Admission: ...  # noqa: D102  (the class says it)

    def changed(self, connection: Connection, before: State) -> None:
        """Take note of another state or deadline."""
        ...


class Connection:
    """One client. It is open from the beginning, and may be closed at any time.

    No timer refers to it: its registry knows its deadline. So what a closed one holds is gone with it.
    """

    def __init__(self, channel: Channel, origin: Origin, router: Responder, registry: Registry) -> None:
        self._loop = asyncio.get_running_loop()
        self._limits = limits = registry.limits
        self.peer = origin.peer
        self.state = State.HEADER
        # When the state began, and when it ends the connection, in the time of the event loop.
        self.since = self._loop.time()
        self.deadline = self.since + limits.header_seconds
        self.until_sent = ExitStack()
        self._channel, self._descriptor = channel, channel.fileno()
        self._is_persistent = True  # whether another request is served behind a response
        self._router, self._registry, self._admission = router, registry, registry.admission
        # For how long the client had asked nothing before; None for one that has had no response yet.
        self.idle_seconds = origin.idle_seconds
        self._is_admitted = origin.idle_seconds is not None  # before it was accepted
        # What of a request is waited for, and since when, while the state may be ADMISSION.
        self._awaited, self._awaited_since = self.state, self.since
        self._exchange = Exchange(limits)
        self._is_pipelined = False  # the request has begun to arrive behind the one before
        self._unsent, self._moved_at = Unsent(), self.since
        self._discards, self._page_deadline = 0, 0.0
        self._task: asyncio.Task[None] | None = None
        self._loop.add_reader(self._descriptor, self._readable)

    @property
    def stalled_seconds(self) -> float:
        """For how long the client has taken nothing of a response that is being sent."""
        return self._loop.time() - self._moved_at if self.state is State.SENDING else 0.0

    def abort(self) -> None:
        """Close the connection, whatever state it is in."""
        if self.state is State.CLOSED:
            return
        self._loop.remove_reader(self._descriptor)
        self._loop.remove_writer(self._descriptor)
        self._channel.close()
        self._exchange = Exchange(self._limits)
        self._unsent = Unsent()
        self._enter(State.CLOSED, 0.0)
        self._cancel()
        self.until_sent.close()

    def close_when_sent(self) -> None:
        """Serve no request behind the one whose response is made or sent."""
        self._is_persistent = False

    def expire(self) -> None:
        """End what takes longer than its deadline."""
        if self.state in (State.ADMISSION, State.RESPONSE):
            self._refuse(HttpResponse.busy("this takes too long; try again later"))
        else:
            self.abort()

    def refuse(self) -> None:
        """Respond that there are too many clients, and close."""
        self._refuse(HttpResponse.busy("too many clients; try again later"))

    def serve(self) -> None:
        """Read what has arrived, and respond to a request that is complete."""
        if not self._is_pipelined:
            try:
                data = self._channel.receive(_READ_BYTES)
            except BlockingIOError:
                self._wait_for_request()
                return
            except OSError:
                data = b""
            if not data:
                self.abort()
                return
            self._exchange.receive(data)
        self._is_pipelined = False
        try:
            is_complete = self._exchange.read()
        except HttpError as error:
            self._refuse(HttpResponse.text(error.status, str(error)))
            return
        if is_complete:
            self._start_response()
        else:
            self._wait_for_request()

    def _refuse(self, response: HttpResponse) -> None:
        """Respond to a request that is not served, and close."""
        self._loop.remove_reader(self._descriptor)
        self._cancel()
        self._send(response, close=True)

    def _enter(self, state: State, seconds: float, since: float | None = None) -> None:
        before, self.state = self.state, state
        self.since = self._loop.time() if since is None else since
        self.deadline = self.since + seconds
        if before is State.ADMISSION:
            self._admission.forget(self)
        self._registry.changed(self, before)

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()
        self._task = None

    def _readable(self) -> None:
        """Read what has arrived, or wait until there is processor time for that."""
        if self.state in (State.LINGERING, State.CLOSED):
            self._discard()
            return
        if self.state is State.IDLE:
            self.idle_seconds = self._loop.time() - self.since
        if self._is_admitted or self._admission.admit(idle_seconds=self.idle_seconds):
            self._is_admitted = False
            self.serve()
        elif self._channel.has_ended() and not self._is_pipelined:
            self.abort()
        else:
            self._loop.remove_reader(self._descriptor)
            self._enter(State.ADMISSION, self._limits.idle_seconds)
            self._admission.wait(self, idle_seconds=self.idle_seconds)

    def _discard(self) -> None:
        """Read what is of no interest; who sends it all the time is not waited for."""
        self._discards += 1
        try:
            data = self._channel.receive(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data or self._discards >= _MAX_DISCARDS:
            self.abort()

    def _wait_for_request(self) -> None:
        """Wait for the rest of a request. A byte more moves no deadline."""
        awaited = self._awaited
        if self._exchange.has_head:
            awaited = State.BODY
        elif self._exchange.received_bytes:
            awaited = State.HEADER
        if self._exchange.received_bytes and self.idle_seconds is not None:
            # Whoever sends a request in pieces waits for each as others do.
            self.idle_seconds = 0.0
        if awaited is not self._awaited:
            self._awaited, self._awaited_since = awaited, self._loop.time()
        self._enter(awaited, self._limits.request_seconds(awaited), self._awaited_since)
        self._loop.add_reader(self._descriptor, self._readable)
        if self.deadline <= self._loop.time():
            self.expire()

    def _start_response(self) -> None:
        # What the client sends before it has the response stays in the kernel.
        self._loop.remove_reader(self._descriptor)
        self._admission.responded(self.peer)
        self._enter(State.RESPONSE, self._limits.page_seconds)
        self._page_deadline = self.deadline
        self._task = self._loop.create_task(self._respond(self._exchange.request(self)))

    async def _respond(self, request: HttpRequest) -> None:
        response = await self._router.respond(request)
        self._task = None
        self._send(response, close=False)

    def _send(self, response: HttpResponse, *, close: bool) -> None:
        self._unsent = Unsent(*self._exchange.respond(response, close=close or not self._is_persistent))
        self._moved_at = self._loop.time()
        self._write()

    def _write(self) -> None:
        """Hand the kernel what it takes; the rest follows when it has space again."""
        try:
            if self._unsent.send(self._channel):
                self._moved_at = self._loop.time()
        except OSError:
            self.abort()
            return
        if not self._unsent:
            self._sent()
            return
        if self.state is not State.SENDING:
            self._page_deadline = self._page_deadline or self._moved_at + self._limits.page_seconds
            self._enter(State.SENDING, self._limits.stall_seconds)
            self._loop.add_writer(self._descriptor, self._write)
        self.deadline = min(self._page_deadline, self._moved_at + self._limits.stall_seconds)
        self._registry.changed(self, State.SENDING)

    def _sent(self) -> None:
        """Go on with the next request, or close."""
        self._loop.remove_writer(self._descriptor)
        self._page_deadline = 0.0
        self.until_sent.close()
        if self._exchange.may_continue and self._is_persistent:
            self._exchange = Exchange(self._limits, self._exchange.rest)
            self._is_pipelined = self._exchange.received_bytes > 0
            self._enter(State.IDLE, self._limits.request_seconds(State.IDLE))
            self._awaited, self._awaited_since = State.IDLE, self.since
            if self._is_pipelined:
                # Later, so that one who sends many requests together does not keep the others waiting.
                self._loop.call_soon(self._readable)
            else:
                self._loop.add_reader(self._descriptor, self._readable)
            return
        try:
            # A socket that is closed with bytes unread sends RST, which may cost the client the response.
            self._channel.finish()
        except OSError:
            self.abort()
            return
        self._enter(State.LINGERING, self._limits.linger_seconds)
        self._loop.add_reader(self._descriptor, self._readable)
