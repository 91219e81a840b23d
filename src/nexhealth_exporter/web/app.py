"""The application: which path is answered by what."""

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from nexhealth_exporter.web import api
from nexhealth_exporter.web.guard import careful, identified
from nexhealth_exporter.web.pages import Pages
from nexhealth_exporter.web.plain import Plain
from nexhealth_exporter.web.scrape import Scrape
from nexhealth_exporter.web.server import MOST_BODY
from nexhealth_exporter.web.static import Static
from nexhealth_exporter.web.view import MetricsPage, View


def build(view: View, page: MetricsPage) -> web.Application:
    """The application for that view; it holds no state of its own."""
    static = Static.load()
    pages = Pages(view, static)
    plain = Plain(view)
    json = api.Api(view)
    app = web.Application(
        middlewares=[identified(view.access), _explained(pages)], client_max_size=MOST_BODY
    )
    app.add_routes(
        [
            web.get("/metrics", Scrape(view, page).get),
            web.get("/-/healthy", plain.healthy),
            web.get("/-/ready", plain.ready),
            web.get("/config", plain.config),
            web.get("/api/v1/syncs", json.syncs),
            web.get("/api/v1/institutions/{subdomain:[^/]+}", json.institution),
            web.get("/static/{name}", static.get),
            web.get("/institutions/{subdomain:[^/]+}", pages.institution),
            web.get("/", pages.fleet),
        ]
    )
    app.on_response_prepare.append(careful(view.access))
    return app


def _explained(pages: Pages) -> Middleware:
    """Middleware that gives refusals in the form in which the answer would have come."""

    @web.middleware
    async def explain(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except web.HTTPClientError as error:
            sentence = error.reason if error.status != 404 else "There is nothing at this address."  # noqa: PLR2004
            refused = (
                api.refusal(error.status, sentence)
                if request.path.startswith("/api/")
                else pages.refusal(request, error.status, sentence)
            )
            if hdrs.ALLOW in error.headers:
                refused.headers[hdrs.ALLOW] = error.headers[hdrs.ALLOW]
            return refused

    return explain
