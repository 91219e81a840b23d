"""The HTTP protocol, with requests that cannot be parsed refused quietly."""

import logging

from aiohttp import web

from nexhealth_exporter.web.guard import SECURITY_HEADERS

logger = logging.getLogger(__name__)

_OUR_FAULT = 500


class Protocol(web.RequestHandler):
    """aiohttp's own, except for requests that it cannot parse.

    Anybody can send such a request. aiohttp would log an error with a traceback and the offending
    header, which may hold a password, and its answer would name its version.
    """

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = _OUR_FAULT,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer to a request that failed, after which the connection ends."""
        if status >= _OUR_FAULT:
            return super().handle_error(request, status, exc, message)
        logger.debug("unreadable request", extra={"error": type(exc).__name__})
        if request.writer.output_size > 0:
            raise ConnectionError("an answer has begun; another one cannot follow")
        refusal = web.Response(
            status=status, text="This request cannot be read.\n", headers=SECURITY_HEADERS
        )
        refusal.force_close()
        return refusal
