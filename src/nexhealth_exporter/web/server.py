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
    MOST_OPEN,
    MOST_STALLED,
    Connections,
    tracked,
)
from nexhealth_exporter.web.protocol import Protocol

KEEPALIVE_SECONDS = 75.0
"""Longer than usual scrape intervals; a client that never finishes its request is cut then too."""

STOPPING_SECONDS = 2.0
"""How long requests under way may take to finish on shutdown, and as long again once cancelled."""

HANDSHAKE_SECONDS = 10.0
"""The longest a TLS handshake may take."""

LONGEST_LINE = LONGEST_HEADER = 8190
MOST_BODY = 1024
"""Bytes of a request line, a header and a body; nothing here needs a body."""


@asynccontextmanager
async def serving(
    app: web.Application,
    host: str | None,
    port: int,
    *,
    tls: ssl.SSLContext | None = None,
    keepalive: float = KEEPALIVE_SECONDS,
    most: int = MOST_OPEN,
    stalled: int = MOST_STALLED,
    idle: float = IDLE_SECONDS,
    handshake: float = HANDSHAKE_SECONDS,
) -> AsyncIterator[int]:
    """Serve while the context is open; yields the port, which the system chooses for 0.

    `most`, `stalled` and `idle` are the limits of `Connections`; a TLS handshake may take
    `handshake` seconds. On exit, no new connection is accepted and requests under way are
    finished. Raises ConfigError if the address cannot be used.
    """
    app.middlewares.insert(0, tracked(lambda: connections))
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
        # A signal that cancels this task must not cut off the requests that are being finished.
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
        return f"cannot listen on {where}: the port is in use; change LISTEN_ADDRESS."
    if error.errno == errno.EACCES:
        return f"cannot listen on {where}: not permitted; use a port above 1023 in LISTEN_ADDRESS."
    return f"cannot listen on {where}: {error.strerror or error}; correct LISTEN_ADDRESS."
