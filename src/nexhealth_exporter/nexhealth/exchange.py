"""One HTTP call to NexHealth: paced, metered, limited in time and size; never retried here."""

import asyncio
import ssl
import time
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Protocol, Self

import aiohttp
import msgspec
from aiohttp.http_exceptions import ContentEncodingError
from yarl import URL

from nexhealth_exporter import __version__
from nexhealth_exporter.errors import (
    ConnectionFailed,
    Malformed,
    PollError,
    Timeout,
    TlsFailed,
    TooLarge,
)
from nexhealth_exporter.nexhealth.pacer import Pacer, Slot

KEEP_ALIVE = 45.0
"""Seconds for which an idle connection is kept, longer than the gaps of a saturated pacer."""

LARGE_LIMIT = 30.0
"""A large answer may take so many times the timeout in all, and its retries as long again."""

_SMALL_BODY, _LARGE_BODY = 1 << 20, 256 << 20
"""The most bytes of an answer about one institution, and of one about all."""

_ERROR_BODY = 65536
"""Bytes that are read of an error answer, of which only the message matters."""


class Meter(Protocol):
    """What the calls report. Seconds are durations, `at` is an instant (POSIX seconds)."""

    def called(self, endpoint: str, code: str, seconds: float) -> None:
        """A call that was sent is over; `code` is its HTTP status, or "none"."""

    def throttled(self, seconds: float) -> None:
        """A call was held back by the rate limits, by the pause after a 429, or by a 503."""

    def rejected(self, entries: int) -> None:
        """So many entries of an answer could not be read."""

    def token_expires(self, at: float) -> None:
        """There is a new token."""


class Call(msgspec.Struct, frozen=True):
    """What to ask.

    `is_small` is True if the answer is about one institution, or a token: the timeout then holds
    for the whole of it, and it may have fewer bytes.
    """

    endpoint: str
    url: URL
    method: str = "GET"
    is_small: bool = True


class Response(msgspec.Struct, frozen=True):
    """What came back: status, body, and the header Retry-After if there is one."""

    status: int
    body: bytearray
    retry_after: str | None


class _Flight:
    """A call under way; `sent_at` is None until its headers have been written."""

    __slots__ = ("_on_sent", "_slot", "code", "sent_at")

    def __init__(self, slot: Slot, on_sent: Callable[[], None]) -> None:
        self._slot = slot
        self._on_sent = on_sent
        self.sent_at: float | None = None
        self.code = "none"

    def sent(self) -> None:
        self._slot.sent()
        self._on_sent()
        self.sent_at = time.monotonic()


class Exchange:
    """One session of kept-alive connections; an async context manager.

    `timeout` (seconds) limits connecting, each read, and the whole of a small answer.
    `calls_sent` is how many calls were sent so far; all go through `proxy`, if there is one.
    """

    def __init__(
        self,
        *,
        version: str,
        timeout: float,
        max_concurrency: int,
        pacer: Pacer,
        meter: Meter,
        proxy: str | None = None,
    ) -> None:
        self.calls_sent = 0
        self._headers = {
            "Nex-Api-Version": version,
            "User-Agent": f"nexhealth-exporter/{__version__}",
        }
        # A limit of the whole also limits each part, so aiohttp need not run more timers.
        self._small = aiohttp.ClientTimeout(total=timeout)
        self._large = aiohttp.ClientTimeout(
            total=LARGE_LIMIT * timeout, connect=timeout, sock_read=timeout
        )
        self._max_concurrency = max_concurrency
        self._permits = asyncio.Semaphore(max_concurrency)
        self._pacer = pacer
        self._meter = meter
        self._proxy = proxy
        self._session: aiohttp.ClientSession

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=self._max_concurrency, keepalive_timeout=KEEP_ALIVE
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=self._headers,
            request_class=_Request,
            middlewares=[_only_once],
            proxy=self._proxy,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def send(self, call: Call, authorization: str, on_turn: Callable[[], None]) -> Response:
        """Send it when its turn comes, after calling `on_turn`. Raises a leaf of PollError."""
        async with self._pacer.slot(self._permits) as slot:
            on_turn()
            if slot.held:
                self._meter.throttled(slot.held)
            flight = _Flight(slot, self._count)
            try:
                return await self._send(call, authorization, flight)
            except (aiohttp.ClientError, OSError) as error:
                raise failure(error, call.url.host or "") from None
            finally:
                if flight.sent_at is not None:
                    seconds = time.monotonic() - flight.sent_at
                    self._meter.called(call.endpoint, flight.code, seconds)

    def _count(self) -> None:
        self.calls_sent += 1

    async def _send(self, call: Call, authorization: str, flight: _Flight) -> Response:
        _FLIGHT.set(flight)
        response = await self._session.request(
            call.method,
            call.url,
            headers={"Authorization": authorization},
            allow_redirects=False,
            timeout=self._small if call.is_small else self._large,
        )
        try:
            flight.code = str(response.status)
            body = await _body(response, _SMALL_BODY if call.is_small else _LARGE_BODY)
            return Response(response.status, body, response.headers.get("Retry-After"))
        finally:
            response.release()


