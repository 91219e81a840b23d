"""A TCP proxy that spoils what passes through it; told by a test, or drawn from a seed.

async with Proxy(simulator.port) as proxy:
    ...  # ask proxy.url
    proxy.fault = Cut(after=100)      # from the next request on
    proxy.draw = some_function        # a fault, or None, for each request
    await proxy.go_away(); await proxy.come_back()
"""

import asyncio
import socket
import struct
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from tests.e2e.processes import free_port

CHUNK = 65536


@dataclass(frozen=True, slots=True)
class Late:
    """Every piece of the answer comes so many seconds late."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Trickle:
    """The answer comes `size` bytes at a time, with so many seconds between."""

    size: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Truncated:
    """After so many bytes of the answer the connection ends in good order."""

    after: int


@dataclass(frozen=True, slots=True)
class Cut:
    """After so many bytes of the answer the connection is reset."""

    after: int


@dataclass(frozen=True, slots=True)
class Unsent:
    """The connection is reset instead of passing the request on."""


@dataclass(frozen=True, slots=True)
class HalfClosed:
    """Our half of the connection ends, and stays there: nothing more comes, nothing is read."""

    after: int = 0


@dataclass(frozen=True, slots=True)
class Silent:
    """The request is swallowed and nothing ever comes back."""


@dataclass(frozen=True, slots=True)
class Babble:
    """Something else answers."""

    said: bytes = b"SSH-2.0-OpenSSH_9.6\r\n\r\n"


Fault = Late | Trickle | Truncated | Cut | Unsent | HalfClosed | Silent | Babble
Draw = Callable[[], Fault | None]


class Proxy:
    """Listens on 127.0.0.1 and passes on to `target` there; an async context manager."""

    def __init__(self, target: int, *, scheme: str = "http") -> None:
        self.target = target
        # Not one that the system gives out for connections: while nobody listens there, a client
        # would now and then connect to itself.
        self.port = free_port()
        self.fault: Fault | None = None
        self.draw: Draw = lambda: self.fault
        self.spoilt: Counter[str] = Counter()
        """Requests by the fault that met them."""
        self.passed = 0
        """Requests that met none."""
        self.held = 0
        """Requests of which nothing is on its way now, because their fault keeps it back."""
        self._scheme = scheme
        self._listener: socket.socket | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self.port}"

    async def come_back(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=1000)
        self._listener.setblocking(False)  # noqa: FBT003 - the standard library's signature
        asyncio.get_running_loop().add_reader(self._listener, self._accept, self._listener)

    async def go_away(self) -> None:
        """Refuse connections, and break those that are there."""
        if self._listener is not None:
            asyncio.get_running_loop().remove_reader(self._listener)
            self._listener.close()
            self._listener = None
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def __aenter__(self) -> Self:
        await self.come_back()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.go_away()

    def _accept(self, listener: socket.socket) -> None:
        # In one step, unlike a server of asyncio's, which loses what it has half accepted when it
        # is closed; and one that is cancelled before its first step closes nothing by itself.
        with suppress(BlockingIOError, ConnectionError):
            client, _ = listener.accept()
            task = asyncio.create_task(self._converse(client))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            task.add_done_callback(lambda _: client.close())

    async def _converse(self, client: socket.socket) -> None:
        reader, writer = await asyncio.open_connection(sock=client)
        try:
            with suppress(OSError):
                theirs, upstream = await asyncio.open_connection("127.0.0.1", self.target)
                try:
                    await _Conversation(self, (reader, writer), (theirs, upstream)).hold()
                finally:
                    upstream.transport.abort()
        finally:
            writer.transport.abort()

    @contextmanager
    def holding(self) -> Iterator[None]:
        """Something is kept back."""
        self.held += 1
        try:
            yield
        finally:
            self.held -= 1

    def next_fault(self) -> Fault | None:
        """What the next request meets."""
        fault = self.draw()
        if fault is None:
            self.passed += 1
        else:
            self.spoilt[type(fault).__name__] += 1
        return fault


Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class _Conversation:
    """One connection. A request fits one piece; its fault holds until the next one."""

    def __init__(self, proxy: Proxy, client: Ends, server: Ends) -> None:
        self._proxy = proxy
        self._client = client
        self._server = server
        self._fault: Fault | None = None
        self._left = 0
        """Bytes of the answer that still pass."""

    async def hold(self) -> None:
        """Pass on both ways until one of them ends."""
        ways = [asyncio.create_task(self._requests()), asyncio.create_task(self._answers())]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _requests(self) -> None:
        while piece := await self._client[0].read(CHUNK):
            self._fault = self._proxy.next_fault()
            match self._fault:
                case Unsent():
                    self._reset()
                    return
                case Silent():
                    with self._proxy.holding():
                        await self._client[0].read()
                    return
                case Babble(said):
                    self._client[1].write(said)
                    await self._client[1].drain()
                    return
                case Truncated(after) | Cut(after) | HalfClosed(after):
                    self._left = after
            self._server[1].write(piece)
            await self._server[1].drain()

    async def _answers(self) -> None:
        while piece := await self._server[0].read(CHUNK):
            match self._fault:
                case Late(seconds):
                    with self._proxy.holding():
                        await asyncio.sleep(seconds)
                    self._client[1].write(piece)
                case Trickle(size, seconds):
                    await self._trickle(piece, size, seconds)
                case Truncated() | Cut() | HalfClosed():
                    if await self._is_over(piece):
                        return
                case _:
                    self._client[1].write(piece)
            await self._client[1].drain()

    async def _trickle(self, piece: bytes, size: int, seconds: float) -> None:
        for start in range(0, len(piece), size):
            self._client[1].write(piece[start : start + size])
            await self._client[1].drain()
            with self._proxy.holding():
                await asyncio.sleep(seconds)

    async def _is_over(self, piece: bytes) -> bool:
        """Pass on what may pass, and end the connection if that was all."""
        writer = self._client[1]
        writer.write(piece[: self._left])
        await writer.drain()
        self._left -= len(piece)
        if self._left > 0:
            return False
        match self._fault:
            case Cut():
                self._reset()
            case HalfClosed():
                writer.write_eof()
                await asyncio.Event().wait()
            case _:
                writer.close()
                await writer.wait_closed()
        return True

    def _reset(self) -> None:
        """End it with RST, not with FIN."""
        own: socket.socket = self._client[1].get_extra_info("socket")
        own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._client[1].transport.abort()
