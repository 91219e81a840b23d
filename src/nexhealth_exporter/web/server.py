"""The listening socket: opened, served, closed without cutting off a scrape."""

import asyncio
import errno
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import web

from nexhealth_exporter.errors import ConfigError
from nexhealth_exporter.web.connections import (
    IDLE_SECONDS,
    MOST,
    MOST_STALLED,
    Connections,
    counted,
)
from nexhealth_exporter.web.protocol import Protocol

KEEPALIVE_SECONDS = 75.0
"""Longer than usual scrape intervals; a client that never ends its request is cut off too."""

STOPPING_SECONDS = 2.0
"""Requests under way get so long to end, and as long again to be cancelled."""

HANDSHAKE_SECONDS = 10.0
"""What a client may take to agree on TLS."""

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
    most: int = MOST,
    stalled: int = MOST_STALLED,
    idle: float = IDLE_SECONDS,
    handshake: float = HANDSHAKE_SECONDS,
) -> AsyncIterator[int]:
    """Serve while the context is open; gives the port, which the system chooses for 0.

    `most` connections are open at a time, and `stalled` of them may leave their answer unread;
    one that does nothing for `idle` seconds is cut, as is one that has not agreed on TLS within
    `handshake` seconds.
    On leaving, no new connection is accepted, and requests under way are finished.
    Raises ConfigError if the address cannot be used.
    """
    app.middlewares.insert(0, counted(lambda: connections))
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=STOPPING_SECONDS)
    await runner.setup()
    connections = Connections(_protocols(runner, keepalive), most=most, stalled=stalled, idle=idle)
    try:
        server = await asyncio.get_running_loop().create_server(
            connections,
            host or None,
            port,
            ssl=tls,
            reuse_address=True,
            ssl_handshake_timeout=handshake if tls else None,
        )
    except OSError as error:
        await runner.cleanup()
        raise ConfigError(_sentence(error, host, port)) from error
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()
        # Leaving because of a signal must not cut off what leaving is to finish.
        await asyncio.shield(runner.cleanup())
        connections.cut_all()


def _protocols(runner: web.AppRunner, keepalive: float) -> Callable[[], Protocol]:
    server = runner.server
    if server is None:
        raise RuntimeError("the runner is not set up")
    loop = asyncio.get_running_loop()
    return lambda: Protocol(
        server,
        loop=loop,
        access_log=None,  # type: ignore[arg-type]  # what turns it off
        keepalive_timeout=keepalive,
        max_line_size=LONGEST_LINE,
        max_field_size=LONGEST_HEADER,
        lingering_time=1.0,
    )


def _sentence(error: OSError, host: str | None, port: int) -> str:
    where = f"{host or '*'}:{port}"
    if error.errno == errno.EADDRINUSE:
        return f"LISTEN_ADDRESS {where} is in use by another process; choose another port"
    if error.errno == errno.EACCES:
        return f"LISTEN_ADDRESS {where} may not be used by this user; choose a port above 1023"
    return f"LISTEN_ADDRESS {where} cannot be listened on: {error.strerror or error}"
