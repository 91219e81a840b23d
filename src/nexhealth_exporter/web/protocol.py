"""HTTP as it is spoken here: what is no HTTP is refused in few words, and told in fewer."""

import logging

from aiohttp import web

from nexhealth_exporter.web.guard import CAREFUL

logger = logging.getLogger(__name__)

_OUR_FAULT = 500


class Protocol(web.RequestHandler):
    """aiohttp's own, but for requests that it cannot read.

    Anybody can send such a request. aiohttp logs an error with a trace of it, and the header
    that is at fault, which may be a password; and its answer names its version.
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
        logger.debug("a request cannot be read", extra={"fault": type(exc).__name__})
        if request.writer.output_size > 0:
            raise ConnectionError("an answer has begun; another one cannot follow")
        refusal = web.Response(
            status=status, text="This request cannot be read.\n", headers=CAREFUL
        )
        refusal.force_close()
        return refusal
