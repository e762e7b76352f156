"""A connection: requests are read from it, and responses are written to it, one after the other."""

from __future__ import annotations

import asyncio
import enum
from contextlib import ExitStack
from typing import Final, Protocol

from exporter.web.admission import Admission
from exporter.web.channel import Channel
from exporter.web.exchange import Exchange, HttpError
from exporter.web.limits import Limits
from exporter.web.request import HttpRequest
from exporter.web.response import HttpResponse
from exporter.web.router import Responder
from exporter.web.unsent import Unsent

_READ_BYTES: Final = 8 * 1024


class State(enum.Enum):
    """What a connection waits for."""

    HEADER = enum.auto()  # the rest of a header, or the first one
    IDLE = enum.auto()  # another request
    BODY = enum.auto()  # the rest of a body
    ADMISSION = enum.auto()  # processor time for its request
    RESPONSE = enum.auto()  # the handler
    SENDING = enum.auto()  # the client, which has yet to take the response
    LINGERING = enum.auto()  # the client, which has yet to close
    CLOSED = enum.auto()


class Registry(Protocol):
    """Knows the open connections of a server."""

    def changed(self, connection: Connection, before: State) -> None:
        """Take note of another state or deadline."""
        ...


class Connection:
    """One client. It is open from the beginning, and may be closed at any time.

    No timer refers to it: its registry knows its deadline. So what a closed one holds is gone with it.
    """

    def __init__(
        self, channel: Channel, router: Responder, limits: Limits, registry: Registry, admission: Admission
    ) -> None:
        """Belong to the running event loop."""
        self._loop = asyncio.get_running_loop()
        self.state = State.HEADER
        # When the state began, and when it ends the connection, in the time of the event loop.
        self.since = self._loop.time()
        self.deadline = self.since + limits.header_seconds
        self.until_sent = ExitStack()
        self._channel = channel
        self._descriptor = channel.fileno()
        self._router = router
        self._limits = limits
        self._registry = registry
        self._admission = admission
        self._is_new = True
        self._exchange = Exchange(limits)
        self._unsent = Unsent()
        self._moved_at = self.since
        self._page_deadline = 0.0
        self._task: asyncio.Task[None] | None = None
        self._loop.add_reader(self._descriptor, self.read)

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

    def expire(self) -> None:
        """End what takes longer than its deadline."""
        if self.state in (State.ADMISSION, State.RESPONSE):
            self.refuse(HttpResponse.busy("this takes too long; try again later"))
        else:
            self.abort()

    def refuse(self, response: HttpResponse) -> None:
        """Respond to a request that is not served, and close."""
        self._loop.remove_reader(self._descriptor)
        self._cancel()
        self._send(response, close=True)

    def serve(self) -> None:
        """Respond to the request that has arrived."""
        if self.state not in (State.HEADER, State.BODY, State.ADMISSION):
            # It waited too long, or has gone.
            return
        self._is_new = False
        self._enter(State.RESPONSE, self._limits.page_seconds)
        self._page_deadline = self.deadline
        self._task = self._loop.create_task(self._respond(self._exchange.request(self)))

    def _enter(self, state: State, seconds: float) -> None:
        before, self.state = self.state, state
        self.since = self._loop.time()
        self.deadline = self.since + seconds
        self._registry.changed(self, before)

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._task = None

    def read(self) -> None:
        """Take what the client has sent."""
        try:
            data = self._channel.receive(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            # What it has sent so far is no complete request.
            self.abort()
        elif self.state is not State.LINGERING:
            self._exchange.receive(data)
            self._read_request()

    def _read_request(self) -> None:
        """Find a request in what has arrived."""
        idle_seconds = 0.0
        if self.state is State.IDLE:
            idle_seconds = self._loop.time() - self.since
            self._enter(State.HEADER, self._limits.header_seconds)
        try:
            is_complete = self._exchange.read()
        except HttpError as error:
            self.refuse(HttpResponse.text(error.status, str(error)))
            return
        if not is_complete:
            if self._exchange.has_head and self.state is State.HEADER:
                self._enter(State.BODY, self._limits.body_seconds)
            return
        # What the client sends before it has the response stays in the kernel.
        self._loop.remove_reader(self._descriptor)
        idle = None if self._is_new else idle_seconds
        if self._admission.admit(idle_seconds=idle):
            self.serve()
        else:
            self._enter(State.ADMISSION, self._limits.page_seconds)
            self._admission.wait(self, idle_seconds=idle)

    async def _respond(self, request: HttpRequest) -> None:
        response = await self._router.respond(request)
        self._task = None
        self._send(response, close=False)

    def _send(self, response: HttpResponse, *, close: bool) -> None:
        self._unsent = Unsent(*self._exchange.respond(response, close=close))
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
        if self._exchange.may_continue:
            self._exchange = Exchange(self._limits, self._exchange.rest)
            self._enter(State.IDLE, self._limits.idle_seconds)
            self._loop.add_reader(self._descriptor, self.read)
            if self._exchange.received_bytes:
                # Later, so that one who sends many requests together does not keep the others waiting.
                self._loop.call_soon(self._read_pipelined)
            return
        try:
            # A socket that is closed with bytes unread sends RST, which may cost the client the response.
            self._channel.finish()
        except OSError:
            self.abort()
            return
        self._enter(State.LINGERING, self._limits.linger_seconds)
        self._loop.add_reader(self._descriptor, self.read)

    def _read_pipelined(self) -> None:
        if self.state is State.IDLE and self._exchange.received_bytes:
            self._read_request()
