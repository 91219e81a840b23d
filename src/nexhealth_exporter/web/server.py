"""The listening socket: opened, served, closed without cutting off a scrape."""

import asyncio
import errno
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from nexhealth_exporter.errors import ConfigError

KEEPALIVE_SECONDS = 75.0
"""Longer than usual scrape intervals; a client that never ends its request is cut off too."""

STOPPING_SECONDS = 2.0
"""Requests under way get so long to end, and as long again to be cancelled."""

LONGEST_LINE = LONGEST_HEADER = 8190
MOST_BODY = 1024
"""Bytes; nothing here takes a body."""


@asynccontextmanager
async def serving(
    app: web.Application,
    host: str | None,
    port: int,
    *,
    tls: ssl.SSLContext | None = None,
    keepalive: float = KEEPALIVE_SECONDS,
) -> AsyncIterator[int]:
    """Serve while the context is open; gives the port, which the system chooses for 0.

    On leaving, no new connection is accepted, and requests under way are finished.
    Raises ConfigError if the address cannot be used.
    """
    runner = web.AppRunner(
        app,
        access_log=None,
        handler_cancellation=True,
        shutdown_timeout=STOPPING_SECONDS,
        keepalive_timeout=keepalive,
        max_line_size=LONGEST_LINE,
        max_field_size=LONGEST_HEADER,
        lingering_time=1.0,
    )
    await runner.setup()
    try:
        await _listen(runner, host, port, tls)
        yield int(runner.addresses[0][1])
    finally:
        # Leaving because of a signal must not cut off what leaving is to finish.
        await asyncio.shield(runner.cleanup())


async def _listen(
    runner: web.AppRunner, host: str | None, port: int, tls: ssl.SSLContext | None
) -> None:
    site = web.TCPSite(runner, host or None, port, ssl_context=tls, reuse_address=True)
    try:
        await site.start()
    except OSError as error:
        raise ConfigError(_sentence(error, host, port)) from error


def _sentence(error: OSError, host: str | None, port: int) -> str:
    where = f"{host or '*'}:{port}"
    if error.errno == errno.EADDRINUSE:
        return f"LISTEN_ADDRESS {where} is in use by another process; choose another port"
    if error.errno == errno.EACCES:
        return f"LISTEN_ADDRESS {where} may not be used by this user; choose a port above 1023"
    return f"LISTEN_ADDRESS {where} cannot be listened on: {error.strerror or error}"
