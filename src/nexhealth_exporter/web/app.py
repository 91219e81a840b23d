"""The application: which path is answered by what."""

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from nexhealth_exporter.web.guard import basic_auth, security_headers
from nexhealth_exporter.web.plain import Plain
from nexhealth_exporter.web.scrape import Scrape
from nexhealth_exporter.web.server import MOST_BODY
from nexhealth_exporter.web.static import Static
from nexhealth_exporter.web.view import MetricsPage, View

if TYPE_CHECKING:
    from nexhealth_exporter.web.api import Api
    from nexhealth_exporter.web.pages import Pages


def build(view: View, page: MetricsPage) -> web.Application:
    """The application that serves this view; it holds no state of its own."""
    static = Static.load()
    plain = Plain(view)
    late = _LateHandlers(view, static)
    app = web.Application(
        middlewares=[basic_auth(view.access), _readable_errors(late)], client_max_size=MOST_BODY
    )
    app.add_routes(
        [
            web.get("/metrics", Scrape(view, page).get),
            web.get("/-/healthy", plain.healthy),
            web.get("/-/ready", plain.ready),
            web.get("/config", plain.config),
            web.get("/api/v1/syncs", _on_demand(lambda: late.json.syncs)),
            web.get(
                "/api/v1/institutions/{subdomain:[^/]+}", _on_demand(lambda: late.json.institution)
            ),
            web.get("/static/{name}", static.get),
            web.get("/institutions/{subdomain:[^/]+}", _on_demand(lambda: late.pages.institution)),
            web.get("/", _on_demand(lambda: late.pages.fleet)),
        ]
    )
    app.on_response_prepare.append(security_headers(view.access))
    return app


class _LateHandlers:
    """Pages and JSON for people, imported when first asked for: `/metrics` need not wait."""

    def __init__(self, view: View, static: Static) -> None:
        self._view = view
        self._static = static

    @cached_property
    def pages(self) -> "Pages":
        """The pages."""
        from nexhealth_exporter.web.pages import Pages  # noqa: PLC0415

        return Pages(self._view, self._static)

    @cached_property
    def json(self) -> "Api":
        """The same facts as JSON."""
        from nexhealth_exporter.web.api import Api  # noqa: PLC0415

        return Api(self._view)


def _on_demand(find: Callable[[], Handler]) -> Handler:
    """A handler that is looked up only when there is a request."""

    async def handle(request: web.Request) -> web.StreamResponse:
        return await find()(request)

    return handle


def _readable_errors(late: _LateHandlers) -> Middleware:
    """Middleware that answers errors in the form that was asked for: JSON below /api, or a page."""

    @web.middleware
    async def explain(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except web.HTTPClientError as error:
            sentence = error.reason if error.status != 404 else "There is nothing at this address."  # noqa: PLR2004
            refused = (
                late.json.refusal(error.status, sentence)
                if request.path.startswith("/api/")
                else late.pages.refusal(request, error.status, sentence)
            )
            if hdrs.ALLOW in error.headers:
                refused.headers[hdrs.ALLOW] = error.headers[hdrs.ALLOW]
            return refused

    return explain