class _Request(aiohttp.ClientRequest):
    """Tells its flight when its headers have been written.

    It is not sent where an answer waits already, which would be taken for that to this request.

    aiohttp's tracing would tell that too, with nine other things, but costs as much as reading an
    answer.
    """

    async def send(self, conn: aiohttp.connector.Connection) -> aiohttp.ClientResponse:
        if conn.protocol is not None and conn.protocol.should_close:
            raise aiohttp.ServerDisconnectedError("It answered before it was asked.")
        response = await super().send(conn)
        _FLIGHT.get().sent()
        return response


_FLIGHT: ContextVar[_Flight] = ContextVar("flight")
"""The call that the current task makes."""


async def _only_once(
    request: aiohttp.ClientRequest,
    handler: Callable[[aiohttp.ClientRequest], Awaitable[aiohttp.ClientResponse]],
) -> aiohttp.ClientResponse:
    """Keep aiohttp from retrying by itself when a connection breaks.

    Such a retry would bypass the pacer and the meter.
    """
    try:
        return await handler(request)
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise failure(error, request.url.host or "") from None


async def _body(response: aiohttp.ClientResponse, max_bytes: int) -> bytearray:
    is_success = response.ok
    room = max_bytes if is_success else _ERROR_BODY
    body, content = bytearray(), response.content
    while not content.at_eof():
        chunk = await content.readany()
        if len(body) + len(chunk) > room:
            if is_success:
                raise TooLarge(f"The answer is larger than {max_bytes} bytes.", response.status)
            break
        body += chunk
    return body


def failure(error: Exception, host: str) -> PollError:
    """The PollError for a failed call; its text holds nothing that was sent."""
    causes = (error, error.__cause__, error.__context__)
    match error:
        case aiohttp.ClientSSLError() | ssl.SSLError():
            return TlsFailed(f"TLS with {host} failed: {_system_words(error)}.")
        case TimeoutError():
            return Timeout(f"No answer from {host} within the time limit.")
        case aiohttp.ClientConnectorError() | aiohttp.ClientHttpProxyError():
            return ConnectionFailed(_unreached(error, host))
        case aiohttp.ClientResponseError():
            return Malformed(f"{host} does not answer with HTTP.")
        case aiohttp.ClientPayloadError() if any(
            isinstance(cause, ContentEncodingError) for cause in causes
        ):
            return Malformed("The answer cannot be decompressed.")
        case _:
            return ConnectionFailed(f"The connection to {host} broke: {type(error).__name__}.")


def _unreached(
    error: aiohttp.ClientConnectorError | aiohttp.ClientHttpProxyError, host: str
) -> str:
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return f"The proxy refused to connect to {host}: HTTP {error.status}."
    # The host that was not reached: that of the proxy, if there is one.
    return f"No connection to {error.host}: {_system_words(error.os_error)}."


def _system_words(error: BaseException) -> str:
    """The short message of the operating system or of OpenSSL."""
    inner = getattr(error, "certificate_error", None) or getattr(error, "os_error", None) or error
    told = getattr(inner, "verify_message", "") or getattr(inner, "reason", "")
    return str(told or getattr(inner, "strerror", "") or type(inner).__name__).rstrip(".")
