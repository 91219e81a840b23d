"""The open connections: how many there may be, and how long one may hold a place for nothing."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import cast

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

MOST = 500
"""Connections at a time. Each costs a file descriptor, of which many systems grant 1024."""

MOST_STALLED = 32
"""Connections at a time whose clients leave their answer unread: each keeps it in memory, which
is megabytes for the metrics of a large fleet."""

IDLE_SECONDS = 90.0
"""Without a request under way a connection is cut off after so long, whatever it still sends
or reads: a little longer than an unused one is kept alive."""


class Connections:
    """Makes the protocol of each connection, and knows which of them are at work.

    When there are `most`, a new one takes the place of the one that has done nothing for
    longest; if all are at work it is refused. When `stalled` leave their answer unread and
    another one does, the one that has for longest is cut. `idle` is in seconds.
    """

    def __init__(
        self,
        make: Callable[[], asyncio.Protocol],
        *,
        most: int = MOST,
        stalled: int = MOST_STALLED,
        idle: float = IDLE_SECONDS,
    ) -> None:
        self._make = make
        self._most = most
        self._most_stalled = stalled
        self._stalled: dict[_Connection, None] = {}
        self._idle = idle
        self._open: dict[asyncio.Protocol, _Connection] = {}

    def __call__(self) -> asyncio.Protocol:
        """The protocol of a new connection."""
        return _Connection(self, self._make())

    def __len__(self) -> int:
        """How many are open."""
        return len(self._open)

    def opened(self, connection: "_Connection") -> None:
        """It stands; another one may have to go, or it."""
        if len(self._open) >= self._most:
            idle = (each for each in self._open.values() if each.idle_since is not None)
            min(idle, key=lambda each: each.idle_since or 0.0, default=connection).cut()
        if not connection.is_cut:
            self._open[connection.inner] = connection
            connection.rest(self._idle)

    def closed(self, connection: "_Connection") -> None:
        """It is no more."""
        self._open.pop(connection.inner, None)
        self.flows(connection)

    def stalls(self, connection: "_Connection") -> None:
        """Its client does not read as fast as it is answered."""
        if len(self._stalled) >= self._most_stalled:
            next(iter(self._stalled)).cut()
        self._stalled[connection] = None

    def flows(self, connection: "_Connection") -> None:
        """Its client has read what it was sent."""
        self._stalled.pop(connection, None)

    @contextmanager
    def at_work(self, inner: asyncio.Protocol) -> Iterator[None]:
        """While the request of that protocol is handled, its connection keeps its place."""
        connection = self._open.get(inner)
        if connection is None:
            yield
            return
        connection.work()
        try:
            yield
        finally:
            connection.rest(self._idle)

    def cut_all(self) -> None:
        """Break every connection."""
        for connection in list(self._open.values()):
            connection.cut()


def counted(connections: Callable[[], Connections]) -> Middleware:
    """Middleware that tells which connections are at work."""

    @web.middleware
    async def count(request: web.Request, handler: Handler) -> web.StreamResponse:
        with connections().at_work(request.protocol):
            return await handler(request)

    return count


class _Connection(asyncio.Protocol):
    """One connection. `idle_since` is None while a request is handled, else the loop's time."""

    def __init__(self, connections: Connections, inner: asyncio.Protocol) -> None:
        self.inner = inner
        self.idle_since: float | None = None
        self.is_cut = False
        self._connections = connections
        self._transport: asyncio.Transport | None = None
        self._end: asyncio.TimerHandle | None = None

    def work(self) -> None:
        """A request is handled."""
        self.idle_since = None
        if self._end is not None:
            self._end.cancel()
            self._end = None

    def rest(self, seconds: float) -> None:
        """No request is handled; if none comes for so long, the connection ends."""
        self.work()
        if not self.is_cut:
            loop = asyncio.get_running_loop()
            self.idle_since = loop.time()
            self._end = loop.call_later(seconds, self.cut)

    def cut(self) -> None:
        """Break it off, unsent data included."""
        self.work()
        self.is_cut = True
        self._connections.closed(self)
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)
        self.inner.connection_made(transport)
        self._connections.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self.work()
        self.is_cut = True
        self._connections.closed(self)
        self.inner.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Pass it on."""
        self.inner.data_received(data)

    def eof_received(self) -> bool | None:
        """Pass it on."""
        return self.inner.eof_received()

    def pause_writing(self) -> None:
        """Count it among those that do not read, and pass it on."""
        self.inner.pause_writing()
        self._connections.stalls(self)

    def resume_writing(self) -> None:
        """It reads; pass it on."""
        self._connections.flows(self)
        self.inner.resume_writing()
