"""Limits on open connections: how many there are, how long they idle, how many do not read."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import cast

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

MOST_OPEN = 500
"""Connections at a time. Each takes a file descriptor, of which many systems grant 1024."""

MOST_STALLED = 32
"""Connections at a time whose clients do not read their answer: each keeps it in memory, megabytes
for the metrics of a large fleet."""

IDLE_SECONDS = 90.0
"""A connection without a request under way is cut off after this time, whatever it still sends or
reads. A little longer than an unused one is kept alive."""


class Connections:
    """Makes the protocol of each connection, and keeps to the limits.

    Beyond `most` connections, a new one replaces the one that has been idle for longest; if none
    is idle, the new one is refused. Beyond `stalled` connections that leave their answer unread,
    the one that has done so for longest is cut. `idle` is in seconds.
    """

    def __init__(
        self,
        make: Callable[[], asyncio.Protocol],
        *,
        most: int = MOST_OPEN,
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
        """It was opened; at the limit, the longest idle one is cut, or else this one."""
        if len(self._open) >= self._most:
            idle = (each for each in self._open.values() if each.idle_since is not None)
            min(idle, key=lambda each: each.idle_since or 0.0, default=connection).cut()
        if not connection.is_cut:
            self._open[connection.inner] = connection
            connection.idle(self._idle)

    def closed(self, connection: "_Connection") -> None:
        """It was closed."""
        self._open.pop(connection.inner, None)
        self.drained(connection)

    def stalled(self, connection: "_Connection") -> None:
        """Its client does not read as fast as it is sent to."""
        if len(self._stalled) >= self._most_stalled:
            next(iter(self._stalled)).cut()
        self._stalled[connection] = None

    def drained(self, connection: "_Connection") -> None:
        """Its client has read what it was sent."""
        self._stalled.pop(connection, None)

    @contextmanager
    def handling(self, inner: asyncio.Protocol) -> Iterator[None]:
        """While a request of that protocol is handled, its connection is not idle."""
        connection = self._open.get(inner)
        if connection is None:
            yield
            return
        connection.busy()
        try:
            yield
        finally:
            connection.idle(self._idle)

    def cut_all(self) -> None:
        """Cut every connection."""
        for connection in list(self._open.values()):
            connection.cut()


def tracked(connections: Callable[[], Connections]) -> Middleware:
    """Middleware that notes which connections have a request under way."""

    @web.middleware
    async def count(request: web.Request, handler: Handler) -> web.StreamResponse:
        with connections().handling(request.protocol):
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
        self._timer: asyncio.TimerHandle | None = None

    def busy(self) -> None:
        """A request is handled: it is not cut for being idle."""
        self.idle_since = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def idle(self, seconds: float) -> None:
        """No request is handled: it is cut if none comes for so many seconds."""
        self.busy()
        if not self.is_cut:
            loop = asyncio.get_running_loop()
            self.idle_since = loop.time()
            self._timer = loop.call_later(seconds, self.cut)

    def cut(self) -> None:
        """Abort it, unsent data included."""
        self._end()
        if self._transport is not None:
            self._transport.abort()

    def _end(self) -> None:
        self.busy()  # stops the timer
        self.is_cut = True
        self._connections.closed(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Pass it on, and keep to the limits."""
        self._transport = cast("asyncio.Transport", transport)
        self.inner.connection_made(transport)
        self._connections.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Pass it on."""
        self._end()
        self.inner.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Pass it on."""
        self.inner.data_received(data)

    def eof_received(self) -> bool | None:
        """Pass it on."""
        return self.inner.eof_received()

    def pause_writing(self) -> None:
        """Pass it on, and count it among those that do not read."""
        self.inner.pause_writing()
        self._connections.stalled(self)

    def resume_writing(self) -> None:
        """Pass it on: it reads again."""
        self._connections.drained(self)
        self.inner.resume_writing()
