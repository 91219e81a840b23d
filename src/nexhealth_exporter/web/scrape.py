"""`/metrics`: what Prometheus reads."""

import asyncio
from collections.abc import Sequence

from aiohttp import hdrs, web

from nexhealth_exporter.web import negotiation
from nexhealth_exporter.web.view import MetricsPage, View

DRAWN_AT_ONCE = 4
"""Pages drawn at a time: each takes its size in memory, a request that waits does not."""

WRITING_SECONDS = 60.0
"""The longest that sending may take: a scraper that never reads would keep its page in memory."""


class Scrape:
    """Answers from what is known at this moment; it never makes a call to the API."""

    def __init__(
        self, view: View, page: MetricsPage, *, writing_seconds: float = WRITING_SECONDS
    ) -> None:
        self._view = view
        self._page = page
        self._writing_seconds = writing_seconds
        self._drawing = asyncio.Semaphore(DRAWN_AT_ONCE)

    async def get(self, request: web.Request) -> web.StreamResponse:
        """The page, chunk by chunk; for HEAD the same headers alone."""
        kind = negotiation.content_type(request.headers.get(hdrs.ACCEPT, ""))
        gzip = negotiation.wants_gzip(request.headers.get(hdrs.ACCEPT_ENCODING, ""))
        names = frozenset(request.query.getall("name[]", ()))
        async with self._drawing:
            chunks = await self._page.write(
                self._view.fleet(),
                self._view.now(),
                openmetrics=kind == negotiation.OPENMETRICS,
                names=names,
                gzip=gzip,
            )
        response = web.StreamResponse(
            headers={hdrs.CONTENT_TYPE: kind, hdrs.VARY: "Accept, Accept-Encoding"}
        )
        if gzip:
            response.headers[hdrs.CONTENT_ENCODING] = "gzip"
        response.content_length = sum(map(len, chunks))
        await response.prepare(request)
        if request.method != hdrs.METH_HEAD:
            await self._send(request, response, chunks)
        return response

    async def _send(
        self, request: web.Request, response: web.StreamResponse, chunks: Sequence[bytes]
    ) -> None:
        try:
            async with asyncio.timeout(self._writing_seconds):
                for chunk in chunks:
                    await response.write(chunk)
        except TimeoutError:
            if request.transport is not None:
                request.transport.abort()
