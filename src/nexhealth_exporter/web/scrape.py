"""`/metrics`: what Prometheus reads."""

import asyncio

from aiohttp import hdrs, web

from nexhealth_exporter.web import negotiation
from nexhealth_exporter.web.view import MetricsPage, View

WRITING_SECONDS = 60.0
"""A scraper that reads more slowly than this would keep its page in memory for ever."""


class Scrape:
    """Answers from what is known at this moment; it never makes a call to the API."""

    def __init__(self, view: View, page: MetricsPage) -> None:
        self._view = view
        self._page = page

    async def get(self, request: web.Request) -> web.StreamResponse:
        """The page, chunk by chunk; for HEAD the same headers alone."""
        kind = negotiation.content_type(request.headers.get(hdrs.ACCEPT, ""))
        gzip = negotiation.wants_gzip(request.headers.get(hdrs.ACCEPT_ENCODING, ""))
        chunks = await self._page.write(
            self._view.fleet(),
            self._view.now(),
            openmetrics=kind == negotiation.OPENMETRICS,
            names=frozenset(request.query.getall("name[]", ())),
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
            async with asyncio.timeout(WRITING_SECONDS):
                for chunk in chunks:
                    await response.write(chunk)
        return response
